# SPDX-License-Identifier: Apache-2.0
"""A chunked message of any length takes little memory: SIZE bytes here, 200 MiB unless
TWOWAY_STREAM says how many MiB."""
import hashlib
import os
import subprocess

from support import SANITIZED, TWOWAY, TokenCase, main

SIZE = int(os.environ.get("TWOWAY_STREAM", "200")) << 20
MOST = 16 << 10  # KiB resident, the whole process with its libraries


class Memory(TokenCase):
    def piped(self, args, feed, sink):
        """Runs the command between two pipes; its largest resident size in KiB."""
        process = self.start(*args, stdin=subprocess.PIPE if feed else None,
                             stdout=subprocess.PIPE if sink else None)
        pid = os.fork() if feed else None
        if pid == 0:
            if sink:
                process.stdout.close()
            for piece in feed:
                process.stdin.write(piece)
            process.stdin.close()
            os._exit(0)
        if feed:
            process.stdin.close()
        while sink:
            piece = process.stdout.read(1 << 20)
            if not piece:
                break
            sink(piece)
        if feed:
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0, args)
        return usage.ru_maxrss

    def small(self, what, peak):
        if not SANITIZED:
            self.assertLess(peak, MOST, what)

    def test_every_verb_in_chunks(self):
        block = os.urandom(1 << 20)
        count = SIZE >> 20
        uri = self.token_key()
        self.run_twoway("config", "--key", uri, *self.login, "-o", "config")
        whole = hashlib.sha256(block * count if count <= 1024 else b"").hexdigest()
        self.small("request", self.piped(
            ["request", "--to", "config", "--chunked", "--exchange", "ours", "-o", "req"],
            (block for _ in range(count)), None))
        digest = hashlib.sha256()
        self.small("accept in a token", self.piped(
            ["accept", "--key", uri, *self.login, "--chunked", "--exchange", "theirs", "req"],
            None, digest.update))
        if count <= 1024:
            self.assertEqual(digest.hexdigest(), whole)
        self.small("respond", self.piped(
            ["respond", "--exchange", "theirs", "--chunked", "-o", "res", "req"], None, None))
        self.small("receive", self.piped(
            ["receive", "--exchange", "ours", "--chunked", "-o", "again", "res"], None, None))
        self.assertEqual(self.path("again").stat().st_size, self.path("req").stat().st_size)
        self.small("inspect", self.piped(["inspect", "req"], None, lambda piece: None))

    def test_a_whole_message_is_sealed_in_a_stream_too(self):
        self.key_and_config()
        self.write("in", bytes(SIZE))
        self.small("request", self.piped(["request", "--to", "config", "-o", "req", "in"],
                                         None, None))
        self.assertEqual(self.path("req").stat().st_size, 7 + 65 + SIZE + 16)


if __name__ == "__main__":
    main()
