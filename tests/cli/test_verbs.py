# SPDX-License-Identifier: Apache-2.0
"""Every verb with software keys, end to end."""
import os
import random
import subprocess
import time

from support import AEADS, IO_FAILED, KDFS, KEMS, NO_CREATE, NO_INPUT, REFUSED, Case, main, words

SIZES = [0, 1, 16383, 16384, 16385, 3 << 20]


def data(size):
    return random.Random(size).randbytes(size)


class Exchanges(Case):
    def test_every_kem_whole_and_chunked_of_any_size(self):
        for kem in KEMS:
            self.key_and_config(kem)
            for layout in ([], ["--chunked"]):
                for size in SIZES:
                    with self.subTest(kem=kem, layout=layout, size=size):
                        self.exchange(data(size), data(size)[::-1], ["--key", "key"], *layout)
            self.path("key").unlink()

    def test_every_suite(self):
        self.keygen()
        for kdf in KDFS:
            for aead in AEADS:
                with self.subTest(kdf=kdf, aead=aead):
                    self.run_twoway("config", "--key", "key", "--suite", f"{kdf},{aead}", "-o",
                                    "config")
                    self.exchange(b"to", b"fro", ["--key", "key"], "--chunked")
                    shown = self.run_twoway("inspect", "req").out.decode()
                    self.assertEqual((words(shown, "KDF"), words(shown, "AEAD")), (kdf, aead))

    def test_chunk_sizes(self):
        self.key_and_config()
        self.write("in", data(100000))
        for size, chunks in ((1, 100001), (4096, 25), (16384, 7), (1 << 20, 1)):
            self.run_twoway("request", "--to", "config", "--chunked", "--max-chunk", str(size),
                            "-o", "req", "in")
            shown = self.run_twoway("inspect", "req").out.decode()
            self.assertIn(f"100000 bytes of plaintext in {chunks} chunks", shown)
            accept = ["accept", "--key", "key", "--chunked", "req"]
            if size > 16384:
                self.run_twoway(*accept, code=REFUSED)
                accept += ["--max-chunk", str(size)]
            self.assertEqual(self.run_twoway(*accept).out, data(100000))

    def test_of_an_option_that_is_given_again_the_last_counts(self):
        self.keygen("key", "x25519")
        self.run_twoway("config", "--key", "none", "--key", "key", "--key-id", "7", "--key-id", "8",
                        "--suite", "hkdf-sha256,aes-128-gcm", "--suite", "hkdf-sha512,aes-256-gcm",
                        "-o", "no", "--output", "config")
        self.assertEqual(self.names(), ["config", "key"])
        shown = self.run_twoway("config", "--show", "config").out.decode()
        self.assertEqual((words(shown, "key id"), words(shown, "suites")),
                         ("8", "hkdf-sha256,aes-128-gcm"))
        self.assertIn("hkdf-sha512,aes-256-gcm", shown)

    def test_labels_must_agree(self):
        self.key_and_config()
        for layout in ([], ["--chunked"]):
            self.exchange(b"to", b"fro", ["--key", "key"], "--label", "acme v1", *layout)
            sealed = self.run_twoway("request", "--to", "config", "--label", "acme v1", *layout,
                                     input=b"x").out
            for other in ([], ["--label", "acme v2"]):
                run = self.run_twoway("accept", "--key", "key", *other, *layout, input=sealed,
                                      code=REFUSED)
                self.assertEqual(run.out, b"")

    def test_an_exchange_answers_more_than_once(self):
        self.key_and_config()
        req = self.run_twoway("request", "--to", "config", "--exchange", "ours", input=b"?").out
        self.run_twoway("accept", "--key", "key", "--exchange", "theirs", input=req)
        for answer in (b"one", b"two"):
            res = self.run_twoway("respond", "--exchange", "theirs", input=answer).out
            self.assertEqual(self.run_twoway("receive", "--exchange", "ours", input=res).out, answer)

    def test_without_exchange_nothing_secret_is_stored(self):
        self.key_and_config()
        before = self.names()
        req = self.run_twoway("request", "--to", "config", input=b"?").out
        self.run_twoway("accept", "--key", "key", input=req)
        self.assertEqual(self.names(), before)

    def test_a_pipe_that_trickles_fills_whole_chunks(self):
        self.key_and_config()
        process = self.start("request", "--to", "config", "--chunked", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
        for piece in (data(5), data(16380), data(40000), data(3)):
            process.stdin.write(piece)
            process.stdin.flush()
            time.sleep(0.05)
        sealed, _ = process.communicate()
        total = 5 + 16380 + 40000 + 3
        plain = self.run_twoway("request", "--to", "config", "--chunked", input=data(total)).out
        self.assertEqual(len(sealed), len(plain))
        shown = self.run_twoway("inspect", input=sealed).out.decode()
        self.assertIn(f"{total} bytes of plaintext in {total // 16384 + 1} chunks", shown)

    def test_dash_is_standard_input_and_output(self):
        self.key_and_config()
        sealed = self.run_twoway("request", "--to", "config", "-o", "-", "-", input=b"x").out
        self.assertEqual(self.run_twoway("accept", "--key", "key", "-", "-o", "-",
                                         input=sealed).out, b"x")
        self.assertEqual(len(sealed), 7 + 65 + 1 + 16)


class Keys(Case):
    def test_a_key_is_private_pem_and_openssl_reads_it(self):
        for kem in KEMS:
            self.keygen(kem, kem)
            self.assertEqual(self.path(kem).stat().st_mode & 0o777, 0o600)
            subprocess.run(["openssl", "pkey", "-in", kem, "-pubout", "-out", kem + ".pub"],
                           cwd=self.dir, check=True)
            ours = self.run_twoway("config", "--key", kem).out
            self.assertEqual(self.run_twoway("config", "--public", kem + ".pub").out, ours)

    def test_without_an_output_the_key_goes_to_standard_output(self):
        pem = self.run_twoway("keygen").out
        self.assertTrue(pem.startswith(b"-----BEGIN PRIVATE KEY-----\n"))
        self.write("key", pem)
        self.path("key").chmod(0o644)
        shown = self.run_twoway("config", "--key", "key")
        self.assertIn("chmod 600", shown.err)
        self.assertEqual(self.run_twoway("config", "--key", "key", "--quiet").err, "")

    def test_p256_is_the_default(self):
        self.key_and_config()
        self.assertEqual(words(self.run_twoway("config", "--show", "config").out.decode(), "KEM"),
                         "p256")

    def test_an_existing_key_stays_without_force(self):
        self.keygen()
        before = self.read("key")
        self.run_twoway("keygen", "-o", "key", code=NO_CREATE)
        self.assertEqual(self.read("key"), before)
        self.path("key").chmod(0o644)
        self.run_twoway("keygen", "-o", "key", "--force")
        self.assertNotEqual(self.read("key"), before)
        self.assertEqual(self.path("key").stat().st_mode & 0o777, 0o600)


class Configurations(Case):
    def test_the_default_offers_three_suites_under_key_id_1(self):
        self.key_and_config()
        raw = self.read("config")
        self.assertEqual(raw[:5], bytes([0, len(raw) - 2, 1, 0, 0x10]))
        self.assertEqual(raw[70:], bytes.fromhex("000c" "00010001" "00010002" "00010003"))
        shown = self.run_twoway("config", "--show", "config").out.decode()
        self.assertEqual(words(shown, "form"), "a list of 1")
        self.assertEqual(words(shown, "key id"), "1")
        self.assertEqual(words(shown, "public key"), raw[5:70].hex())
        for aead in AEADS:
            self.assertIn(f"hkdf-sha256,{aead}", shown)

    def test_bare_is_the_same_without_its_length(self):
        self.key_and_config()
        bare = self.run_twoway("config", "--key", "key", "--bare").out
        self.assertEqual(bare, self.read("config")[2:])
        self.write("config", bare)
        self.assertEqual(words(self.run_twoway("config", "--show", "config").out.decode(), "form"),
                         "one configuration, bare")
        self.exchange(b"to", b"fro", ["--key", "key"])

    def test_the_first_configuration_and_suite_that_we_have_is_taken(self):
        self.key_and_config("x25519", "--key-id", "9", "--suite", "hkdf-sha512,aes-256-gcm")
        unknown = bytes.fromhex("0007" "05" "7777" "0000" "0000")
        self.write("config", unknown + self.read("config"))
        req = self.run_twoway("request", "--to", "config", input=b"").out
        self.assertEqual(req[:7], bytes.fromhex("09" "0020" "0003" "0002"))

    def test_a_key_id_must_agree(self):
        self.key_and_config("p256", "--key-id", "0")
        self.write("req", self.run_twoway("request", "--to", "config", input=b"x").out)
        run = self.run_twoway("accept", "--key", "key", "req", code=REFUSED)
        self.assertIn("expected key id 1 with p256, came key id 0 with p256", run.err)
        self.run_twoway("accept", "--key", "key", "--key-id", "0", "req")

    def test_accept_with_a_configuration_takes_its_id_and_suites_only(self):
        self.key_and_config("p256", "--key-id", "7", "--suite", "hkdf-sha256,aes-128-gcm")
        self.run_twoway("config", "--key", "key", "--key-id", "7", "--suite",
                        "hkdf-sha256,aes-256-gcm", "-o", "other")
        self.write("good", self.run_twoway("request", "--to", "config", input=b"x").out)
        self.write("bad", self.run_twoway("request", "--to", "other", input=b"x").out)
        accept = ["accept", "--key", "key", "--config", "config"]
        self.assertEqual(self.run_twoway(*accept, "good").out, b"x")
        self.run_twoway(*accept, "bad", code=REFUSED)
        self.run_twoway("config", "--key", "key", "--key-id", "8", "--suite",
                        "hkdf-sha256,aes-128-gcm", "-o", "other")
        self.write("bad", self.run_twoway("request", "--to", "other", input=b"x").out)
        self.run_twoway(*accept, "bad", code=REFUSED)
        self.keygen("stranger")
        self.write("config", self.read("config") + self.run_twoway(
            "config", "--key", "stranger", "--key-id", "8").out)
        self.run_twoway(*accept, "bad", code=REFUSED)
        self.assertEqual(self.run_twoway(*accept, "good").out, b"x")
        self.run_twoway("config", "--key", "key", "-o", "config")
        self.run_twoway("accept", "--key", "stranger", "--config", "config", "good", code=NO_INPUT)


class Inspection(Case):
    def test_a_request_is_described_without_a_key(self):
        self.key_and_config("x448", "--key-id", "200")
        self.write("in", bytes(40000))
        for layout, line in ((["--chunked"], "40000 bytes of plaintext in 3 chunks, at most 16384"
                              " bytes in one"), ([], "not so")):
            self.run_twoway("request", "--to", "config", *layout, "-o", "req", "in")
            shown = self.run_twoway("inspect", "req").out.decode()
            self.assertEqual(words(shown, "key id"), "200")
            self.assertEqual(words(shown, "KEM"), "x448")
            self.assertEqual(words(shown, "head"), "63 bytes")
            if layout:
                self.assertEqual(words(shown, "if chunked"), line)
        self.assertEqual(words(shown, "if whole"), "40000 bytes of plaintext")

    def test_what_names_no_kem_is_refused(self):
        run = self.run_twoway("inspect", input=bytes(100), code=REFUSED)
        self.assertIn("a response names none, nor does a body for many", run.err)
        self.run_twoway("inspect", input=b"", code=REFUSED)
        self.run_twoway("inspect", input=bytes.fromhex("01002000010001") + bytes(31), code=REFUSED)


class OneToMany(Case):
    def test_one_body_for_many_and_an_answer_from_each(self):
        for n in ("1", "2", "3"):
            self.keygen("key" + n)
            self.run_twoway("config", "--key", "key" + n, "--key-id", n, "-o", "config" + n)
        to = [w for n in "123" for w in ("--to", "config" + n)]
        self.write("in", data(50000))
        for layout in ([], ["--chunked"]):
            self.run_twoway("request", *to, "--encap", "out", "--exchange", "ours", *layout, "-o",
                            "body", "in")
            self.assertEqual(self.path("out/1.encap").stat().st_size, 7 + 65 + 48)
            for n in "123":
                self.run_twoway("accept", "--key", "key" + n, "--key-id", n, "--encap",
                                f"out/{n}.encap", "--exchange", "theirs", *layout, "-o", "q", "body")
                self.assertEqual(self.read("q"), data(50000))
                res = self.run_twoway("respond", "--exchange", "theirs", input=n.encode()).out
                self.assertEqual(self.run_twoway("receive", "--exchange", "ours." + n,
                                                 input=res).out, n.encode())
                self.path("theirs").unlink()
                self.path("ours." + n).unlink()
                self.path(f"out/{n}.encap").unlink()

    def test_another_receivers_encapsulation_is_refused(self):
        self.keygen("key2")
        self.key_and_config()
        self.run_twoway("request", "--to", "config", "--encap", "out", "-o", "body", input=b"x")
        encap = self.read("out/1.encap")
        accept = ["accept", "--encap", "out/1.encap", "body"]
        run = self.run_twoway(*accept, "--key", "key2", code=REFUSED)
        self.assertIn("twoway: out/1.encap: expected a message sealed for this key", run.err)
        for bad in (encap[:-1], encap + b"x", encap[:3], b"", encap[:-1] + bytes([encap[-1] ^ 1])):
            self.write("out/1.encap", bad)
            run = self.run_twoway(*accept, "--key", "key", code=REFUSED)
            self.assertEqual(run.out, b"")
            self.assertIn("twoway: out/1.encap: ", run.err)
        self.write("out/1.encap", encap)
        for bad in (b"", self.read("body")[:11], self.read("body")[:-1]):
            self.write("bad", bad)
            run = self.run_twoway(*accept[:-1], "bad", "--key", "key", code=REFUSED)
            self.assertIn("twoway: bad: ", run.err)
        self.run_twoway("accept", "--encap", "none", "--key", "key", "body", code=NO_INPUT)
        run = self.run_twoway("accept", "--key", "key", "body", code=REFUSED)
        self.assertIn("give --encap", run.err)

    def test_all_outputs_appear_or_none(self):
        self.key_and_config()
        request = ["request", "--to", "config", "--to", "config", "--encap", "out", "--exchange",
                   "ours", "-o", "body", "in"]
        self.write("in", b"x")
        before = self.names()
        self.write("ours.2", b"there")
        self.run_twoway(*request, code=NO_CREATE)
        self.assertEqual(self.names(), sorted(before + ["ours.2"]))
        self.path("ours.2").unlink()
        self.run_twoway(*request, "-o", "/dev/full", code=IO_FAILED)
        self.assertEqual(self.names(), before)
        os.mkdir(self.path("out"))
        self.write("out/2.encap", b"there")
        self.run_twoway(*request, code=NO_CREATE)
        self.assertEqual(self.names(), sorted(before + ["out", "out/2.encap"]))
        self.run_twoway(*request, "--force")
        self.assertEqual(self.names(), sorted(before + ["body", "ours.1", "ours.2", "out",
                                                        "out/1.encap", "out/2.encap"]))

    def test_everything_may_go_into_the_folder_that_is_made(self):
        self.key_and_config()
        before = self.names()
        request = ["request", "--to", "config", "--encap", "new", "--exchange", "new/ours"]
        self.run_twoway(*request, "-o", "new/none/body", input=b"x", code=NO_CREATE)
        self.assertEqual(self.names(), before)
        self.run_twoway(*request, "-o", "new/body", input=b"x")
        self.assertEqual(self.names(), sorted([*before, "new", "new/1.encap", "new/body",
                                               "new/ours.1"]))

    def test_receivers_without_a_common_suite(self):
        self.key_and_config("p256", "--suite", "hkdf-sha256,aes-128-gcm")
        self.keygen("key2", "x25519")
        self.run_twoway("config", "--key", "key2", "-o", "config2")
        self.run_twoway("request", "--to", "config", "--to", "config2", "--encap", "out",
                        code=NO_INPUT)
        self.assertFalse(self.path("out").exists())

    def test_a_suite_that_nobody_has_comes_first(self):
        self.key_and_config("p256", "--bare", "--suite", "hkdf-sha256,aes-128-gcm", "--suite",
                            "hkdf-sha256,aes-256-gcm")
        config = self.read("config")
        self.write("config", config[:-6] + b"\xff\xff" + config[-4:])
        for to in (["--to", "config"], ["--to", "config"] * 2):
            self.run_twoway("request", *to, "--encap", "out", "-o", "body", "--force", input=b"x")
            self.run_twoway("accept", "--key", "key", "--encap", "out/1.encap", "body")
            self.assertEqual(self.read("out/1.encap")[3:7], bytes.fromhex("00010002"))


if __name__ == "__main__":
    main()
