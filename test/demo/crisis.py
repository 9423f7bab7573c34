"""Persons in a crisis, while the day goes on for everybody else.

Now and then an app raises a crisis signal in the transaction of the push that showed it. The person's other device
waits, and is told of it and of the safety plan; a responder waits, claims the item, completes it and resolves the signal in
one transaction; the device is told that it is over. What each of them waited for is measured from the raise's commit.
"""

import base64
import json
import signal
import threading
import time
import traceback
import uuid

import psycopg

PAUSE = 1.0             # seconds between two crises
PATIENCE = 30           # seconds until something is missing
TALK = 0.3              # seconds that a responder needs for somebody; a signal that is over is told to nobody
SEVERITIES = ("moderate", "high", "imminent")
PLAN = b'{"resourceType": "CarePlan", "status": "active"}'


def connect(config, name):
    return psycopg.connect(config["dsn"], application_name=f"paws_sync demo: {name}", autocommit=True)


def operation(collection, payload):
    return json.dumps([{"op_id": str(uuid.uuid4()), "collection": collection, "doc_id": str(uuid.uuid4()),
                        "base_revision": 0, "payload": base64.b64encode(payload).decode()}])


class Device(threading.Thread):
    """Waits for the crisis lane of one person, from a cursor on, until it is told that the crisis is over."""

    def __init__(self, config, token, cursor):
        super().__init__()
        self.connection = connect(config, "a waiting device")
        self.token, self.cursor = token, cursor
        self.told = self.over = self.plan = None

    def run(self):
        deadline = time.monotonic() + PATIENCE
        while self.over is None and time.monotonic() < deadline:
            for kind, code, payload, cursor in self.connection.execute(
                    'SELECT kind, code, payload, "cursor"::text FROM paws_sync.pull_crisis_wait(%s::paws_sync.device,'
                    " %s::paws_sync.cursor, '1 s')", (self.token, self.cursor)).fetchall():
                now = time.monotonic()
                if kind == "signal" and code == "ended":
                    self.over = now
                elif kind == "signal":
                    self.told = self.told or now
                elif kind == "document":
                    self.plan = payload
                self.cursor = cursor
        self.connection.close()


class Responder(threading.Thread):
    """Claims what a signal is about, and ends both in one transaction."""

    def __init__(self, config, stop):
        super().__init__()
        self.connection = connect(config, "a responder")
        self.stop = stop
        self.claimed, self.failure = {}, None

    def run(self):
        try:
            while not self.stop.is_set():
                for job, fence, what in self.connection.execute(
                        "SELECT job, fence, convert_from(payload, 'UTF8')::jsonb"
                        " FROM paws_sync.claim_wait('{crisis_response}', timeout => '1 s')").fetchall():
                    self.claimed[what["signal"]] = time.monotonic()
                    time.sleep(TALK)
                    with self.connection.transaction():
                        self.connection.execute("SELECT paws_sync.complete(%s, %s)", (job, fence))
                        self.connection.execute("SELECT paws_sync.resolve_crisis(%s)", (what["signal"],))
        except Exception:
            self.failure = traceback.format_exc()


def one_crisis(config, app, responder, number):
    """How long each waited, in ms: device, responder, device until the end. None for what never came."""
    subject = app.execute("SELECT paws_sync.subject_for(%s)::text", (f"{config['reference']} crisis {number}",)).fetchone()[0]
    phone, watch = (app.execute("SELECT paws_sync.register_device(%s::paws_sync.subject, %s)::text", (subject, platform))
                    .fetchone()[0] for platform in ("ios", "wearable"))
    app.execute("SELECT paws_sync.push_crisis(%s::paws_sync.device, %s::jsonb)", (phone, operation("safety_plan", PLAN)))
    cursor = app.execute('SELECT "cursor"::text FROM paws_sync.pull_crisis(%s::paws_sync.device)', (watch,)).fetchall()[-1][0]
    device = Device(config, watch, cursor)
    device.start()
    with app.transaction():
        app.execute("SELECT paws_sync.push_crisis(%s::paws_sync.device, %s::jsonb)",
                    (phone, operation("safety_plan", PLAN)))
        raised = app.execute("SELECT paws_sync.raise_crisis(%s::paws_sync.subject, 'phq9_item9', %s::paws_sync.severity)::text",
                             (subject, SEVERITIES[number % len(SEVERITIES)])).fetchone()[0]
    committed = time.monotonic()
    device.join()
    claimed = responder.claimed.get(raised)
    if device.told and (device.plan is None or bytes(device.plan) != PLAN):
        raise RuntimeError("a device was told of a crisis without the person's safety plan")
    return tuple(max(0.0, at - committed) * 1000 if at else None for at in (device.told, claimed, device.over))


def run_day(config, stop):
    ended = threading.Event()
    responder = Responder(config, ended)
    responder.start()
    seen = []
    try:
        with connect(config, "an app in a crisis") as app:
            while not seen or not stop.wait(PAUSE):
                seen.append(one_crisis(config, app, responder, len(seen)))
                if responder.failure:
                    raise RuntimeError(responder.failure)
    finally:
        ended.set()
        responder.join(timeout=PATIENCE)
    return {"seen": seen}


def process(config, pipe):
    """The main of the process in which people have crises."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    seen = []

    def day():
        try:
            seen.append(run_day(config, stop))
        except Exception:
            seen.append(traceback.format_exc())

    try:
        thread = threading.Thread(target=day)
        pipe.send(("ready", 1))
        pipe.recv()     # the day begins
        thread.start()
        pipe.recv()     # and ends
        stop.set()
        thread.join()
        pipe.send(("responded", seen[0]) if isinstance(seen[0], dict) else ("failed", seen[0]))
    except EOFError:
        stop.set()


def shown(server, seen):
    """(rows, problems) of the day's crises."""
    rows, problems = [("Signals raised", f"{len(seen)}, each with the push that showed it")], []
    for name, place in (("A waiting device was told", 0), ("A responder had the item", 1), ("The device was told the end", 2)):
        waits = sorted(one[place] for one in seen if one[place] is not None)
        missing = len(seen) - len(waits)
        if waits:
            rows.append((name, f"p50 {waits[len(waits) // 2]:.1f} ms, at most {waits[-1]:.1f} ms after the commit"))
        if missing:
            problems.append(f"of {len(seen)} crises, in {missing} this never came: {name.lower()}")
    still, items = server.rows("SELECT (SELECT count(*) FROM paws_sync.crisis_signals), (SELECT count(*) FROM paws_sync.crisis_items)")[0]
    if still or items:
        problems.append(f"{still} crisis signals and {items} items are left")
    return rows, problems
