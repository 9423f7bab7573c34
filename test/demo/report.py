"""What the demo says at the end: the tables on the terminal and the HTML page.

    python3 report.py demo.json demo.html       draws a page again from the data that was written beside it
"""

import json
import os
import sys
from html import escape

import charts
from charts import milliseconds, owed, share, words

HEAD = ("class", "tier", "count", "p50", "p95", "p99", "p99.9", "max", "target", "attainment")


def shell_quoted(dsn):
    return '"' + dsn.replace('"', '\\"') + '"'


def latency_rows(data):
    """The table's rows in the order of urgency, only classes and tiers that had traffic."""
    order = {name: n for n, name in enumerate(charts.CLASSES)}
    tiers = {name: n for n, name in enumerate((*charts.TIERS, charts.EVERY_TIER))}
    rows = [dict(row, tier=row["tier"] or charts.EVERY_TIER) for row in data["latency"] if row["count"]]
    return sorted(rows, key=lambda row: (order[row["class"]], tiers[row["tier"]]))


def cells(row):
    return [row["class"], row["tier"], f"{row['count']:,}"] + [
        milliseconds(row[name]) for name in ("p50", "p95", "p99", "p999", "max")] + [
        owed(row["target"]), share(row["attainment"])]


def verdict(data):
    if data["problems"]:
        return False, f"Something is wrong: {len(data['problems'])} findings, the first: {data['problems'][0]}."
    checked = data["checked"]
    return True, (
        f"Nothing was lost: all {data['acknowledged']:,} acknowledged operations have a final outcome, and in a"
        f" sample of {checked['subjects']} subjects all {checked['devices']:,} devices, a brand-new one each among"
        f" them, hold the same {checked['documents']:,} documents.")


# -- the terminal ------------------------------------------------------------------------------------

def print_table(rows):
    table = [HEAD] + [cells(row) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
    for number, line in enumerate(table):
        if number and line[0] != table[number - 1][0]:
            print("-" * (sum(widths) + 2 * len(widths) - 2))
        print("  ".join(value.ljust(width) if column < 2 else value.rjust(width)
                        for column, (value, width) in enumerate(zip(line, widths))))


def print_pairs(pairs):
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        print(f"{name.ljust(width)}   {value}")


def counted(pairs):
    ordered = sorted(pairs.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{count:,} {words(name)}" for name, count in ordered) or "none"


def size(count):
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def grown(rows):
    """From payloads to what is stored of them: compression, padding and envelope together."""
    payload, stored = (sum(row[name] for row in rows) for name in ("payload", "stored"))
    return f"{size(payload)} → {size(stored)} ({(stored - payload) / payload:+.0%})" if payload else "none"


def sealing(data):
    """(name, text) pairs: what sealing makes of sizes."""
    found = data["sealing"]
    packed = [row for row in found["sizes"] if row["compressible"]]
    plain = [row for row in found["sizes"] if not row["compressible"]]
    return [
        ("Compressed, sealed", "; ".join(f"{row['collection']} {grown([row])}" for row in packed) or "none"),
        ("Sealed as they are", f"{', '.join(row['collection'] for row in plain)}: {grown(plain)}"),
    ]


def print_results(data, path, kept):
    good, sentence = verdict(data)
    print(f"\nLatency from push to applied and visible, measured by the engine ({data['when']})\n")
    print_table(latency_rows(data))
    news = data["news"]
    print(f"""
Subjects and devices   {data['subjects']:,} and {data['devices']:,}
Operations             {data['sent']:,} sent, {data['acknowledged']:,} acknowledged, peak {data['peak']:,.0f}/s
Final outcomes         {counted(data['outcomes'])}; lost: {data['lost']}
Sent again             {data['duplicates']:,} after a lost answer (answered duplicate)
Limited, tried again   {counted(data['limits'])}
Pulled                 {data['pulled']:,} changes by the subjects' other devices
Crisis bundles         {data['bundles']:,} opened during the day, each checked for 988 and the person's plans
Waiting devices        {news['count']:,} changes, in hand p50 {milliseconds(news['p50'])}, p99 {milliseconds(news['p99'])}
{chr(10).join(f"{name:<22} {text}" for name, text in sealing(data))}
Time                   {data['replay_seconds']:.1f} s for the day with draining, {data['seconds']:.1f} s in all\
 (driver late by at most {data['worst_lag']:.1f} s)

{sentence}""")
    print("\nPersons in a crisis\n")
    print_pairs(data["crises"])
    print("\nThe clinic's own work\n")
    print_pairs(data["jobs"])
    print("\nKeys, and what they are for\n")
    print_pairs(data["vault"])
    if data["certificate"]:
        print("\nThe certificate of the person who was forgotten\n")
        print("".join(f"  {line}\n" for line in data["certificate"].splitlines()), end="")
    for problem in data["problems"][:20]:
        print("  - " + problem)
    hint = "" if kept else " (run again with KEEP=1 to have a server for them)"
    print(f"\nStatements to try by hand{hint}\n")
    print(f"  {data['psql']}\n")
    for number, (title, sql) in enumerate(data["statements"], start=1):
        print(f"  -- {number}. {title}\n  {sql}\n")
    print(f"Page with plots: {path}")
    return good


# -- the page ----------------------------------------------------------------------------------------

def cards(data):
    crisis = [row for row in data["latency"] if row["class"] in ("emergency", "safety") and row["count"]]
    worst = max((row["p999"] for row in crisis), default=None)
    shown = [
        (f"{data['acknowledged']:,}", "operations pushed and acknowledged", ""),
        (f"{data['lost']:,}", "of them lost", "bad" if data["lost"] else "good"),
        (f"{data['pulled']:,}", "changes pulled by other devices", ""),
        (f"{data['peak']:,.0f}/s", "operations at the busiest ten minutes", ""),
        (milliseconds(worst), "crisis p99.9, in every tier", "good" if worst is not None and worst < 200 else "bad"),
        (f"{data['subjects']:,}", f"subjects with {data['devices']:,} devices", ""),
    ]
    return '<div class="cards">' + "".join(
        f'<div class="{css}"><b>{escape(value)}</b><span>{escape(label)}</span></div>'
        for value, label, css in shown) + "</div>"


def table(rows):
    body = []
    for row in rows:
        values = cells(row)
        values[0], values[1] = words(values[0]), words(values[1])
        late = ' class="warn"' if row["attainment"] < 0.99 else ""
        body.append("<tr>" + "".join(f"<td>{escape(value)}</td>" for value in values[:-1])
                    + f"<td{late}>{escape(values[-1])}</td></tr>")
    return ('<div class="scroll"><table><thead><tr>' + "".join(f"<th>{name}</th>" for name in HEAD)
            + "</tr></thead><tbody>" + "".join(body) + "</tbody></table></div>")


def summary(data):
    news = data["news"]
    pairs = [
        ("Final outcomes", counted(data["outcomes"])),
        ("Sent again after a lost answer", f"{data['duplicates']:,} operations, each answered as a duplicate"),
        ("Limited and tried again", counted(data["limits"])),
        ("Crisis bundles", f"{data['bundles']:,} opened, each checked for 988 and the person's plans"),
        ("Waiting devices",
         f"{news['count']:,} changes reached a device that waited: p50 {milliseconds(news['p50'])},"
         f" p99 {milliseconds(news['p99'])}, max {milliseconds(news['max'])} after it was handed over"),
        ("Duration",
         f"{data['replay_seconds']:.1f} s for 24 hours with draining; {data['seconds']:.1f} s in all"),
        *sealing(data),
        ("Driver", f"late by at most {data['worst_lag']:.1f} s against its own plan"),
    ] + [tuple(pair) for pair in data["machine"]] + [("Date", data["when"])]
    return pairs_table(pairs)


def pairs_table(pairs, css="pairs"):
    return f'<div class="scroll"><table class="{css}"><tbody>' + "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
        for name, value in pairs) + "</tbody></table></div>"


def certificate(data):
    if not data["certificate"]:
        return ""
    return ("<p>The certificate of the person who was forgotten. Its signature is Ed25519, and can be checked by anybody "
            f"with the public key.</p><pre>{escape(data['certificate'])}</pre>")


def figure(title, lead, drawing, caption):
    return (f"<h2>{escape(title)}</h2><p>{escape(lead)}</p><figure>{drawing}"
            f"<figcaption>{escape(caption)}</figcaption></figure>")


def page(data):
    good, sentence = verdict(data)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.css"), encoding="utf-8") as file:
        style = file.read()
    rows = latency_rows(data)
    problems = "".join(f"<li>{escape(text)}</li>" for text in data["problems"][:50])
    statements = "".join(f"<li><p>{escape(title)}</p><pre>{escape(sql)}</pre></li>"
                         for title, sql in data["statements"])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>paws_sync: a clinic app's day</title>
<style>
{style}</style>
</head>
<body><main>
<h1>A clinic app's day, in {data['day_seconds']:.0f} seconds</h1>
<p class="lead">{data['subjects']:,} people in four tiers live through 24 hours with their {data['devices']:,} devices.
What they write goes through one PostgreSQL server with paws_sync, and comes out on their other devices. Payment decides how
fast, never whether: crisis traffic is served alike in every tier.</p>
<p class="verdict {'good' if good else 'bad'}"><strong>{escape(sentence)}</strong></p>
{f'<ul>{problems}</ul>' if problems else ''}
{cards(data)}
{figure('How long an operation takes, and how often its target is met',
        'Each row is one tier of one class. The dot is the usual case, the ring the slowest one in a hundred; the black '
        'bar is what the tier is owed.',
        charts.latency(rows),
        'From the push to the moment the change is applied and other devices can see it, as the engine itself measures '
        'it. The axis is logarithmic: each line to the right is ten times slower.')}
{figure('What arrives during the day',
        'Mornings and evenings are busy; at night devices charge and report. Shortly after two in the afternoon a mobile '
        'network comes back, and with it everything that was written offline.',
        charts.rate(data['classes'], data['bucket_seconds'], data['samples']),
        f'Acknowledged operations per second of real time, by class. An hour of the day lasts '
        f'{data["day_seconds"] / 24:.1f} seconds here.')}
{figure('What has to wait, and what does not',
        'If work has to wait, it ought to be bulk and background work, at the bottom in the palest shades. The crisis '
        'levels have no queue in the usual case: they are applied before the push returns.',
        charts.depth(data['samples']),
        'Operations accepted and not yet applied, by level, 10 being the most urgent; sampled about twice a second.')}
<h2>The numbers</h2>
<p>Classes in order of urgency, with every tier that had traffic.</p>
<figure>{table(rows)}</figure>
<h2>Persons in a crisis</h2>
<p>While the day went on, apps raised crisis signals. A device that waited was told of each, with the person's safety plan; a
responder who waited had an item, completed it and resolved the signal; and the device was told that it is over.</p>
<figure>{pairs_table(data['crises'], 'pairs long')}</figure>
<h2>The clinic's own work</h2>
<p>Reminders and exports were submitted to the same queue while the day went on, and done by workers of the clinic's own.
One of them could not be done; in the evening it was given a new life.</p>
<figure>{pairs_table(data['jobs'], 'pairs long')}</figure>
<h2>Keys, and what they are for</h2>
<p>Everything is sealed before it is stored. Keys were rotated while the day went on; then one person was forgotten, and
the server was started without its keys.</p>
<figure>{pairs_table(data['vault'], 'pairs long')}</figure>
{certificate(data)}
<h2>The run</h2>
<p>Everything needed to compare this run with another one. The people and their documents are invented.</p>
<figure>{summary(data)}</figure>
<h2>Statements to try by hand</h2>
<p>They hold tokens of this run and work while its server is up (<code>make demo KEEP=1</code>).</p>
<pre>{escape(data['psql'])}</pre>
<ol>{statements}</ol>
</main></body>
</html>
"""


def write(path, data):
    """Writes the page, and its data beside it as JSON."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(os.path.splitext(path)[0] + ".json", "w", encoding="utf-8") as file:
        json.dump(data, file, default=float)
    with open(path, "w", encoding="utf-8") as file:
        file.write(page(data))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source:
        write(sys.argv[2], json.load(source))
