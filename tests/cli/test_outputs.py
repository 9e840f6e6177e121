# SPDX-License-Identifier: Apache-2.0
"""Outputs appear whole or not at all, and an interrupt leaves nothing."""
import ctypes
import os
import pathlib
import re
import resource
import shutil
import signal
import stat
import subprocess
import threading
import time
import unittest

from support import (FAILING, IO_FAILED, LACKS, NO_CREATE, NO_INPUT, REFUSED, SANITIZED, TWOWAY,
                     UNAVAILABLE, USAGE, Case, main)

PR_CAPBSET_DROP, CAP_IPC_LOCK = 24, 14


def may_lock():
    """Whether no limit of locked memory binds who runs this."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"^CapEff:\s+(\w+)$", status, re.MULTILINE)[1], 16) >> CAP_IPC_LOCK & 1


class Places(Case):
    def setUp(self):
        super().setUp()
        self.key_and_config()
        self.write("in", b"plaintext" * 10000)

    def request(self, *args, code=0, **options):
        return self.run_twoway("request", "--to", "config", *args, code=code, **options)

    def accept(self, *args, code=0, **options):
        return self.run_twoway("accept", "--key", "key", *args, code=code, **options)

    def test_an_existing_file_is_replaced_and_keeps_its_mode(self):
        self.write("out", b"before")
        self.path("out").chmod(0o640)
        inode = self.path("out").stat().st_ino
        self.request("-o", "out", "in")
        self.assertEqual(self.path("out").stat().st_mode & 0o777, 0o640)
        self.assertNotEqual(self.path("out").stat().st_ino, inode)
        self.accept("-o", "out", "out")
        self.assertEqual(self.read("out"), self.read("in"))

    def test_a_new_file_has_the_mode_that_the_mask_leaves(self):
        self.request("-o", "out", "in", umask=0o027)
        self.assertEqual(self.path("out").stat().st_mode & 0o777, 0o640)

    def test_where_modes_cannot_be_set_what_is_no_secret_is_written_all_the_same(self):
        self.env["TWOWAY_LACKS"] = "mode"
        before = self.names()
        for args in (["keygen", "-o", "new"],
                     ["request", "--to", "config", "--exchange", "new", "-o", "out", "in"]):
            with self.subTest(args=args):
                self.run_twoway(*args, code=IO_FAILED, command=FAILING)
                self.assertEqual(self.names(), before)
        for name in ("out", "in"):
            self.run_twoway("request", "--to", "config", "-o", name, "in", command=FAILING)
            self.accept("-o", "opened", name)

    def test_a_refused_message_leaves_the_old_file(self):
        self.write("out", b"before")
        self.request("--chunked", "-o", "req", "in")
        self.write("req", self.read("req")[:-1])
        self.accept("--chunked", "-o", "out", "req", code=REFUSED)
        self.assertEqual(self.read("out"), b"before")

    def test_the_input_may_be_the_output(self):
        before = self.read("in")
        self.request("-o", "in", "in")
        self.accept("-o", "in", "in")
        self.assertEqual(self.read("in"), before)

    def test_any_other_file_of_the_command_may_not_be_the_output(self):
        self.request("--exchange", "ours", "-o", "req", "in")
        self.write("pin", b"1234")
        os.link(self.path("key"), self.path("linked"))
        os.symlink("config", self.path("soft"))
        self.path("many").mkdir()
        before = {name: self.path(name).stat().st_ino for name in self.names()}
        accept, request = ["accept", "--key", "key"], ["request", "--to", "config"]
        for options, args in (
            ("-o --key", [*accept, "-o", "key", "req"]),
            ("-o --key", [*accept, "-o", "./linked", "req"]),
            ("-o --config", [*accept, "--config", "soft", "-o", "config", "req"]),
            ("-o --encap", [*accept, "--encap", "req", "-o", "req", "in"]),
            ("-o --pin-source", [*accept, "--pin-source", "pin", "-o", "pin", "req"]),
            ("-o --exchange", [*accept, "--exchange", "new", "-o", "../" + self.dir.name + "/new"]),
            ("--exchange --key", [*accept, "--exchange", "key", "req"]),
            ("--exchange --config", [*accept, "--config", "config", "--exchange", "config"]),
            ("--exchange IN", [*accept, "--exchange", "req", "req"]),
            ("-o --to", [*request, "-o", "config", "in"]),
            ("-o --exchange", [*request, "--exchange", "same", "-o", "same", "in"]),
            ("-o --exchange", [*request, "--encap", "many", "--exchange", "s", "-o", "s.1", "in"]),
            ("-o --encap", [*request, "--encap", "many", "-o", "many/1.encap", "in"]),
            ("--exchange --to", [*request, "--exchange", "config", "in"]),
            ("-o --exchange", ["receive", "--exchange", "ours", "-o", "ours", "in"]),
            ("-o --exchange", ["respond", "--exchange", "ours", "-o", "ours", "in"]),
            ("-o --key", ["config", "--key", "key", "-o", "key"]),
            ("-o --public", ["config", "--public", "key", "-o", "linked"]),
        ):
            with self.subTest(args=args):
                run = self.run_twoway(*args, "--force", code=USAGE)
                self.assertIn("different files for {} and {}, ".format(*options.split()), run.err)
                self.assertEqual({name: self.path(name).stat().st_ino for name in self.names()},
                                 before)

    def test_nor_in_a_folder_that_is_made_for_it(self):
        before = self.names()
        for other, args in (("--encap", ["-o", "for/1.encap"]),
                            ("--encap", ["-o", "./for/../for/2.encap", "--to", "config"]),
                            ("--exchange", ["--exchange", "for/x", "-o", "for/x.1"])):
            with self.subTest(args=args):
                run = self.request("--encap", "for", *args, "in", code=USAGE)
                self.assertIn(f"different files for -o and {other}, ", run.err)
                self.assertEqual(self.names(), before)

    def test_nor_the_pin_file_that_a_uri_names(self):
        self.path("a pin").write_bytes(b"1234")
        os.link(self.path("a pin"), self.path("linked"))
        self.env["CREDENTIALS_DIRECTORY"] = str(self.dir)
        before = {name: self.read(name) for name in self.names()}
        for source in ("a%20pin", f"{self.dir}/a%20pin", f"file:{self.dir}/a%20pin", "file:a%20pin",
                       f"file://{self.dir}/a%20pin", f"file://localhost{self.dir}/%61%20pin",
                       "linked", "credential:linked"):
            uri = f"pkcs11:token=x?module-path=/none&pin-source={source}&pin-value=12345"
            for args in (["config", "--key", uri], ["accept", "--key", uri, "in"],
                         ["keygen", "--token", uri, "--force"]):
                with self.subTest(args=args):
                    run = self.run_twoway(*args, "-o", "a pin", code=USAGE)
                    self.assertIn("different files for -o and pin-source, ", run.err)
                    self.assertEqual({name: self.read(name) for name in self.names()}, before)

    def test_nor_the_module(self):
        module = str(self.path("module.so"))
        self.write("module.so", b"\x7fELF")
        self.write("libother.so", b"before")
        for args in (["--module", module, "--key", "pkcs11:token=x"],
                     ["--key", f"pkcs11:token=x?module-path={module}"]):
            for verb, to in (("config", "-o"), ("accept", "-o"), ("accept", "--exchange")):
                with self.subTest(args=args, verb=verb, to=to):
                    run = self.run_twoway(verb, *args, to, "module.so", "--force", code=USAGE)
                    self.assertIn(f"different files for {to} and ", run.err)
                    self.assertEqual(self.read("module.so"), b"\x7fELF")
        # Another file than that: a name alone is one in p11-kit's folder.
        run = self.run_twoway("config", "--module", "libother.so", "--key", "pkcs11:token=x", "-o",
                              "libother.so", code=UNAVAILABLE)
        self.assertEqual(self.read("libother.so"), b"before")

    def test_devices_are_no_files_to_lose(self):
        self.request("-o", "/dev/null", "--exchange", "/dev/null", "--force", "in")

    def test_appending_to_the_input_is_refused(self):
        size = self.path("in").stat().st_size
        with open(self.path("in"), "ab") as out:
            done = subprocess.run([TWOWAY, "request", "--to", "config", "in"],
                                  cwd=self.dir, stdout=out, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, NO_CREATE, done.stderr)
        self.assertEqual(self.path("in").stat().st_size, size)

    def test_what_standard_output_is_sent_to_is_a_file_of_the_command(self):
        self.path("many").mkdir()
        for other, name, args in (("--exchange", "same", ["--exchange", "same"]),
                                  ("--encap", "many/1.encap", ["--encap", "many"])):
            with self.subTest(args=args):
                with open(self.path(name), "wb") as out:
                    done = subprocess.run([TWOWAY, "request", "--to", "config", *args, "--force",
                                           "in"], cwd=self.dir, stdout=out, stderr=subprocess.PIPE,
                                          check=False)
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertIn(f"different files for standard output and {other}, ".encode(),
                              done.stderr)
                self.assertEqual(self.read(name), b"")

    def test_what_can_be_read_once_is_one_input(self):
        self.request("--exchange", "ours", "-o", "req", "in")
        for first, args in (("--to", ["request", "--to", "/dev/stdin", "-o", "no"]),
                            ("--to", ["request", "--to", "/dev/fd/0", "-o", "no", "-"]),
                            ("--key", ["accept", "--key", "/dev/stdin", "-o", "no", "/dev/stdin"]),
                            ("--pin-source", ["accept", "--key", "pkcs11:token=hpke", "-o", "no",
                                              "--pin-source", "/proc/self/fd/0"]),
                            ("pin-source", ["accept", "-o", "no", "--key",
                                            "pkcs11:token=hpke?pin-source=file:/dev/stdin"]),
                            ("--exchange", ["receive", "--exchange", "/dev/stdin", "-o", "no"])):
            with self.subTest(args=args):
                run = self.run_twoway(*args, code=USAGE, input=self.read("config"))
                self.assertIn("different inputs for IN and " + first, run.err)
                self.assertFalse(self.path("no").exists())
        self.run_twoway("request", "--to", "/dev/stdin", "in", input=self.read("config"))
        self.run_twoway("config", "--key", "/dev/stdin", input=self.read("key"))

    def test_nor_is_what_standard_input_comes_from_written_over_but_by_the_message(self):
        self.write("state", b"kept")
        for args, code in ((["--exchange", "state"], USAGE), (["-o", "state"], 0)):
            with open(self.path("state"), "rb") as state:
                done = subprocess.run([TWOWAY, "request", "--to", "config", "--force", *args],
                                      cwd=self.dir, stdin=state, capture_output=True, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(self.read("state") == b"kept", code == USAGE)

    def test_no_secret_goes_where_the_message_does(self):
        self.request("-o", "req", "in")
        for args in (["request", "--to", "config", "--exchange", "/dev/stdout", "in"],
                     ["accept", "--key", "key", "--exchange", "/dev/fd/1", "req"],
                     ["accept", "--key", "key", "--exchange", "/dev/fd/1", "-o", "/dev/stdout",
                      "req"]):
            with self.subTest(args=args):
                run = self.run_twoway(*args, "--force", code=USAGE)
                self.assertIn("different files for ", run.err)
                self.assertEqual(run.out, b"")

    def test_behind_a_symbolic_link_the_file_is_replaced(self):
        os.mkdir(self.path("sub"))
        self.write("sub/real", b"before")
        os.symlink("sub/real", self.path("link"))
        self.request("-o", "link", "in")
        self.assertTrue(self.path("link").is_symlink())
        self.accept("-o", "link", "sub/real")
        self.assertEqual(self.read("sub/real"), self.read("in"))

    def test_a_symbolic_link_to_nothing_is_refused(self):
        os.symlink("nothing", self.path("link"))
        self.request("-o", "link", "in", code=NO_CREATE)
        self.assertFalse(self.path("nothing").exists())

    def test_places_that_cannot_be(self):
        for place in ("none/out", ".", "in/out", "/proc/out"):
            self.request("-o", place, "in", code=NO_CREATE)

    def test_a_folder_that_someone_made_meanwhile_stays(self):
        for lacks in LACKS:
            with self.subTest(lacks=lacks):
                self.env["TWOWAY_LACKS"] = lacks
                process = self.start("request", "--to", "config", "-o", "out", command=FAILING,
                                     stdin=subprocess.PIPE, stderr=subprocess.PIPE)
                while not any(".twoway-" in name for name in self.names()):
                    time.sleep(0.01)
                self.path("out").mkdir()
                self.write("out/theirs", b"theirs")
                _, err = process.communicate(b"x")
                self.assertEqual(process.returncode, NO_CREATE, err)
                self.assertIn(b"Is a directory", err)
                self.check_no_temporaries()
                self.assertEqual(self.read("out/theirs"), b"theirs")
                shutil.rmtree(self.path("out"))

    def test_a_folder_that_someone_uses_meanwhile_is_not_to_be_removed(self):
        process = self.start("request", "--to", "config", "--encap", "many", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1)  # the folder is there, and the body is waited for
        self.write("many/theirs", b"theirs")
        process.stdout.close()
        process.stdin.write(b"x")
        process.stdin.close()
        with process.stderr:
            err = process.stderr.read()
        self.assertEqual(process.wait(), IO_FAILED, err)
        self.assertNotIn(b"remove it yourself", err)
        self.assertEqual([name for name in self.names() if "many" in name], ["many", "many/theirs"])

    def test_a_name_that_ends_with_a_slash_is_refused_before_the_input_is_read(self):
        for place in ("out/", "./out//", "in/"):
            with open(self.path("in"), "rb", buffering=0) as source:
                done = subprocess.run([TWOWAY, "request", "--to", "config", "-o", place],
                                      cwd=self.dir, stdin=source, capture_output=True, check=False)
                self.assertEqual(done.returncode, NO_CREATE)
                self.assertEqual(source.tell(), 0)
        self.assertFalse(self.path("out").exists())

    def test_a_file_that_may_not_be_written_stays(self):
        # Root may write everything, unless it gives that up.
        lesser = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
        if subprocess.run([*lesser, "true"], check=False, capture_output=True).returncode != 0:
            self.skipTest("root cannot give up what makes it ignore file modes here")
        self.write("out", b"before")
        self.path("out").chmod(0o444)
        done = subprocess.run([*lesser, TWOWAY, "request", "--to", "config", "-o", "out", "in"],
                              cwd=self.dir, capture_output=True, check=False)
        self.assertEqual(done.returncode, NO_CREATE, done.stderr)
        self.assertEqual(self.read("out"), b"before")

    def test_a_pipe_by_name_is_written_directly(self):
        os.mkfifo(self.path("fifo"))
        got = []
        reader = threading.Thread(target=lambda: got.append(self.read("fifo")))
        reader.start()
        self.request("-o", "fifo", "in")
        reader.join()
        self.assertTrue(stat.S_ISFIFO(self.path("fifo").stat().st_mode))
        self.assertEqual(self.accept(input=got[0]).out, self.read("in"))

    def test_dev_stdout_is_standard_output(self):
        with open(self.path("out"), "wb") as out:
            out.write(b"before")
            out.flush()
            for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
                subprocess.run([TWOWAY, "request", "--to", "config", "-o", name],
                               cwd=self.dir, stdin=subprocess.DEVNULL, stdout=out, check=True)
        self.assertEqual(len(self.read("out")), 6 + 3 * (7 + 65 + 16))

    def test_a_full_device_is_74(self):
        for verb, args in (("request", ["in"]), ("config", [])):
            with self.subTest(verb=verb):
                key = ["--to", "config"] if verb == "request" else ["--key", "key"]
                self.run_twoway(verb, *key, "-o", "/dev/full", *args, code=IO_FAILED)
        self.run_twoway("keygen", "-o", "/dev/full", code=IO_FAILED)
        self.request("-o", "req", "in")
        self.accept("-o", "/dev/full", "req", code=IO_FAILED)
        with open("/dev/full", "wb") as full:
            for args in (["config", "--show", "config"], ["inspect", "req"], ["--help"],
                         ["--version"], ["accept", "--help"], ["request", "--to", "config", "in"]):
                done = subprocess.run([TWOWAY, *args], cwd=self.dir, stdout=full,
                                      stderr=subprocess.PIPE, check=False)
                self.assertEqual(done.returncode, IO_FAILED, args)

    def test_a_file_that_grows_too_long_is_74_and_goes(self):
        before = self.names()
        many = ["--to", "config", "--encap", "many"]
        for most, args in ((4096, []), (4096, ["--exchange", "ours"]), (4096, many),
                           (4096, [*many, "--exchange", "ours"]),  # the body
                           (115, [*many, "--exchange", "ours"]),  # an encapsulation of 120
                           (100, [*many, "--exchange", "ours"])):  # a state of 109
            with self.subTest(most=most, args=args):
                self.request(*args, "-o", "out", "in", code=IO_FAILED,
                             preexec_fn=lambda n=most: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                                          (n, n)))
                self.assertEqual(self.names(), before)

    def test_a_pipe_without_a_reader_is_74(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = self.start("request", "--to", "config", "--exchange", "ours", "in",
                             stdout=write_end, stderr=subprocess.PIPE)
        os.close(write_end)
        _, err = process.communicate()
        self.assertEqual(process.returncode, IO_FAILED)
        self.assertIn(b"Broken pipe", err)
        self.assertFalse(self.path("ours").exists())


class States(Case):
    def setUp(self):
        super().setUp()
        self.key_and_config()
        self.write("in", b"plaintext" * 10000)
        self.run_twoway("request", "--to", "config", "-o", "req", "in")

    def test_an_existing_state_stays_without_force(self):
        self.write("state", b"before")
        before = self.names()
        for args in (["request", "--to", "config", "in"], ["accept", "--key", "key", "req"]):
            self.run_twoway(*args, "--exchange", "state", "-o", "out", code=NO_CREATE)
            self.assertEqual(self.read("state"), b"before")
            self.assertEqual(self.names(), before)
            self.run_twoway(*args, "--exchange", "state", "--force", "-o", "out")
            self.assertEqual(self.read("state")[:4], b"TWX1")
            self.write("state", b"before")
            self.path("out").unlink()

    def test_a_state_behind_a_link_to_nothing_is_not_made(self):
        os.symlink("nothing", self.path("state"))
        self.run_twoway("accept", "--key", "key", "--exchange", "state", "req", code=NO_CREATE)
        self.assertFalse(self.path("nothing").exists())

    def test_a_state_that_someone_made_meanwhile_stays(self):
        process = self.start("accept", "--key", "key", "--exchange", "state", "-o", "out",
                             stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        while not any(".twoway-" in name for name in self.names()):
            time.sleep(0.01)
        time.sleep(0.1)
        self.write("state", b"theirs")
        process.communicate(self.read("req"))
        self.assertEqual(process.returncode, NO_CREATE)
        self.assertEqual(self.read("state"), b"theirs")
        self.assertFalse(self.path("out").exists())

    def test_a_state_goes_when_the_verb_fails(self):
        self.write("bad", self.read("req")[:-1])
        before = self.names()
        self.run_twoway("accept", "--key", "key", "--exchange", "state", "bad", code=REFUSED)
        self.run_twoway("accept", "--key", "key", "--exchange", "state", "-o", "none/out", "req",
                        code=NO_CREATE)
        self.run_twoway("request", "--to", "config", "--exchange", "state", "-o", "/dev/full", "in",
                        code=IO_FAILED)
        self.assertEqual(self.names(), before)

    def test_a_state_that_someone_put_in_its_place_stays_when_the_verb_fails(self):
        sealed = self.run_twoway("request", "--to", "config", "--chunked", "in").out
        for lacks, *force in ([""], ["flags"], ["flags call"],
                              *([lacks, "--force"] for lacks in LACKS)):
            with self.subTest(lacks=lacks, force=force):
                self.env["TWOWAY_LACKS"] = lacks
                if force:
                    self.write("state", b"before")
                before = self.names()
                process = self.start("accept", "--key", "key", "--chunked", "--exchange", "state",
                                     *force, "-o", "out", command=FAILING, stdin=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL)
                process.stdin.write(sealed[:-1])
                process.stdin.flush()
                while "state" not in self.names() or self.read("state")[:4] != b"TWX1":
                    time.sleep(0.01)
                self.write("theirs", b"theirs")
                os.replace(self.path("theirs"), self.path("state"))
                process.communicate()
                self.assertEqual(process.returncode, REFUSED)
                self.assertEqual(self.read("state"), b"theirs")
                self.path("state").unlink()
                self.assertEqual(self.names(), [name for name in before if name != "state"])

    def test_a_state_that_someone_removed_is_not_said_to_be_left(self):
        sealed = self.run_twoway("request", "--to", "config", "--chunked", "in").out
        process = self.start("accept", "--key", "key", "--chunked", "--exchange", "state",
                             "-o", "out", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(sealed[:-1])
        process.stdin.flush()
        while "state" not in self.names():
            time.sleep(0.01)
        self.path("state").unlink()
        _, err = process.communicate()
        self.assertEqual(process.returncode, REFUSED)
        self.assertNotIn(b"to remove this", err)

    def test_what_force_replaced_comes_back_when_the_verb_fails(self):
        self.write("bad", self.read("req")[:-1])
        self.write("state", b"before")
        self.path("many").mkdir()
        for name in ("state.1", "many/1.encap"):
            self.write(name, b"before")
        before = self.names()
        request = ["request", "--to", "config", "--exchange", "state", "--force", "-o", "/dev/full"]
        for lacks in LACKS:
            self.env["TWOWAY_LACKS"] = lacks
            for code, args in (
                (REFUSED, ["accept", "--key", "key", "--exchange", "state", "--force", "bad"]),
                (IO_FAILED, [*request, "in"]),
                (IO_FAILED, [*request, "--encap", "many", "in"]),
            ):
                with self.subTest(lacks=lacks, args=args):
                    self.run_twoway(*args, code=code, command=FAILING)
                    self.assertEqual(self.names(), before)
                    for name in ("state", "state.1", "many/1.encap"):
                        self.assertEqual(self.read(name), b"before")

    def test_what_force_replaces_goes_when_the_verb_is_done(self):
        for lacks in LACKS:
            with self.subTest(lacks=lacks):
                self.env["TWOWAY_LACKS"] = lacks
                self.write("state", b"before")
                before = self.names()
                self.run_twoway("accept", "--key", "key", "--exchange", "state", "--force", "req",
                                command=FAILING)
                self.assertEqual(self.read("state")[:4], b"TWX1")
                self.assertEqual(self.names(), before)
                self.run_twoway("keygen", "-o", "state", "--force", command=FAILING)
                self.assertEqual(self.path("state").stat().st_mode & 0o777, 0o600)
                self.run_twoway("keygen", "-o", "state", command=FAILING, code=NO_CREATE)
                self.run_twoway("config", "--key", "state", "-o", "new", command=FAILING)
                self.path("new").unlink()

    def test_respond_and_receive_keep_the_state(self):
        self.run_twoway("request", "--to", "config", "--exchange", "ours", "-o", "req", "in")
        self.run_twoway("accept", "--key", "key", "--exchange", "theirs", "-o", "out", "req")
        res = self.run_twoway("respond", "--exchange", "theirs", input=b"x").out
        self.run_twoway("receive", "--exchange", "ours", input=res[:-1], code=REFUSED)
        self.assertEqual(self.run_twoway("receive", "--exchange", "ours", input=res).out, b"x")
        self.run_twoway("respond", "--exchange", "theirs", "-o", "/dev/full", code=IO_FAILED)
        self.assertTrue(self.path("ours").exists() and self.path("theirs").exists())

    def test_the_state_is_there_before_the_first_byte_of_output(self):
        process = self.start("request", "--to", "config", "--exchange", "state", "--chunked",
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.read(1)
        self.assertEqual(self.read("state")[:4], b"TWX1")
        process.communicate()


class Interrupts(Case):
    def setUp(self):
        super().setUp()
        self.key_and_config()

    def wait_for(self, what):
        for _ in range(500):
            if what():
                return
            time.sleep(0.02)
        self.fail("nothing happened in ten seconds")

    def interrupt(self, number, *args, feed=b"", **options):
        before = self.names()
        process = self.start(*args, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        process.stdin.write(feed)
        process.stdin.flush()
        self.wait_for(lambda: any(".twoway-" in n and self.path(n).stat().st_size > 0
                                  for n in self.names()))
        self.assertNotEqual(self.names(), before)
        process.send_signal(number)
        self.assertEqual(process.wait(timeout=20), -number)
        process.stdin.close()
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        self.assertEqual(self.names(), before)

    def test_in_mid_stream_nothing_is_left(self):
        self.write("old", b"before")
        sealed = self.run_twoway("request", "--to", "config", "--chunked", input=bytes(1 << 20)).out
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                self.interrupt(number, "request", "--to", "config", "--exchange", "ours",
                               "--chunked", "-o", "out", feed=bytes(1 << 20))
                self.interrupt(number, "accept", "--key", "key", "--exchange", "theirs",
                               "--chunked", "-o", "old", feed=sealed[:900000])
                self.interrupt(number, "request", "--to", "config", "--to", "config", "--encap",
                               "many", "--exchange", "ours", "--chunked", "-o", "out",
                               feed=bytes(1 << 20))
        self.assertEqual(self.read("old"), b"before")

    def test_what_force_replaced_is_back(self):
        for lacks in LACKS:
            with self.subTest(lacks=lacks):
                self.env["TWOWAY_LACKS"] = lacks
                self.write("ours", b"before")
                before = self.names()
                process = subprocess.Popen([FAILING, "request", "--to", "config", "--exchange",
                                            "ours", "--force", "-o", "out"], cwd=self.dir,
                                           env=self.env, stdin=subprocess.PIPE)
                self.wait_for(lambda: self.read("ours") != b"before")
                process.send_signal(signal.SIGTERM)
                process.communicate()
                self.assertEqual(process.returncode, -signal.SIGTERM)
                self.assertEqual(self.read("ours"), b"before")
                self.assertEqual(self.names(), before)

    def test_no_signal_that_ends_it_leaves_anything(self):
        for number in (signal.SIGQUIT, signal.SIGXCPU, signal.SIGALRM, signal.SIGUSR1,
                       signal.SIGUSR2, signal.SIGVTALRM, signal.SIGPROF, signal.SIGPOLL,
                       signal.SIGPWR, signal.SIGSTKFLT, signal.SIGRTMIN, signal.SIGRTMAX):
            with self.subTest(signal=number):
                self.interrupt(number, "request", "--to", "config", "--exchange", "ours",
                               "--chunked", "-o", "out", feed=bytes(1 << 20))

    def test_an_ignored_hangup_stays_ignored(self):
        process = self.start("request", "--to", "config", "--exchange", "ours", "-o", "out",
                             stdin=subprocess.PIPE,
                             preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.wait_for(lambda: self.path("ours").exists())
        process.send_signal(signal.SIGHUP)
        process.communicate(b"x")
        self.assertEqual(process.returncode, 0)

    def test_a_signal_that_was_blocked_stays_blocked(self):
        def block():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

        process = self.start("request", "--to", "config", "--exchange", "ours", "-o", "out",
                             stdin=subprocess.PIPE, preexec_fn=block)
        self.wait_for(lambda: self.path("ours").exists())
        process.send_signal(signal.SIGTERM)
        process.communicate(b"x")
        self.assertEqual(process.returncode, 0)
        self.assertIn("out", self.names())


class Secrets(Case):
    def test_there_is_no_core_file_to_find_keys_in(self):
        self.key_and_config()
        process = self.start("request", "--to", "config", "--exchange", "ours", "-o", "out",
                             stdin=subprocess.PIPE)
        Interrupts.wait_for(self, lambda: self.path("ours").exists())
        with open(f"/proc/{process.pid}/limits", encoding="ascii") as limits:
            core = [line for line in limits if line.startswith("Max core file size")]
        self.assertEqual(core[0].split()[4:6], ["0", "0"])
        process.communicate()

    def locked(self, limit=None):
        """The bytes that it has locked: under a limit, which does not bind root unless it gives
        up a right; or without one."""
        def bind():
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, limit))
            if os.getuid() == 0:
                ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0)

        process = self.start("request", "--to", "config", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, preexec_fn=bind if limit is not None else None)
        self.assertEqual(len(process.stdout.read(7)), 7)  # of the head: it waits for the body
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        process.communicate(b"x" * (1 << 20))
        self.assertEqual(process.returncode, 0)
        return int(re.search(r"^VmLck:\s+(\d+) kB$", status, re.MULTILINE)[1]) << 10

    @unittest.skipIf(SANITIZED, "a sanitizer's memory is not to be locked")
    def test_memory_is_locked_as_far_as_the_limit_goes(self):
        self.key_and_config()
        for limit in (0, 4096, 65536, 300000, 1 << 20):
            locked = self.locked(limit)
            self.assertLessEqual(locked, limit)
            self.assertGreaterEqual(locked, limit // 4 // 4096 * 4096)
        self.assertGreater(self.locked(4 << 20), 2 << 20)

    @unittest.skipIf(SANITIZED, "a sanitizer's memory is not to be locked")
    @unittest.skipUnless(may_lock(), "needs CAP_IPC_LOCK")
    def test_all_memory_is_locked_where_nothing_binds(self):
        self.key_and_config()
        self.assertGreater(self.locked(), 8 << 20)

    def test_a_secret_that_others_may_read_is_warned_of(self):
        self.key_and_config()
        req = self.run_twoway("request", "--to", "config", "--exchange", "ours", input=b"x").out
        self.path("key").chmod(0o640)
        self.path("ours").chmod(0o604)
        self.assertIn("twoway: warning: key: expected a secret that only its owner may read, came "
                      "mode 640", self.run_twoway("accept", "--key", "key", input=req).err)
        run = self.run_twoway("receive", "--exchange", "ours", code=REFUSED)
        self.assertIn("mode 604", run.err)
        self.assertEqual(self.run_twoway("accept", "--key", "key", "--quiet", input=req).err, "")

    def test_what_proves_to_be_no_secret_is_left_as_it_is(self):
        self.key_and_config()
        for args in (["accept", "--key", "config"], ["respond", "--exchange", "config"]):
            self.assertNotIn("chmod", self.run_twoway(*args, code=NO_INPUT).err)


if __name__ == "__main__":
    main()
