// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/rand"
	"io"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
	"github.com/openpcc/twoway"
)

const (
	plainLen = 1024     // of a request, and of an answer
	ring     = 16 << 20 // bytes of content in the message that is opened again and again
	batch    = 64       // messages prepared at a time
)

var label = []byte("bench")

// ends are both ends, with an exchange under way.
type ends struct {
	suite    hpke.Suite
	private  kem.PrivateKey
	public   kem.PublicKey
	sender   *twoway.RequestSender
	receiver *twoway.RequestReceiver
}

func newEnds(kemID hpke.KEM, aeadID hpke.AEAD) *ends {
	e := &ends{suite: hpke.NewSuite(kemID, hpke.KDF_HKDF_SHA256, aeadID)}
	var err error
	e.public, e.private, err = kemID.Scheme().GenerateKeyPair()
	must(err)
	e.sender = got(twoway.NewRequestSender(e.suite, 1, e.public, rand.Reader))
	e.receiver = got(twoway.NewRequestReceiver(e.suite, 1, e.private, rand.Reader))
	return e
}

func (e *ends) request(plain io.Reader, opts ...twoway.Option) *twoway.RequestSealer {
	return got(e.sender.NewRequestSealer(plain, label, opts...))
}

func (e *ends) open(message []byte) *twoway.RequestOpener {
	opener := got(e.receiver.NewRequestOpener(bytes.NewReader(message), label))
	discard(opener)
	return opener
}

// exchange sends a request and opens it: what opens the answer, and what seals one.
func (e *ends) exchange() (twoway.ResponseOpenerFunc, *twoway.RequestOpener) {
	sealer := e.request(bytes.NewReader(make([]byte, plainLen)))
	message := got(io.ReadAll(sealer))
	return sealer.NewResponseOpener, e.open(message)
}

var scratch = make([]byte, 1<<20)

// discard reads to the end without keeping it, as a program would that has a buffer.
func discard(from io.Reader) {
	for {
		_, err := from.Read(scratch)
		if err == io.EOF {
			return
		}
		must(err)
	}
}

// endless gives what its buffers hold already: it costs nothing.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	return len(b), nil
}

func chunks(size int) []twoway.Option {
	return []twoway.Option{twoway.EnableChunking(), twoway.WithMaxChunkPlaintextLen(size)}
}

// The bytes of a chunk on the wire: its length in a varint (RFC 9000 section 16), and a tag.
func pieceLen(size int) int {
	switch n := size + 16; {
	case n < 1<<6:
		return 1 + n
	case n < 1<<14:
		return 2 + n
	default:
		return 4 + n
	}
}

func sealChunks(aeadID hpke.AEAD, size int) row {
	_, answer := newEnds(hpke.KEM_X25519_HKDF_SHA256, aeadID).exchange()
	sealer := got(answer.NewResponseSealer(endless{}, label, chunks(size)...))
	piece := make([]byte, pieceLen(size))
	got(io.ReadFull(sealer, piece))
	return func(count int) int64 {
		return timed(count, func() { got(io.ReadFull(sealer, piece)) })
	}
}

func openChunks(aeadID hpke.AEAD, size int) row {
	hear, answer := newEnds(hpke.KEM_X25519_HKDF_SHA256, aeadID).exchange()
	plain := io.LimitReader(endless{}, ring)
	message := got(io.ReadAll(got(answer.NewResponseSealer(plain, label, chunks(size)...))))
	opts := chunks(max(size, 16384)) // an opener takes at least those
	chunk := make([]byte, size)

	var opener io.Reader
	left := 0
	return func(count int) int64 {
		var spent int64
		for count > 0 {
			if left == 0 {
				opener = got(hear(bytes.NewReader(message), label, opts...))
				left = ring / size
			}
			take := min(left, count)
			spent += timed(take, func() { got(io.ReadFull(opener, chunk)) })
			left -= take
			count -= take
		}
		return spent
	}
}

func sealWhole(size int) row {
	_, answer := newEnds(hpke.KEM_X25519_HKDF_SHA256, hpke.AEAD_AES128GCM).exchange()
	plain := make([]byte, size)
	return func(count int) int64 {
		return timed(count, func() {
			discard(got(answer.NewResponseSealer(bytes.NewReader(plain), label)))
		})
	}
}

func openWhole(size int) row {
	hear, answer := newEnds(hpke.KEM_X25519_HKDF_SHA256, hpke.AEAD_AES128GCM).exchange()
	message := got(io.ReadAll(got(answer.NewResponseSealer(
		bytes.NewReader(make([]byte, size)), label))))
	return func(count int) int64 {
		return timed(count, func() { discard(got(hear(bytes.NewReader(message), label))) })
	}
}

// receive opens a request and answers it.
func receive(kemID hpke.KEM) row {
	e := newEnds(kemID, hpke.AEAD_AES128GCM)
	plain := make([]byte, plainLen)
	var messages [batch][]byte
	for i := range messages {
		messages[i] = got(io.ReadAll(e.request(bytes.NewReader(plain))))
	}
	next := 0
	return func(count int) int64 {
		return timed(count, func() {
			opener := e.open(messages[next%batch])
			discard(got(opener.NewResponseSealer(bytes.NewReader(plain), label)))
			next++
		})
	}
}

// send seals a request and opens its answer; who answers is not timed.
func send(kemID hpke.KEM) row {
	e := newEnds(kemID, hpke.AEAD_AES128GCM)
	plain := make([]byte, plainLen)
	var sealers [batch]*twoway.RequestSealer
	var messages [batch][]byte

	step := func(take int, one func(i int)) int64 {
		i := 0
		return timed(take, func() { one(i); i++ })
	}
	return func(count int) (spent int64) {
		for ; count > 0; count -= batch {
			take := min(count, batch)
			spent += step(take, func(i int) {
				sealers[i] = e.request(bytes.NewReader(plain))
				messages[i] = got(io.ReadAll(sealers[i]))
			})
			step(take, func(i int) {
				messages[i] = got(io.ReadAll(got(e.open(messages[i]).NewResponseSealer(
					bytes.NewReader(plain), label))))
			})
			spent += step(take, func(i int) {
				discard(got(sealers[i].NewResponseOpener(bytes.NewReader(messages[i]), label)))
			})
		}
		return spent
	}
}

// spread seals one message to many receivers.
func spread(kemID hpke.KEM, receivers int) row {
	e := newEnds(kemID, hpke.AEAD_AES128GCM)
	plain := make([]byte, plainLen)
	sender := twoway.NewMultiRequestSender(e.suite, rand.Reader)
	return func(count int) int64 {
		return timed(count, func() {
			sealer := got(sender.NewRequestSealer(bytes.NewReader(plain), label))
			discard(sealer)
			for range receivers {
				_, _, err := sealer.EncapsulateKey(1, e.public)
				must(err)
			}
		})
	}
}
