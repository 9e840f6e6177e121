# SPDX-License-Identifier: Apache-2.0
"""--jobs: the same files, refusals and exit codes as with one thread, and nothing waits."""
import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess
import time

from support import AEADS, IO_FAILED, REFUSED, Case, main

CHUNK, LOT = 16384, 8 * 16384
PIECE = 4 + CHUNK + 16
HEAD = 7 + 65


class Jobs(Case):
    def setUp(self):
        super().setUp()
        self.key_and_config()

    def sealed(self, plain, *more):
        return self.run_twoway("request", "--to", "config", "--chunked", *more, input=plain).out

    def accept(self, message, *more, code=0):
        return self.run_twoway("accept", "--key", "key", "--chunked", *more, input=message,
                               code=code)

    def test_every_verb_and_cipher(self):
        for aead, jobs in zip(AEADS, ("2", "3", "256")):
            self.run_twoway("config", "--key", "key", "--suite", f"hkdf-sha256,{aead}", "-o",
                            "config")
            for size in (0, 1, CHUNK, LOT, 5 * LOT + 7):
                plain = os.urandom(size)
                self.exchange(plain, plain[::-1], ["--key", "key"], "--chunked", "--jobs", jobs)

    def test_one_thread_opens_what_many_sealed_and_the_other_way_round(self):
        for size in (LOT - 1, 3 * LOT, 9 * LOT + 1):
            plain = os.urandom(size)
            self.assertEqual(self.accept(self.sealed(plain, "--jobs", "4"), "--jobs", "1").out,
                             plain)
            self.assertEqual(self.accept(self.sealed(plain, "--jobs", "1"), "--jobs", "4").out,
                             plain)

    def threads(self, processors, *more):
        """How many there are, having sealed more than the command reads at once."""
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 8 * LOT)
        os.write(write, bytes(3 * LOT))
        process = self.start("request", "--to", "config", "--chunked", *more, stdin=read,
                             stdout=subprocess.PIPE,
                             preexec_fn=lambda: os.sched_setaffinity(0, processors))
        process.stdout.read(2 * LOT)
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        os.close(read)
        os.close(write)
        process.stdout.read()
        process.stdout.close()
        self.assertEqual(process.wait(), 0)
        return int(re.search(r"Threads:\s*(\d+)", status)[1])

    def test_as_many_as_processors_where_none_is_asked_for(self):
        processors = sorted(os.sched_getaffinity(0))
        one = self.threads(processors[:1])
        self.assertGreater(self.threads(processors[:1], "--jobs", "2"), one)
        if len(processors) > 1:
            self.assertGreater(self.threads(processors[:2]), one)
            self.assertEqual(self.threads(processors[:2], "--max-chunk", "131073"), one)

    def test_one_to_many(self):
        plain = self.write("in", os.urandom(4 * LOT + 5))
        self.run_twoway("request", "--to", "config", "--to", "config", "--encap", "many",
                        "--chunked", "--jobs", "2", "-o", "req", plain)
        for which in ("1", "2"):
            self.run_twoway("accept", "--key", "key", "--encap", f"many/{which}.encap",
                            "--chunked", "--jobs", "2", "-o", "out", "req")
            self.assertEqual(self.read("out"), self.read(plain))

    def test_what_is_refused(self):
        plain = os.urandom(3 * LOT + 100)
        message = self.sealed(plain, "--jobs", "2")
        for chunk in (0, 3, 8, 17, 24):
            at = min(HEAD + chunk * PIECE + 1000, len(message) - 1)
            spoilt = message[:at] + bytes([message[at] ^ 1]) + message[at + 1:]
            for bad in (spoilt, message[:at]):
                run = self.accept(bad, "--jobs", "2", code=REFUSED)
                self.assertEqual(run.err, self.accept(bad, "--jobs", "1", code=REFUSED).err)
                self.assertEqual(run.out, plain[:len(run.out)])
                self.assertLessEqual(len(run.out), chunk * CHUNK)
                self.write("bad", bad)  # where no read is short, as much comes out, too
                one, two = (self.accept(b"", "--jobs", jobs, "bad", code=REFUSED)
                            for jobs in ("1", "2"))
                self.assertEqual(one.out, two.out)
                self.accept(bad, "--jobs", "2", "-o", "out", code=REFUSED)
                self.assertFalse(self.path("out").exists())

    def test_a_full_device_is_74(self):
        self.write("in", bytes(3 * LOT))
        self.run_twoway("request", "--to", "config", "--chunked", "--jobs", "2", "-o",
                        "/dev/full", "in", code=IO_FAILED)

    @contextlib.contextmanager
    def broken_after_a_lot(self):
        """A file of which one lot can be read, and then no more."""
        self.write("mapped", bytes(2 * LOT))
        with open(self.path("mapped"), "r+b") as file, mmap.mmap(file.fileno(), 0) as memory, \
                open("/proc/self/mem", "rb", buffering=0) as broken:
            file.truncate(LOT)
            broken.seek(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
            yield broken

    def test_a_reading_that_fails_is_told_when_what_was_under_way_is_written(self):
        for jobs in ("1", "2"):
            with self.broken_after_a_lot() as broken:
                run = self.run_twoway("request", "--to", "config", "--chunked", "--jobs", jobs,
                                      "-o", "out", input=None, stdin=broken, code=IO_FAILED)
            self.assertIn(f"standard input: expected to read on, came '{os.strerror(errno.EIO)}'",
                          run.err)
            self.assertFalse(self.path("out").exists())

    def test_a_writing_that_fails_after_a_reading_did_is_told(self):
        with self.broken_after_a_lot() as broken:
            run = self.run_twoway(
                "request", "--to", "config", "--chunked", "--jobs", "2", "-o", "out", input=None,
                stdin=broken, code=IO_FAILED,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LOT, LOT)))
        self.assertIn(f"out: expected to write all of it, came '{os.strerror(errno.EFBIG)}'",
                      run.err)
        self.assertNotIn("standard input", run.err)

    def reset_after(self, data):
        """A connection of which that much has come, and then a reset."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            sends = socket.create_connection(server.getsockname())
            comes = server.accept()[0]
        sends.sendall(data)
        sends.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sends.close()
        return comes

    def test_a_connection_that_is_reset_is_no_end(self):
        message = self.sealed(bytes(3 * CHUNK))[:2 * CHUNK]
        for args, data in ((["request", "--to", "config"], bytes(CHUNK + 5)),
                           (["accept", "--key", "key"], message)):
            for jobs in ("1", "2"):
                with self.reset_after(data) as comes:
                    run = self.run_twoway(*args, "--chunked", "--jobs", jobs, "-o", "out",
                                          input=None, stdin=comes, code=IO_FAILED)
                self.assertIn(f"came '{os.strerror(errno.ECONNRESET)}'", run.err)
                self.assertFalse(self.path("out").exists())

    def start_accept(self, **options):
        return self.start("accept", "--key", "key", "--chunked", "--jobs", "2",
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)

    def test_what_has_come_is_written_while_the_pipe_stays_open(self):
        plain = os.urandom(2 * LOT)
        message = self.sealed(plain)
        process = self.start_accept()
        for chunk in range(1, 11):
            process.stdin.write(message[HEAD + (chunk - 1) * PIECE if chunk > 1 else 0:
                                        HEAD + chunk * PIECE])
            process.stdin.flush()
            self.assertEqual(process.stdout.read(CHUNK), plain[(chunk - 1) * CHUNK:chunk * CHUNK])
        process.stdin.write(message[HEAD + 10 * PIECE:])
        process.stdin.close()
        self.assertEqual(process.stdout.read(), plain[10 * CHUNK:])
        process.stdout.close()
        self.assertEqual(process.wait(), 0)

    def test_a_bad_chunk_ends_it_while_the_pipe_stays_open(self):
        message = bytearray(self.sealed(bytes(2 * LOT)))
        message[HEAD + 5 * PIECE + 100] ^= 1
        process = self.start_accept(stderr=subprocess.PIPE)
        process.stdin.write(message[:HEAD + 7 * PIECE])
        process.stdin.flush()
        self.assertEqual(process.wait(timeout=20), REFUSED)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def test_an_interrupt_leaves_nothing(self):
        message = self.sealed(os.urandom(9 * LOT))
        for number in (signal.SIGINT, signal.SIGTERM):
            for args, feed in ((["request", "--to", "config"], bytes(9 * LOT)),
                               (["accept", "--key", "key"], message[:-5])):
                before = self.names()
                process = self.start(*args, "--exchange", "state", "--chunked", "--jobs", "3",
                                     "-o", "out", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
                process.stdin.write(feed)
                process.stdin.flush()
                until = time.monotonic() + 10
                while time.monotonic() < until and not any(
                        ".twoway-" in n and self.path(n).stat().st_size > 0 for n in self.names()):
                    time.sleep(0.01)
                self.assertNotEqual(self.names(), before)
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=20), -number)
                process.stdin.close()
                self.assertEqual(process.stderr.read(), b"")
                process.stderr.close()
                self.assertEqual(self.names(), before)


if __name__ == "__main__":
    main()
