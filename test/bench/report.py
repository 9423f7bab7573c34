"""The results of the benchmark: python3 report.py FOLDER reads FOLDER/values and FOLDER/machine, writes results.md, results.json
and results.html into FOLDER, and prints the first."""

import datetime
import json
import os
import sys
from html import escape

import tables
import tables_crisis
import tables_engine
from goals import goals
from plots import STYLE, drawings
from values import PARTS, Values

SECTIONS = {"submit": ("Submitting", tables.submit), "work": ("Claiming and completing", tables.work),
            "latency": ("Latency with an empty queue", tables.latency), "backlog": ("Over a backlog", tables.backlog),
            "horizon": ("An old snapshot, and no vacuum", tables.horizon), "size": ("Size", tables.size),
            "push": ("The engine's own operations", tables.push), "tiers": ("Classes and tiers", tables_engine.tiers),
            "crisis": ("The crisis lane", tables_crisis.crisis),
            "idle": ("Idle", tables_engine.idle), "memory": ("Memory", tables_engine.memory)}
GOALS_HEAD = ["what it must show", "measured", "wanted", ""]


def about(values):
    machine = values.machine
    return (f"{machine.get('cores', '?')} cores ({machine.get('processor', '?')}), {machine.get('memory', '?')}, {machine.get('system', '?')}, "
            f"{machine.get('server', '?')}. PgQ {machine.get('pgq', '?')}, graphile-worker {machine.get('graphile-worker', '?')}, "
            f"pg-boss {machine.get('pg-boss', '?')}, node {machine.get('node', '?')}. Payloads of 287 bytes, fsync and synchronous_commit on, "
            "shared_buffers 1 GB, max_wal_size 4 GB, autovacuum on; load and server share the machine. pgmq is in none of the package "
            "sources and was left out.")


def measured_when(part):
    return (f"Measured {part.get('date')}, version {part.get('version')} ({part.get('commit')}), runs of {part.get('duration')} s, "
            f"{part.get('rounds')} round(s); the machine's load average when it began: {part.get('load', '?')}.")


def seal(folder):
    try:
        with open(f"{folder}/seal.md", encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def markdown(values, folder, stamp):
    goals_table = tables.Table("", GOALS_HEAD, [goal.cells() for goal in goals(values)], "")
    out = [f"# paws_sync: measurements of {stamp}", "", about(values), "", goals_table.markdown()]
    for part in PARTS:
        if part not in values.parts:
            continue
        title, make = SECTIONS[part]
        out += ["", f"## {title}", "", measured_when(values.parts[part])]
        out += [line for remark in values.parts[part]["remarks"] for line in ("", remark)]
        for table in make(values):
            if table is not None:
                out += ["", f"**{table.title}**", "", table.markdown()]
    if seal(folder):
        out += ["", "## Sealing", "", seal(folder).rstrip()]
    return "\n".join(out) + "\n"


def html_table(head, rows, verdicts=False):
    def cell(text, last):
        css = f' class="{text.lower()}"' if verdicts and last and text in ("met", "MISSED") else ""
        return f"<td{css}>{escape(text)}</td>"

    body = "".join("<tr>" + "".join(cell(text, i == len(row) - 1) for i, text in enumerate(row)) + "</tr>" for row in rows)
    return ('<div class="wide"><table><tr>' + "".join(f"<th>{escape(text)}</th>" for text in head) + f"</tr>{body}</table></div>")


def html(values, folder, stamp):
    style = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo", "page.css")
    with open(style, encoding="utf-8") as file:
        css = file.read() + STYLE
    drawn = drawings(values)
    out = [f"<h1>paws_sync: measurements</h1><p class=\"lead\">{escape(stamp)}</p><p class=\"soft\">{escape(about(values))}</p>",
           "<h2>What the figures must show</h2>", html_table(GOALS_HEAD, [goal.cells() for goal in goals(values)], True)]
    for part in PARTS:
        if part not in values.parts:
            continue
        title, make = SECTIONS[part]
        out.append(f"<h2>{escape(title)}</h2><p class=\"soft\">{escape(measured_when(values.parts[part]))}</p>")
        out += [f"<p>{escape(remark)}</p>" for remark in values.parts[part]["remarks"]]
        out += [f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>" for caption, svg in drawn.get(part, []) if svg]
        out += [f"<p>{escape(table.title)}</p>" + html_table(table.head, table.rows) for table in make(values) if table is not None]
    if seal(folder):
        out.append(f"<h2>Sealing</h2><pre>{escape(seal(folder))}</pre>")
    return ("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>paws_sync: measurements</title>"
            f"<meta name=\"viewport\" content=\"width=device-width\"><style>{css}</style></head><body><main>" + "\n".join(out) + "</main></body></html>\n")


def main(folder):
    values = Values(folder)
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    text = markdown(values, folder, stamp)
    with open(f"{folder}/results.md", "w", encoding="utf-8") as file:
        file.write(text)
    with open(f"{folder}/results.json", "w", encoding="utf-8") as file:
        json.dump({"written": stamp, "machine": values.machine, "parts": values.parts,
                   "goals": [goal.cells() for goal in goals(values)]}, file, indent=1)
        file.write("\n")
    with open(f"{folder}/results.html", "w", encoding="utf-8") as file:
        file.write(html(values, folder, stamp))
    print(text, end="")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
