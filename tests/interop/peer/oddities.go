// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"

	"github.com/cloudflare/circl/hpke"
	"github.com/openpcc/twoway"
)

// try opens a request as accept does, or the answer to one as receive does, and tells how that
// ended: what it said ("" for a complete message), and what had been released by then.
func (p *peer) try(f *fields) (results, error) {
	var plain []byte
	var err error
	if f.number() != 0 {
		open, l := p.asked[f.number()], f.layout()
		plain, err = openAll(open(l.reader(f.bytes()), l.label, l.opening()...))
	} else {
		var opened *twoway.RequestOpener
		if opened, err = p.newOpener(f); err == nil {
			plain, err = io.ReadAll(opened)
		}
	}
	var out results
	out.bytes([]byte(verdict(err)))
	out.bytes(plain)
	return out, nil
}

// verdict is what a caller of the package can tell an error by.
func verdict(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errNoReader):
		return "no reader"
	case strings.Contains(err.Error(), "too much data"):
		return "too much"
	case strings.Contains(err.Error(), "integrity"):
		return "integrity"
	case errors.Is(err, io.EOF):
		return "EOF"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "unexpected EOF"
	}
	return "other"
}

// interlace makes two requests from one sender before either is read.
func (p *peer) interlace(f *fields) (results, error) {
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
	var sealers [2]io.Reader
	for i := range sealers {
		sealers[i], err = sender.NewRequestSealer(l.reader(f.bytes()), l.label, l.sealing()...)
		if err != nil {
			return nil, err
		}
	}
	var out results
	for _, sealer := range sealers {
		message, err := io.ReadAll(sealer)
		if err != nil {
			return nil, err
		}
		out.bytes(message)
	}
	return out, nil
}

// forge seals a request out of parts given one by one: what precedes it on the wire, its associated
// data, its plaintext. So it sends what the package itself never would.
func (p *peer) forge(f *fields) (results, error) {
	suite, keyID := f.suite(), byte(f.number())
	public, err := f.publicKey(suite)
	if err != nil {
		return nil, err
	}
	header, err := twoway.NewRequestHeaderForSuite(
		twoway.AdaptCirclHPKESuite(suite), keyID).MarshalBinary()
	if err != nil {
		return nil, err
	}
	sender, err := suite.NewSender(public, bytes.Join([][]byte{f.bytes(), header}, []byte{0}))
	if err != nil {
		return nil, err
	}
	enc, context, err := sender.Setup(rand.Reader)
	if err != nil {
		return nil, err
	}
	message := append(header, enc...)
	if err := forgeParts(f, context, &message); err != nil {
		return nil, err
	}
	var out results
	out.bytes(message)
	return out, nil
}

func forgeParts(f *fields, context hpke.Sealer, message *[]byte) error {
	for range f.number() {
		before, aad := f.bytes(), f.bytes()
		ciphertext, err := context.Seal(f.bytes(), aad)
		if err != nil {
			return err
		}
		*message = append(append(*message, before...), ciphertext...)
	}
	return nil
}
