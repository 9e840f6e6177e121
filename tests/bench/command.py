#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command on a large file: how fast, with two threads beside one; beside age where that is
installed, as it comes and with one thread; and how much memory. Prints a JSON object a line, as
the other parts of the benchmark do.

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
JOBS = (1, 2)


def resident_peak(pid):
    """The most that a process held so far, in bytes. Not ru_maxrss: that begins with what
    this process held when it forked."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            return next((int(l.split()[1]) * 1024 for l in lines if l.startswith("VmHWM")), 0)
    except OSError:
        return 0


def timed(argv):
    """Runs a command; its time in ns."""
    begun = time.monotonic_ns()
    subprocess.run([str(a) for a in argv], check=True)
    return time.monotonic_ns() - begun


def watched(argv):
    """Runs a command; the largest resident size seen, in bytes."""
    child = subprocess.Popen([str(a) for a in argv])
    peak = 0
    while child.poll() is None:
        peak = max(peak, resident_peak(child.pid))
        time.sleep(0.001)
    if child.returncode != 0:
        sys.exit(f"{argv} ended with {child.returncode}")
    return peak


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
            ratios = sorted(other / own for own, other in zip(ours, theirs, strict=True))
            print(json.dumps({"row": name, "sense": "speed", "unit": "ns",
                              "value": ratios[len(ratios) // 2], "least": min(theirs) / min(ours),
                              "ours": min(ours), "beside": min(theirs), "bytes": size,
                              "rounds": len(ours)}), flush=True)


class Ours:
    def __init__(self, twoway, place, aead):
        self.twoway = twoway
        self.key = os.path.join(place, "key-" + aead)
        self.config = os.path.join(place, "config-" + aead)
        self.sealed = os.path.join(place, "sealed-" + aead)
        quietly([twoway, "keygen", "--kem", "x25519", "-o", self.key])
        quietly([twoway, "config", "--key", self.key, "--suite", "hkdf-sha256," + aead,
                 "-o", self.config])

    def seal(self, plain, out):
        return [self.twoway, "request", "--to", self.config, "--chunked", "-o", out, plain]

    def open(self, out):
        return [self.twoway, "accept", "--key", self.key, "--chunked", "-o", out, self.sealed]


class Shared:
    """The same by so many threads, not by as many as the command finds sensible."""

    def __init__(self, ours, jobs):
        self.ours = ours
        self.sealed = ours.sealed
        self.jobs = ["--jobs", str(jobs)]

    def seal(self, plain, out):
        return self.ours.seal(plain, out) + self.jobs

    def open(self, out):
        return self.ours.open(out) + self.jobs


class Age:
    def __init__(self, age, place):
        self.age = age
        self.key = os.path.join(place, "age-key")
        self.sealed = os.path.join(place, "age-sealed")
        quietly([os.path.join(os.path.dirname(age), "age-keygen"), "-o", self.key])
        with open(self.key, encoding="ascii") as lines:
            self.public = next(l.split()[-1] for l in lines if "public key" in l)

    def seal(self, plain, out):
        return [self.age, "-r", self.public, "-o", out, plain]

    def open(self, out):
        return [self.age, "-d", "-i", self.key, "-o", out, self.sealed]


def measure(results, ours, age, aead, plain, size, rounds):
    """Both directions in turns, the output to nowhere: it is not the disk that is measured."""
    one, shared = (Shared(ours, jobs) for jobs in JOBS)
    tools = [ours, one, shared] + ([age] if age else [])
    ways = {"seal": lambda tool: tool.seal(plain, os.devnull),
            "open": lambda tool: tool.open(os.devnull)}
    times = {way: {tool: [] for tool in tools} for way in ways}
    for tool in tools:
        timed(tool.seal(plain, tool.sealed))
    for _ in range(rounds):
        for tool in tools:
            for way, argv in ways.items():
                times[way][tool].append(timed(argv(tool)))
    for way, argv in ways.items():
        mine = times[way][ours]
        results.figure(f"command/speed/{way}/{aead}", round(size * 1e3 / min(mine)), "MB/s")
        results.figure(f"command/resident/{way}/{aead}", watched(argv(ours)), "bytes")
        results.figure(f"command/resident/{way}-jobs-1/{aead}", watched(argv(one)), "bytes")
        results.speed(f"command/{way}/{aead}/jobs-2", times[way][shared], times[way][one], size)
        if age:
            results.speed(f"command/{way}/{aead}/beside-age", mine, times[way][age], size)
            results.speed(f"command/{way}/{aead}/jobs-1/beside-age", times[way][one],
                          times[way][age], size)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("twoway")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--row")
    parser.add_argument("--age", default=shutil.which("age"))
    options = parser.parse_args()
    results = Results(options.row)
    rows = "command/"
    if options.row and not (options.row.startswith(rows) or rows.startswith(options.row)):
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
