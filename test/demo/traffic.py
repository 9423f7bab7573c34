"""The people of the clinic and their day: who has which tier and devices, and what happens when.

A day is a list of events per subject, drawn from a seed, so that the same seed gives the same day:

    (second of the day, subject, device number, kind, actions)

kind     'open'    the app is opened, edits, syncs, closes
         'step'    a checkpoint of a running session
         'return'  a device that was offline comes back with everything it has gathered
         'charge'  the device charges and reports on itself
         'tier'    a payment fails or a trial is paid for
actions  a list of (what, argument) that documents() turns into edits.
"""

import bisect
import itertools
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import fhir

DAY = 86_400

# name, class, conflict policy, and how it is sealed if not as usual for its class
COLLECTIONS = (
    ("safety_plan", "safety", "branch"),
    ("session_state", "session", "server_order"),
    ("mood", "interactive", "append"),
    ("phq9", "standard", "append"),
    ("gad7", "standard", "append"),
    ("journal", "standard", "server_order"),
    ("library", "bulk", "server_order", "aes"),
    ("housekeeping", "background", "server_order"),
)
CLASS_OF = {name: klass for name, klass, *_ in COLLECTIONS}
CRISIS = frozenset(name for name, klass, *_ in COLLECTIONS if klass in ("emergency", "safety"))
REGIONS = ("us", "us_ny", "ca", "gb", "de", None)       # where the app is when it asks for hotlines

TIERS = (("trial", 15), ("basic", 50), ("premium", 30), ("grace_period", 5))
PLATFORMS = (("ios", 38), ("android", 36), ("web", 14), ("wearable", 7), ("desktop", 5))
DEVICE_SHARES = {"trial": (70, 25, 5, 0), "basic": (45, 38, 13, 4), "premium": (20, 45, 25, 10),
                 "grace_period": (25, 45, 22, 8)}

# How often the app is opened, by local hour: before work and in the evening most of all.
HOURS = (0.5, 0.3, 0.2, 0.2, 0.3, 0.8, 1.8, 3.0, 3.1, 2.0, 1.3, 1.1, 1.4, 1.3, 1.0, 1.0, 1.2, 1.6, 2.1, 2.6,
         3.2, 3.1, 2.2, 1.1)
# Hard hours lie elsewhere: a safety plan is opened in the late evening and at night.
HARD_HOURS = (2.6, 2.4, 2.0, 1.6, 1.2, 0.9, 0.7, 0.7, 0.8, 0.8, 0.8, 0.8, 0.9, 0.9, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6,
              1.9, 2.3, 2.6, 2.8)
ZONES = ((-1, 30), (0, 45), (1, 15), (2, 10))           # hours from the clinic's own time

OUTAGE_END = 14.1 * 3600        # a mobile network comes back, cell by cell


@dataclass
class Subject:
    index: int
    tier: str
    platforms: list
    zone: int
    severity: float
    patient: str
    seed: str
    token: str = ""
    devices: list = field(default_factory=list)
    documents: dict = field(default_factory=dict)        # collection -> list of doc ids that can be edited


def _pick(rng, weighted):
    names, weights = zip(*weighted)
    return rng.choices(names, weights)[0]


def subject(seed, index, device_limits):
    """The subject of that number, with no more devices than its tier has."""
    rng = random.Random(f"{seed}/subject/{index}")
    tier = _pick(rng, TIERS)
    count = rng.choices((1, 2, 3, 4), DEVICE_SHARES[tier])[0]
    limit = device_limits.get(tier)
    if limit is not None:
        count = max(1, min(count, limit))
    return Subject(
        index=index, tier=tier,
        platforms=[_pick(rng, PLATFORMS) for _ in range(count)],
        zone=_pick(rng, ZONES), severity=rng.betavariate(2, 4),
        patient=str(uuid.UUID(int=rng.getrandbits(128), version=4)), seed=f"{seed}/day/{index}")


def _moment(rng, hours, zone):
    """A second of the clinic's day, by the rhythm of the subject's own local hours."""
    cumulative = list(itertools.accumulate(hours))
    hour = bisect.bisect(cumulative, rng.random() * cumulative[-1])
    return ((hour + rng.random() - zone) % 24) * 3600


def _count(rng, mean, most):
    return min(most, int(rng.expovariate(1 / mean) + 0.5))


def _opens(rng, person):
    """Ordinary use: a few opens, each with what one does in an app of this kind."""
    for _ in range(1 + _count(rng, 2.4, 9)):
        actions = []
        if rng.random() < 0.72:
            actions.append(("mood", None))
        if rng.random() < 0.30:
            actions.append(("journal", rng.choices(("new", "edit", "delete"), (60, 36, 4))[0]))
        if rng.random() < 0.07:
            actions.append(("phq9", None))
        if rng.random() < 0.07:
            actions.append(("gad7", None))
        if rng.random() < 0.14:
            actions.extend(("library", None) for _ in range(1 + _count(rng, 1, 4)))
        device = 0 if rng.random() < 0.6 else rng.randrange(len(person.platforms))
        yield _moment(rng, HOURS, person.zone), device, "open", actions


def _sessions(rng, person):
    """A guided session with a checkpoint every few minutes; sometimes it goes on on another device."""
    if rng.random() > 0.30:
        return
    start = min(DAY - 3_600, _moment(rng, HOURS, person.zone))
    steps = rng.randint(6, 12)
    doc_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    device = rng.randrange(len(person.platforms))
    for step in range(1, steps + 1):
        if step == steps // 2 and rng.random() < 0.25:
            device = rng.randrange(len(person.platforms))
        yield start, device, "step", [("session", (doc_id, step, steps))]
        start += rng.randint(240, 420)


def _safety(rng, person):
    """A safety plan is made or revised; now and then from two devices at the same time."""
    if rng.random() > 0.06 + 0.18 * person.severity:
        return
    at = _moment(rng, HARD_HOURS, person.zone)
    yield at, 0, "open", [("safety", None)]
    for _ in range(_count(rng, 1.2, 4)):
        at = min(DAY - 1, at + rng.randint(600, 5_400))
        yield at, rng.randrange(len(person.platforms)), "open", [("safety", None)]
        if rng.random() < 0.15 and len(person.platforms) > 1:
            yield at, 0, "step", [("safety", None)]
            yield at, 1, "step", [("safety", None)]


def _charging(rng, person):
    """Reports about the app itself, mostly at night while devices charge."""
    for device in range(len(person.platforms)):
        for _ in range(1 + _count(rng, 1.2, 4)):
            at = (rng.gauss(3.2, 1.6) - person.zone) % 24 * 3600 if rng.random() < 0.6 else rng.random() * DAY
            yield at, device, "charge", [("housekeeping", None) for _ in range(rng.randint(1, 4))]


def _backlog(rng):
    """What a device has gathered while it was offline: dozens of operations."""
    kinds = (("mood", 30), ("journal", 24), ("housekeeping", 34), ("library", 6), ("gad7", 4), ("phq9", 2))
    for _ in range(rng.randint(18, 60)):
        what = _pick(rng, kinds)
        yield what, "new" if what == "journal" and rng.random() < 0.6 else "edit"


def _offline(rng, person):
    """(device, from, until) of a time without network, or None. Three in ten end with the outage."""
    if rng.random() > 0.17:
        return None
    device = rng.randrange(len(person.platforms))
    if rng.random() < 0.3:
        until = OUTAGE_END + rng.random() * 4_500
    else:
        until = _moment(rng, HOURS, person.zone)
    return device, until - rng.uniform(2, 7) * 3600, until


def _billing(rng, person):
    if person.tier == "premium" and rng.random() < 0.02:
        yield rng.random() * DAY, 0, "tier", [("tier", "grace_period")]
    if person.tier == "trial" and rng.random() < 0.05:
        yield rng.random() * DAY, 0, "tier", [("tier", "basic")]


def day(person):
    """All events of one subject's day, unsorted."""
    rng = random.Random(person.seed)
    offline = _offline(rng, person)
    for source in (_opens, _sessions, _safety, _charging, _billing):
        for at, device, kind, actions in source(rng, person):
            if offline and device == offline[0] and offline[1] <= at <= offline[2] and kind != "tier":
                continue
            yield at, person.index, device, kind, actions
    if offline:
        yield offline[2], person.index, offline[0], "return", list(_backlog(rng))


def clock(at, zone, date):
    """The moment as FHIR writes it, in the subject's local time."""
    local = datetime(date.year, date.month, date.day, tzinfo=timezone(timedelta(hours=zone - 6)))
    return (local + timedelta(seconds=at)).isoformat(timespec="seconds")


def documents(rng, person, device, at, actions, date):
    """Turns actions into (collection, doc_id, payload, deleted) to edit on `device`."""
    when = clock(at, person.zone, date)
    for what, argument in actions:
        doc_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        if what == "mood":
            yield "mood", doc_id, fhir.mood(rng, person.patient, when, doc_id, person.severity), False
        elif what == "gad7":
            yield "gad7", doc_id, fhir.gad7(rng, person.patient, when, doc_id, person.severity), False
        elif what == "phq9":
            payload, ninth = fhir.phq9(rng, person.patient, when, doc_id, person.severity)
            yield "phq9", doc_id, payload, False
            if ninth > 0:               # the app answers at once: the safety plan is opened and confirmed
                yield from documents(rng, person, device, at, [("safety", "after a questionnaire")], date)
        elif what == "safety":
            doc_id = editable(rng, person, device, "safety_plan", 1.0) or doc_id
            note = argument or "reviewed"
            yield "safety_plan", doc_id, fhir.safety_plan(rng, person.patient, when, doc_id, note), False
        elif what == "session":
            doc_id, step, steps = argument
            yield "session_state", doc_id, fhir.session_state(rng, doc_id, step, steps, when), False
        elif what == "journal":
            known = editable(rng, person, device, "journal", 0.0 if argument == "new" else 1.0)
            if known and argument == "delete":
                yield "journal", known, b"", True
            else:
                yield "journal", known or doc_id, fhir.journal(rng, when, known or doc_id), False
        elif what == "library":
            yield "library", doc_id, fhir.library(rng, doc_id), False
        elif what == "housekeeping":
            known = editable(rng, person, device, "housekeeping", 0.3)
            yield "housekeeping", known or doc_id, fhir.housekeeping(rng, when), False


def editable(rng, person, device, collection, chance):
    """A document of that collection that this device knows and may edit, with that chance; else None."""
    if rng.random() >= chance:
        return None
    known = [doc_id for doc_id in person.documents.get(collection, ()) if device.known(doc_id)]
    return rng.choice(known) if known else None
