// SPDX-License-Identifier: Apache-2.0

//go:build !go1.26

package main

import (
	"errors"

	"github.com/cloudflare/circl/kem"
	"github.com/openpcc/twoway"
)

// Go before 1.26 has no HPKE of its own.
const haveStandard = 0

var errNoStandard = errors.New("this Go has no HPKE of its own")

func standardSender(ids, []byte, []byte) ([]byte, twoway.HPKESealer, error) {
	return nil, nil, errNoStandard
}

func standardReceiver(ids, kem.PrivateKey, []byte, []byte) (twoway.HPKEOpener, error) {
	return nil, errNoStandard
}
