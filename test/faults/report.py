"""The results of the fault matrix. `report.py head` prints the head of the table, `report.py row FOLDER NAME` the line of a row,
`report.py all FOLDER NAME...` writes results.md and results.html of every row in FOLDER/values and FOLDER/operations; its exit
status is 1 if one of the named rows missed its verdict, or none of them was measured."""

import datetime
import os
import sys

from page import html
from row import ORDER_FILES, Row, milliseconds

HEAD = ["row", "sent", "acked", "lost", "dup", "p50", "p99", "p99.9", "max", "ack p99", "ack max", "verdict"]
WIDTHS = [20, 6, 6, 5, 4, 7, 7, 7, 8, 8, 8, 0]


def line(cells):
    return " ".join(cell.ljust(width) if i in (0, len(cells) - 1) else cell.rjust(width)
                    for i, (cell, width) in enumerate(zip(cells, WIDTHS))).rstrip()


def cells(row):
    visible = row.times("call_to_visible") or row.times("call_to_ack")
    after = row.times("ack_to_visible")
    return ([row.name, row.shown("sent"), row.shown("acknowledged"), row.shown("lost"), row.shown("duplicated")]
            + [milliseconds(visible.get(name)) for name in ("p50", "p99", "p999", "max")]
            + [milliseconds(after.get(name)) for name in ("p99", "max")] + [row.verdict()])


def order():
    """Names in the order of the scripts."""
    here = os.path.dirname(os.path.abspath(__file__))
    names = []
    for file in ORDER_FILES:
        with open(f"{here}/{file}", encoding="utf-8") as text:
            names += [found[4:found.index("(")] for found in text if found.startswith("row_") and "()" in found]
    return names


def markdown(rows, about):
    out = [f"# paws_sync: the fault matrix of {about['stamp']}", "", about["machine"], "",
           "Milliseconds from the call of a crisis push until a waiting device has it (p50 to max), and from its acknowledgement.", "",
           "| " + " | ".join(["what happens"] + HEAD) + " |", "|---" * (len(HEAD) + 1) + "|"]
    out += ["| " + " | ".join([row.title] + cells(row)) + " |" for row in rows]
    remarks = [f"- {row.name}: {text}" for row in rows for text in row.remarks()]
    return "\n".join(out + [""] + remarks) + "\n"


def describe(folder):
    with open(f"{folder}/machine", encoding="utf-8") as file:
        machine = dict(text.rstrip("\n").split(" ", 1) for text in file)
    return {"stamp": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": f"{machine['cores']} cores ({machine.get('processor', '?')}), {machine['memory']}, {machine['system']}, "
                       f"{machine['server']}; load and server share the machine. Payloads of 287 bytes, sealed; fsync and "
                       "synchronous_commit on, shared_buffers 1 GB, max_wal_size 4 GB, autovacuum on."}


def write_all(folder, chosen):
    rows = [Row(folder, name) for name in order() if os.path.exists(f"{folder}/values/{name}")]
    about = describe(folder)
    with open(f"{folder}/results.md", "w", encoding="utf-8") as file:
        file.write(markdown(rows, about))
    with open(f"{folder}/results.html", "w", encoding="utf-8") as file:
        file.write(html(rows, about, HEAD, cells))
    mine = [row for row in rows if row.name in chosen]
    missed = [row for row in mine if not row.holds()]
    for row in mine:
        for text in row.remarks():
            print(f"{row.name}: {text}")
    measured = [row for row in mine if row.one("skip") is None]
    print(f"{len(measured)} rows, {len(missed)} missed{': ' if missed else ''}{', '.join(row.name for row in missed)}"
          f"; test/output/faults/results.html")
    return 1 if missed or not measured else 0


def main(arguments):
    if arguments == ["head"]:
        print("milliseconds from the call of a crisis push until a waiting device has it, and from its acknowledgement")
        print(line(HEAD), flush=True)
        return 0
    if arguments[:1] == ["row"]:
        row = Row(*arguments[1:])
        print(line(cells(row)), flush=True)
        return 0 if row.holds() else 1
    if arguments[:1] == ["all"]:
        return write_all(arguments[1], arguments[2:])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
