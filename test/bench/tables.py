"""The tables of the results: each a title, a head, and rows of text. A part that was not measured has none."""

from values import ENGINES, number

NAMES = dict(ENGINES)


class Table:
    def __init__(self, title, head, rows, part):
        self.title, self.head, self.rows, self.part = title, head, rows, part

    def markdown(self):
        cells = [self.head] + self.rows
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.head))]

        def line(row):
            return "| " + " | ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                                     for i, (cell, width) in enumerate(zip(row, widths))) + " |"

        return "\n".join([line(self.head), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
                         + [line(row) for row in self.rows])


def with_ratio(values, name, to):
    value = values.get(name)
    ratio = values.ratio(name, to)
    if value is None:
        return "–"
    return number(value, 0) + (f" ({ratio:.2f})" if ratio is not None and name != to else "")


def rates(values, part, title, columns, base="bare", extra=()):
    """columns: (head, suffix of the name). extra: (engine, suffix in place of the column's) by column head."""
    rows = []
    for engine, label in ENGINES:
        cells = []
        for head, suffix in columns:
            name = f"{part}.{engine}.{dict(extra).get((engine, suffix), suffix)}"
            cells.append(with_ratio(values, name, f"{part}.{base}.{suffix}"))
        if any(cell != "–" for cell in cells):
            rows.append([label] + cells)
    return Table(title, [title.split(":")[0]] + [head for head, _ in columns], rows, part) if rows else None


SUBMIT_ONE = [(f"{n} client" + "s" * (n > 1), f"1.{n}") for n in (1, 4, 16, 64)]
SUBMIT_MANY = [("by 100, 1 client", "100.1"), ("by 100, 4 clients", "100.4")]
WORK_ONE = [(f"{n} worker" + "s" * (n > 1), f"1.{n}") for n in (1, 4, 16)]
WORK_MANY = [(f"by 100, {n}", f"100.{n}") for n in (1, 4, 16)]
# What the peers' own clients call the same case.
NODE_WORK = [(("graphile_node", "1.1"), "one"), (("graphile_node", "1.4"), "four"), (("graphile_node", "1.16"), "sixteen"),
             (("graphile_node", "100.16"), "local"), (("pgboss_node", "1.1"), "one"), (("pgboss_node", "1.4"), "four"),
             (("pgboss_node", "1.16"), "sixteen"), (("pgboss_node", "100.1"), "many_one"),
             (("pgboss_node", "100.4"), "many_four"), (("pgboss_node", "100.16"), "many_sixteen")]


def submit(values):
    return [rates(values, "submit", "Jobs put a second (ratio to bare)", SUBMIT_ONE + SUBMIT_MANY)]


def work(values):
    found = [rates(values, "work", "Jobs claimed and completed a second (ratio to bare)", WORK_ONE + WORK_MANY, extra=NODE_WORK)]
    tick = values.get("work.pgq.1000.1")
    if found[0] and tick:
        found[0].rows.append(["PgQ, by 1000 instead of 100", "–", "–", "–", number(tick, 0), "–", "–"])
    return found


LATENCY_NAMES = {"bare_notify": "bare, NOTIFY and LISTEN", "bare_poll": "bare, a poll each ms", "prio": NAMES["prio"],
                 "ours": NAMES["ours"], "unsealed": NAMES["unsealed"], "pgq": "PgQ, a tick each 10 ms", "graphile": NAMES["graphile"],
                 "graphile_node": NAMES["graphile_node"], "pgboss": NAMES["pgboss"], "pgboss_node": NAMES["pgboss_node"]}


def latency_rows(values, part):
    rows = []
    for name, label in LATENCY_NAMES.items():
        prefix = f"{part}.{name}"
        sent = values.get(f"{prefix}.put.count")
        if sent is None:
            continue
        cells = [number(values.get(f"{prefix}.{kind}.{stat}")) for kind, stat in
                 (("call", "p50"), ("call", "p99"), ("call", "p999"), ("call", "max"), ("ack", "p50"), ("ack", "p99"))]
        missing = values.get(f"{prefix}.missing") or 0
        rows.append([label] + cells + [f"{sent - missing:.0f} of {sent:.0f}"])
    return rows


LATENCY_HEAD = ["call → receipt p50", "p99", "p99.9", "max", "return → receipt p50", "p99", "arrived"]


def latency(values):
    rows = latency_rows(values, "latency")
    return [Table("Milliseconds, empty queue, 50 jobs a second", ["empty queue, ms"] + LATENCY_HEAD, rows, "latency") if rows else None]


def claims(values, prefix, title):
    rows = []
    for engine, label in ENGINES:
        few, over, within = (values.get(f"{prefix}.{engine}.{where}.take.p50") for where in ("few", "over", "within"))
        if few is None:
            continue

        def cell(value):
            return "–" if value is None else f"{value:.3f} ({value / few:.2f})"

        done = values.get(f"{prefix}.{engine}.over.complete.p50")
        rows.append([label, f"{few:.3f}", cell(over), cell(within), "–" if done is None else f"{done:.3f}"])
    return Table(title, ["claim of one, ms, p50", "few waiting", "urgent, over the backlog", "of the backlog", "its completion"],
                 rows, "backlog") if rows else None


def backlog(values):
    rows = latency_rows(values, "backlog")
    for row, name in zip(rows, [n for n in LATENCY_NAMES if values.get(f"backlog.{n}.put.count") is not None]):
        row.append(number(values.get(f"backlog.{name}.rate"), 0))
    found = [Table("Milliseconds of urgent jobs while all workers are busy with a backlog of lower ones",
                   ["backlog, ms"] + LATENCY_HEAD + ["jobs done a second"], rows, "backlog") if rows else None]
    return found + [claims(values, "claim", "What a claim costs over a backlog (ratio to few waiting)"),
                    claims(values, "deep", "The same over ten times as many")]


def horizon(values):
    rows = []
    for engine, label in ENGINES:
        none, held = f"horizon.{engine}.none", f"horizon.{engine}.held"
        if values.get(f"{none}.passing") is None:
            continue
        rows.append([label, number(values.get(f"{none}.passing"), 0), with_ratio(values, f"{held}.passing", f"{none}.passing"),
                     number(values.get(f"{none}.fresh"), 0), with_ratio(values, f"{none}.after", f"{none}.fresh"),
                     with_ratio(values, f"{held}.after", f"{held}.fresh")])
    return [Table("Jobs a second with an old snapshot, and between two vacuums",
                  ["jobs a second", "by 100, no snapshot", "by 100, snapshot held (ratio)", "one at a time, fresh",
                   "after the pass, not vacuumed (ratio to fresh)", "the same, snapshot held (ratio)"], rows, "horizon") if rows else None]


def size(values):
    rows = []
    for engine, label in ENGINES:
        if values.get(f"size.{engine}.wal") is None:
            continue
        rows.append([label] + [number(values.get(f"size.{engine}.{what}"), 0) for what in ("wal", "wal_single", "table", "index")])
    return [Table("Bytes for a job, in and out", ["bytes for a job", "WAL, by 100", "WAL, one at a time", "table left", "index left"],
                  rows, "size") if rows else None]


def push(values):
    pairs = (("push of one, 16 clients, workers running", "push", "bare_insert"),
             ("push of one, 16 clients, workers paused", "push_paused", "bare_insert"),
             ("push of one until applied and visible, sustained", "push_applied", "bare_insert"),
             ("push_many of 100, 4 clients, workers running", "push_many", "bare_insert_100"),
             ("push_many of 100, 4 clients, workers paused", "push_many_paused", "bare_insert_100"),
             ("claim and apply by the pool / DELETE by 100, 4 clients", "apply", "bare_delete_100"),
             ("claim and apply, a snapshot held open / none held", "apply_old_snapshot", "apply"))
    if values.get("push.push") is None:
        return []
    rows = [[label, number(values.get(f"push.{bare}"), 0), number(values.get(f"push.{ours}"), 0),
             number(values.ratio(f"push.{ours}", f"push.{bare}"), 2)] for label, ours, bare in pairs]
    found = [Table("The engine's own operations", ["operations a second", "bare", "ours", "ratio"], rows, "push")]
    bare = values.get("push.bare_insert_wal") + values.get("push.bare_delete_wal")
    rows = [[label, number(bare, 0), number(values.get(f"push.{name}"), 0), number(values.get(f"push.{name}") / bare, 2)]
            for label, name in (("push of one", "push_wal"), ("push_many of 100", "push_many_wal"), ("push_many of 100, by way of the queue", "queued_wal"))
            if values.get(f"push.{name}") is not None]
    found.append(Table("WAL of an operation, in and out", ["WAL, bytes for an operation", "bare", "ours", "ratio"], rows, "push"))
    series = (("bare INSERT: call to acknowledgement", "bare_call_to_ack"), ("push: call to acknowledgement", "push_call_to_ack"),
              ("push: call to visible in pull_wait", "push_call_to_visible"),
              ("push: acknowledgement to visible in pull_wait", "push_ack_to_visible"),
              ("push, crisis lane: call to acknowledgement", "crisis_call_to_ack"),
              ("push, crisis lane: call to visible in pull_wait", "crisis_call_to_visible"),
              ("premium interactive over the backlog", "backlog_interactive.premium"),
              ("basic interactive over the backlog", "backlog_interactive.basic"))
    rows = [[label] + [number(values.get(f"push.{name}.{stat}"), 3) for stat in ("p50", "p99", "max")] for label, name in series]
    found.append(Table("Latency of operations: empty queue, and over a backlog", ["milliseconds", "p50", "p99", "max"], rows, "push"))
    rows = [[label, number(values.get(f"push.{name}"), 0)] for label, name in
            (("background operations applied a second meanwhile", "backlog_rate"), ("waiting at the beginning", "backlog_before"),
             ("waiting at the end", "backlog_after"))]
    found.append(Table("The backlog of the operations above", ["backlog of operations", "number"], rows, "push"))
    return found
