# SPDX-License-Identifier: Apache-2.0
"""Every call of the system fails once, in every verb: one message, the right exit status, and
every file as it was; or all is well. TWOWAY_FAILING is the command with tests/cli/failing.c in
it."""
import itertools
import os
import re
import shutil
import signal
import subprocess

from support import (FAILING, INTERNAL, IO_FAILED, LACKS, NO_CREATE, NO_INPUT, NOT_PERMITTED,
                     SANITIZED, Case, TokenCase, main)

# In the suites only every third call, of a sanitized command that starts slowly fewer yet.
STEP = int(os.environ.get("TWOWAY_FAIL_STEP", 11 if SANITIZED else 3))
MOST = 2000
RENAMING = "renameat2 rename link unlink"

MEMORY = {INTERNAL}
# What may come of each; 0 is that it is no harm.
EXPECTED = {
    "malloc": MEMORY, "calloc": MEMORY, "realloc": MEMORY, "strdup": MEMORY, "asprintf": MEMORY,
    "p11_kit_uri_new": MEMORY, "p11_kit_uri_parse": {0},  # its file is then not compared
    "realpath": {NO_CREATE}, "getrandom": {INTERNAL},
    "open64": {NO_INPUT, NO_CREATE, NOT_PERMITTED}, "fcntl64": {NO_CREATE},
    "read": {IO_FAILED, NOT_PERMITTED}, "write": {IO_FAILED}, "fflush": {IO_FAILED},
    "close": {0, IO_FAILED}, "fsync": {IO_FAILED}, "fchmod": {IO_FAILED},
    "fstat64": {0, NO_INPUT, NO_CREATE}, "stat64": {0, NO_CREATE}, "lstat64": {0, NO_CREATE},
    "faccessat": {NO_CREATE}, "mkdir": {NO_CREATE}, "mkostemp64": {NO_CREATE},
    "rename": {NO_CREATE}, "renameat2": {0, NO_CREATE}, "link": {0, NO_CREATE},
    # Of what is to go: it stays, and nothing can be done about it.
    "unlink": {0}, "rmdir": {0},
}


class Failing:
    """One verb, run again and again with another of its calls failing."""

    def files(self):
        return {name: (self.read(name), self.path(name).stat().st_mode)
                for name in self.names() if self.path(name).is_file()}

    def restore(self, before):
        for name in self.names():
            if name not in before and self.path(name).is_file():
                self.path(name).unlink()
        for path in sorted(self.dir.rglob("*"), reverse=True):
            if path.is_dir() and path.name not in self.folders:
                path.rmdir()
        for name, (content, mode) in before.items():
            self.write(name, content)
            self.path(name).chmod(mode & 0o777)

    def fail_one(self, n, mode, args, **options):
        """Its exit status, and what failed, None for nothing."""
        report = self.report / "what"
        self.env["TWOWAY_FAIL"] = f"{n}{mode}"
        self.env["TWOWAY_FAIL_REPORT"] = str(report)
        self.failing = True
        try:
            run = self.run_twoway(*args, code=None, command=FAILING, **options)
        finally:
            del self.env["TWOWAY_FAIL"]
            self.failing = False
        what = report.read_text() if report.exists() else None
        if what is not None:
            report.unlink()
        return run, what

    def check_no_temporaries(self, said=""):
        if not self.failing:
            super().check_no_temporaries(said)

    def check_what_stays(self, before, run, said):
        """Whatever could not be removed or put back is named."""
        after = self.files()
        for name in set(after) - set(before):
            if run.code != 0 or ".twoway-" in name:
                self.assertIn(name, run.err, said)
        for name, content in before.items():
            if run.code != 0 and after.get(name) != content:
                self.assertRegex(run.err, rf"{name}: expected to put back .*\.twoway-", said)

    def expected(self, what, mode):
        if mode == ":stuck":
            return EXPECTED[what] | {NO_CREATE}  # a file that is new is renamed, too
        return EXPECTED[what] | self.overcome if mode == "" else {0}

    def remove_temporaries(self):
        for name in self.names():
            if ".twoway-" in name:
                self.path(name).unlink()

    def each_fails(self, args, verify, mode="", step=STEP, **options):
        """`verify` gets the run and looks at what a run without an error has made."""
        before = self.files()
        self.folders = {path.name for path in self.dir.rglob("*") if path.is_dir()}
        Failing.operations += 1
        for n in itertools.count(1, step):
            self.assertLess(n, MOST)
            run, what = self.fail_one(n, mode, args, **options)
            said = f"call {n}, {what}: exit {run.code}: {run.err}"
            if what in ("unlink", "rmdir") or mode == ":stuck":
                self.check_what_stays(before, run, said)
                self.remove_temporaries()
            else:
                self.check_no_temporaries(said)
                if run.code != 0:
                    self.assertEqual(self.files(), before, said)
            if run.code == 0:
                verify(run)
            if what is None:
                self.assertEqual(run.code, 0, said)
            else:
                self.assertIn(run.code, self.expected(what, mode), said)
                Failing.points += 1
            self.restore(before)
            if what is None:
                return

    points = operations = 0
    failing = False
    overcome = set()


class Verbs(Failing, Case):
    def setUp(self):
        super().setUp()
        self.report = self.dir.parent / (self.dir.name + "-report")
        self.report.mkdir()
        self.addCleanup(self.report.rmdir)
        self.key_and_config()
        self.text = b"plaintext" * 4000
        self.write("in", self.text)

    def opens(self, name, *layout):
        def verify(run):
            sealed = self.read(name) if name else run.out
            self.write("sealed", sealed)
            opened = self.run_twoway("accept", "--key", "key", *layout, "sealed").out
            self.path("sealed").unlink()
            self.assertEqual(opened, self.text)
        return verify

    def is_text(self, name):
        return lambda run: self.assertEqual(self.read(name) if name else run.out, self.text)

    def all_ways(self, args, verify, **options):
        self.each_fails(args, verify, **options)
        for mode in (":again", ":little", ":stuck"):
            self.each_fails(args, verify, mode=mode, **options)

    def test_keygen(self):
        self.all_ways(["keygen", "-o", "new"],
                  lambda run: self.run_twoway("config", "--key", "new", "-o", "/dev/null"))

    def test_config(self):
        self.all_ways(["config", "--key", "key", "-o", "new"],
                  lambda run: self.assertEqual(self.read("new"), self.read("config")))
        self.all_ways(["config", "--show", "config"],
                  lambda run: self.assertIn(b"hkdf-sha256,aes-128-gcm", run.out))

    def test_request(self):
        self.all_ways(["request", "--to", "config", "--exchange", "ours", "-o", "req", "in"],
                  self.opens("req"))
        self.all_ways(["request", "--to", "config", "--chunked"], self.opens(None, "--chunked"),
                  input=self.text)

    def test_config_of_a_public_key(self):
        subprocess.run(["openssl", "pkey", "-in", "key", "-pubout", "-out", "public"], check=True,
                       cwd=self.dir)
        self.all_ways(["config", "--public", "public", "-o", "new"],
                  lambda run: self.assertEqual(self.read("new"), self.read("config")))

    def test_two_jobs(self):
        self.overcome = {0}  # without memory for a second thread, by one
        self.all_ways(["request", "--to", "config", "--chunked", "--jobs", "2", "-o", "req", "in"],
                  self.opens("req", "--chunked"))
        self.run_twoway("request", "--to", "config", "--chunked", "-o", "chunks", "in")
        self.all_ways(["accept", "--key", "key", "--chunked", "--jobs", "2", "-o", "out", "chunks"],
                  self.is_text("out"))

    def test_request_over_what_is_there(self):
        self.write("req", b"before")
        self.write("ours", b"before")
        self.all_ways(["request", "--to", "config", "--exchange", "ours", "--force", "-o", "req", "in"],
                  self.opens("req"))

    def test_request_over_what_is_there_and_is_not_exchanged(self):
        self.write("req", b"before")
        self.write("ours", b"before")
        self.env["TWOWAY_FAIL_ONLY"] = RENAMING
        for lacks in LACKS[1:]:
            self.env["TWOWAY_LACKS"] = lacks
            for mode in ("", ":stuck"):
                self.each_fails(["request", "--to", "config", "--exchange", "ours", "--force", "-o",
                                 "req", "in"], self.opens("req"), mode=mode, step=1)

    def test_killed_anywhere_the_old_or_the_new_file_has_the_name(self):
        args = ["request", "--to", "config", "--exchange", "ours", "--force", "-o", "req", "in"]
        before = {"req": b"before", "ours": b"before"}
        self.env["TWOWAY_FAIL_ONLY"] = RENAMING
        for lacks in LACKS[:2]:
            self.env["TWOWAY_LACKS"] = lacks
            seen = set()
            for n in itertools.count(1):
                for name, content in before.items():
                    self.write(name, content)
                run, what = self.fail_one(n, ":killed", args)
                self.remove_temporaries()
                if what is None:
                    self.assertEqual(run.code, 0)
                    break
                self.assertEqual(run.code, -signal.SIGKILL)
                old = {name for name in before if self.read(name) == before[name]}
                if "req" not in old:
                    self.opens("req")(run)
                if "ours" not in old:
                    self.assertEqual(self.read("ours")[:4], b"TWX1")
                seen.add(frozenset(old))
            self.assertEqual(seen, {frozenset(before), frozenset(["req"]), frozenset()})

    def test_request_to_many(self):
        def verify(_run):
            opened = self.run_twoway("accept", "--key", "key", "--encap", "many/2.encap", "req")
            self.assertEqual(opened.out, self.text)
            self.assertTrue(self.path("ours.1").exists() and self.path("ours.2").exists())

        self.all_ways(["request", "--to", "config", "--to", "config", "--encap", "many", "--exchange",
                   "ours", "-o", "req", "in"], verify)

    def test_accept(self):
        self.run_twoway("request", "--to", "config", "-o", "req", "in")
        self.all_ways(["accept", "--key", "key", "--exchange", "theirs", "-o", "out", "req"],
                  self.is_text("out"))
        self.run_twoway("request", "--to", "config", "--chunked", "-o", "chunks", "in")
        self.all_ways(["inspect", "chunks"], lambda run: self.assertIn(b"if chunked", run.out))
        self.all_ways(["accept", "--key", "key", "--config", "config", "--chunked", "-o", "out",
                   "chunks"], self.is_text("out"))

    def test_accept_of_many(self):
        self.run_twoway("request", "--to", "config", "--encap", "many", "-o", "req", "in")
        self.all_ways(["accept", "--key", "key", "--encap", "many/1.encap", "-o", "out", "req"],
                  self.is_text("out"))

    def test_answers(self):
        self.run_twoway("request", "--to", "config", "--exchange", "ours", "-o", "req", "in")
        self.run_twoway("accept", "--key", "key", "--exchange", "theirs", "-o", "/dev/null", "req")
        self.all_ways(["respond", "--exchange", "theirs", "-o", "res", "in"],
                  lambda run: self.assertEqual(
                      self.run_twoway("receive", "--exchange", "ours", "res").out, self.text))
        self.run_twoway("respond", "--exchange", "theirs", "-o", "res", "in")
        self.all_ways(["receive", "--exchange", "ours", "-o", "out", "res"], self.is_text("out"))


class Tokens(Failing, TokenCase):
    def setUp(self):
        super().setUp()
        self.report = self.dir.parent / (self.dir.name + "-report")
        self.report.mkdir()
        self.addCleanup(self.report.rmdir)
        self.text = b"plaintext"
        self.write("in", self.text)

    def test_accept_by_a_key_in_a_token(self):
        uri = self.token_key()
        self.run_twoway("config", "--key", uri, *self.login, "-o", "config")
        self.run_twoway("request", "--to", "config", "-o", "req", "in")
        self.each_fails(["accept", "--key", uri, *self.login, "-o", "out", "req"],
                        lambda run: self.assertEqual(self.read("out"), self.text))

    def test_a_key_made_in_a_token_is_told_of(self):
        """Whatever failed: there is no key, or its URI was printed or is in the message."""
        store = self.tokens / "tokens"
        shutil.copytree(store, self.tokens / "before")
        before = self.files()
        for n in itertools.count(1, STEP):
            self.assertLess(n, MOST)
            run, what = self.fail_one(n, "", ["keygen", "--token", "pkcs11:token=hpke", *self.login,
                                              "-o", "public"])
            said = f"call {n}, {what}: exit {run.code}: {run.err}"
            listed = self.run_twoway("tokens", *self.login).out.decode()
            keys = re.findall(r"(pkcs11:\S*id=\S+)", listed)
            self.assertLessEqual(len(keys), 1, said)
            for uri in keys:
                self.assertIn(re.search(r"id=[^;]+", uri)[0], run.out.decode() + run.err, said)
            if run.code != 0:
                self.assertEqual(self.files(), before, said)
            else:
                self.assertEqual(len(keys), 1, said)
                self.assertTrue(self.read("public").startswith(b"-----BEGIN PUBLIC KEY"), said)
            if what is None:
                self.assertEqual(run.code, 0, said)
                break
            self.assertIn(run.code, self.expected(what, ""), said)
            Failing.points += 1
            self.path("public").unlink(missing_ok=True)
            shutil.rmtree(store)
            shutil.copytree(self.tokens / "before", store)
        Failing.operations += 1

    def test_a_uri_with_a_pin_source(self):
        uri = self.token_key() + f"?pin-source={self.path('pin')}&module-path={self.module}"
        self.env["TWOWAY_FAIL_ONLY"] = "p11_kit_uri_parse p11_kit_uri_new strdup"
        self.each_fails(["config", "--key", uri, "-o", "config"],
                        lambda run: self.assertTrue(self.path("config").exists()), step=1)

    def test_tokens_and_keys(self):
        self.token_key()
        self.each_fails(["tokens", *self.login],
                        lambda run: self.assertIn(b"key  p256 twoway", run.out))


def print_counts():
    print(f"{Failing.operations} operations of the command, {Failing.points} calls made to fail")


if __name__ == "__main__":
    import atexit
    atexit.register(print_counts)
    main()
