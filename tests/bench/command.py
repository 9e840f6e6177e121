#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command on a large file: how fast, beside age where that is installed, and how much
memory. Prints a JSON object a line, as the other parts of the benchmark do.

  command.py TWOWAY [--quick | --smoke] [--row NAME] [--age AGE]
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

AEADS = ("chacha20-poly1305", "aes-128-gcm")
MIB = 1 << 20


def timed(argv, **rest):
    """Runs a command; its time in ns and its largest resident size in bytes."""
    begun = time.monotonic_ns()
    child = subprocess.Popen([str(a) for a in argv], **rest)
    _, status, usage = os.wait4(child.pid, 0)
    spent = time.monotonic_ns() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{argv} ended with {child.returncode}")
    return spent, usage.ru_maxrss * 1024


def quietly(argv):
    subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


class Results:
    def __init__(self, only):
        self.only = only

    def wanted(self, name):
        return self.only is None or name.startswith(self.only)

    def figure(self, name, value, unit):
        if self.wanted(name):
            print(json.dumps({"row": name, "sense": "figure", "unit": unit, "value": value,
                              "beside": None}), flush=True)

    def speed(self, name, ours, theirs, size):
        if self.wanted(name):
            median = sorted(theirs)[len(theirs) // 2] / sorted(ours)[len(ours) // 2]
            print(json.dumps({"row": name, "sense": "speed", "unit": "ns",
                              "value": min(theirs) / min(ours), "median": median,
                              "ours": min(ours), "beside": min(theirs), "bytes": size,
                              "rounds": len(ours)}), flush=True)


class Ours:
    def __init__(self, twoway, place, aead):
        self.twoway, self.place = twoway, place
        self.key = os.path.join(place, "key-" + aead)
        self.config = os.path.join(place, "config-" + aead)
        self.sealed = os.path.join(place, "sealed-" + aead)
        quietly([twoway, "keygen", "--kem", "x25519", "-o", self.key])
        quietly([twoway, "config", "--key", self.key, "--suite", "hkdf-sha256," + aead,
                 "-o", self.config])

    def seal(self, plain, out):
        return timed([self.twoway, "request", "--to", self.config, "--chunked", "-o", out, plain])

    def open(self, out):
        return timed([self.twoway, "accept", "--key", self.key, "--chunked", "-o", out,
                      self.sealed])


class Age:
    def __init__(self, age, place):
        self.age = age
        self.key = os.path.join(place, "age-key")
        self.sealed = os.path.join(place, "age-sealed")
        quietly([os.path.join(os.path.dirname(age), "age-keygen"), "-o", self.key])
        with open(self.key, encoding="ascii") as lines:
            self.public = next(l.split()[-1] for l in lines if "public key" in l)

    def seal(self, plain, out):
        return timed([self.age, "-r", self.public, "-o", out, plain])

    def open(self, out):
        return timed([self.age, "-d", "-i", self.key, "-o", out, self.sealed])


def measure(results, ours, age, aead, plain, size, rounds):
    """Both directions in turns, the output to nowhere: it is not the disk that is measured."""
    mine = {"seal": [], "open": []}
    theirs = {"seal": [], "open": []}
    resident = {"seal": 0, "open": 0}
    for at in range(rounds + 1):  # the first is a warm-up, and makes what is opened
        out = ours.sealed if at == 0 else os.devnull
        for way, run in (("seal", lambda: ours.seal(plain, out)),
                         ("open", lambda: ours.open(os.devnull))):
            spent, bytes_held = run()
            resident[way] = max(resident[way], bytes_held)
            mine[way] += [spent] if at > 0 else []
        if age:
            out = age.sealed if at == 0 else os.devnull
            for way, run in (("seal", lambda: age.seal(plain, out)),
                             ("open", lambda: age.open(os.devnull))):
                spent, _ = run()
                theirs[way] += [spent] if at > 0 else []
    for way, times in mine.items():
        results.figure(f"command/MB-per-second/{way}/{aead}", round(size * 1e3 / min(times)), "")
        results.figure(f"command/resident/{way}/{aead}", resident[way], "bytes")
        if age:
            results.speed(f"command/{way}/{aead}/beside-age", times, theirs[way], size)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("twoway")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--row")
    parser.add_argument("--age", default=shutil.which("age"))
    options = parser.parse_args()
    results = Results(options.row)
    if options.row and not (options.row + "/").startswith("command/"):
        return
    size = MIB if options.smoke else 256 * MIB if options.quick else 1024 * MIB
    rounds = 1 if options.smoke else 3 if options.quick else 5
    with tempfile.TemporaryDirectory(prefix="twoway-bench-") as place:
        plain = os.path.join(place, "plain")
        with open(plain, "wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        age = Age(options.age, place) if options.age else None
        for aead in AEADS:
            measure(results, Ours(options.twoway, place, aead), age, aead, plain, size, rounds)


if __name__ == "__main__":
    main()
