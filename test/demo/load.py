"""The processes that make the load: a shard of subjects each, and one with devices that wait for news.

A process talks to clinic.py through a pipe, phase by phase: it registers its people ("ready"), replays the
day from a given moment ("drained"), and proves that nothing was lost ("verified").
"""

import collections
import hashlib
import heapq
import random
import signal
import threading
import time
import traceback
from datetime import datetime, timedelta, timezone

import traffic
from client import Device, Observer, Server, digest

FIELDS = ("sent", "acknowledged", "final", "pulled", "limited", "lag_ms")
BUCKETS = 144                           # ten simulated minutes each
LOST_ANSWERS = 0.005                    # of all pushes: the answer never arrives, the client sends again
DRAIN_SECONDS = 90


class Counters:
    """One process's row of the shared counters; only that process writes it."""

    def __init__(self, shared, number):
        self.shared = shared
        self.base = number * len(FIELDS)

    def add(self, name, count=1):
        self.shared[self.base + FIELDS.index(name)] += count

    def set(self, name, value):
        self.shared[self.base + FIELDS.index(name)] = value


class Ledger(Observer):
    """What the driver knows of one subject: promised operations, their outcomes, what must be there at the end."""

    def __init__(self, shard):
        self.shard = shard
        self.open = {}                  # op_id -> collection: promised by the server, no final outcome yet
        self.expected = {}              # doc_id -> (revision, hash, or None for a tombstone)
        self.wrong = []
        self.sent = {}                  # (doc_id, revision) -> when the change was handed over

    def acknowledged(self, device, op, outcome):
        if outcome == "duplicate":
            self.shard.duplicates += 1
        self.open[op.op_id] = op.collection
        self.shard.count(op)

    def limited(self, device, op, code):
        self.shard.counters.add("limited")
        self.shard.limits[code] += 1

    def finished(self, device, op, outcome, revision, code):
        if self.open.pop(op.op_id, None) is None:
            self.shard.refused[(op.collection, code)] += 1
            return
        self.shard.counters.add("final")
        self.shard.outcomes[outcome] += 1
        if outcome == "rejected":
            self.shard.refused[(op.collection, code)] += 1
        if outcome == "conflict":
            self.shard.merges.append((device, op))
        if outcome != "applied":
            return
        known = self.expected.get(op.doc_id, (0, None))[0]
        if revision == known:
            self.wrong.append(f"revision {revision} of a document was given twice")
        if revision > known:
            self.expected[op.doc_id] = (revision, None if op.deleted else op.hash)
            self.sent[op.doc_id, revision] = op.sent

    def changed(self, device, collection, doc_id, revision):
        self.shard.counters.add("pulled")

    def reset(self, device, code):
        self.shard.resets[code] += 1

    def live(self):
        return alive(self.expected)


def alive(replica):
    """The documents of a replica that exist, without revisions: what two devices must agree on."""
    return {doc_id: content for doc_id, (_, content) in replica.items() if content is not None}


def fingerprint(replica):
    whole = hashlib.blake2b(digest_size=16)
    for doc_id, content in sorted(alive(replica).items()):
        whole.update(doc_id.encode() + content)
    return whole.hexdigest()


class Shard:
    def __init__(self, number, config, shared):
        self.config = config
        self.number = number
        self.counters = Counters(shared, number)
        self.server = Server(config["dsn"], "paws_sync demo: clinic")
        self.rng = random.Random(f"{config['seed']}/shard/{number}")
        self.people = {index: traffic.subject(config["seed"], index, config["device_limits"])
                       for index in range(number, config["subjects"], config["processes"])}
        self.ledgers = {index: Ledger(self) for index in self.people}
        self.date = datetime.now(timezone.utc).date()
        self.classes = {klass: [0] * BUCKETS for klass in dict.fromkeys(traffic.CLASS_OF.values())}
        self.outcomes = collections.Counter()
        self.refused = collections.Counter()
        self.limits = collections.Counter()
        self.resets = collections.Counter()
        self.duplicates = 0
        self.bundles = 0
        self.merges = []
        self.later = []                 # heap of (moment, tie-breaker, device, person)
        self.planned = set()
        self.start = 0.0
        self.worst_lag = 0.0
        self.example = None

    # -- registration -----------------------------------------------------------------------------

    def register(self):
        now = datetime.now(timezone.utc)
        ends = {"trial": now + timedelta(days=14), "grace_period": now + timedelta(days=7)}
        everyone = list(self.people.values())
        for first in range(0, len(everyone), 250):
            people = everyone[first:first + 250]
            tokens = self.server.subjects_for([self.config["reference"].format(p.index) for p in people])
            for person, token in zip(people, tokens, strict=True):
                person.token = token
            self.server.set_entitlements(tokens, [p.tier for p in people], [ends.get(p.tier) for p in people])
            owners = [(person, platform) for person in people for platform in person.platforms]
            devices = self.server.register_devices([p.token for p, _ in owners], [f for _, f in owners])
            for (person, _), token in zip(owners, devices, strict=True):
                person.devices.append(Device(token, self.ledgers[person.index], traffic.CRISIS))

    # -- the day ----------------------------------------------------------------------------------

    def count(self, op):
        bucket = int((time.monotonic() - self.start) / self.config["day_seconds"] * BUCKETS)
        self.classes[traffic.CLASS_OF[op.collection]][min(BUCKETS - 1, bucket)] += 1
        self.counters.add("acknowledged")

    def replay(self, start):
        self.start = start
        scale = self.config["day_seconds"] / traffic.DAY
        events = sorted((event for person in self.people.values() for event in traffic.day(person)),
                        key=lambda event: event[0])
        position = 0
        while position < len(events) or self.later:
            due = start + events[position][0] * scale if position < len(events) else float("inf")
            moment = min(due, self.later[0][0] if self.later else float("inf"))
            now = time.monotonic()
            if moment > now:
                time.sleep(moment - now)
            else:
                self.counters.set("lag_ms", int((now - moment) * 1000))
                self.worst_lag = max(self.worst_lag, now - moment)
            if due <= moment:
                self.handle(events[position])
                position += 1
            else:
                _, _, device, person = heapq.heappop(self.later)
                self.planned.discard(device.token)
                self.sync(device, person, bulk=False)
                if device.outbox and position >= len(events):
                    break               # what is left belongs to drain()

    def handle(self, event):
        at, index, number, kind, actions = event
        person = self.people[index]
        if kind == "tier":
            tier = actions[0][1]
            until = datetime.now(timezone.utc) + timedelta(days=7) if tier == "grace_period" else None
            self.server.set_entitlements([person.token], [tier], [until])
            return
        device = person.devices[number]
        if kind == "open":              # what others did comes first, so that edits build on it
            self.pulled(device)
        edits = list(traffic.documents(self.rng, person, device, at, actions, self.date))
        if any(collection in traffic.CRISIS for collection, *_ in edits):
            device.pull(self.server, crisis=True)
            self.ledgers[index].wrong += self.check_bundle(person, device)
        for edit in edits:
            self.edit(person, device, *edit)
        self.sync(device, person, bulk=kind in ("return", "charge"), pull=kind != "open")
        if kind in ("open", "return"):
            device.ack(self.server)

    def edit(self, person, device, collection, doc_id, payload, deleted):
        known = person.documents.setdefault(collection, [])
        if collection in ("safety_plan", "journal", "housekeeping") and doc_id not in known:
            known.append(doc_id)
        op = device.edit(collection, doc_id, payload, deleted)
        if collection == "mood":
            self.example = {"subject": person.token, "device": device.token, "mood": op.op_id, "mood_doc": doc_id,
                            "other": person.devices[-1].token, "tier": person.tier, "count": len(person.devices)}

    def check_bundle(self, person, device, complete=False):
        """Opens what the app shows in a crisis: 988 is in it, and each plan is at least as new as on the device, and
        the same if it is as new. With `complete` nobody writes any more, so both hold exactly the same plans."""
        self.bundles += 1
        rows = self.server.crisis_bundle(device.token, traffic.REGIONS[person.index % len(traffic.REGIONS)])
        shown = {row["doc_id"]: row for row in rows if row["kind"] == "document"}
        mine = {doc_id: device.replica[doc_id] for doc_id in person.documents.get("safety_plan", ())
                if device.known(doc_id)}
        problems = []
        if not {"call", "text"} <= {row["channel"] for row in rows if row["contact"] == "988"}:
            problems.append("a crisis bundle without 988")
        if any(row["code"] is not None for row in shown.values()):
            problems.append("a document of a crisis bundle could not be read")
        if mine.keys() - shown.keys() or complete and shown.keys() - mine.keys():
            problems.append("a crisis bundle has other plans than the device")
        for doc_id in mine.keys() & shown.keys():
            revision, content = mine[doc_id]
            row = shown[doc_id]
            if row["revision"] < revision or row["revision"] == revision and digest(row["payload"]) != content:
                problems.append("a plan in a crisis bundle is not the one of the device")
        return problems

    def sync(self, device, person, bulk, pull=True):
        sent, retry = device.flush(self.server, bulk=bulk, lose_answer=lambda: self.rng.random() < LOST_ANSWERS)
        self.counters.add("sent", sent)
        if pull:
            self.pulled(device)
        self.merge()
        if device.outbox and device.token not in self.planned:
            self.planned.add(device.token)
            wait = min(retry or 0.15, 10.0)
            heapq.heappush(self.later, (time.monotonic() + wait, device.token, device, person))

    def pulled(self, device):
        device.pull(self.server)

    def merge(self):
        """A conflict is no loss: the device has pulled the other version and writes one that has seen both."""
        for device, op in self.merges:
            device.edit(op.collection, op.doc_id, op.payload, op.deleted)
        self.merges = []

    # -- the end of the day -----------------------------------------------------------------------

    def drain(self):
        """Every device hands over the rest and learns the outcome of everything it was promised."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline:
            left = 0
            for person in self.people.values():
                for device in person.devices:
                    if device.outbox:
                        device.pull(self.server)
                        sent, _ = device.flush(self.server, bulk=True)
                        self.counters.add("sent", sent)
                    if device.in_flight:
                        device.ask_receipts(self.server)
                    left += len(device.outbox) + len(device.in_flight)
            self.merge_rest()
            if left == 0:
                return
            time.sleep(0.1)

    def merge_rest(self):
        for device, _ in self.merges:
            device.pull(self.server)
        self.merge()

    def summary(self):
        return {
            "classes": self.classes,
            "outcomes": dict(self.outcomes),
            "refused": {f"{collection}: {code}": count for (collection, code), count in self.refused.items()},
            "limits": dict(self.limits),
            "resets": dict(self.resets),
            "duplicates": self.duplicates,
            "bundles": self.bundles,
            "devices": sum(len(person.devices) for person in self.people.values()),
            "unsent": sum(len(d.outbox) for p in self.people.values() for d in p.devices),
            "lost": sum(len(ledger.open) for ledger in self.ledgers.values()),
            "wrong": [text for ledger in self.ledgers.values() for text in ledger.wrong],
            "worst_lag": self.worst_lag,
            "reconnects": self.server.reconnects,
            "example": self.example,
        }

    # -- the proof --------------------------------------------------------------------------------

    def verify(self, wanted):
        """For the given subjects: every device and a brand-new one hold exactly what was applied."""
        problems, checked, documents, prints, sent = [], 0, 0, {}, {}
        for index in wanted:
            if index in self.config["waiting"]:
                sent.update(self.ledgers[index].sent)
            person, expected = self.people[index], self.ledgers[index].live()
            for number, device in enumerate(person.devices):
                device.pull(self.server, thorough=True)
                problems += self.compare(index, f"device {number + 1}", alive(device.replica), expected)
            if len(person.devices) + 1 > self.config["device_limits"].get(person.tier, 99):
                # the tier has room for no more: the new phone takes the place of an old one
                self.server.revoke_device(person.devices[-1].token)
            fresh = Device(self.server.register_devices([person.token], ["ios"])[0], Observer())
            fresh.pull(self.server, thorough=True, crisis=True)
            problems += [f"subject {index}: {text}" for text in self.check_bundle(person, fresh, complete=True)]
            fresh.pull(self.server, thorough=True)
            problems += self.compare(index, "a new device", alive(fresh.replica), expected)
            prints[index] = fingerprint(self.ledgers[index].expected)
            checked += len(person.devices) + 1
            documents += len(expected)
        return {"problems": problems, "devices": checked, "documents": documents, "prints": prints,
                "sent": sent, "subjects": len(wanted)}

    @staticmethod
    def compare(index, who, found, expected):
        problems = []
        for text, count in (
                ("missing", len(expected.keys() - found.keys())),
                ("not expected", len(found.keys() - expected.keys())),
                ("different", sum(found[d] != expected[d] for d in found.keys() & expected.keys()))):
            if count:
                problems.append(f"subject {index}, {who}: {count} documents {text}")
        return problems


def shard_process(number, config, shared, pipe):
    """The main of a load process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        shard = Shard(number, config, shared)
        shard.register()
        pipe.send(("ready", sum(len(person.devices) for person in shard.people.values())))
        shard.replay(pipe.recv())
        shard.drain()
        pipe.send(("drained", shard.summary()))
        pipe.send(("verified", shard.verify(pipe.recv())))
    except EOFError:
        pass                            # clinic.py has ended
    except Exception:
        pipe.send(("failed", traceback.format_exc()))


class Listener(Observer):
    def __init__(self):
        self.arrived = []               # (doc_id, revision, when)

    def changed(self, device, collection, doc_id, revision):
        self.arrived.append((doc_id, revision, time.time()))


def waiters_process(config, pipe):
    """Extra devices that keep the app open all day and wait for news with pull_wait."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    failures, waiting = [], []

    def wait_for_news(device, server):
        try:
            while not stop.is_set():
                device.wait(server)
            device.pull(server, thorough=True)
        except Exception:
            failures.append(traceback.format_exc())

    try:
        control = Server(config["dsn"], "paws_sync demo: waiting devices")
        references = [config["reference"].format(index) for index in config["waiting"]]
        tokens = control.register_devices(control.subjects_for(references), ["web"] * len(references))
        for token in tokens:
            device, server = Device(token, Listener()), Server(config["dsn"], "paws_sync demo: a waiting device")
            waiting.append((device, server, threading.Thread(target=wait_for_news, args=(device, server))))
        for _, _, thread in waiting:
            thread.start()
        pipe.send(("ready", len(waiting)))
        pipe.recv()
        stop.set()
        for _, _, thread in waiting:
            thread.join(timeout=10)
        if failures:
            raise RuntimeError(failures[0])
        prints = {index: fingerprint(device.replica) for index, (device, _, _) in zip(config["waiting"], waiting)}
        pipe.send(("waited", {"arrived": [arrival for d, _, _ in waiting for arrival in d.observer.arrived],
                              "prints": prints, "devices": len(waiting)}))
    except EOFError:
        stop.set()
    except Exception:
        stop.set()
        pipe.send(("failed", traceback.format_exc()))
