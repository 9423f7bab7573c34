"""The tables of the engine's own parts: classes and tiers, an idle engine, shared memory."""

from tables import Table
from values import number

CLASSES = ("control", "session", "interactive", "standard", "bulk", "background")
TIERS = ("premium", "grace_period", "basic", "trial")


def words(name):
    return name.replace("_", " ")


def class_values(values, which):
    """Each class and tier with traffic: a dictionary of its figures, in ms."""
    found = []
    for klass in CLASSES:
        for tier in TIERS:
            prefix = f"tiers.{which}.{klass}.{tier}"
            if values.get(f"{prefix}.count") is None:
                continue
            row = {stat: values.get(f"{prefix}.{stat}") for stat in
                   ("count", "p50", "p95", "p99", "p999", "max", "target", "attainment", "missed_after")}
            found.append(dict(row, **{"class": klass, "tier": tier, "count": int(row["count"])}))
    return found


def percent(value):
    return "–" if value is None else f"{value * 100:.2f} %"


def below(values):
    rows = [[f"{row['class']}, {words(row['tier'])}", number(row["count"], 0), number(row["p50"]), number(row["p99"]),
             number(row["max"]), number(row["target"], 0), percent(row["attainment"])] for row in class_values(values, "below")]
    if not rows:
        return None
    return Table(f"Classes and tiers at 0.8 of capacity: {number(values.get('tiers.below.offered'), 0)} of "
                 f"{number(values.get('tiers.capacity'), 0)} operations a second",
                 ["push to visible, ms", "operations", "p50", "p99", "max", "target", "met"], rows, "tiers")


def missed_order(values):
    """Those that fell below 99 %, in the order in which they did."""
    late = [row for row in class_values(values, "above") if row["attainment"] is not None and row["attainment"] < 0.99]
    return sorted(late, key=lambda row: row["missed_after"] if row["missed_after"] is not None else 1e9)


def above(values):
    if not class_values(values, "above"):
        return None
    rows = [[f"{n}. {row['class']}, {words(row['tier'])}", number(row["missed_after"]), number(row["target"] / 1000), number(row["p99"] / 1000),
             percent(row["attainment"])] for n, row in enumerate(missed_order(values), 1)]
    rows = rows or [["none was missed", "–", "–", "–", "–"]]
    return Table(f"Above capacity ({number(values.get('tiers.above.offered'), 0)} operations a second, "
                 f"{number(values.get('tiers.above.waiting'), 0)} waiting at the end): the order in which targets are missed",
                 ["missed, in order", "after s", "target s", "p99 s", "met"], rows, "tiers")


def floods(values):
    """(tier, flooding tier, attainment alone, with the flood, p99 alone, with the flood)"""
    found = []
    for name in values.names("flood."):
        _, tier, flooded, stat = name.split(".")
        if stat == "attainment" and flooded != "none":
            alone, beside = f"flood.{tier}.none", f"flood.{tier}.{flooded}"
            found.append((tier, flooded, values.get(f"{alone}.attainment"), values.get(f"{beside}.attainment"),
                          values.get(f"{alone}.p99"), values.get(f"{beside}.p99")))
    return found


def flood(values):
    rows = [[f"{words(tier)}, while {words(flooded)} floods", percent(alone), percent(beside), number(alone_p99), number(beside_p99)]
            for tier, flooded, alone, beside, alone_p99, beside_p99 in floods(values)]
    return Table("A flood of one tier beside another", ["tier", "met, alone", "met, flooded", "interactive p99 ms, alone", "flooded"],
                 rows, "tiers") if rows else None


def tiers(values):
    return [below(values), above(values), flood(values)]


def idle(values):
    seconds = values.get("idle.seconds")
    if seconds is None:
        return []
    rows = [[f"processor time of our {values.get('idle.processes'):.0f} processes, ms", number(values.get("idle.cpu_ms"), 0),
             f"{values.get('idle.cpu_ms') / seconds / 10:.3f} %"],
            ["WAL, bytes", number(values.get("idle.wal"), 0), f"{values.get('idle.wal') / seconds:.0f} a second"],
            ["WAL of a server without our library, bytes", number(values.get("idle.wal_plain"), 0),
             f"{values.get('idle.wal_plain') / seconds:.0f} a second"]]
    return [Table(f"An engine without work, for {seconds:.0f} s", ["idle", "in all", "of one core, or"], rows, "idle")]


def memory(values):
    rows, shipped, grown = [], 0, 0
    for name in values.names("memory."):
        _, part, stat = name.split(".")
        if stat == "shipped":
            more = values.get(f"memory.{part}.per_10000") or 0
            rows.append([words(part), number(values.get(name), 0), number(more, 0)])
            shipped, grown = shipped + values.get(name), grown + more
    rows.append(["all", number(shipped, 0), number(grown, 0)])
    return [Table("Shared memory in bytes", ["part", "as shipped", "for 10,000 subjects more"], rows, "memory")] if len(rows) > 1 else []
