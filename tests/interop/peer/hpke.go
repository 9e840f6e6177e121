// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"fmt"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
	"github.com/openpcc/twoway"
)

// HPKE's modes, RFC 9180 section 5.
const (
	modeBase = iota
	modePSK
	modeAuth
	modeAuthPSK
	modeStandard // base, by Go's own library in place of circl
)

// An empty string and an absent one are not the same to circl.
func (f *fields) secret() []byte {
	if b := f.bytes(); len(b) != 0 {
		return b
	}
	return nil
}

// exports appends what the exporter gives for each (context, length) that is left.
func (f *fields) exports(out *results, context twoway.HPKEExporter) {
	for range f.number() {
		label := f.bytes()
		out.bytes(context.Export(label, uint(f.number())))
	}
}

// session is what both sides of a context are told: what of it a mode has no use for is empty.
type session struct {
	mode       int
	ids        ids
	key        kem.PrivateKey // ours
	peer       []byte         // the other side's public key
	info       []byte
	psk, pskID []byte
}

func (p *peer) session(f *fields) session {
	return session{f.number(), f.ids(), p.keys[f.number()], f.bytes(), f.bytes(), f.secret(),
		f.secret()}
}

func (s session) sender() ([]byte, twoway.HPKESealer, error) {
	if s.mode == modeStandard {
		return standardSender(s.ids, s.peer, s.info)
	}
	public, err := hpke.KEM(s.ids.kem).Scheme().UnmarshalBinaryPublicKey(s.peer)
	if err != nil {
		return nil, nil, err
	}
	sender, err := s.ids.suite().NewSender(public, s.info)
	if err != nil {
		return nil, nil, err
	}
	switch s.mode {
	case modeBase:
		return circl(sender.Setup(rand.Reader))
	case modePSK:
		return circl(sender.SetupPSK(rand.Reader, s.psk, s.pskID))
	case modeAuth:
		return circl(sender.SetupAuth(rand.Reader, s.key))
	case modeAuthPSK:
		return circl(sender.SetupAuthPSK(rand.Reader, s.key, s.psk, s.pskID))
	}
	return nil, nil, fmt.Errorf("no mode %d", s.mode)
}

func circl(enc []byte, sealer hpke.Sealer, err error) ([]byte, twoway.HPKESealer, error) {
	return enc, sealer, err
}

func (s session) receiver(enc []byte) (twoway.HPKEOpener, error) {
	if s.mode == modeStandard {
		return standardReceiver(s.ids, s.key, enc, s.info)
	}
	public, err := hpke.KEM(s.ids.kem).Scheme().UnmarshalBinaryPublicKey(s.peer)
	if err != nil {
		return nil, err
	}
	receiver, err := s.ids.suite().NewReceiver(s.key, s.info)
	if err != nil {
		return nil, err
	}
	switch s.mode {
	case modeBase:
		return receiver.Setup(enc)
	case modePSK:
		return receiver.SetupPSK(enc, s.psk, s.pskID)
	case modeAuth:
		return receiver.SetupAuth(enc, public)
	case modeAuthPSK:
		return receiver.SetupAuthPSK(enc, s.psk, s.pskID, public)
	}
	return nil, fmt.Errorf("no mode %d", s.mode)
}

// seal is HPKE's sender: a session, then (aad, plaintext) and (exporter context, length).
func (p *peer) seal(f *fields) (results, error) {
	enc, context, err := p.session(f).sender()
	if err != nil {
		return nil, err
	}
	var out results
	out.bytes(enc)
	for range f.number() {
		aad := f.bytes()
		ciphertext, err := context.Seal(f.bytes(), aad)
		if err != nil {
			return nil, err
		}
		out.bytes(ciphertext)
	}
	f.exports(&out, context)
	return out, nil
}

// open is HPKE's receiver: a session, enc, then (aad, ciphertext) and (exporter context, length).
func (p *peer) open(f *fields) (results, error) {
	context, err := p.session(f).receiver(f.bytes())
	if err != nil {
		return nil, err
	}
	var out results
	for range f.number() {
		aad := f.bytes()
		plain, err := context.Open(f.bytes(), aad)
		if err != nil {
			return nil, err
		}
		out.bytes(plain)
	}
	f.exports(&out, context)
	return out, nil
}

// standard says whether Go's own library is there.
func (p *peer) standard(*fields) (results, error) {
	var out results
	out.number(haveStandard)
	return out, nil
}
