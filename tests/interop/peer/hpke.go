// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"fmt"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
)

// HPKE's modes, RFC 9180 section 5.
const (
	modeBase = iota
	modePSK
	modeAuth
	modeAuthPSK
)

// An empty string and an absent one are not the same to circl.
func (f *fields) secret() []byte {
	if b := f.bytes(); len(b) != 0 {
		return b
	}
	return nil
}

// exports appends what the exporter gives for each (context, length) that is left.
func (f *fields) exports(out *results, context hpke.Context) {
	for range f.number() {
		label := f.bytes()
		out.bytes(context.Export(label, uint(f.number())))
	}
}

func setupSender(s *hpke.Sender, mode int, psk, pskID []byte, identity kem.PrivateKey) (
	[]byte, hpke.Sealer, error) {
	switch mode {
	case modeBase:
		return s.Setup(rand.Reader)
	case modePSK:
		return s.SetupPSK(rand.Reader, psk, pskID)
	case modeAuth:
		return s.SetupAuth(rand.Reader, identity)
	case modeAuthPSK:
		return s.SetupAuthPSK(rand.Reader, identity, psk, pskID)
	}
	return nil, nil, fmt.Errorf("no mode %d", mode)
}

// seal is HPKE's sender: mode, suite, receiver, info, psk, psk id, own identity (a key of ours,
// whatever the mode), then (aad, plaintext) and (exporter context, length).
func (p *peer) seal(f *fields) (results, error) {
	mode, suite := f.number(), f.suite()
	public, err := f.publicKey(suite)
	if err != nil {
		return nil, err
	}
	sender, err := suite.NewSender(public, f.bytes())
	if err != nil {
		return nil, err
	}
	psk, pskID, identity := f.secret(), f.secret(), p.keys[f.number()]
	enc, context, err := setupSender(sender, mode, psk, pskID, identity)
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

func setupReceiver(r *hpke.Receiver, mode int, enc, psk, pskID []byte, sender kem.PublicKey) (
	hpke.Opener, error) {
	switch mode {
	case modeBase:
		return r.Setup(enc)
	case modePSK:
		return r.SetupPSK(enc, psk, pskID)
	case modeAuth:
		return r.SetupAuth(enc, sender)
	case modeAuthPSK:
		return r.SetupAuthPSK(enc, psk, pskID, sender)
	}
	return nil, fmt.Errorf("no mode %d", mode)
}

// open is HPKE's receiver: mode, suite, own key, enc, info, psk, psk id, the sender's public key,
// then (aad, ciphertext) and (exporter context, length).
func (p *peer) open(f *fields) (results, error) {
	mode, suite, key := f.number(), f.suite(), p.keys[f.number()]
	enc := f.bytes()
	receiver, err := suite.NewReceiver(key, f.bytes())
	if err != nil {
		return nil, err
	}
	psk, pskID := f.secret(), f.secret()
	sender, err := f.publicKey(suite)
	if err != nil {
		return nil, err
	}
	context, err := setupReceiver(receiver, mode, enc, psk, pskID, sender)
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
