# SPDX-License-Identifier: Apache-2.0
"""A sender has someone's certificate; a card has one in place of a public key."""
import subprocess

from certificate import (AGREES, DECIPHERS, KEY_USAGE, SIGNS, certificate, extension, pem, time)
from support import (KEMS, NO_INPUT, PIN, UNAVAILABLE, USAGE, Case, TokenCase, main, words)


def openssl(folder, *args):
    return subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True).stdout


class Sealing(Case):
    def spki(self, kem="p256", name="key"):
        """Makes a key; its public half."""
        self.keygen(name, kem)
        return openssl(self.dir, "pkey", "-in", name, "-pubout", "-outform", "DER")

    def test_every_kem_from_pem_and_der(self):
        for kem in KEMS:
            made = certificate(self.spki(kem, kem))
            config = self.run_twoway("config", "--key", kem).out
            for form in (made, pem(made), b"0 s:CN = hpke\n" + pem(made) + pem(b"junk")):
                with self.subTest(kem=kem, form=form[:20]):
                    self.write("config", form)
                    self.assertEqual(self.run_twoway("config", "--certificate", "config").out,
                                     config)
                    self.exchange(b"question", b"answer", ["--key", kem], "--chunked")

    def test_one_that_openssl_made(self):
        self.keygen("key", "p384")
        openssl(self.dir, "req", "-x509", "-new", "-key", "key", "-subj", "/CN=hpke", "-days", "2",
                "-addext", "keyUsage=critical,digitalSignature,keyAgreement", "-out", "cert.pem")
        self.assertEqual(self.run_twoway("config", "--certificate", "cert.pem").out,
                         self.run_twoway("config", "--key", "key").out)

    def test_its_configuration_takes_the_options_of_any(self):
        self.write("cert", certificate(self.spki()))
        self.run_twoway("config", "--certificate", "cert", "--key-id", "9", "--suite",
                        "hkdf-sha512,aes-256-gcm", "--bare", "-o", "config")
        shown = self.run_twoway("config", "--show", "config").out.decode()
        self.assertEqual(words(shown, "key id"), "9")
        self.assertEqual(words(shown, "suites"), "hkdf-sha512,aes-256-gcm")

    def test_from_a_pipe(self):
        made = certificate(self.spki())
        for args in (["config", "--certificate", "/dev/stdin"],
                     ["request", "--to", "/dev/stdin", "key"]):
            self.run_twoway(*args, input=made)

    def test_many_receivers_of_both_kinds(self):
        self.write("cert", pem(certificate(self.spki("p256", "one"))))
        self.keygen("two")
        self.run_twoway("config", "--key", "two", "-o", "config")
        self.write("in", b"to both")
        self.run_twoway("request", "--to", "cert", "--to", "config", "--encap", "for", "-o", "body",
                        "in")
        for n, key in enumerate(("one", "two"), 1):
            self.assertEqual(self.run_twoway("accept", "--key", key, "--encap", f"for/{n}.encap",
                                             "body").out, b"to both")

    def refused(self, made, said):
        self.write("cert", made)
        self.write("in", b"x")
        before = self.names()
        for args in (["config", "--certificate", "cert", "-o", "out"],
                     ["request", "--to", "cert", "--exchange", "ours", "-o", "out", "in"],
                     ["request", "--to", "cert", "--encap", "many", "-o", "out", "in"]):
            with self.subTest(args=args):
                run = self.run_twoway(*args, "--force", code=NO_INPUT)
                self.assertIn(said, run.err)
                self.assertEqual(self.names(), before)

    def test_one_out_of_its_time_is_refused_with_that_time(self):
        spki = self.spki()
        for made, said in ((certificate(spki, begins=-9, ends=-2), f"ended on {time(-2)[0]:%F}"),
                           (certificate(spki, begins=2, ends=9), f"begins on {time(2)[0]:%F}")):
            self.refused(made, said)
            self.refused(pem(made), "expected a certificate that is valid now")

    def test_one_whose_key_is_for_other_uses_is_refused(self):
        spki = self.spki()
        for usage in (SIGNS, DECIPHERS):
            self.refused(certificate(spki, extension(KEY_USAGE, usage)), "keyAgreement")
        self.write("cert", certificate(spki, extension(KEY_USAGE, AGREES, critical=True)))
        self.run_twoway("config", "--certificate", "cert")

    def test_one_of_another_kind_of_key_is_refused(self):
        for args in (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
                     ["-algorithm", "ed25519"],
                     ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]):
            openssl(self.dir, "genpkey", "-out", "other", *args)
            made = certificate(openssl(self.dir, "pkey", "-in", "other", "-pubout", "-outform",
                                       "DER"))
            self.refused(made, "another kind")

    def test_one_whose_key_is_no_point_of_its_curve_is_told_as_such(self):
        spki = self.spki("p256")
        off = spki[:-1] + bytes([spki[-1] ^ 1])
        self.refused(certificate(off), "a point of its curve")
        self.write("public", pem(off).replace(b"CERTIFICATE", b"PUBLIC KEY"))
        run = self.run_twoway("config", "--public", "public", code=NO_INPUT)
        self.assertIn("expected a point of its curve, came one that no private key", run.err)

    def test_one_cut_anywhere_is_refused(self):
        whole = certificate(self.spki("x25519"), extension(KEY_USAGE, AGREES))
        for form in (whole, pem(whole)):
            for cut in [*range(0, len(form) - 1, 71), len(form) - 2]:
                self.write("cert", form[:cut])
                run = self.run_twoway("config", "--certificate", "cert", code=NO_INPUT)
                self.assertIn("expected a certificate", run.err)
                self.run_twoway("request", "--to", "cert", code=NO_INPUT)

    def test_what_is_no_certificate_is_told_as_such(self):
        self.key_and_config()
        self.run_twoway("config", "--key", "key", "-o", "config")
        openssl(self.dir, "pkey", "-in", "key", "-pubout", "-out", "public")
        for name in ("key", "public", "config"):
            self.run_twoway("config", "--certificate", name, code=NO_INPUT)
        self.run_twoway("config", "--certificate", "none", code=NO_INPUT)
        self.write("cert", pem(certificate(self.spki("p256", "other"))))
        for args, said in ((["config", "--public", "cert"], "by --certificate"),
                           (["config", "--certificate", "public"], "by --public")):
            self.assertIn(said, self.run_twoway(*args, code=NO_INPUT).err)
        for args in (["config", "--show", "cert"], ["config", "--public", "cert"],
                     ["accept", "--key", "key", "--config", "cert"]):
            self.run_twoway(*args, code=NO_INPUT)

    def test_what_cannot_be_meant_is_64(self):
        for args in (["config", "--key", "key", "--certificate", "cert"],
                     ["config", "--public", "key", "--certificate", "cert"],
                     ["config", "--show", "config", "--certificate", "cert"],
                     ["config", "--key", "pkcs11:token=x", "--public", "a", "--certificate", "b"],
                     ["config", "--key", "pkcs11:token=x", "--certificate", "b", "--show", "c"],
                     ["accept", "--key", "key", "--certificate", "cert"],
                     ["accept", "--key", "key", "--public", "public"],
                     ["accept", "--key", "pkcs11:token=x", "--public", "a", "--certificate", "b"],
                     ["config", "--certificate", "cert", "-o", "cert"],
                     ["accept", "--key", "pkcs11:token=x", "--certificate", "cert", "-o", "cert"],
                     ["keygen", "--certificate", "cert"], ["request", "--certificate", "cert"]):
            with self.subTest(args=args):
                self.run_twoway(*args, code=USAGE)


class Card(TokenCase):
    """A card as an office gives it out: a private key that it was made with, named by its id,
    and a certificate of the same id or nothing beside it."""

    def setUp(self):
        super().setUp()
        openssl(self.dir, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384",
                "-outform", "DER", "-out", "card.der")
        self.spki = openssl(self.dir, "pkey", "-inform", "DER", "-in", "card.der", "-pubout",
                            "-outform", "DER")
        self.put("privkey", "card.der", "--usage-derive")
        self.key = ["--key", "pkcs11:token=hpke;id=%03", *self.login]

    def put(self, kind, name, *more):
        subprocess.run(["pkcs11-tool", "--module", self.module, "--token-label", "hpke", "--login",
                        "--pin", PIN, "--write-object", name, "--type", kind, "--id", "03",
                        "--label", kind, *more], cwd=self.dir, env=self.env, check=True,
                       capture_output=True)

    def test_its_own_certificate_is_enough(self):
        self.write("cert", certificate(self.spki))
        self.put("cert", "cert")
        self.run_twoway("config", *self.key, "-o", "config")
        self.assertEqual(self.run_twoway("config", "--certificate", "cert").out,
                         self.read("config"))
        self.exchange(b"question", b"answer", self.key)
        self.write("config", self.read("cert"))
        self.exchange(b"question", b"answer", self.key)

    def test_without_one_the_public_half_is_given(self):
        """Also by a certificate that has expired, or that was made for something else: what is
        sealed to the key can be opened with it."""
        run = self.run_twoway("config", *self.key, code=UNAVAILABLE)
        self.assertIn("no public half", run.err)
        self.write("good", pem(certificate(self.spki)))
        self.write("old", certificate(self.spki, extension(KEY_USAGE, SIGNS), begins=-9, ends=-2))
        openssl(self.dir, "pkey", "-inform", "DER", "-in", "card.der", "-pubout", "-out", "public")
        self.write("config", self.read("good"))
        for half in (["--certificate", "good"], ["--certificate", "old"], ["--public", "public"]):
            with self.subTest(half=half):
                self.exchange(b"question", b"answer", [*self.key, *half])
                self.run_twoway("tokens", "--check", *self.key[1:], "--no-scratch", *half)
                self.assertEqual(self.run_twoway("config", *self.key, *half).out,
                                 self.run_twoway("config", "--certificate", "good").out)

    def test_anothers_public_half_is_refused(self):
        for kem in ("p384", "p256"):
            self.keygen("stranger", kem)
            self.write("cert", certificate(openssl(self.dir, "pkey", "-in", "stranger", "-pubout",
                                                   "-outform", "DER")))
            run = self.run_twoway("config", *self.key, "--certificate", "cert", code=NO_INPUT)
            self.assertIn("twoway: cert: expected the public half of the key that --key names",
                          run.err)
            self.path("stranger").unlink()


if __name__ == "__main__":
    main()
