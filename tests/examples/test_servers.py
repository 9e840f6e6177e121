# SPDX-License-Identifier: Apache-2.0
"""The example servers, with the command as their peers and a SoftHSM token for the key."""
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from support import NOT_PERMITTED, PIN, SANITIZED, TokenCase, main

HERE = pathlib.Path(__file__).parent
EXAMPLES = os.environ["TWOWAY_EXAMPLES"]
PATIENCE = 60  # seconds; the machine may be busy


class ServerCase(TokenCase):
    said = ""

    def run(self, result=None):
        """What a server said is for whoever has to find out why a test failed."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(self.said, end="", file=sys.stderr)
        return result

    def setUp(self):
        super().setUp()
        self.count = 0
        self.uri = f"{self.token_key()}?module-path={self.module}&pin-source={self.path('pin')}"
        self.run_twoway("config", "--key", self.uri, "-o", "config")

    def serve(self, example):
        with open(self.path("said"), "ab") as said:
            self.server = subprocess.Popen([f"{EXAMPLES}/{example}", self.path("socket"), self.uri],
                                           env=self.env, stderr=said, cwd=self.dir)
        self.addCleanup(self.stop)
        return self.server

    def stop(self):
        if self.server.poll() is None:
            self.server.terminate()
        try:
            self.server.wait(PATIENCE)
        finally:
            self.server.kill()
        self.said = self.read("said").decode()

    def connect(self):
        """A peer: it may come before the server listens."""
        for _ in range(PATIENCE * 100):
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                peer.connect(str(self.path("socket")))
                peer.settimeout(PATIENCE)
                return peer
            except OSError:
                peer.close()
                if self.server.poll() is not None:
                    break
                time.sleep(0.01)
        return self.fail(f"no server: {self.read('said').decode()}")

    def request(self, text, *layout):
        """Seals a request; its bytes, and how to read the answer to it."""
        self.count += 1
        state = f"asked{self.count}"
        sealed = self.run_twoway("request", "--to", "config", "--exchange", state, *layout,
                                 input=text).out
        return sealed, lambda answer: self.run_twoway(
            "receive", "--exchange", state, *layout, input=answer).out

    def ask(self, sealed):
        """One peer, which reads while it sends; what it got."""
        with self.connect() as peer:
            sending = threading.Thread(target=send_all, args=(peer, sealed))
            sending.start()
            answer = read_all(peer)
            sending.join()
            return answer


def send_all(peer, data):
    try:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was refused


def read_all(peer):
    got = []
    try:
        while piece := peer.recv(65536):
            got.append(piece)
    except ConnectionResetError:
        pass  # likewise
    return b"".join(got)


def children_of(process):
    path = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return {int(pid) for pid in path.read_text(encoding="ascii").split()}


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def ignores(pid, number):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"SigIgn:\s+(\w+)", status)[1], 16) >> (number - 1) & 1


class Length(unittest.TestCase):
    def test_a_server_is_forty_lines_of_code(self):
        """What README says; comments, blank lines, sockets and processes apart."""
        for name in ("event_loop", "prefork", "key_process"):
            text = (HERE / f"{name}.c").read_text(encoding="ascii")
            code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
            lines = [line for line in code.splitlines() if line.strip()]
            self.assertLessEqual(len(lines), 40, name)


class Signals(ServerCase):
    def test_no_broken_connection_of_a_module_ends_a_process(self):
        """As p11-kit's client has one when the server of a remote token dies."""
        for example in ("event_loop", "prefork", "key_process"):
            self.serve(example)
            self.ask(self.request(b"", *["--chunked"] * (example == "event_loop"))[0])
            for pid in {self.server.pid} | children_of(self.server):
                self.assertTrue(ignores(pid, signal.SIGPIPE), example)
            self.stop()
            self.path("socket").unlink()


class EventLoop(ServerCase):
    def setUp(self):
        super().setUp()
        self.serve("event_loop")

    def must_serve(self, text=b"Who goes there?"):
        sealed, read = self.request(text, "--chunked")
        self.assertEqual(read(self.ask(sealed)), text)

    def test_requests_of_all_sizes_are_answered(self):
        for size in (0, 1, 4096, 16383, 16384, 16385, 100000, 3000000):
            self.must_serve(os.urandom(size))

    def test_many_peers_at_once(self):
        text = os.urandom(200000)
        asked = [self.request(text, "--chunked") for _ in range(8)]
        answers = [None] * 40

        def one(i):
            answers[i] = self.ask(asked[i % 8][0])

        threads = [threading.Thread(target=one, args=(i,)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, answer in enumerate(answers):
            self.assertEqual(asked[i % 8][1](answer), text)

    def test_a_peer_that_sends_one_byte_at_a_time(self):
        text = os.urandom(20000)
        sealed, read = self.request(text, "--chunked")
        with self.connect() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            for i in range(len(sealed)):
                peer.sendall(sealed[i:i + 1])
                if i in (3, 71, 72, 73, 10000):
                    self.must_serve()  # others are, meanwhile
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(read(read_all(peer)), text)

    def test_a_peer_that_never_reads_is_not_read_from(self):
        text = os.urandom(30 << 20)
        sealed, read = self.request(text, "--chunked")
        self.must_serve()
        before = resident_kib(self.server.pid)
        with self.connect() as peer:
            peer.settimeout(2)
            sent = 0
            with self.assertRaises(TimeoutError):
                while sent < len(sealed):
                    sent += peer.send(sealed[sent:sent + 65536])
            # What went is what the kernel holds, both ways, and the server's one buffer.
            self.assertLess(sent, 4 << 20)
            if not SANITIZED:
                self.assertLess(resident_kib(self.server.pid) - before, 1 << 10)
            self.must_serve()
            # When it does read, all comes, and it comes right.
            peer.settimeout(PATIENCE)
            rest = threading.Thread(target=send_all, args=(peer, sealed[sent:]))
            rest.start()
            self.assertEqual(read(read_all(peer)), text)
            rest.join()

    def test_a_peer_that_never_reads_leaves_whenever_it_likes(self):
        sealed, _ = self.request(os.urandom(1 << 20), "--chunked")
        for size in (0, 3, 71, 72, 73, 5000, len(sealed)):
            with self.connect() as peer:
                peer.settimeout(1)
                try:
                    peer.sendall(sealed[:size])
                except TimeoutError:
                    pass
        self.must_serve()

    def test_what_is_no_request_is_not_answered(self):
        sealed, read = self.request(os.urandom(50000), "--chunked")
        for at in (0, 2, 6, 7, 71, 75, 20000, len(sealed) - 1):
            bad = bytearray(sealed)
            bad[at] ^= 1
            answer = self.ask(bad)
            with self.assertRaises(AssertionError):
                read(answer)
        for size in (0, 6, 71, 72, 80, 20000, len(sealed) - 1):
            with self.assertRaises(AssertionError):
                read(self.ask(sealed[:size]))
        self.must_serve()

    def test_it_ends_when_it_is_told_to(self):
        sealed, _ = self.request(os.urandom(1 << 20), "--chunked")
        with self.connect() as amid, self.connect():
            amid.sendall(sealed[:5000])
            self.must_serve()
            self.server.terminate()
            self.assertEqual(self.server.wait(PATIENCE), 0)


class Prefork(ServerCase):
    def whom(self, answer, read, text):
        """The process that answered."""
        found = re.fullmatch(rb"process (\d+): (.*)", read(answer), re.DOTALL)
        self.assertEqual(found[2], text)
        return int(found[1])

    def ask_whom(self, text=b"Who goes there?"):
        sealed, read = self.request(text)
        return self.whom(self.ask(sealed), read, text)

    def ask_four_at_once(self):
        """Four peers that are there together have a process each, once all have begun."""
        text = b"Who goes there?"
        asked = [self.request(text) for _ in range(4)]
        peers = [self.connect() for _ in range(4)]
        for peer, (sealed, _) in zip(peers, asked):
            peer.sendall(sealed)
        for peer in peers:
            peer.shutdown(socket.SHUT_WR)
        whom = {self.whom(read_all(peer), read, text) for peer, (_, read) in zip(peers, asked)}
        for peer in peers:
            peer.close()
        return whom

    def four_children(self):
        for _ in range(PATIENCE * 100):
            children = children_of(self.server)
            if len(children) == 4:
                return children
            time.sleep(0.01)
        return self.fail(f"{len(children)} children")

    def test_every_child_uses_the_token(self):
        self.serve("prefork")
        children, seen = self.four_children(), set()
        for _ in range(100):
            seen |= self.ask_four_at_once()
            if seen == children:
                break
        self.assertEqual(seen, children)

    def test_requests_of_all_sizes_are_answered(self):
        self.serve("prefork")
        for size in (0, 1, 16, 1000, 60000):
            self.ask_whom(os.urandom(size))

    def test_a_child_that_is_killed_is_replaced(self):
        self.serve("prefork")
        for _ in range(3):
            killed = self.ask_whom()
            os.kill(killed, signal.SIGKILL)
            self.assertNotEqual(self.ask_whom(), killed)
        self.four_children()

    def test_a_pin_that_is_refused_is_not_tried_again_and_again(self):
        self.write("pin", b"9999")
        for n, example in enumerate(("prefork", "event_loop", "key_process"), 1):
            self.serve(example)
            self.assertEqual(self.server.wait(PATIENCE), NOT_PERMITTED)
            self.assertEqual(self.read("said").count(b"PIN is missing, wrong or locked"), n)

    def test_what_is_no_request_is_not_answered(self):
        self.serve("prefork")
        sealed, _ = self.request(b"x" * 100)
        for bad in (b"", sealed[:71], sealed[:-1], b"\1" + sealed[1:] + b"x", sealed + b"x" * 65536,
                    sealed[:7] + bytes(65) + sealed[72:]):
            self.assertEqual(self.ask(bad), b"")
        self.ask_whom()


class Unattended(ServerCase):
    """What gateway.service says to systemd, for a server that it starts."""

    def setUp(self):
        super().setUp()
        unit = pathlib.Path(__file__).with_name("gateway.service").read_text(encoding="ascii")
        unit = dict(re.findall(r"^(\w+)=(.*)$", unit.replace("\\\n", ""), re.MULTILINE))
        self.credential = unit["LoadCredential"].split(":")[0]
        self.final = [int(code) for code in unit["RestartPreventExitStatus"].split()]
        _, _, uri = shlex.split(unit["ExecStart"])
        self.uri = f"{uri}&module-path={self.module}"
        key = self.token_key("p256", "--object", "gateway")
        self.run_twoway("config", "--key", key, *self.login, "-o", "config")
        self.path("credentials").mkdir(mode=0o700)
        self.env["CREDENTIALS_DIRECTORY"] = str(self.path("credentials"))

    def end_of(self, pin, uri=None, example="prefork"):
        self.write(f"credentials/{self.credential}", pin)
        self.uri = uri or self.uri
        return self.serve(example).wait(PATIENCE)

    def test_it_serves_with_the_credential(self):
        self.write(f"credentials/{self.credential}", PIN.encode() + b"\n")
        self.path(f"credentials/{self.credential}").chmod(0o440)  # as systemd leaves it to User=
        self.serve("prefork")
        sealed, read = self.request(b"Who goes there?")
        self.assertRegex(read(self.ask(sealed)), rb"\Aprocess \d+: Who goes there\?\Z")
        self.assertEqual(self.read("said"), b"")

    def test_it_is_not_started_again_after_a_refused_pin(self):
        self.assertIn(self.end_of(b"9999"), self.final)

    def test_nor_after_an_argument_that_will_not_do(self):
        uri = self.uri
        for example in ("prefork", "event_loop", "key_process"):
            for bad in ("gateway.uri", "pkcs11:token", uri.replace("object=", "odd=")):
                self.assertIn(self.end_of(PIN.encode(), bad, example), self.final, (example, bad))
                self.path("socket").unlink(missing_ok=True)
        ended = subprocess.run([f"{EXAMPLES}/prefork", "x" * 200, uri], env=self.env, check=False,
                               stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertIn(ended.returncode, self.final, ended.stderr)

    def test_but_after_a_token_was_away_it_is(self):
        end = self.end_of(PIN.encode(), self.uri.replace("token=hpke", "token=away"))
        self.assertNotIn(end, [0, *self.final])


class KeyProcess(ServerCase):
    def setUp(self):
        super().setUp()
        self.serve("key_process")

    def must_serve(self, text=b"Who goes there?"):
        sealed, read = self.request(text)
        self.assertEqual(read(self.ask(sealed)), b"server: " + text)

    def keeper(self):
        return children_of(self.server).pop()

    def test_requests_are_answered(self):
        for size in (0, 1, 1000, 60000):
            self.must_serve(os.urandom(size))

    def test_only_the_keys_process_has_the_token(self):
        self.must_serve()

        def has_token(pid):
            return "softhsm" in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")

        if not SANITIZED:  # there the module is loaded into every process
            self.assertTrue(has_token(self.keeper()))
            self.assertFalse(has_token(self.server.pid))

    def test_what_is_no_request_is_not_answered(self):
        sealed, _ = self.request(b"x" * 100)
        for bad in (b"", sealed[:71], sealed[:-1], b"\1" + sealed[1:] + b"x",
                    sealed[:7] + bytes(65) + sealed[72:]):
            self.assertEqual(self.ask(bad), b"")
        self.must_serve()

    def test_it_ends_with_the_keys_process_so_that_it_is_started_again(self):
        self.must_serve()
        sealed, _ = self.request(b"x")
        os.kill(self.keeper(), signal.SIGKILL)
        self.assertEqual(self.ask(sealed), b"")
        self.assertEqual(self.server.wait(PATIENCE), 1)

    def test_the_keys_process_ends_with_the_server(self):
        self.must_serve()
        keeper = self.keeper()
        self.server.kill()
        self.server.wait(PATIENCE)
        for _ in range(PATIENCE * 100):
            if not pathlib.Path(f"/proc/{keeper}/maps").exists():
                return
            time.sleep(0.01)
        self.fail("it lives on")


if __name__ == "__main__":
    main()
