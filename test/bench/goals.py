"""What the figures must show, each held against what was measured."""

import tables_crisis
from tables_engine import class_values, floods, missed_order
from values import PEERS, number

BY_CHANCE = 1.1, 5      # p99 of two samples of the same thing differ by a tenth and 5 ms, easily


# The level of each class, by tier, as shipped.
LEVELS = {
    "control": {"premium": 8, "grace_period": 8, "basic": 8, "trial": 8},
    "session": {"premium": 7, "grace_period": 8, "basic": 6, "trial": 5},
    "interactive": {"premium": 6, "grace_period": 7, "basic": 4, "trial": 3},
    "standard": {"premium": 5, "grace_period": 6, "basic": 4, "trial": 3},
    "bulk": {"premium": 2, "grace_period": 3, "basic": 2, "trial": 2},
    "background": {"premium": 1, "grace_period": 1, "basic": 1, "trial": 1},
}


class Goal:
    """met: None where a figure is only told."""

    def __init__(self, text, measured, wanted, met):
        self.text, self.measured, self.wanted, self.met = text, measured, wanted, met

    def cells(self):
        verdict = "not measured" if self.measured is None else "no goal" if self.met is None else "met" if self.met else "MISSED"
        return [self.text, "–" if self.measured is None else self.measured, self.wanted, verdict]


def at_least(text, value, wanted, unit=" ×"):
    return Goal(text, None if value is None else number(value, 2 if unit == " ×" else 0) + unit,
                f"≥ {number(wanted, 2 if unit == ' ×' else 0)}{unit}", value is not None and value >= wanted)


def at_most(text, value, wanted, unit):
    digits = 2 if unit == " ×" else 0
    return Goal(text, None if value is None else number(value, digits) + unit, f"≤ {number(wanted, digits)}{unit}",
                value is not None and value <= wanted)


def ahead(values, ours):
    """In how many of the cases that both have ours is before every peer."""
    cases = won = 0
    behind = []
    for part in ("submit", "work"):
        for name in values.names(f"{part}.{ours}."):
            case = name.split(".", 2)[2]
            theirs = [values.get(f"{part}.{peer}.{case}") for peer in PEERS]
            theirs = [value for value in theirs if value is not None]
            if not theirs:
                continue
            cases += 1
            if values.get(name) > max(theirs):
                won += 1
            else:
                behind.append(f"{part} {case}")
    return Goal(f"{ours}: rows ahead of every peer", f"{won} of {cases}" + (f", not {', '.join(behind)}" if behind else "") if cases else None,
                "all", cases > 0 and won == cases)


def over_few(values, prefix, where):
    few, over = (values.get(f"{prefix}.ours.{x}.take.p50") for x in ("few", where))
    return over / few if few and over else None


def change(pair):
    return None if pair is None else f"{(pair[3] - pair[2]) * 100:+.2f} points ({pair[0]} by {pair[1]})"


def out_of_order(values):
    """What missed its target although something of a lower level, whose target is no longer, met its own."""
    late = missed_order(values)
    good = [row for row in class_values(values, "above") if row not in late]
    level = lambda row: LEVELS[row["class"]][row["tier"]]
    return [f"{row['class']} {row['tier']} before {other['class']} {other['tier']}" for row in late for other in good
            if level(other) < level(row) and other["target"] <= row["target"]]


def classes(values):
    rows = class_values(values, "below")
    late = [f"{row['class']} {row['tier']}" for row in rows if row["p99"] > row["target"]]
    slower = []
    for klass in {row["class"] for row in rows}:
        p99 = {row["tier"]: row["p99"] for row in rows if row["class"] == klass}
        if {"premium", "grace_period"} <= set(p99) and p99["grace_period"] > p99["premium"] * BY_CHANCE[0] + BY_CHANCE[1]:
            slower.append(f"{klass} {p99['grace_period']:g} over {p99['premium']:g} ms")
    order = " → ".join(f"{row['class']} {row['tier']}" for row in missed_order(values)[:4])
    equals = {"premium", "grace_period"}
    pairs = floods(values)
    worst = min((pair for pair in pairs if {pair[0], pair[1]} != equals), key=lambda pair: pair[3] - pair[2], default=None)
    beside = min((pair for pair in pairs if {pair[0], pair[1]} == equals), key=lambda pair: pair[3] - pair[2], default=None)
    return [
        Goal("at 0.8 of capacity p99 within the target, each class and tier",
             None if not rows else f"{len(rows) - len(late)} of {len(rows)}" + (f", not {', '.join(late)}" if late else ""), "all", not late),
        Goal("grace p99 no more than premium's, each class (a tenth and 5 ms are chance)", None if not rows else "yes" if not slower else ", ".join(sorted(slower)), "yes", not slower),
        Goal("order in which targets are missed above capacity", ", ".join(out_of_order(values)) or order or None,
             "lowest levels first", not out_of_order(values)),
        Goal("attainment of a tier while a lower one floods, worst change", change(worst), "≥ -0.1 points",
             worst is not None and worst[3] - worst[2] >= -0.001),
        Goal("the same of premium and grace, which are served alike", change(beside), "–", None),
    ]


def below_ms(values, text, name, wanted):
    value = values.get(name)
    digits = 3 if wanted < 1 else 2
    return Goal(text, None if value is None else f"{value:.{digits}f} ms", f"≤ {wanted:g} ms", value is not None and value <= wanted)


def crisis(values):
    """Of the crisis lane; all of these have their baseline in the same run."""
    prefix = "crisis.idle"
    ratio = None
    if values.get(f"{prefix}.bare_call_to_ack.p50"):
        ratio = values.get(f"{prefix}.call_to_visible.p50") / values.get(f"{prefix}.bare_call_to_ack.p50")
    loaded = [row for row, _ in tables_crisis.ROWS if values.get(f"crisis.{row}.sent") is not None]
    worst = max((values.get(f"crisis.{row}.call_to_visible.max") for row in loaded), default=None)
    wrong = sum(values.get(f"crisis.{row}.{name}") for row in loaded for name in ("lost", "twice", "refused"))
    apart = tables_crisis.spread(values)
    return [
        at_most("crisis, idle: call to visible / a bare commit, p50", ratio, 1.5, " ×"),
        below_ms(values, "crisis, idle: acknowledged to visible, p50", f"{prefix}.ack_to_visible.p50", 0.06),
        below_ms(values, "the same, p99", f"{prefix}.ack_to_visible.p99", 0.3),
        below_ms(values, "crisis, idle: call to visible, p50", f"{prefix}.call_to_visible.p50", 0.9),
        below_ms(values, "the same, p99", f"{prefix}.call_to_visible.p99", 2),
        below_ms(values, "16 durable writers and a checkpoint each second, p99.9", "crisis.writers.call_to_visible.p999", 10),
        below_ms(values, "a backlog with the pool saturated, p99.9", "crisis.backlog.call_to_visible.p999", 8),
        below_ms(values, "the engine's own bulk, p99.9", "crisis.bulk.call_to_visible.p999", 6),
        Goal("crisis by tier: p50 of two tiers apart / of two subjects of one tier", None if apart is None else f"{apart[0] * 1000:.0f} / {apart[1] * 1000:.0f} µs",
             "no more", apart is not None and apart[0] <= apart[1]),
        Goal("crisis: the longest of all rows", None if worst is None else f"{worst:.1f} ms", "< 200 ms", worst is not None and worst < 200),
        Goal("crisis: lost, told twice, refused", None if not loaded else f"{wrong:.0f}", "0", bool(loaded) and wrong == 0),
    ]


def goals(values):
    p99 = values.get("push.backlog_interactive.premium.p99")
    share = values.get("push.backlog_rate")
    total = values.get("push.push_applied")
    waited = values.get("push.backlog_before")
    idle_seconds = values.get("idle.seconds")
    idle_share = None if idle_seconds is None else values.get("idle.cpu_ms") / idle_seconds / 10
    extra_wal = None if idle_seconds is None else max(0, values.get("idle.wal") - values.get("idle.wal_plain"))
    over, within = over_few(values, "claim", "over"), over_few(values, "claim", "within")
    return [
        at_least("submit of one, 16 clients / bare INSERT", values.ratio("submit.ours.1.16", "submit.bare.1.16"), 0.85),
        at_least("submit by 100, 4 clients / bare multi-row INSERT", values.ratio("submit.ours.100.4", "submit.bare.100.4"), 0.60),
        at_least("claim and complete one at a time, 4 workers / bare DELETE", values.ratio("work.ours.1.4", "work.bare.1.4"), 2.0),
        at_least("the same, each completion durable by itself", values.ratio("work.firm.1.4", "work.bare.1.4"), 0.8),
        at_least("claim and complete by 100, 4 workers / bare DELETE", values.ratio("work.ours.100.4", "work.bare.100.4"), 1.0),
        ahead(values, "ours"),
        ahead(values, "unsealed"),
        at_least("the flow with a snapshot held / without", values.ratio("horizon.ours.held.passing", "horizon.ours.none.passing"), 0.95),
        at_least("one at a time after the flow, not vacuumed / fresh", values.ratio("horizon.ours.none.after", "horizon.ours.none.fresh"), 0.8),
        at_most("claim of an urgent job over the backlog / few waiting", over, 1.1, " ×"),
        at_most("claim of the backlog itself / few waiting", within, 1.1, " ×"),
        at_most("the same over ten times as many", over_few(values, "deep", "over"), 1.5, " ×"),
        at_most(f"premium interactive p99, {number(waited, 0)} background operations waiting", p99, 100, " ms"),
        at_least("background meanwhile, of all that can be applied", share / total if share and total else None, 0.1),
        at_least("push of one, 16 clients / bare INSERT", values.ratio("push.push", "push.bare_insert"), 0.70),
        at_least("push_many of 100, 4 clients / bare multi-row INSERT", values.ratio("push.push_many", "push.bare_insert_100"), 0.40),
        at_least("operations from push to visible, sustained", total, 8000, "/s"),
        at_most("WAL of a job in and out, one at a time", values.get("size.ours.wal_single"), 900, " B"),
        at_most("WAL of a job in and out, by 100", values.get("size.ours.wal"), 900, " B"),
        at_most("WAL of an operation in and out, one at a time", values.get("push.push_wal"), 900, " B"),
        at_most("WAL of an operation in and out, by 100", values.get("push.push_many_wal"), 900, " B"),
        *classes(values),
        *crisis(values),
        Goal("processor time of an idle engine", None if idle_share is None else f"{idle_share:.3f} % of one core", "≤ 0.1 %",
             idle_share is not None and idle_share <= 0.1),
        Goal("WAL of an idle engine, beyond a server's own", None if extra_wal is None else f"{extra_wal:,.0f} B", "0 B", extra_wal == 0),
    ]
