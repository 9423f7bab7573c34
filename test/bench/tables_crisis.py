"""The tables of the crisis lane: latencies beside bare INSERTs of the same sessions, and tier by tier."""

from tables import Table
from values import number

ROWS = (
    ("idle", "idle, one session"),
    ("unsealed", "idle, a build that does not seal"),
    ("tiers", "subjects of all tiers"),
    ("writers", "16 durable writers and a checkpoint each second"),
    ("bulk", "the engine's own bulk"),
    ("backlog", "a backlog, the pool saturated"),
)
SERIES = (("bare_call_to_ack", "bare INSERT"), ("call_to_ack", "call to acknowledged"), ("call_to_visible", "call to visible"),
          ("ack_to_visible", "acknowledged to visible"))
STATS = ("p50", "p99", "p999", "max")
TIERS = ("premium", "grace_period", "basic", "trial")


def latencies(values):
    rows = []
    for row, title in ROWS:
        for series, label in SERIES:
            found = [values.get(f"crisis.{row}.{series}.{stat}") for stat in STATS]
            if found[0] is not None:
                rows.append([f"{title}: {label}", number(values.get(f"crisis.{row}.{series}.count"), 0)] + [number(value, 3) for value in found])
    return Table("Crisis operations, ms", ["ms", "samples", "p50", "p99", "p99.9", "max"], rows, "crisis") if rows else None


def counts(values):
    rows = []
    for row, title in ROWS:
        if values.get(f"crisis.{row}.sent") is not None:
            rows.append([title] + [number(values.get(f"crisis.{row}.{name}"), 0) for name in ("sent", "lost", "twice", "refused", "late")])
    return Table("What became of them (late: sent behind time, since the one before took so long)",
                 ["operations", "sent", "lost", "twice", "refused", "late"], rows, "crisis") if rows else None


def tiers(values):
    """(tier, run, p50, p99)"""
    found = []
    for tier in TIERS:
        for run in (0, 1):
            p50 = values.get(f"crisis.tier.{tier}.{run}.p50")
            if p50 is not None:
                found.append((tier, run, p50, values.get(f"crisis.tier.{tier}.{run}.p99")))
    return found


def spread(values):
    """How far the tiers are apart in the p50 of their calls, and how far two subjects of one tier are: in ms, each the largest."""
    by_tier = {}
    for tier, _, p50, _ in tiers(values):
        by_tier.setdefault(tier, []).append(p50)
    if len(by_tier) < 2 or any(len(pair) < 2 for pair in by_tier.values()):
        return None
    means = [sum(pair) / len(pair) for pair in by_tier.values()]
    return max(means) - min(means), max(max(pair) - min(pair) for pair in by_tier.values())


def tier_table(values):
    rows = [[f"{tier.replace('_', ' ')}, subject {run + 1}", number(p50, 3), number(p99, 3)] for tier, run, p50, p99 in tiers(values)]
    return Table("Call to visible by tier, ms", ["ms", "p50", "p99"], rows, "crisis") if rows else None


def beside(values):
    rows = []
    if values.get("crisis.bulk.wal") is not None:
        rows = [["WAL beside the bulk row, MB a second (all writers)", number(values.get("crisis.bulk.wal"))],
                ["subjects whose feed expired meanwhile", number(values.get("crisis.bulk.expired"), 0)],
                ["data keys made by rotations meanwhile", number(values.get("crisis.bulk.resealed"), 0)]]
    if values.get("crisis.backlog.before") is not None:
        rows += [["waiting when the backlog row began", number(values.get("crisis.backlog.before"), 0)],
                 ["waiting at its end", number(values.get("crisis.backlog.after"), 0)]]
    return Table("What went on beside", ["", "measured"], rows, "crisis") if rows else None


def crisis(values):
    return [latencies(values), counts(values), tier_table(values), beside(values)]
