// SPDX-License-Identifier: Apache-2.0

//go:build go1.26

package main

import (
	"crypto/hpke"

	"github.com/cloudflare/circl/kem"
	"github.com/openpcc/twoway"
)

const haveStandard = 1

type standardSealer struct {
	*hpke.Sender
}

func (s standardSealer) Seal(pt, aad []byte) ([]byte, error) {
	return s.Sender.Seal(aad, pt)
}

func (s standardSealer) Export(label []byte, length uint) []byte {
	return exported(s.Sender.Export(string(label), int(length)))
}

type standardOpener struct {
	*hpke.Recipient
}

func (o standardOpener) Open(ct, aad []byte) ([]byte, error) {
	return o.Recipient.Open(aad, ct)
}

func (o standardOpener) Export(label []byte, length uint) []byte {
	return exported(o.Recipient.Export(string(label), int(length)))
}

func exported(secret []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return secret
}

func standardSuite(i ids) (hpke.KEM, hpke.KDF, hpke.AEAD, error) {
	k, err := hpke.NewKEM(i.kem)
	if err != nil {
		return nil, nil, nil, err
	}
	kdf, err := hpke.NewKDF(i.kdf)
	if err != nil {
		return nil, nil, nil, err
	}
	aead, err := hpke.NewAEAD(i.aead)
	return k, kdf, aead, err
}

func standardSender(i ids, public, info []byte) ([]byte, twoway.HPKESealer, error) {
	k, kdf, aead, err := standardSuite(i)
	if err != nil {
		return nil, nil, err
	}
	key, err := k.NewPublicKey(public)
	if err != nil {
		return nil, nil, err
	}
	enc, sender, err := hpke.NewSender(key, kdf, aead, info)
	return enc, standardSealer{sender}, err
}

func standardReceiver(i ids, key kem.PrivateKey, enc, info []byte) (twoway.HPKEOpener, error) {
	k, kdf, aead, err := standardSuite(i)
	if err != nil {
		return nil, err
	}
	encoded, err := key.MarshalBinary()
	if err != nil {
		return nil, err
	}
	own, err := k.NewPrivateKey(encoded)
	if err != nil {
		return nil, err
	}
	receiver, err := hpke.NewRecipient(enc, own, kdf, aead, info)
	return standardOpener{receiver}, err
}
