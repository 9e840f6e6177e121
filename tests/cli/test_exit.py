# SPDX-License-Identifier: Apache-2.0
"""What is refused, with which exit status, and that nothing is left behind. Tokens have
a file of their own."""
import ctypes
import os
import resource
import socket
import subprocess

from support import (FAILING, INTERNAL, IO_FAILED, NO_CREATE, NO_INPUT, REFUSED, SANITIZED, TWOWAY,
                     UNAVAILABLE, USAGE, Case, main)

PR_CAPBSET_DROP, CAP_IPC_LOCK = 24, 14


class Usage(Case):
    def test_what_cannot_be_meant_is_64(self):
        self.key_and_config()
        for args in (
            [], ["frobnicate"], ["--frobnicate"], ["request"], ["request", "--frobnicate"],
            ["request", "--to"], ["request", "--to", ""], ["request", "--to", "config", "a", "b"],
            ["request", "--to", "config", "--to", "config"],
            ["request", "--to", "config", "--key", "key"], ["request", "-x"],
            ["request", "--to", "config", "--chunked=yes"],
            ["request", "--to", "config", "--max-chunk", "4096"],
            ["request", "--to", "config", "--jobs", "2"],
            ["request", "--to", "config", "--chunked", "--jobs", "0"],
            ["request", "--to", "config", "--chunked", "--jobs", "257"],
            ["accept", "--key", "key", "--jobs", "2"],
            ["request", "--to", "config", "--chunked", "--max-chunk", "0"],
            ["request", "--to", "config", "--chunked", "--max-chunk", "16777217"],
            ["request", "--to", "config", "--chunked", "--max-chunk", "1k"],
            ["request", "--to", "config", "--chunked", "--max-chunk", "-1"],
            ["request", "--to", "config", "--chunked", "--max-chunk", ""],
            ["accept"], ["accept", "--key", "key", "--key-id", "256"],
            ["accept", "--key", "key", "--key-id", "18446744073709551617"],
            ["accept", "--key", "key", "--key-id", "1", "--config", "config"],
            ["accept", "--key", "key", "--chunked", "--max-chunk", "16383"],
            ["accept", "--key", "key", "--max-size", "0"],
            ["respond"], ["receive"], ["receive", "--key", "key"],
            ["keygen", "--kem", "p-256"], ["keygen", "key"], ["keygen", "--object", "x"],
            ["keygen", "--id", "00"], ["keygen", "--token", "hpke"], ["tokens", "--token", "hpke"],
            ["tokens", "--token", "pkcs11:", "--check", "pkcs11:token=hpke"],
            ["keygen", "--token", "pkcs11:token=hpke", "--id", "0"],
            ["keygen", "--token", "pkcs11:token=hpke", "--id", "0g"],
            ["keygen", "--token", "pkcs11:token=hpke", "--id", ""],
            ["keygen", "--token", "pkcs11:token=hpke", "--id", "00" * 65],
            ["keygen", "--token", "pkcs11:token=hpke;object=x"],
            ["keygen", "--token", "pkcs11:token=hpke", "-o", "-"],
            ["keygen", "--token", "pkcs11:id=%01;token=hpke"],
            ["config"], ["config", "--key", "key", "--public", "key"],
            ["config", "--show", "config", "--bare"], ["config", "--key", "key", "--suite", "x"],
            ["config", "--key", "key", "--suite", "hkdf-sha256"],
            ["config", "--key", "key", "--suite", "hkdf-sha256,aes-128-gcm,"],
            ["config", "--key", "key"] + ["--suite", "hkdf-sha256,aes-128-gcm"] * 17,
            ["tokens", "extra"], ["inspect", "a", "b"],
        ):
            with self.subTest(args=args):
                self.assertEqual(self.run_twoway(*args, code=USAGE).out, b"")

    def test_a_pin_typed_in_the_wrong_place_is_not_repeated(self):
        uri = "pkcs11:token=none?pin-value=" + self.secrets[0].decode()
        alone = ["--module", "/none.so"]  # what p11-kit has configured may write what it likes
        self.run_twoway("tokens", uri, code=USAGE)
        self.run_twoway("tokens", "--pin=" + self.secrets[0].decode(), *alone, code=None)
        self.run_twoway("tokens", "--pine=" + self.secrets[0].decode(), code=USAGE)
        self.run_twoway("accept", "--key", uri, *alone, code=None)
        self.run_twoway("accept", "--key", uri + "&module-path=/none", code=UNAVAILABLE)
        self.run_twoway("keygen", "--token", uri, *alone, code=None)
        for pin in ("?PIN-VALUE=", "?pin-source=/x;pin-value=", ";pin-value=", ";Pin-Value=",
                    ";x-pin=", "?x=1&pin-value="):
            for scheme in ("pkcs11:", "PKCS11:"):
                uri = scheme + "token=none" + pin + self.secrets[0].decode()
                run = self.run_twoway("accept", "--key", uri, *alone, code=None)
                self.assertIn(f"twoway: {scheme}token=none: ", run.err)

    def test_an_option_that_is_not_ascii_shows_no_other_argument(self):
        pin = self.secrets[0].decode()
        for odd in ("-\u00e9", "-\u00fc", "-h\u00e9", b"-\xe9", b"-\xff", "-\u4e2dx", "\u2013o"):
            for args in (["tokens", "--pin-source", pin, os.fsdecode(odd)],
                         ["tokens", "--pin-source", pin, os.fsdecode(odd), "x"],
                         ["inspect", pin, os.fsdecode(odd)]):
                run = self.run_twoway(*args, code=USAGE)
                if os.fsencode(odd)[:1] == b"-":
                    self.assertIn("came a letter that is not ASCII; ", run.err)
        self.assertNotIn("'request'", self.run_twoway("request", "-\u00fc", code=USAGE).err)
        self.assertIn("came '-y'; ", self.run_twoway("request", "-y", code=USAGE).err)

    def test_an_option_with_a_value_that_it_does_not_take_is_told_so(self):
        for value in ("1", "", self.secrets[0].decode()):
            for name in ("--chunked", "--chu"):
                run = self.run_twoway("request", f"{name}={value}", code=USAGE)
                self.assertIn("expected --chunked alone, as it takes no value, came one with it; ",
                              run.err)
        run = self.run_twoway("request", "--bare=1", code=USAGE)  # of another verb
        self.assertIn("expected an option of this verb, came '--bare'; ", run.err)

    def test_an_option_is_not_taken_for_a_value_that_was_forgotten(self):
        self.key_and_config()
        pin, before = "--pin-source=" + self.secrets[0].decode(), self.names()
        for args in (["keygen", "--id", pin], ["accept", "--key-id", pin, "--key", "key"],
                     ["config", "--key", pin], ["keygen", "-o", "--force"],
                     ["request", "--to", "config", "--exchange", "--chunked"],
                     ["request", "--to", "config", "--label", "--", "in"]):
            run = self.run_twoway(*args, code=USAGE)
            self.assertIn("came the option '--", run.err)
        self.assertEqual(self.names(), before)
        self.run_twoway("request", "--to", "config", "--label=--chunked", "-o", "./--force")
        self.assertIn("--force", self.names())

    def test_no_name_writes_a_line_of_its_own_or_controls_the_terminal(self):
        for args, code in ((["inspect", "{}"], NO_INPUT), (["request", "--to", "{}"], NO_INPUT),
                           (["keygen", "-o", "none/{}"], NO_CREATE),
                           (["keygen", "--kem", "{}"], USAGE), (["{}"], USAGE),
                           (["accept", "--key", "pkcs11:{}"], USAGE)):
            for odd in ("a\ntwoway: all is well", "\x1b[2J", "\x7f", "\x9b31m", b"\xff\xc2",
                        b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "\u202egnp.exe", "\u2066",
                        "\u2028twoway: all is well"):
                name = os.fsdecode(odd)
                run = self.run_twoway(*[arg.format(name) for arg in args], code=code)
                self.assertRegex(run.err, r"\A([^\x00-\x1f\x7f-\x9f\ufffd\u2028-\u202e\u2066-\u2069]+\n)+\Z")
                self.assertNotIn("\ntwoway: all is well", run.err)
        run = self.run_twoway("inspect", "\u00e9\u4e2d\U0001f511", code=NO_INPUT)
        self.assertIn("\u00e9\u4e2d\U0001f511", run.err)

    def test_a_name_that_is_too_long_is_cut_and_the_sentence_is_not(self):
        run = self.run_twoway("keygen", "--kem", "k" * 100000, code=USAGE)
        self.assertTrue(run.err.endswith("k; see twoway keygen --help\n"))
        run = self.run_twoway("inspect", "n" * 100000, code=NO_INPUT)
        self.assertTrue(run.err.endswith("n: expected a file to read, came 'File name too long'; "
                                         "check the path\n"))

    def test_a_line_is_written_at_once(self):
        """Two commands may write to one log."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            done = subprocess.run([TWOWAY, "inspect", "none"], stderr=theirs, cwd=self.dir,
                                  env=self.env, check=False)
            self.assertEqual(done.returncode, NO_INPUT)
            self.assertRegex(ours.recv(1000).decode(), r"\Atwoway: none: expected .*; .*\n\Z")

    def test_help_and_version_need_nothing_else(self):
        for verb in ("keygen", "config", "tokens", "inspect", "request", "accept", "respond",
                     "receive"):
            for args in ([verb, "--help"], [verb, "-h"], [verb, "--quiet", "--help", "--force"]):
                run = self.run_twoway(*args)
                self.assertIn(f"usage: twoway {verb}", run.out.decode())
                self.assertLessEqual(max(map(len, run.out.decode().splitlines())), 80)
        self.assertIn("usage: twoway VERB", self.run_twoway("--help").out.decode())
        self.assertRegex(self.run_twoway("--version").out.decode(), r"\Atwoway \d+\.\d+\.\d+\n\Z")


class Messages(Case):
    """Whatever is done to a message: 65, no output, no state."""

    def sealed(self, *layout):
        return self.run_twoway("request", "--to", "config", "--exchange", "ours", "--force",
                               *layout, input=b"plaintext" * 3000).out

    def refused(self, verb, message, *layout):
        before = self.names()
        key = ["--key", "key", "--exchange", "theirs.new"] if verb == "accept" else \
            ["--exchange", "ours"]
        run = self.run_twoway(verb, *key, *layout, "-o", "out", input=message, code=REFUSED)
        self.assertEqual(run.out, b"")
        self.assertEqual(self.names(), before)

    def spoilt(self, message):
        for at in (0, 2, 4, 6, 8, 30, 71, 75, 90, 16400, len(message) - 1):
            yield message[:at] + bytes([message[at] ^ 1]) + message[at + 1:]
        for cut in (0, 1, 6, 7, 71, 72, 73, 80, 90, 16460, len(message) - 17, len(message) - 1):
            yield message[:cut]
        yield message + b"x"

    def test_a_request_spoilt_anywhere(self):
        self.key_and_config()
        for layout in ([], ["--chunked"]):
            for message in self.spoilt(self.sealed(*layout)):
                self.refused("accept", message, *layout)

    def test_a_response_spoilt_anywhere(self):
        self.key_and_config()
        for layout in ([], ["--chunked"]):
            self.run_twoway("accept", "--key", "key", "--exchange", "theirs", "--force", *layout,
                            input=self.sealed(*layout))
            response = self.run_twoway("respond", "--exchange", "theirs", *layout,
                                       input=b"plaintext" * 3000).out
            for message in self.spoilt(response):
                self.refused("receive", message, *layout)

    def test_an_answer_is_for_its_exchange_and_not_for_a_key(self):
        self.key_and_config()
        for layout in ([], ["--chunked"]):
            self.run_twoway("accept", "--key", "key", "--exchange", "theirs", "--force", *layout,
                            input=self.sealed(*layout))
            response = self.run_twoway("respond", "--exchange", "theirs", *layout, input=b"1").out
            self.sealed(*layout)  # another exchange
            run = self.run_twoway("receive", "--exchange", "ours", *layout, input=response,
                                  code=REFUSED)
            self.assertIn("expected an answer to this exchange", run.err)
            self.assertNotIn("key", run.err)

    def test_chunked_is_said_on_both_ends_or_on_neither(self):
        self.key_and_config()
        self.refused("accept", self.sealed("--chunked"))
        self.refused("accept", self.sealed(), "--chunked")

    def test_a_whole_message_in_chunks_is_told_as_such(self):
        self.key_and_config()
        message = self.sealed()
        while message[7 + 65] < 0xc0:  # read as the length of a chunk, too long
            message = self.sealed()
        short = bytes(7 + 65 + 1)
        while not 0x41 <= short[7 + 65] < 0x80:  # the length of a chunk that does not all come
            short = self.run_twoway("request", "--to", "config", input=b"").out
        for told in (message, short):
            run = self.run_twoway("accept", "--key", "key", "--chunked", input=told, code=REFUSED)
            self.assertIn("it is a whole message: leave out --chunked", run.err)
        for size, raised in (("16384", True), ("16777216", False)):
            run = self.run_twoway("accept", "--key", "key", "--chunked", "--max-chunk", size,
                                  input=message, code=REFUSED)
            self.assertIn("it is a whole message: leave out --chunked", run.err)
            self.assertEqual("raise" in run.err, raised)

    def test_a_whole_message_has_a_longest_size(self):
        self.key_and_config()
        message = self.sealed()
        self.refused("accept", message, "--max-size", "1000")
        self.run_twoway("accept", "--key", "key", "--max-size", "100000", input=message)
        self.write("in", bytes((64 << 20) + 1))
        self.run_twoway("request", "--to", "config", "-o", "req", "in")
        self.run_twoway("accept", "--key", "key", "-o", "out", "req", code=REFUSED)
        self.run_twoway("accept", "--key", "key", "-o", "out", "--max-size", "70000000", "req")
        self.assertEqual(self.path("out").stat().st_size, (64 << 20) + 1)

    def test_another_key_is_refused(self):
        self.key_and_config()
        message = self.sealed()
        self.run_twoway("keygen", "--force", "-o", "key")
        self.refused("accept", message)
        self.run_twoway("keygen", "--force", "--kem", "x25519", "-o", "key")
        self.refused("accept", message)


class Files(Case):
    """What is the user's own and cannot be used: 66."""

    def test_absent(self):
        self.key_and_config()
        for args in (["request", "--to", "none"], ["request", "--to", "config", "none"],
                     ["accept", "--key", "none"], ["accept", "--key", "key", "none"],
                     ["accept", "--key", "key", "--config", "none"],
                     ["respond", "--exchange", "none"], ["receive", "--exchange", "none"],
                     ["config", "--key", "none"], ["config", "--public", "none"],
                     ["config", "--show", "none"], ["inspect", "none"], ["inspect", "."],
                     ["accept", "--key", "."]):
            with self.subTest(args=args):
                self.assertEqual(self.run_twoway(*args, code=NO_INPUT).out, b"")

    def test_one_file_in_the_place_of_another(self):
        self.key_and_config()
        self.write("uri", b"pkcs11:token=none\n")
        for args, said in ((["request", "--to", "key"], "twoway config"),
                           (["accept", "--key", "key", "--config", "key"], "twoway config"),
                           (["accept", "--key", "uri"], "\"$(cat 'uri')\"")):
            self.assertIn(said, self.run_twoway(*args, code=NO_INPUT).err)

    def test_damaged(self):
        self.key_and_config()
        req = self.run_twoway("request", "--to", "config", "--exchange", "ours", input=b"x").out
        self.run_twoway("accept", "--key", "key", "--exchange", "theirs", input=req)
        uses = {"key": ["config", "--key", "bad"], "config": ["request", "--to", "bad"],
                "ours": ["receive", "--exchange", "bad"],
                "theirs": ["respond", "--exchange", "bad"]}
        for name, args in uses.items():
            good = self.read(name)
            for bad in (b"", good[:len(good) // 2], b"x" + good, bytes(len(good)), good * 20000):
                with self.subTest(name=name, bad=bad[:8], len=len(bad)):
                    self.write("bad", bad)
                    self.path("bad").chmod(0o600)
                    self.run_twoway(*args, "-o", "out", code=NO_INPUT)
                    self.assertFalse(self.path("out").exists())

    def test_the_other_sides_state(self):
        self.key_and_config()
        req = self.run_twoway("request", "--to", "config", "--exchange", "ours", input=b"x").out
        self.run_twoway("accept", "--key", "key", "--exchange", "theirs", input=req)
        self.run_twoway("respond", "--exchange", "ours", code=NO_INPUT)
        self.run_twoway("receive", "--exchange", "theirs", input=bytes(100), code=NO_INPUT)

    def test_a_key_of_another_kind_or_encrypted(self):
        for name, args in (("rsa", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]),
                           ("ed25519", ["-algorithm", "ed25519"]),
                           ("k1", ["-algorithm", "EC", "-pkeyopt",
                                   "ec_paramgen_curve:secp256k1"]),
                           ("locked", ["-algorithm", "x25519", "-aes128", "-pass", "pass:word"])):
            with self.subTest(name=name):
                subprocess.run(["openssl", "genpkey", "-out", name, *args], cwd=self.dir,
                               check=True, capture_output=True)
                self.run_twoway("config", "--key", name, code=NO_INPUT)

    def test_a_configuration_with_nothing_that_we_have(self):
        self.write("config", bytes.fromhex("0007" "05" "7777" "0000" "0000"))
        self.run_twoway("request", "--to", "config", code=NO_INPUT)
        self.run_twoway("config", "--show", "config", code=NO_INPUT)
        self.key_and_config()
        raw = bytearray(self.read("config")[:76])  # one suite, its AEAD unknown
        raw[1], raw[71], raw[75] = 74, 4, 0x77
        self.write("config", bytes(raw))
        self.run_twoway("request", "--to", "config", code=NO_INPUT)

    def test_a_file_that_is_no_configuration_at_all(self):
        """Most texts read as a bare one with a KEM that is not known."""
        self.write("text", b"pkcs11:token=hpke;object=twoway\n")
        for args in (["request", "--to"], ["config", "--show"]):
            err = self.run_twoway(*args, "text", code=NO_INPUT).err
            self.assertRegex(err, "text: expected a configuration .*; check that the file is one")

    def test_a_configuration_whose_key_is_no_point(self):
        for kem, spoil in (("p256", lambda key: bytes([*key[:20], key[20] ^ 1, *key[21:]])),
                           ("x25519", lambda key: bytes(len(key)))):
            self.key_and_config(kem, "--key-id", "1")
            before = self.names()
            raw = self.read("config")
            size = 65 if kem == "p256" else 32
            self.write("bad", raw[:5] + spoil(raw[5:5 + size]) + raw[5 + size:])
            for more in ([], ["--to", "config", "--encap", "many"]):
                run = self.run_twoway("request", "--to", "bad", *more, "-o", "out", code=NO_INPUT)
                self.assertIn("bad: expected a configuration whose public key is a point of its "
                              "curve, came one whose key is not, or that no private key should "
                              "meet; fetch it again",
                              run.err)
                self.assertEqual(set(self.names()) - set(before), {"bad"})
            self.path("key").unlink()
            self.path("config").unlink()
            self.path("bad").unlink()


class Others(Case):
    def test_reading_that_fails_after_opening_is_74(self):
        self.key_and_config()
        self.write("in", b"hello")
        self.env.update(TWOWAY_FAIL_ONLY="read", TWOWAY_FAIL="3")  # after the configuration's
        run = self.run_twoway("request", "--to", "config", "-o", "out", "in", code=IO_FAILED,
                              command=FAILING)
        self.assertRegex(run.err, r"\Atwoway: in: ")
        self.assertFalse(self.path("out").exists())

    def test_a_closed_standard_input_or_output_is_74(self):
        self.key_and_config()
        script = 'exec "$0" request --to config'
        for redirect in ("<&-", ">&-"):
            done = subprocess.run(["sh", "-c", f"{script} {redirect}", TWOWAY],
                                  stdin=subprocess.DEVNULL, capture_output=True, cwd=self.dir,
                                  check=False)
            self.assertEqual(done.returncode, IO_FAILED, done.stderr)

    def test_nothing_to_stand_in_for_a_closed_one_is_70(self):
        self.env["TWOWAY_FAIL"] = "1"  # the opening of /dev/null
        self.run_twoway("--version", code=INTERNAL, command=FAILING, input=None,
                        preexec_fn=lambda: os.close(0))

    def test_a_small_stack_is_enough(self):
        """Also where the limit of locked memory binds, as it does not bind root."""
        if SANITIZED:
            self.skipTest("a sanitizer needs a larger one")

        def bind():
            if os.getuid() == 0:
                ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0)
            resource.setrlimit(resource.RLIMIT_STACK, (limit << 10, limit << 10))

        self.key_and_config()
        self.env["LONG"] = "x" * 122000
        for limit in (512, 256):
            self.run_twoway("request", "--to", "config", "-o", "req", input=b"x", preexec_fn=bind)
            self.assertEqual(self.run_twoway("accept", "--key", "key", "req", preexec_fn=bind).out,
                             b"x")
        del self.env["LONG"]
        limit = 128
        self.run_twoway("--version", preexec_fn=bind)

    def test_memory_that_runs_out_is_70(self):
        if SANITIZED:
            self.skipTest("a sanitizer needs its own memory")
        self.key_and_config()
        self.write("in", bytes(60 << 20))
        self.run_twoway("request", "--to", "config", "-o", "req", "in")
        run = self.run_twoway(
            "accept", "--key", "key", "-o", "out", "req", code=INTERNAL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (80 << 20, 80 << 20)))
        self.assertIn("expected enough memory, came too little", run.err)
        self.assertNotIn("report", run.err)
        self.assertFalse(self.path("out").exists())


if __name__ == "__main__":
    main()
