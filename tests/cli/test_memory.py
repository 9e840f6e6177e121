# SPDX-License-Identifier: Apache-2.0
"""A chunked message of any length takes little memory: SIZE bytes here, 200 MiB unless
TWOWAY_STREAM says how many MiB."""
import filecmp
import hashlib
import os
import subprocess
import sys
import threading

from support import SANITIZED, TWOWAY, TokenCase, main

SIZE = int(os.environ.get("TWOWAY_STREAM", "200")) << 20
MOST = 16 << 10  # KiB resident, the whole process with its libraries

# A process is charged what its parent held when it was made, so a small one makes it.
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as peak:
    peak.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Memory(TokenCase):
    def piped(self, args, feed, sink):
        """Runs the command between two pipes; its largest resident size in KiB."""
        process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", MEASURE, self.path("peak"), TWOWAY, *args],
            cwd=self.dir, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        feeder = threading.Thread(target=self.feed, args=(process.stdin, feed))
        feeder.start()
        for piece in iter(lambda: process.stdout.read(1 << 20), b""):
            sink(piece)
        feeder.join()
        process.stdout.close()
        self.assertEqual(process.wait(), 0, args)
        return int(self.read("peak"))

    @staticmethod
    def feed(pipe, pieces):
        for piece in pieces:
            pipe.write(piece)
        pipe.close()

    def small(self, what, peak):
        print(f"{what}: {peak} KiB resident, {SIZE >> 20} MiB", flush=True)
        if not SANITIZED:
            self.assertLess(peak, MOST, what)

    def test_every_verb_in_chunks(self):
        block = os.urandom(1 << 20)
        sent, came = hashlib.sha256(), hashlib.sha256()
        uri = self.token_key()
        self.run_twoway("config", "--key", uri, *self.login, "-o", "config")
        for _ in range(SIZE >> 20):
            sent.update(block)
        self.small("request", self.piped(
            ["request", "--to", "config", "--chunked", "--exchange", "ours", "-o", "req"],
            (block for _ in range(SIZE >> 20)), None))
        self.small("accept in a token", self.piped(
            ["accept", "--key", uri, *self.login, "--chunked", "--exchange", "theirs", "req"],
            [], came.update))
        self.assertEqual(came.digest(), sent.digest())
        self.small("respond", self.piped(
            ["respond", "--exchange", "theirs", "--chunked", "-o", "res", "req"], [], None))
        self.small("receive", self.piped(
            ["receive", "--exchange", "ours", "--chunked", "-o", "again", "res"], [], None))
        self.assertTrue(filecmp.cmp(self.path("req"), self.path("again"), shallow=False))
        self.small("inspect", self.piped(["inspect", "req"], [], lambda piece: None))

    def test_two_jobs(self):
        block = os.urandom(1 << 20)
        sent, came = hashlib.sha256(), hashlib.sha256()
        self.key_and_config()
        for _ in range(SIZE >> 20):
            sent.update(block)
        self.small("request --jobs 2", self.piped(
            ["request", "--to", "config", "--chunked", "--jobs", "2", "-o", "req"],
            (block for _ in range(SIZE >> 20)), None))
        self.small("accept --jobs 2", self.piped(
            ["accept", "--key", "key", "--chunked", "--jobs", "2", "req"], [], came.update))
        self.assertEqual(came.digest(), sent.digest())

    def test_a_hundred_receivers_share_one_body(self):
        block = os.urandom(1 << 20)
        sent, came = hashlib.sha256(), hashlib.sha256()
        self.key_and_config()
        for _ in range(SIZE >> 20):
            sent.update(block)
        self.small("request to 100", self.piped(
            ["request", *["--to", "config"] * 100, "--encap", "many", "--chunked", "-o", "req"],
            (block for _ in range(SIZE >> 20)), None))
        # A nonce; for each chunk a length of four bytes and a tag; the final chunk's zero and tag.
        chunks = SIZE // 16384
        self.assertEqual(self.path("req").stat().st_size, 12 + SIZE + 20 * chunks + 17)
        self.assertEqual(len(list(self.path("many").iterdir())), 100)
        self.small("accept", self.piped(
            ["accept", "--key", "key", "--encap", "many/100.encap", "--chunked", "req"],
            [], came.update))
        self.assertEqual(came.digest(), sent.digest())

    def test_a_whole_message_is_sealed_in_a_stream_too(self):
        self.key_and_config()
        with open(self.path("in"), "wb") as sparse:
            sparse.truncate(SIZE)
        self.small("request", self.piped(["request", "--to", "config", "-o", "req", "in"],
                                         [], None))
        self.assertEqual(self.path("req").stat().st_size, 7 + 65 + SIZE + 16)


if __name__ == "__main__":
    main()
