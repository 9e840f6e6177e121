# SPDX-License-Identifier: Apache-2.0
"""The benchmark as one SVG: every target with how far it is met, and three curves."""
import math
from xml.sax.saxutils import escape

WIDTH = 1000
LEFT = 330  # of bars; names stand before
BAR = 15
INK, DIM, OURS, BARE, MISSED = "#222", "#888", "#1f6fb4", "#b0b0b0", "#c8372d"
LOOKS = ("#1f6fb4", "#2a9d5c", "#8a4fbf")


def text(x, y, words, size=11, anchor="start", fill=INK):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{fill}">{escape(words)}</text>')


def line(x1, y1, x2, y2, stroke=DIM, width=1.0):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
            f'stroke-width="{width}"/>')


def reached(row):
    """How much of its target a row reaches: 1 is met, 2 (the most shown) twice as good."""
    value, limit = row["value"], row["limit"]
    if row["target"].startswith(">="):
        part = value / limit
    else:
        part = limit / value if value > 0 else 2.0
    return min(part, 2.0)


def bars(rows, top):
    """One bar for each row that has a target."""
    held = [row for row in rows if "met" in row]
    out = [text(20, top, "Each target, and how far it is reached (the line is 1)", 14)]
    scale = (WIDTH - LEFT - 150) / 2
    for at, row in enumerate(held):
        y = top + 14 + at * BAR
        part = reached(row)
        out.append(text(LEFT - 8, y + 10, row["row"], 10, "end"))
        out.append(f'<rect x="{LEFT}" y="{y + 2}" width="{part * scale:.1f}" height="{BAR - 4}" '
                   f'fill="{OURS if row["met"] else MISSED}"/>')
        out.append(text(LEFT + part * scale + 6, y + 10,
                        f'{row["value"]:.3g}  ({row["target"]})', 9, fill=DIM))
    bottom = top + 14 + len(held) * BAR
    if held:
        out.append(line(LEFT + scale, top + 10, LEFT + scale, bottom, INK))
    return out, bottom


def curve_points(rows, prefix, key):
    """The rows below a prefix, by the number that their name ends in."""
    points = []
    for row in rows:
        last = row["row"].rsplit("/", 1)
        if row["sense"] != "figure" and last[0] == prefix and last[1].isdigit():
            points.append((max(int(last[1]), 1), key(row, "ours"), key(row, "beside")))
    return sorted(points)


def per_second(row, which):
    return row["bytes"] / row[which]  # bytes a nanosecond are GB a second


def microseconds(row, which):
    return row[which] / 1000


def panel(x, y, title, curves, log_y):
    """Curves of ours (full) and bare (grey); both axes are marked at their ends."""
    width, height = 270, 190
    points = [p for _, ps in curves for p in ps]
    out = [text(x, y, title, 12)]
    if len(points) < 2:
        return out
    fit = math.log10 if log_y else (lambda v: v)
    xs = [math.log10(p[0]) for p in points]
    ys = [fit(v) for p in points for v in p[1:]] + ([] if log_y else [0.0])
    span_x, span_y = max(xs) - min(xs) or 1, max(ys) - min(ys) or 1

    def place(a, b):
        return (x + 40 + (math.log10(a) - min(xs)) / span_x * width,
                y + 15 + height - (fit(b) - min(ys)) / span_y * height)

    for value in (min(ys), max(ys)):
        real = 10 ** value if log_y else value
        out.append(text(x + 34, y + 19 + height - (value - min(ys)) / span_y * height,
                        f"{real:.3g}", 9, "end", DIM))
    for value in (min(xs), max(xs)):
        out.append(text(x + 40 + (value - min(xs)) / span_x * width, y + 30 + height,
                        f"{10 ** value:,.0f}", 9, "middle", DIM))
    for at, (name, ps) in enumerate(curves):
        for column, stroke in ((2, BARE), (1, LOOKS[at % 3])):
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(p[0], p[column]) for p in ps))
            out.append(f'<polyline points="{path}" fill="none" stroke="{stroke}" '
                       f'stroke-width="1.6"/>')
        out.append(text(x + 50, y + 30 + at * 12, name, 9, fill=LOOKS[at % 3]))
    out.append(line(x + 40, y + 15 + height, x + 40 + width, y + 15 + height))
    return out


def draw(rows, notes):
    out = [text(20, 24, "twoway, beside bare libcrypto (grey) and others", 16),
           text(20, 42, "; ".join(f"{key} {value}" for key, value in notes.items()), 10, fill=DIM)]
    part, bottom = bars(rows, 66)
    out += part
    aeads = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")
    top = bottom + 36
    out += panel(10, top, "Opening, GB/s by bytes in a chunk",
                 [(name, curve_points(rows, f"stream/open/{name}", per_second))
                  for name in aeads], False)
    out += panel(340, top, "One message sent, us by its bytes",
                 [("", curve_points(rows, "length", microseconds))], True)
    out += panel(670, top, "One 16 KiB chunk, us by open streams",
                 [("", curve_points(rows, "streams", microseconds))], False)
    height = top + 250
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
            f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(out) + "\n</svg>\n")
