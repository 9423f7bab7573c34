"""One row of the matrix: what was measured, and the verdict over it."""

BOUND_US = 200000  # from the call to a waiting device, always
ORDER_FILES = ["rows_load.sh", "rows_tables.sh", "rows_processes.sh", "rows_state.sh", "rows_server.sh", "rows_share.sh"]
STATISTICS = ("count", "p50", "p99", "p999", "max")
TIMES = ("call_to_ack", "call_to_visible", "ack_to_visible", "takeover", "claimable")


def milliseconds(us):
    if us is None:
        return ""
    value = us / 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


class Row:
    def __init__(self, folder, name):
        self.name = name
        self.values = {}
        self.operations = []
        with open(f"{folder}/values/{name}", encoding="utf-8") as file:
            for text in file:
                key, _, rest = text.rstrip("\n").partition(" ")
                self.values.setdefault(key, []).append(rest)
        try:
            with open(f"{folder}/operations/{name}", encoding="utf-8") as file:
                next(file)
                self.operations = [tuple(int(part) for part in text.split()[2:]) for text in file]
        except FileNotFoundError:
            pass

    def one(self, key):
        return self.values.get(key, [None])[-1]

    def number(self, key):
        return int(self.one(key) or 0)

    def shown(self, key):
        return self.one(key) or ""

    @property
    def title(self):
        return self.one("title") or self.name

    @property
    def rule(self):
        return self.one("rule")

    def times(self, name):
        """Statistics of one kind of time in microseconds; empty if there are none."""
        if self.one(name) is None:
            return {}
        return dict(zip(STATISTICS, (int(float(part)) for part in self.one(name).split())))

    def failures(self):
        return {text.split()[0]: int(text.split()[1]) for text in self.values.get("failed", [])}

    def samples(self, name):
        """Microseconds, of each operation that came so far."""
        ends = {"call_to_visible": (0, 2), "ack_to_visible": (1, 2), "call_to_ack": (0, 1)}[name]
        return [times[ends[1]] - times[ends[0]] for times in self.operations if times[1] and times[ends[1]]]

    # What is wrong, in words.

    def wrong_always(self):
        """What no row may have."""
        for key in ("broken", "lost", "duplicated", "told_twice", "not_applied", "feed_gaps", "stuck"):
            if self.one(key) not in (None, "0"):
                yield f"{key.replace('_', ' ')} {self.one(key)}"
        if self.rule not in ("baseline",) and self.one("lost") is None:
            yield "not verified"
        if self.number("acknowledged") == 0:
            yield "nothing acknowledged"
        if self.number("unseen"):
            yield f"unseen {self.number('unseen')}"

    def wrong_faults(self):
        if self.number("faults") == 0 and self.name not in ("idle", "steady"):
            yield "the fault did not happen"

    def wrong_crashes(self):
        if self.number("crashed"):
            yield f"the server crashed, {self.number('crashed')} times"

    def wrong_refusals(self):
        """Everything sent is acknowledged, and nobody was told of a failure that the row does not allow."""
        if self.number("acknowledged") != self.number("sent") or self.number("refused"):
            yield f"{self.number('sent') - self.number('acknowledged')} not acknowledged"
        allowed = (self.one("allow") or "").split()
        unexpected = {state: count for state, count in self.failures().items() if state not in allowed}
        if unexpected:
            yield "failed calls: " + ", ".join(f"{count} × {state}" for state, count in unexpected.items())

    def wrong_times(self):
        if self.too_short():
            return
        longest = self.times("call_to_visible").get("max")
        if longest is None or longest >= BOUND_US:
            yield f"max {milliseconds(longest)} ms"
        bundles = [int(part) for part in (self.one("bundles") or "0 0 0").split()]
        if bundles[1] or bundles[2] >= BOUND_US:
            yield f"crisis_bundle: {bundles[1]} failed, {milliseconds(bundles[2])} ms at most"

    def wrong_limits(self):
        if self.too_short():
            return
        for text in self.values.get("limit", []):
            name, most = text.split()
            kind, statistic = name.split(".")
            found = self.times(kind).get(statistic)
            if found is None or found > int(most):
                yield f"{kind.replace('_', ' ')} {statistic} {milliseconds(found)} ms, wanted {milliseconds(int(most))}"

    def wrong(self):
        if self.one("skip") is not None or self.rule == "share":
            return []
        if self.rule == "baseline":
            return [] if self.times("call_to_ack") else ["not measured"]
        found = list(self.wrong_always()) + list(self.wrong_faults())
        if self.rule not in ("restarts",):
            found += list(self.wrong_crashes())
        if self.rule == "serves":
            found += list(self.wrong_refusals()) + list(self.wrong_times()) + list(self.wrong_limits())
        elif self.rule in ("restarts", "waits"):
            if self.number("acknowledged") != self.number("sent"):
                found.append("not all acknowledged in the end")
        elif self.rule == "refuses":
            found += list(self.wrong_explicit())
        elif self.rule != "exempt":
            found.append("no rule")
        return found

    def too_short(self):
        """A row that was only to show that it works."""
        return self.one("size") == "smoke"

    def wrong_explicit(self):
        """What is refused is told why, by a code that the row names."""
        if self.number("refused") == 0:
            yield "nothing was refused"
        unexpected = set(self.failures()) - set((self.one("allow") or "").split())
        if unexpected:
            yield "failed calls: " + ", ".join(sorted(unexpected))
        if self.operations and not self.operations[-1][1]:
            yield "not served again"

    def holds(self):
        return not self.wrong()

    def verdict(self):
        if self.one("skip") is not None:
            return "skipped"
        if self.wrong():
            return "MISSED: " + "; ".join(self.wrong())
        return {"baseline": "baseline", "share": "share", "exempt": "no promise", "refuses": "met: refused",
                "waits": f"met: waits, {milliseconds(self.times('call_to_ack').get('max'))} ms at most",
                "restarts": f"met: {milliseconds(self.number('gap'))} ms without service"}.get(self.rule, "met")

    def remarks(self):
        if self.one("skip") is not None:
            yield self.one("skip")
        yield from self.values.get("note", [])
        if self.failures():
            yield ("failed and repeated: " if self.rule != "refuses" else "failed: ") + ", ".join(
                f"{count} × {state}" for state, count in sorted(self.failures().items()))
        if self.number("queued"):
            yield f"{self.number('queued')} went through the lane's queue"
        if self.times("takeover"):
            yield (f"takeover: {self.times('takeover')['count']} rounds, p50 {milliseconds(self.times('takeover')['p50'])} ms, "
                   f"max {milliseconds(self.times('takeover')['max'])} ms")
        if self.times("claimable"):
            yield (f"claimable: {self.times('claimable')['count']} items, p50 {milliseconds(self.times('claimable')['p50'])} ms, "
                   f"max {milliseconds(self.times('claimable')['max'])} ms")
        if self.rule == "refuses":
            yield f"{self.number('refused')} of {self.number('sent')} were refused"
