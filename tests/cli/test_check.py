# SPDX-License-Identifier: Apache-2.0
"""tokens --check: its lines, its exit codes, and that nothing stays in the token."""
import re
import signal
import subprocess
import time

from support import (IO_FAILED, NO_INPUT, NOT_PERMITTED, PIN, UNAVAILABLE, USAGE, FaultCase,
                     TokenCase, main)

STEPS = ("module slot token login key attributes public S1 S2 S3 policy speed leftover scratch "
         "made read copy wrap loosen template removed verdict").split()
FOUND = "module:ok slot:ok token:ok login:ok key:ok attributes:ok public:ok"
WORKS = FOUND + " S1:ok S2:no S3:ok policy:ok speed:ok"


class Checks:
    """For both kinds of token."""

    def objects(self):
        return len(list(self.tokens.glob("tokens/*/*[0-9a-f].object")))

    def check(self, uri, *more, code=0, **options):
        before = self.objects()
        run = self.run_twoway("tokens", "--check", uri, *more, code=code, **options)
        self.assertEqual(self.objects(), before)
        self.last = run
        return self.verdicts(run.out.decode())

    def verdicts(self, out):
        """What scripts read: the first word of each line and the second."""
        found, changes = [], []
        for line in out.splitlines():
            words = re.fullmatch(r"(\S+) +(\S+) +(\S.*)", line)
            self.assertTrue(words, line)
            if words[1] == "change":
                self.assertEqual(words[2], found[-1][0], line)
                changes.append(words[2])
            else:
                self.assertIn(words[2], ("ok", "no", "weak", "failed", "unknown"), line)
                found.append((words[1], words[2]))
        steps = [step for step, _ in found]
        self.assertEqual(steps, sorted(set(steps), key=STEPS.index))
        for step, verdict in found:
            if verdict == "weak" or verdict == "failed" and step != "verdict":
                self.assertIn(step, changes)
        return " ".join(f"{step}:{verdict}" for step, verdict in found)


class Codes(Checks, TokenCase):
    def test_a_key_that_can_receive_is_0(self):
        uri = self.token_key()
        self.assertEqual(self.check(uri, *self.login),
                         WORKS + " scratch:ok made:ok read:ok copy:ok wrap:ok loosen:weak "
                         "template:no removed:ok verdict:ok")
        self.assertEqual(self.last.err, "")
        self.assertIn("verdict    ok      the key can receive, by S1\n", self.last.out.decode())
        self.assertEqual(self.check(uri, *self.login, "--never-export-dh", "--no-scratch"),
                         WORKS + " scratch:unknown verdict:ok")
        self.assertIn("by S3", self.last.out.decode())

    def test_a_key_without_derive_is_77(self):
        subprocess.run(["pkcs11-tool", "--module", self.module, "--token-label", "hpke", "--login",
                        "--pin", PIN, "--keypairgen", "--key-type", "EC:prime256v1", "--label",
                        "signs", "--id", "55", "--usage-sign"], env=self.env, check=True,
                       capture_output=True)
        seen = self.check("pkcs11:token=hpke;object=signs", *self.login, code=NOT_PERMITTED)
        self.assertRegex(seen, "attributes:weak public:ok S1:no S2:no S3:no policy:failed .* "
                         "removed:ok verdict:failed")
        self.assertRegex(self.last.out.decode(), "\nchange +attributes set CKA_DERIVE")
        self.assertIn("expected a key that the token lets derive", self.last.err)

    def test_a_wrong_pin_is_77(self):
        uri = self.token_key()
        self.secrets.append(b"wrong-guess")
        self.write("wrong", b"wrong-guess")
        self.path("wrong").chmod(0o600)
        for more in (["--pin-source", "wrong"], ["--pin-source", "none"], []):
            seen = self.check(uri, "--module", self.module, *more, code=NOT_PERMITTED,
                              start_new_session=True)
            self.assertEqual(seen, "module:ok slot:ok token:ok login:failed verdict:failed")
            self.assertIn("change     login", self.last.out.decode())

    def test_no_module_token_or_key_is_69(self):
        uri = self.token_key()
        for key, module, seen in (
                (uri, "/none.so", "module:failed verdict:failed"),
                ("pkcs11:token=none", self.module, "module:ok token:failed verdict:failed"),
                (uri.replace("object=twoway", "object=other"), self.module,
                 "module:ok slot:ok token:ok login:ok key:failed verdict:failed")):
            with self.subTest(key=key, module=module):
                self.assertEqual(self.check(key, "--pin-source", "pin", "--module", module,
                                            code=UNAVAILABLE), seen)

    def test_several_keys_are_66_and_several_tokens_64(self):
        self.token_key("p256", "--object", "a")
        self.token_key("p256", "--object", "b")
        self.check("pkcs11:token=hpke", *self.login, code=NO_INPUT)
        self.assertIn("add object= or id=", self.last.err)
        self.add_token("second", PIN)
        self.check("pkcs11:model=SoftHSM%20v2", *self.login, code=USAGE)
        self.assertIn("add token= or serial=", self.last.err)

    def test_what_cannot_be_meant_is_64(self):
        for args in (["--check", "key.pem"], ["--check", "pkcs11:nonsense=1"], ["--no-scratch"],
                     ["--public", "x"], ["--check"],
                     ["--check", "pkcs11:token=hpke", "--public", "x", "--certificate", "y"]):
            run = self.run_twoway("tokens", *args, *self.login, code=USAGE)
            self.assertEqual(run.out, b"")

    def test_a_public_half_may_be_given(self):
        uri = self.token_key("p256", "-o", "public", "--force", "--id", "0a")
        subprocess.run(["pkcs11-tool", "--module", self.module, "--token-label", "hpke", "--login",
                        "--pin", PIN, "--delete-object", "--type", "pubkey", "--id", "0a"],
                       env=self.env, check=True, capture_output=True)
        self.assertRegex(self.check(uri, *self.login, code=UNAVAILABLE), "public:failed verdict")
        self.assertRegex(self.check(uri, *self.login, "--public", "public"), "public:ok .*:ok$")
        self.assertIn("from the caller", self.last.out.decode())
        self.keygen("other")
        subprocess.run(["openssl", "pkey", "-in", "other", "-pubout", "-out", "otherpub"],
                       cwd=self.dir, check=True, capture_output=True)
        self.check(uri, *self.login, "--public", "otherpub", code=NO_INPUT)


class Interrupts(Checks, FaultCase):
    """The token hangs, and someone has had enough."""

    HANGS = "wait 100000"

    def setUp(self):
        super().setUp()
        self.script("# well")
        self.uri = self.token_key()
        self.before = self.objects()

    def hang(self, function, step):
        """Starts a check, and waits until it has come past `step` and hangs in `function`."""
        report = self.tokens / "report"
        report.unlink(missing_ok=True)
        self.env["FAULT_REPORT"] = str(report)
        self.script(f"{function} * {self.HANGS}")
        process = self.start("tokens", "--check", self.uri, *self.login, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        lines = []
        while not lines or not lines[-1].startswith(step.encode() + b" "):
            lines.append(process.stdout.readline())
            self.assertTrue(lines[-1], lines)
        for _ in range(2000):
            if report.exists() and re.search(rf"(?m)^{function} ", report.read_text()):
                return process
            time.sleep(0.01)
        return self.fail(f"it never came to {function}")

    def end(self, process, number):
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, -number, err)
        return out.decode(), err.decode()

    def test_one_while_there_is_a_key_pair_waits_until_that_is_gone(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = self.hang("C_CopyObject", "read")
            process.send_signal(number)
            self.assertIn(b"interrupted", process.stderr.readline())
            self.script("# it answers")
            out, _ = self.end(process, number)
            self.assertRegex(out, r"\Acopy .*\nremoved +ok .*\n\Z")
            self.assertEqual(self.objects(), self.before)

    def test_a_second_one_acts_at_once(self):
        process = self.hang("C_CopyObject", "read")
        process.send_signal(signal.SIGINT)
        self.assertIn(b"interrupted", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        self.end(process, signal.SIGINT)
        self.script("# it answers")
        self.assertRegex(self.check(self.uri, *self.login), "leftover:weak ")
        self.assertEqual(self.objects(), self.before + 2)

    def test_one_before_there_is_a_key_pair_acts_at_once(self):
        process = self.hang("C_DeriveKey", "public")
        process.send_signal(signal.SIGINT)
        _, err = self.end(process, signal.SIGINT)
        self.assertEqual(err, "")
        self.assertEqual(self.objects(), self.before)

    def test_a_full_disk_ends_it_before_there_is_a_key_pair(self):
        self.script(f"C_GenerateKeyPair * {self.HANGS}")
        with open("/dev/full", "wb") as full:
            process = self.start("tokens", "--check", self.uri, *self.login, stdout=full,
                                 stderr=subprocess.PIPE)
            self.addCleanup(process.kill)
            _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, IO_FAILED, err)
        self.assertEqual(self.objects(), self.before)


if __name__ == "__main__":
    main()
