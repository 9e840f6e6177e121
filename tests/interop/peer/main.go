// SPDX-License-Identifier: Apache-2.0

// A peer for twoway's tests: the Go package openpcc/twoway, and the HPKE library below it, called
// over standard input and output. Its private keys, contexts and content keys stay in here; what
// crosses are public keys, messages, and the plaintexts to send or that came out.
//
// A call is a frame (32-bit length, big-endian) of fields, each with a length of its own: the name
// of the call, then its arguments. The answer is a frame too: "" and the results, or what went
// wrong.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
)

type peer struct {
	keys     []kem.PrivateKey
	asked    []opener   // what opens the answer to a request that was sealed here
	accepted []answerer // what seals the answer to a request that was opened here
}

type call func(*peer, *fields) (results, error)

var calls = map[string]call{
	"key":       (*peer).key,
	"request":   (*peer).request,
	"receive":   (*peer).receive,
	"accept":    (*peer).accept,
	"respond":   (*peer).respond,
	"multi":     (*peer).multi,
	"try":       (*peer).try,
	"interlace": (*peer).interlace,
	"forge":     (*peer).forge,
	"seal":      (*peer).seal,
	"open":      (*peer).open,
	"standard":  (*peer).standard,
}

// fields are a call's arguments, taken in their order.
type fields struct {
	rest []byte
}

func (f *fields) bytes() []byte {
	if len(f.rest) < 4 {
		panic("an argument is missing")
	}
	n := binary.BigEndian.Uint32(f.rest)
	if uint64(len(f.rest)-4) < uint64(n) {
		panic("an argument is cut short")
	}
	b := f.rest[4 : 4+n : 4+n]
	f.rest = f.rest[4+n:]
	return b
}

func (f *fields) number() int {
	return int(binary.BigEndian.Uint64(f.bytes()))
}

// ids name a suite, one that circl knows or not.
type ids struct {
	kem, kdf, aead uint16
}

func (f *fields) ids() ids {
	return ids{uint16(f.number()), uint16(f.number()), uint16(f.number())}
}

func (i ids) suite() hpke.Suite {
	return hpke.NewSuite(hpke.KEM(i.kem), hpke.KDF(i.kdf), hpke.AEAD(i.aead))
}

func (f *fields) suite() hpke.Suite {
	return f.ids().suite()
}

func (f *fields) publicKey(suite hpke.Suite) (kem.PublicKey, error) {
	id, _, _ := suite.Params()
	return id.Scheme().UnmarshalBinaryPublicKey(f.bytes())
}

type results []byte

func (r *results) bytes(b []byte) {
	*r = binary.BigEndian.AppendUint32(*r, uint32(len(b)))
	*r = append(*r, b...)
}

func (r *results) number(n int) {
	r.bytes(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// key makes a key pair; the public half leaves.
func (p *peer) key(f *fields) (results, error) {
	public, private, err := hpke.KEM(f.number()).Scheme().GenerateKeyPair()
	if err != nil {
		return nil, err
	}
	encoded, err := public.MarshalBinary()
	if err != nil {
		return nil, err
	}
	p.keys = append(p.keys, private)

	var out results
	out.number(len(p.keys) - 1)
	out.bytes(encoded)
	return out, nil
}

// answer runs one call. The packages below panic on some bad arguments: that is an answer, too.
func (p *peer) answer(frame []byte) (out results) {
	fail := func(what any) {
		out = nil
		out.bytes([]byte(fmt.Sprint("the Go peer: ", what)))
	}
	defer func() {
		if what := recover(); what != nil {
			fail(what)
		}
	}()

	f := &fields{frame}
	name := string(f.bytes())
	run, known := calls[name]
	if !known {
		fail("no such call: " + name)
		return out
	}
	got, err := run(p, f)
	switch {
	case err != nil:
		fail(err)
	case len(f.rest) != 0:
		fail("arguments are left over")
	default:
		out.bytes(nil)
		out = append(out, got...)
	}
	return out
}

func serve(in *bufio.Reader, out *bufio.Writer) error {
	var p peer
	for {
		var size [4]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(in, frame); err != nil {
			return err
		}
		answer := p.answer(frame)
		binary.BigEndian.PutUint32(size[:], uint32(len(answer)))
		if _, err := out.Write(size[:]); err != nil {
			return err
		}
		if _, err := out.Write(answer); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

func main() {
	if err := serve(bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "the Go peer:", err)
		os.Exit(1)
	}
}
