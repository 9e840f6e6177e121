// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"

	"github.com/openpcc/twoway"
)

// opener is the package's own type for what opens an answer; answerer what seals one.
type opener = twoway.ResponseOpenerFunc

type answerer interface {
	NewResponseSealer(pt io.Reader, mediaType []byte, opts ...twoway.Option) (
		*twoway.ResponseSealer, error)
}

// paced is a reader that gives at most `most` bytes at a time.
type paced struct {
	from io.Reader
	most int
}

func (p paced) Read(b []byte) (int, error) {
	return p.from.Read(b[:min(len(b), p.most)])
}

// layout is how a message is laid out and how its bytes come: at most pace at a time, 0 for all.
type layout struct {
	label    []byte
	chunked  bool
	maxChunk int // 0: the package's default
	pace     int
}

func (f *fields) layout() layout {
	return layout{f.bytes(), f.number() != 0, f.number(), f.number()}
}

func (l layout) reader(b []byte) io.Reader {
	if l.pace == 0 {
		return bytes.NewReader(b)
	}
	return paced{bytes.NewReader(b), l.pace}
}

func (l layout) sealing() []twoway.Option {
	var opts []twoway.Option
	if l.chunked {
		opts = append(opts, twoway.EnableChunking())
	}
	if l.maxChunk != 0 {
		opts = append(opts, twoway.WithMaxChunkPlaintextLen(l.maxChunk))
	}
	return opts
}

// opening takes at least the 16384 bytes a chunk that every receiver takes.
func (l layout) opening() []twoway.Option {
	l.maxChunk = max(l.maxChunk, 16384)
	return l.sealing()
}

// request seals to a public key.
func (p *peer) request(f *fields) (results, error) {
	suite, keyID := f.suite(), byte(f.number())
	public, err := f.publicKey(suite)
	if err != nil {
		return nil, err
	}
	l := f.layout()
	sender, err := twoway.NewRequestSender(suite, keyID, public, rand.Reader)
	if err != nil {
		return nil, err
	}
	sealer, err := sender.NewRequestSealer(l.reader(f.bytes()), l.label, l.sealing()...)
	if err != nil {
		return nil, err
	}
	message, err := io.ReadAll(sealer)
	if err != nil {
		return nil, err
	}
	return p.keepAsked(nil, message, sealer.NewResponseOpener), nil
}

func (p *peer) keepAsked(out results, message []byte, open opener) results {
	p.asked = append(p.asked, open)
	out.number(len(p.asked) - 1)
	out.bytes(message)
	return out
}

var errNoReader = errors.New("neither a reader nor an error")

func openAll(r io.Reader, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errNoReader
	}
	return io.ReadAll(r)
}

// receive opens the answer to a request.
func (p *peer) receive(f *fields) (results, error) {
	open, l := p.asked[f.number()], f.layout()
	plain, err := openAll(open(l.reader(f.bytes()), l.label, l.opening()...))
	if err != nil {
		return nil, err
	}
	var out results
	out.bytes(plain)
	return out, nil
}

// newOpener reads the arguments that accept and try share: an encapsulated key of no bytes means
// one to one.
func (p *peer) newOpener(f *fields) (*twoway.RequestOpener, error) {
	suite, key, keyID := f.suite(), p.keys[f.number()], byte(f.number())
	l, encap, message := f.layout(), f.bytes(), f.bytes()
	if len(encap) != 0 {
		receiver, err := twoway.NewMultiRequestReceiver(suite, keyID, key, rand.Reader)
		if err != nil {
			return nil, err
		}
		return receiver.NewRequestOpener(encap, l.reader(message), l.label, l.opening()...)
	}
	receiver, err := twoway.NewRequestReceiver(suite, keyID, key, rand.Reader)
	if err != nil {
		return nil, err
	}
	return receiver.NewRequestOpener(l.reader(message), l.label, l.opening()...)
}

func (p *peer) accept(f *fields) (results, error) {
	opened, err := p.newOpener(f)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(opened)
	if err != nil {
		return nil, err
	}
	p.accepted = append(p.accepted, opened)

	var out results
	out.number(len(p.accepted) - 1)
	out.bytes(plain)
	return out, nil
}

// respond seals an answer to a request that accept opened.
func (p *peer) respond(f *fields) (results, error) {
	to, l := p.accepted[f.number()], f.layout()
	sealer, err := to.NewResponseSealer(l.reader(f.bytes()), l.label, l.sealing()...)
	if err != nil {
		return nil, err
	}
	message, err := io.ReadAll(sealer)
	if err != nil {
		return nil, err
	}
	var out results
	out.bytes(message)
	return out, nil
}

// multi seals once and encapsulates to each receiver, half of them before the body is read.
func (p *peer) multi(f *fields) (results, error) {
	suite, l := f.suite(), f.layout()
	sealer, err := twoway.NewMultiRequestSender(suite, rand.Reader).NewRequestSealer(
		l.reader(f.bytes()), l.label, l.sealing()...)
	if err != nil {
		return nil, err
	}
	var encaps results
	count := f.number()
	encapsulate := func(n int) error {
		for range n {
			keyID := byte(f.number())
			public, err := f.publicKey(suite)
			if err != nil {
				return err
			}
			encap, open, err := sealer.EncapsulateKey(keyID, public)
			if err != nil {
				return err
			}
			encaps = p.keepAsked(encaps, encap, open)
		}
		return nil
	}
	if err := encapsulate(count / 2); err != nil {
		return nil, err
	}
	message, err := io.ReadAll(sealer)
	if err != nil {
		return nil, err
	}
	if err := encapsulate(count - count/2); err != nil {
		return nil, err
	}
	var out results
	out.bytes(message)
	return append(out, encaps...), nil
}
