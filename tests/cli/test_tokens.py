# SPDX-License-Identifier: Apache-2.0
"""Keys that live in a token: made, listed, used, and every way in which that fails."""
import re
import subprocess

from support import (IO_FAILED, KEMS, NO_CREATE, NO_INPUT, NOT_PERMITTED, PIN, REFUSED, SANITIZED,
                     TWOWAY, UNAVAILABLE, USAGE, FaultCase, TokenCase, main, words)


class Keys(TokenCase):
    def test_every_kem_both_ways(self):
        for kem in KEMS:
            with self.subTest(kem=kem):
                uri = self.token_key(kem, "--object", kem, "-o", "public.pem", "--force")
                self.run_twoway("config", "--key", uri, *self.login, "-o", "config")
                shown = self.run_twoway("config", "--show", "config").out.decode()
                self.assertEqual(words(shown, "KEM"), kem)
                self.assertEqual(self.run_twoway("config", "--public", "public.pem").out,
                                 self.read("config"))
                for layout in ([], ["--chunked"]):
                    for size in (16384,) if SANITIZED else (0, 16384, 1 << 20):
                        self.exchange(bytes(size), b"answer", ["--key", uri, *self.login], *layout)

    def test_the_name_is_twoway_and_the_id_eight_bytes_unless_said(self):
        uri = self.token_key()
        self.assertIn("object=twoway", uri)
        self.assertEqual(len(re.findall(r"%[0-9a-fA-F]{2}|.", re.search(r"id=([^;?]*)", uri)[1])), 8)
        uri = self.token_key("p256", "--object", "a name;1", "--id", "00ff3b")
        self.assertIn("object=a%20name%3", uri)
        self.assertRegex(uri.lower(), r"id=%00%ff(%3b|;)")
        self.run_twoway("config", "--key", uri, *self.login)

    def test_a_name_or_id_that_is_there_already_is_73(self):
        self.token_key("p256", "--id", "01")
        for more in (["--id", "02"], ["--object", "new", "--id", "01"]):
            run = self.run_twoway("keygen", "--token", "pkcs11:token=hpke", *self.login, *more,
                                  "--force", "-o", "public", code=NO_CREATE)
            self.assertEqual(run.out, b"")
            self.assertFalse(self.path("public").exists())
        self.token_key("x25519", "--object", "new")

    def test_an_existing_file_stops_it_before_a_key_is_made(self):
        self.write("public", b"before")
        self.run_twoway("keygen", "--token", "pkcs11:token=hpke", *self.login, "-o", "public",
                        code=NO_CREATE)
        self.assertEqual(self.read("public"), b"before")
        self.token_key()

    def test_a_place_that_cannot_be_stops_it_before_a_key_is_made(self):
        for place in ("public/", "none/public"):
            run = self.run_twoway("keygen", "--token", "pkcs11:token=hpke", *self.login, "-o", place,
                                  code=NO_CREATE)
            self.assertEqual(run.out, b"")
        self.assertNotIn(b"key  p256", self.run_twoway("tokens", *self.login).out)

    def test_a_key_whose_uri_could_not_be_printed_is_named(self):
        run = self.run_twoway("-c", 'exec "$0" "$@" >/dev/full', TWOWAY, "keygen", "--token",
                              "pkcs11:token=hpke", *self.login, "--quiet", command="sh",
                              code=IO_FAILED)
        uri = re.search("^twoway: (pkcs11:.*): expected to print this", run.err, re.M)[1]
        self.run_twoway("config", "--key", uri, *self.login)

    def test_the_key_cannot_leave(self):
        self.token_key()
        shown = subprocess.run(["pkcs11-tool", "--module", self.module, "--token-label", "hpke",
                                "--login", "--pin", PIN, "--list-objects", "--type", "privkey"],
                               env=self.env, check=True, capture_output=True).stdout.decode()
        self.assertIn("sensitive, always sensitive, never extractable", shown)
        self.assertRegex(shown, r"Usage: +derive\n")

    def test_a_flipped_byte_and_a_cut_are_refused(self):
        uri = self.token_key()
        self.run_twoway("config", "--key", uri, *self.login, "-o", "config")
        sealed = self.run_twoway("request", "--to", "config", input=b"x" * 100).out
        before = self.names()
        for at in (0, 7, 8, 40, 71, 100):
            bad = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1:]
            for message in (bad, sealed[:at]):
                self.run_twoway("accept", "--key", uri, *self.login, "--exchange", "theirs", "-o",
                                "out", input=message, code=REFUSED)
                self.assertEqual(self.names(), before)


class Listing(TokenCase):
    def test_tokens_and_keys_are_listed(self):
        self.add_token("second", PIN)
        listed = self.run_twoway("tokens", "--module", self.module).out.decode()
        self.assertIn("token  hpke (", listed)
        self.assertIn("token  second (", listed)
        self.assertIn("not logged in", listed)
        self.assertRegex(listed, r"slot   \d+ holds a token that is not initialised")

    def test_a_pin_that_is_not_tried_is_told(self):
        self.assertEqual(self.run_twoway("tokens", *self.login).err, "")
        self.add_token("second", PIN)
        self.assertRegex(self.run_twoway("tokens", *self.login).err, r"\Atwoway: warning: .*--module")
        self.assertEqual(self.run_twoway("tokens", "--module", self.module).err, "")

    def test_of_several_tokens_one_is_named(self):
        self.add_token("second", PIN)
        uri = self.token_key()
        one = self.run_twoway("tokens", *self.login, "--token", "pkcs11:token=hpke")
        self.assertEqual(one.err, "")
        self.assertRegex(one.out.decode(), r"\Atoken  hpke \(.*\n.*\n  key .*, can receive\n.*\n\Z")
        self.assertIn(uri, one.out.decode())
        told = self.run_twoway("tokens", *self.login, "--token", "pkcs11:").err
        self.assertRegex(told, r"\Atwoway: warning: .*--token")
        pin = f"pkcs11:token=second?pin-source={self.path('pin')}"
        listed = self.run_twoway("tokens", "--module", self.module, "--token", pin).out.decode()
        self.assertNotIn("not logged in", listed)
        self.assertNotIn("hpke (", listed)
        self.run_twoway("tokens", *self.login, "--token", "pkcs11:token=third", code=UNAVAILABLE)

    def test_a_key_without_its_public_half_is_told(self):
        uri = self.token_key("p256", "-o", "public", "--id", "0a")
        subprocess.run(["pkcs11-tool", "--module", self.module, "--token-label", "hpke", "--login",
                        "--pin", PIN, "--delete-object", "--type", "pubkey", "--id", "0a"],
                       env=self.env, check=True, capture_output=True)
        listed = self.run_twoway("tokens", *self.login).out.decode()
        self.assertRegex(listed, r"id 0a, can receive with its public half, which the token lacks:"
                                 r" give --public or --certificate\n")
        refused = self.run_twoway("config", "--key", uri, *self.login, code=UNAVAILABLE)
        self.assertRegex(refused.err.splitlines()[-1], "public half.*--public or --certificate")
        self.run_twoway("config", "--key", uri, *self.login, "--public", "public", "-o", "config")

    def test_no_control_characters_reach_the_terminal(self):
        for name in ("a\x1bb", "a\u009bb", b"a\x9bb".decode(errors="surrogateescape"), "a\u202eb"):
            with self.subTest(name=name):
                self.add_token(name, PIN)
                listed = self.run_twoway("tokens", "--module", self.module).out
                self.assertIn(b"token  a?b (", listed)
                self.assertNotRegex(listed, rb"[\x80-\xff\x1b]")
                self.use_token_folder("with" + name.encode(errors="surrogateescape").hex())
        self.add_token("\u00e9\u65e5", PIN)
        self.assertIn("token  \u00e9\u65e5 (",
                      self.run_twoway("tokens", "--module", self.module).out.decode())

    def test_with_a_pin_the_keys_that_can_receive_are_shown(self):
        uri = self.token_key("x25519")
        listed = self.run_twoway("tokens", *self.login).out.decode()
        self.assertRegex(listed, r"key  x25519 twoway, id [0-9a-f]{16}, can receive")
        self.assertIn(uri, listed)
        self.assertNotIn("not logged in", listed)

    def test_a_wrong_pin_is_77(self):
        self.token_key()
        self.write("pin", b"wrong-guess")
        listed = self.run_twoway("tokens", *self.login, code=NOT_PERMITTED).out.decode()
        self.assertRegex(listed, r"\Atoken  hpke \(.*, login failed\)\n")
        self.assertRegex(listed, r"key .*, public half seen; the private one shows after a login\n")

    def test_no_module_is_69(self):
        err = self.run_twoway("tokens", "--module", "/none.so", code=UNAVAILABLE).err
        self.assertRegex(err.splitlines()[-1], "twoway: tokens: expected .*--module")
        self.assertNotIn("twoway tokens", err)


class PinSources(TokenCase):
    def setUp(self):
        super().setUp()
        self.uri = self.token_key()
        self.run_twoway("config", "--key", self.uri, *self.login, "-o", "config")
        self.sealed = self.run_twoway("request", "--to", "config", input=b"x").out

    def accept(self, query, *more, code=0):
        return self.run_twoway("accept", "--key", self.uri + query, "--module", self.module, *more,
                               input=self.sealed, code=code, start_new_session=True)

    def test_each(self):
        pin_file = self.path("pin")
        self.env["TOKEN_PIN"] = PIN
        for query, more in (("", ["--pin-source", "pin"]), ("", ["--pin-source", "env:TOKEN_PIN"]),
                            (f"?pin-source={pin_file}", []),
                            (f"?pin-source=file:{pin_file}", []), (f"?pin-value={PIN}", [])):
            with self.subTest(query=query, more=more):
                self.assertEqual(self.accept(query, *more).out, b"x")

    def test_their_order(self):
        wrong = self.path("wrong")
        wrong.write_bytes(b"wrong-guess")
        wrong.chmod(0o600)
        for query in ("?pin-value=wrong-guess", f"?pin-source={wrong}"):
            self.assertEqual(self.accept(query, "--pin-source", "pin").out, b"x")
        self.accept(f"?pin-value={PIN}", "--pin-source", "wrong", code=NOT_PERMITTED)
        query = f"?pin-source={self.path('pin')}&pin-value=wrong-guess"
        self.assertEqual(self.accept(query).out, b"x")

    def test_none_wrong_or_unreadable_is_77(self):
        self.write("empty", b"\n")
        self.write("long", b"x" * 257 + b"\n")
        self.write("wrong", b"wrong-guess\n")
        self.env["EMPTY"] = ""
        self.secrets.append(b"wrong-guess")
        for source in ([], ["ask"], ["none"], ["."], ["empty"], ["long"], ["wrong"], ["env:NONE"],
                       ["env:EMPTY"]):
            with self.subTest(source=source):
                more = ["--pin-source", *source] if source else []
                self.assertEqual(self.accept("", *more, code=NOT_PERMITTED).out, b"")
        for quiet in ([], ["--quiet"]):
            run = self.accept("?pin-value=wrong-guess", *quiet, code=NOT_PERMITTED)
            self.assertIn("expected the token's PIN", run.err)

    def test_a_pin_that_everybody_may_read_is_warned_of(self):
        query = f"?pin-source={self.path('pin')}"
        for mode, warned in ((0o644, True), (0o602, True), (0o640, False), (0o400, False)):
            self.path("pin").chmod(mode)
            for run in (self.accept("", "--pin-source", "pin"), self.accept(query)):
                self.assertRegex(run.err, r"\Atwoway: warning: .*pin.*chmod o= it\n\Z"
                                 if warned else r"\A\Z")
            self.assertEqual(self.accept("", "--pin-source", "pin", "--quiet").err, "")
            self.assertEqual(self.accept(query, "--quiet").err, "")

    def test_systemds_credentials(self):
        """As a unit names them, by %d or by the variable; and by name in a URI."""
        self.path("credentials").mkdir()
        self.path("pin").rename(self.path("credentials/pin"))
        self.env["CREDENTIALS_DIRECTORY"] = str(self.path("credentials"))
        path = str(self.path("credentials/pin"))
        for query, more in (("", ["--pin-source", path]), ("?pin-source=credential:pin", [])):
            self.assertEqual(self.accept(query, *more).out, b"x")
        self.accept("?pin-source=credential:none", code=NOT_PERMITTED)
        self.accept("?pin-source=credential:../pin", code=USAGE)
        del self.env["CREDENTIALS_DIRECTORY"]
        self.assertIn("LoadCredential", self.accept("?pin-source=credential:pin",
                                                    code=NOT_PERMITTED).err)

    def test_one_line_ending_is_not_part_of_it(self):
        for text, code in ((PIN + "\n", 0), (PIN + "\r\n", 0), (PIN, 0),
                           (PIN + "\n\n", NOT_PERMITTED)):
            self.write("pin", text.encode())
            self.accept("", "--pin-source", "pin", code=code)

    def test_what_is_more_than_a_line_costs_no_try(self):
        self.secrets.append(b"wrong-guess")
        for text in (b"wrong-guess\n\n", b"wrong-guess\nmore", b"\0wrong-guess", b"wrong-guess\r\r\n"):
            self.write("pin", text)
            for query, more in (("", ["--pin-source", "pin"]),
                                (f"?pin-source={self.path('pin')}", [])):
                run = self.accept(query, *more, code=NOT_PERMITTED)
                self.assertIn("one line", run.err)
                self.assertNotIn("C_Login", run.err)
        self.write("pin", b"wrong-guess\n")
        run = self.accept("", "--pin-source", "pin", code=NOT_PERMITTED)
        self.assertIn("C_Login", run.err)


class Policy(FaultCase):
    """--never-export-dh, by a token that does one thing and not the other."""

    READABLE = "C_DeriveKey * refuse CKA_EXTRACTABLE=01 CKR_ATTRIBUTE_VALUE_INVALID"
    HASH = "C_DigestKey * fail CKR_FUNCTION_NOT_SUPPORTED"
    NO_WAY = f"{READABLE}\n{HASH}"

    def test_only_with_it_is_what_is_derived_kept(self):
        self.script("# well")
        uri = self.token_key("p256", "--never-export-dh", "--id", "01")
        self.run_twoway("config", "--key", uri, *self.login, "-o", "config")
        sealed = self.run_twoway("request", "--to", "config", input=b"x").out
        new = (["--object", f"n{i}", "--id", f"{i:02x}"] for i in range(2, 99))
        for args in (["config", "--key", uri], ["accept", "--key", uri],
                     ["keygen", "--token", "pkcs11:token=hpke"]):
            for policy, refuses, serves in (([], self.NO_WAY, self.HASH),
                                            (["--never-export-dh"], self.HASH, self.READABLE)):
                for script, code in ((refuses, NOT_PERMITTED), (serves, 0)):
                    with self.subTest(verb=args[0], policy=policy, script=script):
                        more = next(new) if args[0] == "keygen" else []
                        self.script(script)
                        run = self.run_twoway(*args, *self.login, *policy, *more, input=sealed,
                                              code=code)
                        self.assertEqual("must not be exported" in run.err,
                                         code != 0 and policy != [], run.err)

    def test_it_is_for_keys_in_tokens(self):
        self.keygen("key")
        for args in (["config", "--key", "key"], ["accept", "--key", "key"], ["keygen"]):
            run = self.run_twoway(*args, "--never-export-dh", "-o", "out", code=USAGE)
            self.assertIn("--never-export-dh", run.err)
            self.assertFalse(self.path("out").exists())


class Failures(TokenCase):
    def test_a_pin_is_not_shown_wherever_its_uri_was_given(self):
        self.key_and_config()
        uri = "pkcs11:token=hpke;object=twoway?pin-value=" + PIN
        for more in ("", "&module-path=/none.so"):
            for args in (["request", "--to"], ["request", "--to", "config"], ["config", "--show"],
                         ["config", "--public"], ["inspect"], ["receive", "--exchange"], [],
                         ["accept", "--key-id"], ["keygen", "--kem"],
                         ["accept", "--key", "key", "--config"]):
                with self.subTest(args=args, more=more):
                    run = self.run_twoway(*args, uri + more, code=None)
                    self.assertIn(run.code, (NO_INPUT, USAGE), run.err)
                    self.assertIn("pin-value=", run.err)
        self.assertIn("?pin-value=: expected", self.run_twoway("inspect", uri, code=NO_INPUT).err)
        for uri in ("pkcs11:token=hpke?PIN-VALUE=" + PIN, "pkcs11:?pin-value=two " + PIN,
                    "pkcs11:?pin-value=two: " + PIN + ";&x"):
            self.run_twoway("inspect", uri, code=NO_INPUT)
        run = self.run_twoway("accept", "--key-id", "pkcs11:?Pin-Value=" + PIN, code=USAGE)
        self.assertIn("came 'pkcs11:?Pin-Value='; see", run.err)

    def test_nor_where_it_was_taken_for_the_name_of_its_file(self):
        uri = "pkcs11:token=hpke?pin-source="
        run = self.run_twoway("accept", "--key", uri + PIN, "--module", self.module,
                              code=NOT_PERMITTED)
        self.assertIn("the PIN file that pin-source= names", run.err)
        run = self.run_twoway("accept", "--key", uri + "file:/no/such", "--module", self.module,
                              code=NOT_PERMITTED)
        self.assertIn("the PIN file /no/such", run.err)

    def test_absent_token_module_or_key_is_69(self):
        uri = self.token_key()
        self.write("req", bytes(200))
        for key in ("pkcs11:token=none", uri.replace("twoway", "other"),
                    uri + "?module-path=/none.so"):
            for args in (["config", "--key", key], ["accept", "--key", key, "req"]):
                login = self.login[2:] if "module-path" in key else self.login
                with self.subTest(args=args):
                    run = self.run_twoway(*args, *login, "-o", "out", code=UNAVAILABLE)
                    self.assertIn("twoway: token: ", run.err)
                    self.assertFalse(self.path("out").exists())
        self.run_twoway("keygen", "--token", "pkcs11:token=none", *self.login, code=UNAVAILABLE)

    def test_a_token_whose_folder_is_gone_is_69(self):
        uri = self.token_key()
        self.use_token_folder("empty")
        self.run_twoway("config", "--key", uri, *self.login, code=UNAVAILABLE)

    def test_a_key_that_may_not_derive_is_77(self):
        subprocess.run(["pkcs11-tool", "--module", self.module, "--token-label", "hpke", "--login",
                        "--pin", PIN, "--keypairgen", "--key-type", "EC:prime256v1", "--label",
                        "signs", "--id", "55", "--usage-sign"], env=self.env, check=True,
                       capture_output=True)
        run = self.run_twoway("config", "--key", "pkcs11:token=hpke;object=signs", *self.login,
                              code=NOT_PERMITTED)
        self.assertIn("CKA_DERIVE", run.err)
        listed = self.run_twoway("tokens", *self.login).out.decode()
        self.assertIn("cannot receive", listed)

    def test_a_uri_that_does_not_parse_is_64(self):
        for uri in ("pkcs11:token", "pkcs11:id=%zz", "pkcs11:nonsense=1"):
            self.run_twoway("config", "--key", uri, *self.login, code=USAGE)
            self.run_twoway("keygen", "--token", uri, *self.login, code=USAGE)

    def test_a_uri_of_several_keys_is_66(self):
        self.token_key()
        self.token_key("p256", "--object", "second")
        run = self.run_twoway("config", "--key", "pkcs11:token=hpke", *self.login, code=NO_INPUT)
        self.assertIn("add object= or id=", run.err)

    def test_a_uri_of_several_tokens_is_64(self):
        self.add_token("second", PIN)
        run = self.run_twoway("keygen", "--token", "pkcs11:model=SoftHSM%20v2", *self.login,
                              code=USAGE)
        self.assertIn("add token= or serial=", run.err)

    def test_quiet_keeps_the_cause_of_an_error(self):
        for uri, code in (("pkcs11:token=none", UNAVAILABLE), ("pkcs11:nonsense=1", USAGE)):
            args = ["config", "--key", uri, *self.login]
            told = self.run_twoway(*args, code=code).err
            self.assertEqual(len(told.splitlines()), 2)
            self.assertEqual(self.run_twoway(*args, "--quiet", code=code).err, told)


class Quiet(FaultCase):
    def test_what_is_no_error_is_not_told(self):
        self.token_key()
        self.script("C_FindObjectsInit * fail CKR_DEVICE_ERROR")
        listing = ["tokens", "--module", self.module]
        self.assertIn("C_FindObjectsInit gave", self.run_twoway(*listing).err)
        self.assertEqual(self.run_twoway(*listing, "--quiet").err, "")


if __name__ == "__main__":
    main()
