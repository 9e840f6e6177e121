# SPDX-License-Identifier: Apache-2.0
"""What a person at a terminal sees: PIN prompt, progress, and no ciphertext."""
import os
import pathlib
import signal
import time

import support
from support import NOT_PERMITTED, PIN, USAGE, Case, TokenCase, main
from terminal import Terminal, TerminalMixin


class Ciphertext(TerminalMixin, Case):
    def setUp(self):
        super().setUp()
        self.key_and_config()
        self.write("in", b"plaintext")
        self.run_twoway("request", "--to", "config", "--exchange", "ours", "-o", "req", "in")
        self.run_twoway("accept", "--key", "key", "--exchange", "theirs", "-o", "out", "req")

    def test_binary_data_is_not_written_to_a_terminal(self):
        for args in (["request", "--to", "config", "in"],
                     ["respond", "--exchange", "theirs", "in"], ["config", "--key", "key"],
                     ["request", "--to", "config", "-o", "/dev/tty", "in"],
                     ["request", "--to", "config", "--exchange", "/dev/tty", "-o", "many", "in"],
                     ["accept", "--key", "key", "--exchange", "/dev/tty", "-o", "many", "req"],
                     ["request", "--to", "config", "--encap", "many", "in"]):
            with self.subTest(args=args):
                t = self.terminal(*args)
                self.assertEqual(t.wait(), USAGE)
                self.assertIn(b"came a terminal", t.seen)
                self.assertNotIn(b"\0", t.seen)
                self.assertFalse(self.path("many").exists())

    def test_force_writes_it(self):
        t = self.terminal("request", "--to", "config", "--force", "in")
        self.assertEqual(t.wait(), 0)
        self.assertGreaterEqual(len(t.seen), 7 + 65 + 9 + 16)

    def test_plaintext_and_words_are_shown(self):
        t = self.terminal("accept", "--key", "key", "req")
        self.assertEqual((t.wait(), t.seen), (0, b"plaintext"))
        t = self.terminal("inspect", "req")
        self.assertEqual(t.wait(), 0)
        self.assertIn(b"p256", t.seen)


class Progress(TerminalMixin, Case):
    def slow(self, *quiet, tenths=20):
        """A request whose input takes two seconds; its terminal."""
        self.key_and_config()
        read_end, write_end = os.pipe()
        out = os.open(self.path("out"), os.O_WRONLY | os.O_CREAT)
        t = self.terminal("request", "--to", "config", "--chunked", *quiet,
                          files={0: read_end, 1: out})
        os.close(read_end)
        for _ in range(tenths):
            os.write(write_end, bytes(50000))
            time.sleep(0.1)
            t.read(0)
        os.close(write_end)
        os.close(out)
        self.assertEqual(t.wait(), 0)
        return t

    def test_what_takes_long_says_how_far_it_is_and_is_erased(self):
        t = self.slow()
        self.assertRegex(t.seen, rb"\rrequest: \d+\.\d KiB, \d+\.\d KiB/s\x1b\[K")
        self.assertTrue(t.seen.endswith(b"\r\x1b[K"))

    def test_quiet_shows_none(self):
        self.assertEqual(self.slow("--quiet").seen, b"")

    def test_what_takes_less_than_a_second_shows_none(self):
        self.assertEqual(self.slow(tenths=1).seen, b"")

    def test_of_a_file_the_percentage_is_known(self):
        self.key_and_config()
        with open(self.path("in"), "wb") as big:
            big.truncate(64 << 30)  # sparse; nobody reads it all
        t = self.terminal("request", "--to", "config", "--chunked", "-o", "/dev/null", "in")
        t.expect(b" of 64.0 GiB, ")
        t.expect(b" %, ")
        t.signal(signal.SIGTERM)
        self.assertEqual(t.wait(), -signal.SIGTERM)


class Pin(TerminalMixin, TokenCase):
    def setUp(self):
        super().setUp()
        self.uri = self.token_key()
        self.run_twoway("config", "--key", self.uri, *self.login, "-o", "config")
        self.write("in", b"plaintext")
        self.run_twoway("request", "--to", "config", "-o", "req", "in")
        self.accept = ["accept", "--key", self.uri, "--module", self.module, "-o", "out", "req"]

    def test_it_is_asked_for_without_echo(self):
        for source in ([], ["--pin-source", "ask"]):
            t = self.terminal(*self.accept, *source)
            t.expect(b"PIN for token 'hpke': ")
            self.assertFalse(t.echoes())
            t.type(PIN.encode() + b"\n")
            self.assertEqual(t.wait(), 0)
            self.assertTrue(t.echoes())
            self.assertNotIn(PIN.encode(), t.seen)
            self.assertEqual(self.read("out"), b"plaintext")
            self.path("out").unlink()

    def test_ask_goes_before_what_the_uri_says(self):
        t = self.terminal("accept", "--key", self.uri + "?pin-value=wrong", "--module", self.module,
                          "--pin-source", "ask", "req")
        t.expect(b"PIN for token")
        t.type(PIN.encode() + b"\n")
        self.assertEqual(t.wait(), 0)
        self.assertTrue(t.seen.endswith(b"plaintext"))

    def test_an_empty_or_wrong_one_is_77(self):
        for typed in (b"\n", b"Lion-55-guess\n", b"\x04", b"x" * 300 + b"\n"):
            t = self.terminal(*self.accept)
            t.expect(b"PIN for token 'hpke': ")
            t.type(typed)
            self.assertEqual(t.wait(), NOT_PERMITTED)
            self.assertTrue(t.echoes())
            self.assertNotIn(b"Lion", t.seen)
            self.assertTrue(t.seen.startswith(b"PIN for token 'hpke': \r\ntwoway: "), t.seen)
            self.assertFalse(self.path("out").exists())

    def test_an_interrupt_at_the_prompt_restores_the_echo(self):
        numbers = (signal.SIGTERM, signal.SIGQUIT, signal.SIGXCPU, signal.SIGALRM)
        for number, how in ((signal.SIGINT, lambda t: t.type(b"\x03")),
                            (signal.SIGQUIT, lambda t: t.type(b"\x1c")),
                            *((n, lambda t, n=n: t.signal(n)) for n in numbers)):
            t = self.terminal(*self.accept)
            t.expect(b"PIN for token")
            t.type(b"Tig")
            how(t)
            self.assertEqual(t.wait(), -number)
            self.assertTrue(t.echoes())
            self.check_no_temporaries()
            self.assertFalse(self.path("out").exists())

    def job(self, before):
        """Under a shell with job control, which brings it to the foreground with `fg` when it has
        been stopped. Line editors leave the terminal as `raw` says, and shells set it to echo."""
        script = (f'set -m; raw="-echo -icanon -icrnl"; {before}; stty sane; fg >/dev/null; '
                  'code=$?; stty -a; exit $code')
        return Terminal(["bash", "-c", script, "bash", support.TWOWAY, *self.accept], self.dir,
                        self.env)

    def ends_well(self, t, after):
        t.expect(b"PIN for token 'hpke': ", after=after)
        self.assertFalse(t.echoes())
        t.type(PIN.encode() + b"\r")  # what the key sends
        self.assertEqual(t.wait(), 0, t.seen)
        self.assertNotIn(PIN.encode(), t.seen)
        self.assertRegex(t.seen, rb" icanon .* echo ")
        self.assertEqual(self.read("out"), b"plaintext")

    def test_in_the_background_it_waits_for_the_foreground(self):
        self.ends_well(self.job('stty $raw; "$@" & until jobs -s | grep -q .; do sleep 0.05; done'),
                       0)

    def test_stopped_and_continued_it_is_asked_for_again_without_echo(self):
        for number in (signal.SIGSTOP, signal.SIGTSTP):
            t = self.job('"$@" || stty $raw')
            t.expect(b"PIN for token 'hpke': ")
            t.type(b"Tig")
            seen = len(t.seen)
            os.kill(t.child(), number)
            self.ends_well(t, seen)
            self.path("out").unlink()

    def test_stopped_at_the_prompt_it_can_be_ended(self):
        t = self.job('"$@" || { pid=$(jobs -p); kill %%; while kill -0 $pid; do sleep 0.05; done; }; '
                     'exit 99')
        t.expect(b"PIN for token 'hpke': ")
        os.kill(t.child(), signal.SIGSTOP)
        self.assertEqual(t.wait(), 99)
        self.check_no_temporaries()

    def test_tokens_does_not_ask(self):
        t = self.terminal("tokens", "--module", self.module)
        self.assertEqual(t.wait(), 0)
        self.assertNotIn(b"PIN for", t.seen)


class Completion(Case):
    """What a Tab in bash makes of a line; scripts/manual-check holds its words to --help."""

    def setUp(self):
        super().setUp()
        self.env.update(TERM="dumb", PS1="> ", LC_ALL="C.UTF-8", SECRET_PIN="")
        for name in ("config", "keygen"):  # folders called like verbs
            self.path(name).mkdir()
        for name in ("my key.pem", "two\nlines", "x"):
            self.write(name, b"")
        script = pathlib.Path(__file__).parents[2] / "src" / "cli" / "twoway.bash"
        self.bash = Terminal(["bash", "--norc", "--noprofile", "-i"], self.dir, self.env)
        self.bash.type(b"bind 'set enable-bracketed-paste off'; . " + str(script).encode() +
                       b"; twoway() { printf '<%q>' \"$@\"; echo; }; echo rea''dy\r")
        self.bash.expect(b"ready\r\n> ")
        self.addCleanup(self.bash.wait)
        self.addCleanup(self.bash.type, b"exit\r")

    def completed(self, line):
        """The arguments that `line` has after a Tab in the place of each full stop."""
        start = len(self.bash.seen)
        self.bash.type(b"twoway " + line.replace(".", "\t").encode() + b"\r")
        self.bash.expect(b">\r\n> ", after=start)
        return self.bash.seen[start:].split(b"\r\n")[-2].decode()

    def test_its_words_and_names(self):
        for line, made in (("conf.", "<config>"),
                           ("request --ex.", "<request><--exchange>"),
                           ("keygen --kem p3.", "<keygen><--kem><p384>"),
                           ("keygen --kem=x4.", "<keygen><--kem=x448>"),
                           ("accept --key my.", "<accept><--key><my\\ key.pem>"),
                           ("accept --key=my.", "<accept><--key=my\\ key.pem>"),
                           ("accept two.", "<accept><$'two\\nlines'>"),
                           ("tokens my.", "<tokens><my>"),
                           ("tokens --pin-source a.", "<tokens><--pin-source><ask>"),
                           ("tokens --pin-source e.SECRET_P.",
                            "<tokens><--pin-source><env:SECRET_PIN>")):
            with self.subTest(line=line):
                self.assertEqual(self.completed(line), made)


if __name__ == "__main__":
    main()
