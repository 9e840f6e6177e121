# SPDX-License-Identifier: Apache-2.0
"""Tokens that want something of a person: a touch, a PIN on their own pad, a PIN for each use."""
import os
import signal
import time

from support import NOT_PERMITTED, PIN, FaultCase, main
from terminal import TerminalMixin

HINT = b"\rtwoway: waiting for the token; it may want a touch, or a PIN on its pad\x1b[K"
GONE = b"\r\x1b[K"


class CardCase(TerminalMixin, FaultCase):
    def setUp(self):
        super().setUp()
        self.script()
        self.uri = self.token_key()
        self.run_twoway("config", "--key", self.uri, *self.login, "-o", "config")
        self.write("in", b"plaintext")
        self.run_twoway("request", "--to", "config", "-o", "req", "in")
        self.ask = ["accept", "--key", self.uri, "--module", self.module, "-o", "out"]
        self.accept = [*self.ask, "--pin-source", "pin", "req"]
        self.ask.append("req")

    def must_open(self, t):
        self.assertEqual(t.wait(), 0, t.seen)
        self.assertEqual(self.read("out"), b"plaintext")
        self.path("out").unlink()


class Hint(CardCase):
    def test_a_token_that_does_not_answer_is_told_of_until_it_does(self):
        """The first derive is the trial of the key, the second the use."""
        for rule in ("C_Login * wait 20000", "C_DeriveKey 1 wait 20000",
                     "C_DeriveKey 2 wait 20000"):
            with self.subTest(rule=rule):
                self.script(rule)
                begun = time.monotonic()
                t = self.terminal(*self.accept)
                t.expect(HINT)
                self.assertGreater(time.monotonic() - begun, 0.9)
                self.assertEqual(t.seen, HINT)
                self.script()
                self.must_open(t)
                self.assertEqual(t.seen, HINT + GONE)

    def test_a_quick_answer_shows_nothing(self):
        self.script("C_DeriveKey * wait 50")
        t = self.terminal(*self.accept)
        self.must_open(t)
        self.assertEqual(t.seen, b"")

    def test_nor_does_quiet_or_what_is_no_terminal(self):
        self.script("C_DeriveKey 2 wait 1500")
        t = self.terminal(*self.accept, "--quiet")
        self.must_open(t)
        self.assertEqual(t.seen, b"")
        self.script("C_DeriveKey 2 wait 1500", "# and read again")
        with open(self.path("said"), "wb") as said:
            t = self.terminal(*self.accept, files={2: said.fileno()})
            self.must_open(t)
        self.assertEqual((t.seen, self.read("said")), (b"", b""))

    def test_what_is_said_meanwhile_has_a_line_of_its_own(self):
        self.script("C_DeriveKey 2 wait 20000", "C_DeriveKey 2 fail CKR_KEY_FUNCTION_NOT_PERMITTED")
        t = self.terminal(*self.accept)
        t.expect(HINT)
        self.script()
        self.assertEqual(t.wait(), NOT_PERMITTED)
        self.assertTrue(t.seen.startswith(HINT + GONE + b"twoway: token: "), t.seen)
        self.assertEqual(t.seen.count(HINT), 1)

    def test_a_list_is_not_mixed_with_it_and_it_comes_again(self):
        self.add_token("second", PIN)
        self.script("C_OpenSession 1 wait 20000")
        t = self.terminal("tokens", "--module", self.module)
        t.expect(HINT)
        self.script("C_OpenSession 1 wait 20000", "# another")
        t.expect(GONE + b"token  ")
        self.assertEqual(t.seen.count(HINT), 1)
        t.expect(HINT, after=len(t.seen))
        self.script()
        self.assertEqual(t.wait(), 0)
        self.assertEqual(t.seen.count(HINT), 2)
        for label in (b"hpke", b"second"):
            self.assertIn(HINT + GONE + b"token  " + label, t.seen)

    def test_making_a_key_may_take_long_too(self):
        self.script("C_GenerateKeyPair 1 wait 20000")
        t = self.terminal("keygen", "--token", "pkcs11:token=hpke", "--object", "new", *self.login)
        t.expect(HINT)
        self.script()
        self.assertEqual(t.wait(), 0)
        self.assertTrue(t.seen.startswith(HINT + GONE + b"pkcs11:"), t.seen)

    def test_an_interrupt_does_not_wait_for_the_token(self):
        self.script("C_DeriveKey 2 wait 60000")
        t = self.terminal(*self.accept)
        t.expect(HINT)
        t.type(b"\x03")
        self.assertEqual(t.wait(), -signal.SIGINT)
        self.check_no_temporaries()
        self.assertFalse(self.path("out").exists())

    def test_it_does_not_disturb_who_types_a_pin(self):
        self.script("C_DeriveKey 2 wait 20000")
        t = self.terminal(*self.ask)
        t.expect(b"PIN for token 'hpke': ")
        time.sleep(1.5)
        t.read(0)
        self.assertNotIn(b"waiting", t.seen)
        t.type(PIN.encode() + b"\n")
        t.expect(HINT)
        self.script()
        self.must_open(t)
        self.assertTrue(t.seen.endswith(HINT + GONE))


class Pins(CardCase):
    EACH_USE = ("C_GetAttributeValue * answer CKA_ALWAYS_AUTHENTICATE 01",
                f"C_Login * context {PIN}", "C_DeriveKey * fresh CKR_USER_NOT_LOGGED_IN")

    def test_a_key_that_wants_one_for_each_use_gets_it_and_the_person_types_it_once(self):
        self.script(*self.EACH_USE)
        t = self.terminal(*self.ask)
        t.expect(b"PIN for token 'hpke': ")
        t.type(PIN.encode() + b"\n")
        self.must_open(t)
        self.assertEqual(t.seen.count(b"PIN for token"), 1)
        self.run_twoway(*self.accept)

    def test_what_was_typed_is_not_sent_twice_when_it_was_wrong(self):
        self.env["FAULT_REPORT"] = str(self.tokens / "report")
        self.script(*self.EACH_USE)
        t = self.terminal(*self.ask)
        t.expect(b"PIN for token 'hpke': ")
        t.type(b"Lion-55-guess\n")
        self.assertEqual(t.wait(), NOT_PERMITTED)
        self.assertEqual(t.seen.count(b"PIN for token"), 1)
        self.assertNotIn(b"Lion", t.seen)
        self.assertRegex((self.tokens / "report").read_text(), r"(?m)^refused PINs sent again\s+0$")

    def test_the_last_try_is_left_to_a_person(self):
        self.env["OTHER_PIN"] = PIN
        self.script("C_GetTokenInfo * set CKF_USER_PIN_FINAL_TRY")
        for source in ("pin", "env:OTHER_PIN"):
            with self.subTest(source=source):
                run = self.run_twoway(*self.accept, "--pin-source", source, code=NOT_PERMITTED)
                self.assertIn("one more wrong PIN locks the token", run.err)
        for source in ([], ["--pin-source", "ask"]):
            with self.subTest(source=source):
                t = self.terminal(*self.ask, *source)
                t.expect(b"PIN for token 'hpke': ")
                t.type(PIN.encode() + b"\n")
                self.must_open(t)

    def test_a_pin_pad_is_left_to_the_token(self):
        """No PIN is asked for or taken from anywhere; the hint says where it waits."""
        self.script("C_GetTokenInfo * set CKF_PROTECTED_AUTHENTICATION_PATH",
                    "C_Login * wait 20000", f"C_Login * pinpad {PIN}")
        t = self.terminal(*self.ask, "--pin-source", "none")
        t.expect(HINT)
        self.script("C_GetTokenInfo * set CKF_PROTECTED_AUTHENTICATION_PATH",
                    f"C_Login * pinpad {PIN}")
        self.must_open(t)
        self.assertEqual(t.seen, HINT + GONE)

    def test_a_pin_pad_serves_each_use(self):
        self.script("C_GetTokenInfo * set CKF_PROTECTED_AUTHENTICATION_PATH",
                    f"C_Login * pinpad {PIN}", *self.EACH_USE)
        t = self.terminal(*self.ask)
        self.must_open(t)
        self.assertEqual(t.seen, b"")


if __name__ == "__main__":
    main()
