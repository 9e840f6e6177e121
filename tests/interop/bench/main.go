// SPDX-License-Identifier: Apache-2.0

// The Go package openpcc/twoway under the benchmark: the same work as tests/bench does, asked for
// by lines "ROW COUNT" and answered with the nanoseconds of processor time that it took, of all
// threads, so that the garbage collector's are counted too; or "-" for a row that is not here.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cloudflare/circl/hpke"
	"golang.org/x/sys/unix"
)

var kems = map[string]hpke.KEM{
	"p256":   hpke.KEM_P256_HKDF_SHA256,
	"p384":   hpke.KEM_P384_HKDF_SHA384,
	"p521":   hpke.KEM_P521_HKDF_SHA512,
	"x25519": hpke.KEM_X25519_HKDF_SHA256,
	"x448":   hpke.KEM_X448_HKDF_SHA512,
}

var aeads = map[string]hpke.AEAD{
	"aes-128-gcm":       hpke.AEAD_AES128GCM,
	"aes-256-gcm":       hpke.AEAD_AES256GCM,
	"chacha20-poly1305": hpke.AEAD_ChaCha20Poly1305,
}

// A row does count operations and keeps what it needs for the next time; it takes its own time,
// without what it prepares.
type row func(count int) (ns int64)

func find(name string) row {
	part := strings.Split(name, "/")
	number, _ := strconv.Atoi(part[len(part)-1])
	switch {
	case len(part) == 4 && part[0] == "stream" && aeads[part[2]] != 0 && part[1] == "seal":
		return sealChunks(aeads[part[2]], number)
	case len(part) == 4 && part[0] == "stream" && aeads[part[2]] != 0 && part[1] == "open":
		return openChunks(aeads[part[2]], number)
	case len(part) == 3 && part[0] == "whole" && part[1] == "seal":
		return sealWhole(number)
	case len(part) == 3 && part[0] == "whole" && part[1] == "open":
		return openWhole(number)
	case len(part) == 2 && part[0] == "receive" && kems[part[1]] != 0:
		return receive(kems[part[1]])
	case len(part) == 2 && part[0] == "send" && kems[part[1]] != 0:
		return send(kems[part[1]])
	case len(part) == 3 && part[0] == "multi" && kems[part[1]] != 0:
		return spread(kems[part[1]], number)
	}
	return nil
}

func busy() int64 {
	var t unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t))
	return t.Nano()
}

// timed takes the time of count operations.
func timed(count int, one func()) int64 {
	begun := busy()
	for range count {
		one()
	}
	return busy() - begun
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func got[T any](value T, err error) T {
	must(err)
	return value
}

func main() {
	var name string
	var current row

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		asked, number, _ := strings.Cut(lines.Text(), " ")
		if asked != name {
			name, current = asked, find(asked)
		}
		if current == nil {
			fmt.Println("-")
			continue
		}
		fmt.Println(current(got(strconv.Atoi(number))))
	}
}
