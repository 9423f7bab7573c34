"""What the parts of the benchmark left behind: values by name and round, and what they were measured with."""

import statistics

PARTS = ("submit", "work", "latency", "backlog", "horizon", "size", "push", "tiers", "crisis", "idle", "memory")
ENGINES = (
    ("bare", "bare statements"),
    ("prio", "bare, index by priority"),
    ("ours", "paws_sync, sealed"),
    ("firm", "paws_sync, each durable by itself"),
    ("unsealed", "paws_sync, without sealing"),
    ("pgq", "PgQ"),
    ("graphile", "graphile-worker, its SQL"),
    ("graphile_node", "graphile-worker, its node client"),
    ("pgboss", "pg-boss, its SQL"),
    ("pgboss_node", "pg-boss, its node client"),
)
PEERS = ("pgq", "graphile", "graphile_node", "pgboss", "pgboss_node")


class Values:
    """All parts together; a name tells its part."""

    def __init__(self, folder):
        self.rounds, self.parts, self.machine = {}, {}, {}
        for part in PARTS:
            try:
                with open(f"{folder}/values/{part}", encoding="utf-8") as lines:
                    self.read(part, lines)
            except FileNotFoundError:
                continue
        try:
            with open(f"{folder}/machine", encoding="utf-8") as lines:
                self.machine = dict(line.rstrip("\n").split(" ", 1) for line in lines if " " in line)
        except FileNotFoundError:
            pass

    def read(self, part, lines):
        about = {"remarks": [], "values": {}}
        for line in lines:
            if line.startswith("# "):
                key, _, text = line[2:].rstrip("\n").partition(" ")
                if key == "remark":
                    about["remarks"].append(text)
                else:
                    about[key] = text
                continue
            name, turn, value = line.split()[:3] if len(line.split()) == 3 else (None, None, None)
            if name is None:
                continue
            self.rounds.setdefault(name, {})[turn] = float(value)
            about["values"].setdefault(name, []).append(float(value))
        self.parts[part] = about

    def get(self, name):
        """The median of the rounds, or None."""
        return statistics.median(self.rounds[name].values()) if name in self.rounds else None

    def ratio(self, name, to):
        """The median of each round's ratio, or None; a value measured once is held against the median."""
        ours, theirs = self.rounds.get(name), self.rounds.get(to)
        if not ours or not theirs:
            return None
        if len(ours) == 1 and len(theirs) > 1:
            return self.get(name) / self.get(to)
        both = [ours[turn] / theirs[turn] for turn in ours if theirs.get(turn)]
        return statistics.median(both) if both else None

    def names(self, prefix):
        return [name for name in self.rounds if name.startswith(prefix)]


def number(value, digits=None):
    """As people write it; an en dash for what was not measured."""
    if value is None:
        return "–"
    if digits is None:
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"
