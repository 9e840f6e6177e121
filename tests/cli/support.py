# SPDX-License-Identifier: Apache-2.0
"""Runs the command that TWOWAY names, in a directory of its own, and holds every run to
what all runs promise: messages of one form, no secret in them, no temporary left."""
import glob
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

TWOWAY = os.environ.get("TWOWAY", "twoway")
FAILING = os.environ.get("TWOWAY_FAILING", "twoway-failing")  # with tests/cli/failing.c in it
SANITIZED = os.environ.get("TWOWAY_SANITIZED") == "1"  # says nothing about memory or time
# What filesystems know: all; no exchange of names, as NFS; no second names either, as exFAT.
LACKS = ("", "flags", "flags link")
KEMS = ["p256", "p384", "p521", "x25519", "x448"]
AEADS = ["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]
KDFS = ["hkdf-sha256", "hkdf-sha384", "hkdf-sha512"]
PIN = "Tiger-7391-pin"
SO_PIN = "12345678"

USAGE, REFUSED, NO_INPUT, UNAVAILABLE, INTERNAL = 64, 65, 66, 69, 70
NO_CREATE, IO_FAILED, NOT_PERMITTED = 73, 74, 77

# Under nohup, or behind a shell's &, some would be ignored, and the command leaves them so.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


class Run:
    """What one run left behind."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="twoway-cli-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SOFTHSM2")}
        self.secrets = [PIN.encode()]

    def path(self, name):
        return self.dir / name

    def write(self, name, data):
        self.path(name).write_bytes(data)
        return name

    def read(self, name):
        return self.path(name).read_bytes()

    def names(self):
        return sorted(p.relative_to(self.dir).as_posix() for p in self.dir.rglob("*"))

    def run_twoway(self, *args, code=0, input=b"", **options):
        """Runs to the end; `code` is what it must answer, None for anything."""
        done = subprocess.run([options.pop("command", TWOWAY), *args], input=input,
                              capture_output=True, cwd=self.dir, env=self.env, timeout=300,
                              check=False, **options)
        run = Run(done.returncode, done.stdout, done.stderr.decode())
        self.check_run(args, run, code)
        return run

    def start(self, *args, **options):
        return subprocess.Popen([options.pop("command", TWOWAY), *args], cwd=self.dir,
                                env=self.env, **options)

    def check_run(self, args, run, code):
        said = f"{' '.join(map(str, args))}\nexit {run.code}\n{run.err}"
        if code is not None:
            self.assertEqual(run.code, code, said)
        for line in run.err.splitlines():
            self.assertRegex(line, r"^twoway: ", said)
        if run.code > 0:
            self.assertRegex(run.err, r"expected .*came .*; ", said)
        if run.code == USAGE and "terminal" not in run.err and "URI" not in run.err:
            self.assertRegex(run.err, r"\Atwoway: .*; see twoway( \w+)? --help\n\Z", said)
        self.check_secrets(run.err.encode(), said)
        self.check_secrets(run.out, said)
        self.check_no_temporaries(said)

    def check_secrets(self, text, said):
        for secret in self.secrets:
            self.assertNotIn(secret, text, said)

    def check_no_temporaries(self, said=""):
        left = [name for name in self.names() if ".twoway-" in name]
        self.assertEqual(left, [], said)

    def keygen(self, name="key", kem="p256"):
        self.run_twoway("keygen", "--kem", kem, "-o", name)
        body = b"".join(self.read(name).splitlines()[1:-1])
        self.secrets += [body[i:i + 24] for i in range(0, len(body) - 24, 24)]
        return name

    def key_and_config(self, kem="p256", *more):
        self.keygen("key", kem)
        self.run_twoway("config", "--key", "key", "-o", "config", *more)

    def exchange(self, question, answer, key, *layout):
        """Both ways through files, and everything that was said checked."""
        self.write("question", question)
        self.write("answer", answer)
        self.run_twoway("request", "--to", "config", "--exchange", "ours", *layout, "-o", "req",
                        "question")
        self.run_twoway("accept", *key, "--exchange", "theirs", *layout, "-o", "q", "req")
        self.assertEqual(self.read("q"), question)
        self.run_twoway("respond", "--exchange", "theirs", *layout, "-o", "res", "answer")
        self.run_twoway("receive", "--exchange", "ours", *layout, "-o", "a", "res")
        self.assertEqual(self.read("a"), answer)
        for name in ("ours", "theirs"):
            self.assertEqual(self.path(name).stat().st_mode & 0o777, 0o600)
            self.path(name).unlink()


class TokenCase(Case):
    """A SoftHSM token called hpke, made anew for each test."""

    def setUp(self):
        super().setUp()
        self.module = find_softhsm()
        self.secrets.append(SO_PIN.encode())
        self.tokens = pathlib.Path(tempfile.mkdtemp(prefix="twoway-token-"))
        self.addCleanup(shutil.rmtree, self.tokens, ignore_errors=True)
        self.use_token_folder("tokens")
        self.add_token("hpke", PIN)
        self.write("pin", PIN.encode() + b"\n")
        self.path("pin").chmod(0o600)
        self.login = ["--module", self.module, "--pin-source", "pin"]
        if SANITIZED:
            self.leave_out_leaks_of_softhsm()

    def leave_out_leaks_of_softhsm(self):
        """A leak is known by its stack, for which the module has to stay loaded."""
        def add(name, value):
            self.env[name] = ":".join(filter(None, [self.env.get(name), value]))

        add("LD_PRELOAD", self.module)
        add("ASAN_OPTIONS", "verify_asan_link_order=0:fast_unwind_on_malloc=0:"
            "malloc_context_size=10")
        folder = pathlib.Path(__file__).resolve().parent
        add("LSAN_OPTIONS", f"suppressions={folder}/softhsm.supp:print_suppressions=0")

    def use_token_folder(self, name):
        (self.tokens / name).mkdir(exist_ok=True)
        conf = self.tokens / f"{name}.conf"
        conf.write_text(f"directories.tokendir = {self.tokens}/{name}\n"
                        "objectstore.backend = file\nlog.level = ERROR\n")
        self.env["SOFTHSM2_CONF"] = str(conf)

    def add_token(self, label, pin):
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", label,
                        "--so-pin", SO_PIN, "--pin", pin],
                       env=self.env, check=True, capture_output=True)

    def token_key(self, kem="p256", *more):
        """Makes a key in the token; its URI."""
        run = self.run_twoway("keygen", "--token", "pkcs11:token=hpke", "--kem", kem, *self.login,
                              *more)
        self.assertRegex(run.out.decode(), r"\Apkcs11:\S+\n\Z")
        return run.out.decode().strip()


class FaultCase(TokenCase):
    """The same behind the fault module, whose scripts tests/pkcs11/fault/fault.h explains."""

    def setUp(self):
        super().setUp()
        self.env["FAULT_MODULE"] = self.module
        self.env["FAULT_SCRIPT"] = str(self.tokens / "script")
        self.module = self.login[1] = os.environ["TWOWAY_FAULT"]

    def script(self, *lines):
        """Holds from the module's next call on."""
        new = self.tokens / "script.new"
        new.write_text("\n".join(lines) + "\n")
        new.rename(self.tokens / "script")


def find_softhsm():
    for pattern in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so",
                    "/usr/lib*/pkcs11/libsofthsm2.so"):
        for path in glob.glob(pattern):
            return path
    raise RuntimeError("no SoftHSM module; scripts/setup installs it")


def words(text, name):
    """The value of one line of `config --show` or `inspect`."""
    found = re.search(rf"^{name} +(.*)$", text, re.MULTILINE)
    return found[1] if found else None


def main():
    unittest.main(verbosity=2)  # names what is skipped, and why
