"""The drawings of the results, as inline SVG: no script, no network. Helpers and classes and tiers are the demo's."""

import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo"))
import charts  # noqa: E402  (found by the line above)
from charts import frame, line, text  # noqa: E402
import tables_crisis  # noqa: E402
from tables import LATENCY_NAMES, NODE_WORK  # noqa: E402
from tables_engine import class_values  # noqa: E402
from values import ENGINES, number  # noqa: E402

LEFT, WIDTH, BAR = 320, 520, 17
STYLE = """
.of-bare, .of-prio, .of-bare_notify, .of-bare_poll { fill: var(--key); color: var(--key); }
.of-ours { fill: var(--premium); color: var(--premium); } .of-firm { fill: var(--l4); color: var(--l4); }
.of-unsealed { fill: var(--basic); color: var(--basic); } .of-pgq { fill: var(--session); color: var(--session); }
.of-graphile, .of-graphile_node { fill: var(--trial); color: var(--trial); }
.of-pgboss, .of-pgboss_node { fill: var(--grace_period); color: var(--grace_period); }
.faint { opacity: .55; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; margin: 10px 0; }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--rule); text-align: right; }
.wide th, .wide td { white-space: normal; }
.wide th:not(:first-child), .wide td:not(:first-child) { text-align: right; }
.wide th:first-child, .wide td:first-child { text-align: left; min-width: 15em; }
td.missed { color: var(--warn); font-weight: 600; } td.met { color: var(--good); }
.wide { overflow-x: auto; }
"""


def bars(title, groups, unit="", base=0):
    """groups: (head, [(css, label, value)]); each group on a scale of its own. Ratios are to the value of index base."""
    parts, y = [], 16.0
    for head, rows in groups:
        rows = [row for row in rows if row[2] is not None]
        if not rows:
            continue
        highest = max(value for _, _, value in rows) or 1
        parts.append(text(8, y + 4, head, "group"))
        y += 20
        to = rows[base][2] if base is not None else None
        for css, label, value in rows:
            width = max(1.0, value / highest * WIDTH)
            ratio = f"  ({value / to:.2f})" if to and value != to else ""
            parts += [text(LEFT - 10, y + 4, label, "label", "end"),
                      f'<rect x="{LEFT}" y="{y - 6:.1f}" width="{width:.1f}" height="12" rx="2" class="of-{css}"/>',
                      text(LEFT + width + 8, y + 4, f"{number(value)}{unit}{ratio}", "number")]
            y += BAR
        y += 14
    return frame(1030, y, title, parts) if parts else ""


def cases(values, part, columns, extra=()):
    names = dict(extra)
    return [(head, [(engine, label, values.get(f"{part}.{engine}.{names.get((engine, suffix), suffix)}")) for engine, label in ENGINES])
            for head, suffix in columns]


def submit(values):
    columns = [(f"submit of one, {n} client{'s' * (n > 1)}: jobs a second", f"1.{n}") for n in (1, 4, 16, 64)]
    columns += [(f"submit by 100, {n} client{'s' * (n > 1)}: jobs a second", f"100.{n}") for n in (1, 4)]
    return bars("Jobs submitted a second by engine", cases(values, "submit", columns))


def work(values):
    columns = [(f"claim and complete {what}, {n} worker{'s' * (n > 1)}: jobs a second", f"{batch}.{n}")
               for batch, what in ((1, "one at a time"), (100, "by 100")) for n in (1, 4, 16)]
    return bars("Jobs claimed and completed a second by engine", cases(values, "work", columns, NODE_WORK))


def latency(values, part, label):
    """p50 to p99 to the maximum on a log axis, from the call to the receipt."""
    parts, y, low, high = [], 30.0, -1, 5

    def x(value):
        return LEFT + (min(max(math.log10(value), low), high) - low) / (high - low) * (WIDTH + 60)

    for name, shown in LATENCY_NAMES.items():
        p50, p99, most = (values.get(f"{part}.{name}.call.{stat}") for stat in ("p50", "p99", "max"))
        if p50 is None:
            continue
        at = [x(value) for value in (p50, p99, most)]
        parts += [text(LEFT - 10, y + 4, shown, "label", "end"), f'<g class="of-{name}">', line(at[0], y, at[2], y, "thin"),
                  line(at[0], y, at[1], y, "thick"), f'<circle cx="{at[0]:.1f}" cy="{y}" r="4.2" class="full"/>',
                  f'<circle cx="{at[1]:.1f}" cy="{y}" r="4.2" class="open"/>',
                  f'<path d="M{at[2] - 3:.1f} {y - 3}l6 6m0 -6l-6 6" class="cross"/></g>',
                  text(at[2] + 10, y + 4, f"{number(p50)} / {number(p99)} / {number(most)} ms", "number")]
        y += 21
    if not parts:
        return ""
    grid = []
    for exponent in range(low, high + 1):
        at = x(10 ** exponent)
        grid += [line(at, 14, at, y - 8, "grid"), text(at, y + 8, f"{10 ** exponent:g} ms" if exponent < 3 else f"{10 ** (exponent - 3):g} s",
                                                      "axis", "middle")]
    return frame(1160, y + 14, label, grid + parts)


def claim(values):
    found = []
    for where, head in (("few", "few jobs waiting"), ("over", "urgent, over the backlog"), ("within", "of the backlog itself")):
        found.append((f"claim of one, {head}: ms, p50", [(engine, label, values.get(f"claim.{engine}.{where}.take.p50"))
                                                        for engine, label in ENGINES]))
    return bars("Cost of a claim by engine", found, " ms", None)


def horizon(values):
    found = []
    for engine, label in ENGINES:
        rows = [("bare", "by 100, no snapshot", "none.passing"), (engine, "by 100, snapshot held", "held.passing")]
        ones = [("bare", "one at a time, fresh", "none.fresh"), (engine, "after the pass, not vacuumed", "none.after"),
                (engine, "after the pass, snapshot held", "held.after")]
        for group in (rows, ones):
            shown = [(css, text_, values.get(f"horizon.{engine}.{name}")) for css, text_, name in group]
            if shown[0][2] is not None:
                found.append((f"{label}: jobs a second", shown))
    return bars("Jobs a second with an old snapshot, by engine", found)


def size(values):
    found = []
    for what, head in (("wal", "WAL, by 100"), ("wal_single", "WAL, one at a time"), ("table", "table left behind"), ("index", "index left behind")):
        found.append((f"{head}: bytes for a job", [(engine, label, values.get(f"size.{engine}.{what}")) for engine, label in ENGINES]))
    return bars("Bytes for a job by engine", found, " B")


def tiers(values, which):
    rows = class_values(values, which)
    return charts.latency(rows) if rows else ""


def push(values):
    pairs = (("push of one, 16 clients", "bare_insert", "push"), ("push_many of 100, 4 clients", "bare_insert_100", "push_many"),
             ("claim and apply", "bare_delete_100", "apply"))
    groups = [(f"{head}: operations a second", [("bare", "bare", values.get(f"push.{bare}")), ("ours", "ours", values.get(f"push.{ours}"))])
              for head, bare, ours in pairs]
    return bars("The engine's own operations a second", [group for group in groups if group[1][0][2] is not None])


def crisis(values):
    """Bare INSERT and call to visible of each row: p50, p99, p99.9 and the longest on a log axis."""
    parts, y, low, high = [], 30.0, -2, 3

    def x(value):
        return LEFT + (min(max(math.log10(value), low), high) - low) / (high - low) * (WIDTH + 60)

    for row, title in tables_crisis.ROWS:
        for series, css, shown in (("bare_call_to_ack", "bare", f"{title}: bare"), ("call_to_visible", "ours", "visible")):
            found = [values.get(f"crisis.{row}.{series}.{stat}") for stat in tables_crisis.STATS]
            if found[0] is None:
                continue
            at = [x(max(value, 0.001)) for value in found]
            parts += [text(LEFT - 10, y + 4, shown, "label", "end"), f'<g class="of-{css}">', line(at[0], y, at[3], y, "thin"),
                      line(at[0], y, at[1], y, "thick"), f'<circle cx="{at[0]:.1f}" cy="{y}" r="4.2" class="full"/>',
                      f'<circle cx="{at[1]:.1f}" cy="{y}" r="4.2" class="open"/>', f'<circle cx="{at[2]:.1f}" cy="{y}" r="2.6" class="full"/>',
                      f'<path d="M{at[3] - 3:.1f} {y - 3}l6 6m0 -6l-6 6" class="cross"/></g>',
                      text(at[3] + 10, y + 4, " / ".join(number(value) for value in found) + " ms", "number")]
            y += 21
    if not parts:
        return ""
    grid = []
    for exponent in range(low, high + 1):
        at = x(10 ** exponent)
        grid += [line(at, 14, at, y - 8, "grid"), text(at, y + 8, f"{10 ** exponent:g} ms", "axis", "middle")]
    return frame(1160, y + 14, "The crisis lane beside bare statements", grid + parts)


# By part: (caption, drawing).
def drawings(values):
    return {
        "submit": [("Each case has a scale of its own; in parentheses the ratio to bare statements.", submit(values))],
        "work": [("The same for claim and completion.", work(values))],
        "latency": [("From the call that puts a job to its receipt: p50 (full), p99 (open) and the longest (cross).",
                     latency(values, "latency", "Latency with an empty queue"))],
        "backlog": [("The same for urgent jobs over a backlog, while all workers are busy.",
                     latency(values, "backlog", "Latency over a backlog")), ("What taking one job costs.", claim(values))],
        "horizon": [("In grey what it is held against.", horizon(values))],
        "size": [("", size(values))],
        "push": [("", push(values))],
        "crisis": [("p50 (full), p99 (open), p99.9 (small) and the longest (cross).", crisis(values))],
        "tiers": [("At 0.8 of capacity.", tiers(values, "below")), ("Above capacity.", tiers(values, "above"))],
    }
