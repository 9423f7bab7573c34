"""What was found where: the verdict, and its tables."""

import collections
import textwrap

import ways
from residue import RESIDUE

LEAST = 0.95                            # share that the control must find
SHOWN = 12                              # leaks shown one by one

# Where the control must find what, by place: all that was planted so.
EXPECTED = {
    "tables": lambda p: p.stored and not p.large,
    "TOAST": lambda p: p.stored and p.large,
    "indexes": lambda p: p.stored and not p.large,
    "WAL": lambda p: p.stored,
    "WAL archive": lambda p: p.stored,
    "base backup": lambda p: p.stored,
    "dump": lambda p: p.stored,
    "logical stream": lambda p: p.stored,
    "temporary files": lambda p: p.kind == ways.OWN,
    "log (stderr)": lambda p: p.kind in (ways.PARAMETER, ways.LITERAL),
    "log (csv)": lambda p: p.kind in (ways.PARAMETER, ways.LITERAL),
    "log (json)": lambda p: p.kind in (ways.PARAMETER, ways.LITERAL),
    "activity": lambda p: p.kind == ways.LITERAL and p.long,
    "pg_stat_statements": lambda p: p.kind == ways.LITERAL and p.way == "DO" and p.stored,
}
PLACES = [*EXPECTED, "catalogs", "free-space maps", "statistics files", "views", "key files", "other files"]


class Result:
    """What one server's sweep came to; small enough to be sent from one process to another."""

    def __init__(self, target, hits, bytes_read):
        self.planted = target.planted
        self.functions = len(target.functions)
        self.bytes_read = bytes_read
        self.seconds = {what: round(at - before, 1) for (_, before), (what, at) in zip(target.clock, target.clock[1:])}
        self.found = collections.defaultdict(dict)
        for hit in hits:
            self.found[hit.value.number].setdefault(hit.place, f"{hit.form} in {hit.path} at {hit.offset}")

    def places(self, planted):
        return self.found.get(planted.value.number, {})


class Verdict:
    def __init__(self, ours, control, uncovered):
        self.ours = ours
        self.control = control
        self.uncovered = uncovered
        self.leaks = []                 # (planted, place, where)
        self.residue = collections.Counter()
        for planted in ours.planted:
            for place, where in ours.places(planted).items():
                covering = [r.title for r in RESIDUE if r.covers(planted, place)]
                self.residue.update(covering[:1])
                if not covering:
                    self.leaks.append((planted, place, where))
        self.control_found = sum(1 for p in control.planted if control.places(p))
        self.by_place = {place: self.expectation(place) for place in EXPECTED}

    def expectation(self, place):
        """Of the control: how many values should be in a place, and how many are."""
        wanted = [p for p in self.control.planted if EXPECTED[place](p)]
        return len(wanted), sum(1 for p in wanted if place in self.control.places(p))

    @property
    def control_share(self):
        return self.control_found / max(1, len(self.control.planted))

    @property
    def blind(self):
        """Places that the control shows to be searched badly."""
        return [place for place, (wanted, found) in self.by_place.items() if not wanted or found < LEAST * wanted]

    @property
    def good(self):
        return not self.leaks and not self.uncovered and not self.blind and self.control_share >= LEAST

    def leaking(self, *kinds):
        return len({p.value.number for p, *_ in self.leaks if p.kind in kinds})

    def count(self, *kinds):
        return sum(1 for p in self.ours.planted if p.kind in kinds)

    # -- what is printed --------------------------------------------------------------------------

    def show(self, seconds):
        self.show_paths()
        self.show_places()
        self.show_residue()
        for planted, place, where in self.leaks[:SHOWN]:
            print(f"LEAK: {planted.value.text!r}, {planted.kind}, {planted.path}; {planted.variant} {planted.argument}"
                  f" of {planted.function} ({planted.state}): {place}, {where}")
        for line in self.uncovered:
            print(f"NOT COVERED: {line}")
        for place in self.blind:
            print(f"CONTROL: {place}: {self.by_place[place][1]} of {self.by_place[place][0]} values found")
        outside = "found outside the list of what is left"
        print()
        print(f"functions covered: {self.ours.functions - len(self.uncovered)} of {self.ours.functions}")
        print(f"by parameter: {self.count(ways.PARAMETER)} values planted, {self.leaking(ways.PARAMETER)} found")
        print(f"as literal: {self.count(ways.LITERAL)} values planted, {self.leaking(ways.LITERAL)} {outside}")
        print(f"caller's own temporary data: {self.count(ways.STREAM, ways.OWN)} values planted,"
              f" {self.leaking(ways.STREAM, ways.OWN)} {outside}")
        print(f"control: {self.control_found} of {len(self.control.planted)} values found ({self.control_share:.1%})")
        print(f"{(self.ours.bytes_read + self.control.bytes_read) / 1e9:.1f} GB searched; {seconds:.0f} s in all")

    def show_paths(self):
        """A line for each path: how many values, and how many of them were found where."""
        rows = collections.defaultdict(lambda: [0, collections.Counter(), 0, 0])
        for planted in self.ours.planted:
            row = rows[planted.kind, planted.path]
            row[0] += 1
            row[1].update(list(self.ours.places(planted)))
        for planted in self.control.planted:
            row = rows[planted.kind, planted.path]
            row[2] += 1
            row[3] += bool(self.control.places(planted))
        print(f"{'kind':<10}{'path':<44}{'planted':>8}  {'found in':<46}{'control':>14}")
        for (kind, path), (count, places, control, found) in rows.items():
            where = ", ".join(f"{place} {n}" for place, n in places.items()) or "–"
            print(f"{kind:<10}{path:<44}{count:>8}  {where:<46}{f'{found} of {control}' if control else '–':>14}")

    def show_places(self):
        kinds = (ways.PARAMETER, ways.LITERAL, ways.STREAM, ways.OWN)
        counts = collections.Counter((place, p.kind) for p in self.ours.planted for place in self.ours.places(p))
        print(f"\n{'found in':<24}" + "".join(f"{kind:>12}" for kind in kinds) + f"{'control':>20}")
        for place in PLACES:
            wanted, found = self.by_place.get(place, (0, 0))
            print(f"{place:<24}" + "".join(f"{counts[place, kind]:>12}" for kind in kinds)
                  + f"{f'{found} of {wanted}' if place in self.by_place else '–':>20}")

    def show_residue(self):
        print("\nwhat is left, and why:")
        for residue in RESIDUE:
            count = self.residue[residue.title]
            print(f"  {residue.title} [{residue.place}; {', '.join(residue.kinds)}]: {count} values")
            for line in textwrap.wrap(f"{residue.why} {residue.remedy}", 112):
                print(f"      {line}")

    def data(self):
        return {
            "good": self.good, "uncovered": self.uncovered, "residue": self.residue, "by_place": self.by_place,
            "seconds": {"ours": self.ours.seconds, "control": self.control.seconds},
            "leaks": [[p.value.text, p.kind, p.path, p.function, p.argument, p.variant, p.state, place, where]
                      for p, place, where in self.leaks],
            "control_not_in": {place: [[p.value.text, p.path, p.function, p.argument, p.variant, p.state]
                                       for p in self.control.planted
                                       if EXPECTED[place](p) and place not in self.control.places(p)]
                               for place in EXPECTED},
            "control_not_found": [[p.value.text, p.kind, p.path, p.function, p.argument, p.variant, p.state]
                                  for p in self.control.planted if not self.control.places(p)],
        }
