# SPDX-License-Identifier: Apache-2.0
"""A pseudo-terminal with the command on it."""
import fcntl
import os
import pty
import select
import signal
import termios
import time

import support


class Terminal:
    """Runs `argv` in a session of its own whose terminal this is. Descriptors given in
    `files` replace the terminal as the command's standard input, output or error."""

    def __init__(self, argv, cwd, env, files=None):
        self.master, slave = pty.openpty()
        self.seen = b""
        self.pid = os.fork()
        if self.pid == 0:
            self.become(argv, cwd, env, slave, files or {})
        os.close(slave)

    def become(self, argv, cwd, env, slave, files):
        try:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(files.get(fd, slave), fd)
            os.closerange(3, 256)
            os.chdir(cwd)
            os.execvpe(argv[0], argv, env)
        finally:
            os._exit(127)

    def read(self, seconds):
        """What comes within that time, or None at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.master, 65536)
        except OSError:  # every other end is closed
            return None
        self.seen += data
        return data or None

    def expect(self, text, seconds=20, after=0):
        end = time.monotonic() + seconds
        while text not in self.seen[after:]:
            if time.monotonic() > end or self.read(0.1) is None:
                raise AssertionError(f"expected {text!r} on the terminal, saw {self.seen!r}")

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.master, text)

    def signal(self, number):
        os.kill(self.pid, number)

    def child(self):
        """The one process that `argv` has started."""
        children = f"/proc/{self.pid}/task/{self.pid}/children"
        with open(children, encoding="ascii") as found:
            return int(found.read().split()[0])

    def wait(self, seconds=20):
        """The exit status, or minus the signal."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                while self.read(0) not in (None, b""):
                    pass
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError(f"did not end; saw {self.seen!r}")


class TerminalMixin:
    """For a support.Case."""

    def terminal(self, *args, files=None):
        return Terminal([support.TWOWAY, *args], self.dir, self.env, files)
