# SPDX-License-Identifier: Apache-2.0
"""receiver.py, which binds the library out of its headers alone."""
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

from support import SANITIZED, TokenCase, main

RECEIVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "receiver.py")


class Python(TokenCase):
    def setUp(self):
        super().setUp()
        self.uri = f"{self.token_key()}?module-path={self.module}&pin-source={self.path('pin')}"
        self.run_twoway("config", "--key", self.uri, "-o", "config")
        if SANITIZED:  # the interpreter is not instrumented, and leaks as it likes
            self.env["LD_PRELOAD"] = os.environ["TWOWAY_ASAN"]
            self.env["ASAN_OPTIONS"] += ":detect_leaks=0"

    def receive(self, request, uri=None):
        return subprocess.run([sys.executable, RECEIVER, uri or self.uri], input=request,
                              env=self.env, capture_output=True, check=False, timeout=300)

    def request(self, text, *layout):
        return self.run_twoway("request", "--to", "config", "--exchange", "asked", "--force",
                               *layout, input=text).out

    def test_a_request_is_read_and_answered(self):
        for text in (b"", b"Who goes there?", os.urandom(100000)):
            run = self.receive(self.request(text))
            self.assertEqual((run.returncode, run.stderr), (0, b""))
            answer = self.run_twoway("receive", "--exchange", "asked", input=run.stdout).out
            self.assertEqual(answer, b"you said: " + text)

    def test_every_number_in_the_headers_is_in_the_binding(self):
        """A macro is lost to who binds. Those of the version are in tw_version, too, and no enum
        holds TW_TOKEN_NO_SLOT."""
        macros = set()
        for header in pathlib.Path(os.environ["TWOWAY_INCLUDE"], "twoway").iterdir():
            macros |= set(re.findall(r"^#define (TW_\w+)[ (]+[-~\d]",
                                     header.read_text(encoding="ascii"), re.M))
        self.assertEqual(macros, {"TW_VERSION_MAJOR", "TW_VERSION_MINOR", "TW_VERSION_PATCH",
                                  "TW_TOKEN_NO_SLOT"})

    def must_refuse(self, run, why):
        self.assertEqual((run.returncode, run.stdout), (1, b""))
        self.assertIn(why, run.stderr)

    def test_what_is_no_request_is_refused_with_the_librarys_words(self):
        request = self.request(b"Who goes there?")
        self.must_refuse(self.receive(request[:-1]), b"did not authenticate")
        self.must_refuse(self.receive(request[:50]), b"ended too early")
        self.must_refuse(self.receive(b"\2" + request[1:]), b"not served here")
        self.must_refuse(self.receive(self.request(b"x", "--chunked")), b"did not authenticate")
        self.must_refuse(self.receive(request, "pkcs11:token=none"), b"was not found")


if __name__ == "__main__":
    if importlib.util.find_spec("cffi") is None:
        required = os.environ.get("CI") == "true"
        print("FAILED" if required else "SKIPPED", "needs python3-cffi", file=sys.stderr)
        sys.exit(1 if required else 77)
    main()
