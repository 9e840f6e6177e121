#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a table, a JSON file and a chart of what the benchmark printed.

  report.py [--gate] [--json FILE] [--svg FILE] [--note KEY=VALUE]... < RESULTS

RESULTS is one JSON object a line. With --gate the exit status is 1 when a target is missed.
"""
import argparse
import fnmatch
import json
import os
import re
import sys

import chart

HERE = os.path.dirname(os.path.abspath(__file__))


def version(text):
    """(3, 5) of "OpenSSL 3.5.1 ..." or "3.5"; none is older than any."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def read_targets(libcrypto):
    """Pattern, relation, value, of those that this libcrypto is held to; the relation "-" is
    for rows that are held to nothing."""
    targets = []
    with open(os.path.join(HERE, "targets"), encoding="utf-8") as lines:
        for line in lines:
            words = line.split("#")[0].split()
            if words and (len(words) < 4 or version(words[3]) <= version(libcrypto)):
                targets.append((words[0], words[1], float(words[2]) if words[1] != "-" else 0))
    return targets


def judge(row, targets, named):
    """Adds to a row its target, whether it is met, and whether what libcrypto alone gives, where
    that is known, would meet it."""
    alike = named.get(re.sub(r"^(threads/[^/]+)(/)", r"\1-bare\2", row["row"]))
    if alike is not None and alike is not row:
        row["alone"] = alike["value"]
    for pattern, relation, value in targets:
        if fnmatch.fnmatchcase(row["row"], pattern):
            if relation != "-":
                meets = value.__le__ if relation == ">=" else value.__ge__
                row["target"] = f"{relation} {value:g}"
                row["limit"] = value
                row["met"] = meets(row["value"])
                row["reachable"] = not row.get("alone") or meets(row["alone"])
            return


def time_text(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}" if ns < 1000 * size else f"{ns / size:.0f} {unit}"
    return f"{ns:.3g} ns"


def number_text(value):
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def ratio_text(value):
    return f"{value:.3g}" if value < 0.1 else f"{value:.3f}"


def columns(row):
    """Name, least of ours, least beside, ratio, ratio of those two, libcrypto alone, target, verdict."""
    verdict = {True: "met", False: "MISSED", None: ""}[row.get("met")]
    if verdict == "MISSED" and not row["reachable"]:
        verdict = "MISSED, by libcrypto alone too"
    alone = ratio_text(row["alone"]) if row.get("alone") else ""
    target = row.get("target", "")
    if row["sense"] == "figure":
        beside = row.get("beside")
        return (row["row"], f"{number_text(row['value'])} {row['unit']}",
                "" if beside is None else number_text(beside), "", "", alone, target, verdict)
    return (row["row"], time_text(row["ours"]), time_text(row["beside"]),
            ratio_text(row["value"]), ratio_text(row["least"]), alone, target, verdict)


def print_table(rows, notes):
    head = ("row", "ours", "beside", "ratio", "of least", "libcrypto alone", "target", "")
    lines = [head] + [columns(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for key, value in notes.items():
        print(f"{key}: {value}")
    group = None
    for at, line in enumerate(lines):
        if at > 0 and line[0].split("/")[0] != group:
            group = line[0].split("/")[0]
            print()
        cells = [line[0].ljust(widths[0])] + [line[i].rjust(widths[i]) for i in range(1, 7)]
        print("  ".join(cells + [line[7]]).rstrip())
    held = [row for row in rows if "met" in row]
    missed = [row for row in held if not row["met"]]
    ours = [row["row"] for row in missed if row["reachable"]]
    theirs = [row["row"] for row in missed if not row["reachable"]]
    print(f"\n{len(held) - len(missed)} of {len(held)} targets met"
          + (f"; missed: {', '.join(ours)}" if ours else "")
          + (f"; missed by libcrypto alone too: {', '.join(theirs)}" if theirs else ""))
    return not missed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gate", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--svg")
    parser.add_argument("--note", action="append", default=[])
    options = parser.parse_args()

    notes = dict(note.split("=", 1) for note in options.note)
    targets = read_targets(notes.get("libcrypto", ""))
    rows = [json.loads(line) for line in sys.stdin if line.strip()]
    if not rows:
        sys.exit("no row has that name")
    named = {row["row"]: row for row in rows}
    for row in rows:
        judge(row, targets, named)
    met = print_table(rows, notes)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump({"about": notes, "rows": rows}, out, indent=1)
            out.write("\n")
    if options.svg:
        with open(options.svg, "w", encoding="utf-8") as out:
            out.write(chart.draw(rows, notes))
    sys.exit(1 if options.gate and not met else 0)


if __name__ == "__main__":
    main()
