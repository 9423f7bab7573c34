"""The page of the fault matrix: one file, with the distributions of latencies as drawings in it."""

import math
import os
from html import escape

from row import BOUND_US, milliseconds

LOW, HIGH = 1, 7  # decades of microseconds: 10 us to 10 s
PER_DECADE = 14
LEFT, WIDTH, STEP, HEIGHT = 190, 640, 40, 30

STYLE = """
.visible { fill: var(--crisis); opacity: .62; } .after { fill: none; stroke: var(--premium); stroke-width: 1.4; }
.bound { stroke: var(--ink); stroke-width: 1.4; stroke-dasharray: 4 3; } .base { stroke: var(--rule); }
.marks { stroke: var(--ink); stroke-width: 1.2; } .wide { overflow-x: auto; }
.key-visible { color: var(--crisis); } .key-after { color: var(--premium); }
main { max-width: 1240px; }
td, th { text-align: right; vertical-align: top; } td:nth-child(-n+3), th:nth-child(-n+3) { text-align: left; }
td:nth-child(2), td:nth-child(3) { white-space: normal; } td:nth-child(2) { min-width: 17em; } td:nth-child(3) { min-width: 9em; }
td.missed { color: var(--warn); font-weight: 600; } td.met { color: var(--good); } td.other { color: var(--soft); }
td.name { white-space: nowrap; font-weight: 600; }
"""


def x(us):
    return LEFT + (min(max(math.log10(max(us, 1)), LOW), HIGH) - LOW) / (HIGH - LOW) * WIDTH


def density(samples):
    """Heights by bins of equal width on the axis: logarithms, so that one slow operation among thousands is seen."""
    bins = [0] * ((HIGH - LOW) * PER_DECADE)
    for us in samples:
        at = int((math.log10(max(us, 1)) - LOW) * PER_DECADE)
        bins[min(max(at, 0), len(bins) - 1)] += 1
    most = math.log1p(max(bins, default=0)) or 1
    return [math.log1p(count) / most for count in bins]


def outline(samples, base, css):
    heights = density(samples)
    points = []
    for i, height in enumerate(heights):
        for edge in (i, i + 1):
            points.append((LEFT + edge / len(heights) * WIDTH, base - height * HEIGHT))
    path = f"M{LEFT} {base}" + "".join(f"L{px:.1f} {py:.1f}" for px, py in points) + f"L{LEFT + WIDTH} {base}Z"
    return f'<path d="{path}" class="{css}"/>'


def grid(bottom):
    out = []
    for decade in range(LOW, HIGH + 1):
        shown = {1: "10 µs", 2: "0.1 ms", 3: "1 ms", 4: "10 ms", 5: "100 ms", 6: "1 s", 7: "10 s"}[decade]
        at = x(10 ** decade)
        out += [f'<line x1="{at:.1f}" y1="24" x2="{at:.1f}" y2="{bottom}" class="grid"/>',
                f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle" class="axis">{shown}</text>']
    at = x(BOUND_US)
    return out + [f'<line x1="{at:.1f}" y1="24" x2="{at:.1f}" y2="{bottom}" class="bound"/>',
                  f'<text x="{at:.1f}" y="16" text-anchor="middle" class="number">200 ms</text>']


def verdict_class(row):
    verdict = row.verdict()
    return "missed" if verdict.startswith("MISSED") else "met" if verdict.startswith("met") else "other"


def drawing(rows):
    rows = [row for row in rows if row.operations]
    bottom = 30 + STEP * len(rows)
    out = grid(bottom)
    for i, row in enumerate(rows):
        base = 30 + STEP * (i + 1) - 4
        name = "call_to_ack" if row.rule == "baseline" else "call_to_visible"
        times = row.times(name)
        tip = " · ".join(f"{key.replace('p999', 'p99.9')} {milliseconds(times.get(key))} ms" for key in ("p50", "p99", "p999", "max"))
        out += [f"<g><title>{escape(row.title)}: {tip}</title>", f'<line x1="{LEFT}" y1="{base}" x2="{LEFT + WIDTH}" y2="{base}" class="base"/>',
                outline(row.samples(name), base, "visible"), outline(row.samples("ack_to_visible"), base, "after")
                if row.rule != "baseline" else "",
                *(f'<line x1="{x(times[key]):.1f}" y1="{base - 7}" x2="{x(times[key]):.1f}" y2="{base + 3}" class="marks"/>'
                  for key in ("p50", "p99", "p999", "max") if key in times),
                f'<text x="{LEFT - 10}" y="{base - 6}" text-anchor="end">{escape(row.name)}</text>',
                f'<text x="{LEFT + WIDTH + 12}" y="{base - 6}" class="number{" warn" if not row.holds() else ""}">'
                f'{milliseconds(times.get("p999"))} / {milliseconds(times.get("max"))} ms</text></g>']
    width = LEFT + WIDTH + 160
    return (f'<svg viewBox="0 0 {width} {bottom + 26}" role="img" aria-label="Latencies of crisis operations by row">'
            f'<text x="{LEFT + WIDTH + 12}" y="16" class="axis">p99.9 / max</text>{"".join(out)}</svg>')


def table(rows, head, cells):
    out = ["<table><tr><th>row</th><th>what happens</th><th>verdict</th>" + "".join(f"<th>{escape(text)}</th>" for text in head[1:-1]) + "</tr>"]
    for row in rows:
        shown = cells(row)
        remarks = "".join(f'<br><span class="soft">{escape(text)}</span>' for text in row.remarks())
        out.append(f'<tr><td class="name">{escape(row.name)}</td><td>{escape(row.title)}{remarks}</td>'
                   f'<td class="{verdict_class(row)}">{escape(shown[-1])}</td>'
                   + "".join(f"<td>{escape(text)}</td>" for text in shown[1:-1]) + "</tr>")
    return "".join(out) + "</table>"


def card(value, text, css=""):
    return f'<div class="{css}"><b>{escape(value)}</b><span>{escape(text)}</span></div>'


def cards(rows):
    judged = [row for row in rows if row.one("skip") is None and row.rule in ("serves", "restarts", "refuses")]
    missed = [row for row in judged if not row.holds()]
    serving = [row for row in judged if row.rule == "serves" and row.times("call_to_visible")]
    longest = max((row.times(row.judged)["max"] for row in serving), default=None)
    total = {key: sum(row.number(key) for row in rows) for key in ("sent", "acknowledged", "lost", "duplicated")}
    return ('<div class="cards">' + card(f"{len(judged) - len(missed)} of {len(judged)}", "verdicts met", "bad" if missed else "good")
            + card(f"{total['acknowledged']:,}", "crisis operations acknowledged") + card(str(total["lost"]), "lost", "bad" if total["lost"] else "good")
            + card(str(total["duplicated"]), "duplicated", "bad" if total["duplicated"] else "good")
            + card(f"{milliseconds(longest)} ms", "the longest, while the server was up", "good" if longest and longest < BOUND_US else "bad") + "</div>")


def measured(rows):
    commits = sorted({f"{row.one('version')} ({row.one('commit')})" for row in rows})
    dates = sorted(row.one("date") for row in rows if row.one("date"))
    sizes = sorted({row.one("size") for row in rows if row.one("size")})
    loads = sorted(float(row.one("load")) for row in rows if row.one("load"))
    return (f"Measured {dates[0]} to {dates[-1]}, version {', '.join(commits)}. " if dates else "") + (
        f"Load average of the machine as rows began: {loads[0]} to {loads[-1]}. " if loads else "") + (
        f"Some rows were made shorter ({', '.join(sizes)})." if sizes else "")


def html(rows, about, head, cells):
    style = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo", "page.css")
    with open(style, encoding="utf-8") as file:
        css = file.read() + STYLE
    body = [f"<h1>paws_sync: the fault matrix of the crisis lane</h1><p class=\"lead\">{escape(about['stamp'])}</p>",
            "<p>Each row does something bad to a real server while crisis operations are pushed and devices wait for them, and then asks "
            "what became of every operation. A row that leaves the server up is met if every operation was with its waiting device less than "
            "200 ms after it was called, none was lost, and none told or kept twice.</p>",
            f'<p class="soft">{escape(about["machine"])} {escape(measured(rows))}</p>', cards(rows), "<h2>Latencies</h2>",
            f'<figure><div class="scroll">{drawing(rows)}</div><figcaption><span class="key-visible">■</span> from the call of a push to the '
            'waiting device, <span class="key-after">▭</span> from its acknowledgement. Heights are logarithms of counts, so that one slow '
            "operation among thousands is seen; the strokes are p50, p99, p99.9 and the longest.</figcaption></figure>",
            "<h2>Verdicts</h2><p class=\"soft\">Milliseconds from the call of a crisis push until a waiting device has it, and (ack) from "
            "its acknowledgement.</p>", f'<div class="wide">{table(rows, head, cells)}</div>']
    return ('<!doctype html><html lang="en"><head><meta charset="utf-8"><title>paws_sync: fault matrix</title>'
            f'<meta name="viewport" content="width=device-width"><style>{css}</style></head><body><main>' + "\n".join(body) + "</main></body></html>\n")
