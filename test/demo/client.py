"""A small, correct sync client, in two layers that an app's backend can take as an example.

Server  one connection and every SQL statement that the demo sends: the only place that knows the SQL API.
Device  one installation: what it knows (replica), what it has not yet handed over (outbox), what was accepted
        but is not yet final (in flight), and its place in the feed (cursor).

Rules that make the client correct, whatever the network does:
- an operation keeps its op_id for ever; after a lost answer the *same* operation is sent again;
- at most one operation per document is under way, because the next one needs the revision that it gives;
- `limited` means "not taken": the operation stays in the outbox until retry_after has passed;
- `accepted` is a promise, not a result: the result is a receipt, in pull() or from receipts();
- the cursor is stored only after the rows before it were worked on; ack() tells the server so.

Values travel as bind parameters (psycopg 3 does so, as do node-postgres, pgx and JDBC), never in the statement's
text: what is in the text is in the server's activity view before the extension sees it.
"""

import base64
import hashlib
import json
import time
import uuid

import psycopg
from psycopg.rows import dict_row

MAX_CHANGES = 500
MAX_BYTES = 1 << 20
FINAL = ("applied", "conflict", "superseded", "rejected")
LOST_CONNECTION = (psycopg.OperationalError, psycopg.InterfaceError)


def digest(payload):
    """What the client keeps of a payload in order to compare replicas."""
    return hashlib.blake2b(bytes(payload), digest_size=12).digest()


class Server:
    """One connection; reconnects by itself, so that a caller only ever has to repeat a call."""

    def __init__(self, dsn, name="paws_sync demo"):
        self.dsn = dsn
        self.name = name
        self.connection = None
        self.reconnects = 0

    def connect(self):
        self.connection = psycopg.connect(self.dsn, application_name=self.name, autocommit=True)

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def rows(self, sql, args=()):
        """Rows of one statement. A lost connection is opened anew and the statement sent again, which is safe:
        push repeats the same op_ids, everything else here may be repeated anyway."""
        for attempt in range(8):
            try:
                if self.connection is None:
                    self.connect()
                with self.connection.cursor() as cursor:
                    cursor.execute(sql, args)
                    return cursor.fetchall()
            except LOST_CONNECTION:
                if attempt == 7:
                    raise
                self.reconnects += 1
                self.connection = None
                time.sleep(0.1 * 2 ** attempt)

    def command(self, sql):
        """A command that returns nothing."""
        if self.connection is None:
            self.connect()
        self.connection.execute(sql)

    def dicts(self, sql, args=()):
        if self.connection is None:
            self.connect()
        with self.connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(sql, args)
            return [dict(row) for row in cursor.fetchall()]

    # -- identity and vocabulary ------------------------------------------------------------------

    def define_collection(self, name, klass, on_conflict, sealing=None):
        if self.rows("SELECT 1 FROM paws_sync.collections WHERE name = %s", (name,)):
            return
        sql = "SELECT paws_sync.define_collection(%s, %s::paws_sync.class, %s, %s)"
        try:
            self.rows(sql, (name, klass, on_conflict, sealing))
        except psycopg.errors.FeatureNotSupported:      # a processor without AES instructions
            self.rows(sql, (name, klass, on_conflict, "standard"))

    def subjects_for(self, references):
        return [row[0] for row in self.rows(
            "SELECT paws_sync.subject_for(r)::text FROM unnest(%s::text[]) WITH ORDINALITY AS t (r, n) ORDER BY n",
            (references,))]

    def set_entitlements(self, subjects, tiers, untils):
        self.rows(
            "SELECT paws_sync.set_entitlement(s::paws_sync.subject, t::paws_sync.tier, u)"
            " FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS e (s, t, u)", (subjects, tiers, untils))

    def register_devices(self, subjects, platforms):
        return [row[0] for row in self.rows(
            "SELECT paws_sync.register_device(s::paws_sync.subject, p)::text"
            " FROM unnest(%s::text[], %s::text[]) AS d (s, p)", (subjects, platforms))]

    def revoke_device(self, device):
        return self.rows("SELECT paws_sync.revoke_device(%s::paws_sync.device)", (device,))[0][0]

    # -- sync -------------------------------------------------------------------------------------

    PUSH_COLUMNS = "op_id::text, outcome::text, revision, retry_after, code, receipt::text"

    @staticmethod
    def as_json(operations):
        items = []
        for op in operations:
            item = {"op_id": op.op_id, "collection": op.collection, "doc_id": op.doc_id,
                    "base_revision": op.base, "payload": base64.b64encode(op.payload).decode()}
            if op.deleted:
                item["deleted"] = True
            items.append(item)
        return json.dumps(items)

    def push(self, device, operations):
        """Push as JSON: the plain way, for a few operations."""
        return self.rows(
            f"SELECT {self.PUSH_COLUMNS} FROM paws_sync.push(%s::paws_sync.device, %s::jsonb) ORDER BY item",
            (device, self.as_json(operations)))

    def push_crisis(self, device, operations):
        """The same for crisis collections: it depends on nothing that is ordinary."""
        return self.rows(
            f"SELECT {self.PUSH_COLUMNS} FROM paws_sync.push_crisis(%s::paws_sync.device, %s::jsonb) ORDER BY item",
            (device, self.as_json(operations)))

    def push_many(self, device, operations):
        """Push as columns: no JSON and no base64, for bursts."""
        return self.rows(
            f"SELECT {self.PUSH_COLUMNS} FROM paws_sync.push_many(%s::paws_sync.device, %s::uuid[], %s::text[],"
            " %s::uuid[], %s::bigint[], %s::bytea[], %s::boolean[]) ORDER BY item",
            (device, [op.op_id for op in operations], [op.collection for op in operations],
             [op.doc_id for op in operations], [op.base for op in operations],
             [op.payload for op in operations], [op.deleted for op in operations]))

    PULL_COLUMNS = ("cursor::text, kind, collection, doc_id::text, revision, deleted, payload, op_id::text,"
                    " outcome::text, code")

    def pull(self, device, cursor):
        return self.rows(
            f"SELECT {self.PULL_COLUMNS} FROM paws_sync.pull(%s::paws_sync.device, %s::paws_sync.cursor, %s, %s)",
            (device, cursor, MAX_CHANGES, MAX_BYTES))

    def pull_crisis(self, device, cursor):
        return self.rows(
            f"SELECT {self.PULL_COLUMNS} FROM paws_sync.pull_crisis(%s::paws_sync.device, %s::paws_sync.cursor, %s, %s)",
            (device, cursor, MAX_CHANGES, MAX_BYTES))

    def crisis_bundle(self, device, region):
        return self.dicts(
            "SELECT kind, region, name, channel, contact, priority, collection, doc_id::text, revision, payload, code"
            " FROM paws_sync.crisis_bundle(%s::paws_sync.device, %s)", (device, region))

    def pull_wait(self, device, cursor, timeout="1 second"):
        return self.rows(
            f"SELECT {self.PULL_COLUMNS} FROM paws_sync.pull_wait(%s::paws_sync.device, %s::paws_sync.cursor,"
            " %s::interval, %s, %s)", (device, cursor, timeout, MAX_CHANGES, MAX_BYTES))

    def receipts(self, device, op_ids):
        return self.rows("SELECT op_id::text, outcome::text, revision, code"
                         " FROM paws_sync.receipts(%s::paws_sync.device, %s::uuid[])", (device, op_ids))

    def ack(self, device, cursor):
        self.rows("SELECT paws_sync.ack(%s::paws_sync.device, %s::paws_sync.cursor)", (device, cursor))

    # -- what the engine says of itself -----------------------------------------------------------

    def latency(self):
        return self.dicts("SELECT class::text, tier::text, count, p50, p95, p99, p999, max, target, attainment"
                          " FROM paws_sync.pg_stat_paws_sync_latency ORDER BY class, tier")

    def lanes(self):
        return self.dicts("SELECT lane, level::text, level_number, depth,"
                          " extract(epoch FROM oldest_age)::float8 AS oldest_age, in_rate, out_rate"
                          " FROM paws_sync.pg_stat_paws_sync_lanes ORDER BY level_number DESC")

    def workers(self):
        return self.dicts("SELECT kind, state, batches, operations, errors FROM paws_sync.pg_stat_paws_sync_workers")

    def policy(self):
        return self.dicts("SELECT * FROM paws_sync.tier_policy")

    def stat_reset(self):
        self.rows("SELECT paws_sync.stat_reset()")


class Operation:
    __slots__ = ("op_id", "collection", "doc_id", "base", "payload", "deleted", "hash", "uncertain", "not_before",
                 "sent")

    def __init__(self, collection, doc_id, payload, deleted):
        self.op_id = str(uuid.uuid4())
        self.collection = collection
        self.doc_id = doc_id
        self.base = 0
        self.deleted = deleted
        self.uncertain = False          # sent, but the answer was lost: it must go out again unchanged
        self.not_before = 0.0
        self.sent = None                # when it was last handed over; not again for an answer that was lost
        self.replace(payload)

    def replace(self, payload):
        self.payload = payload
        self.hash = digest(payload)


class Observer:
    """What a Device reports; the demo's ledger counts with it. An app would show it to the person."""

    def acknowledged(self, device, op, outcome):
        pass

    def limited(self, device, op, code):
        pass

    def finished(self, device, op, outcome, revision, code):
        pass

    def changed(self, device, collection, doc_id, revision):
        pass

    def reset(self, device, code):
        pass


class Device:
    """One installation of the app. `observer` hears of everything that becomes known; `crisis` are the collections
    that go by way of push_crisis."""

    __slots__ = ("token", "observer", "crisis", "cursor", "acked", "replica", "outbox", "in_flight", "busy")

    def __init__(self, token, observer, crisis=frozenset()):
        self.token = token
        self.observer = observer
        self.crisis = crisis
        self.cursor = None
        self.acked = None
        self.replica = {}               # doc_id -> (revision, hash, or None for a tombstone)
        self.outbox = []
        self.in_flight = {}             # op_id -> Operation
        self.busy = set()               # documents with an operation in flight

    def edit(self, collection, doc_id, payload, deleted=False):
        """Notes a change to hand over. A newer version of a document that still waits replaces the older one."""
        for op in self.outbox:
            if op.doc_id == doc_id and not op.uncertain:
                op.replace(payload)
                op.deleted = deleted
                return op
        op = Operation(collection, doc_id, payload, deleted)
        self.outbox.append(op)
        return op

    def known(self, doc_id):
        """True if the document is in the replica and is no tombstone."""
        return self.replica.get(doc_id, (0, None))[1] is not None

    def ready(self, now, limit):
        """The operations that may go out now, in order, one per document."""
        chosen, documents = [], set()
        for op in self.outbox:
            if op.doc_id in self.busy or op.doc_id in documents:
                continue
            documents.add(op.doc_id)
            if op.not_before > now:
                continue
            if not op.uncertain:
                op.base = self.replica.get(op.doc_id, (0, None))[0]
                op.sent = time.time()
            chosen.append(op)
            if len(chosen) == limit:
                break
        return chosen

    def flush(self, server, batch=50, bulk=False, lose_answer=None):
        """Hands over the outbox. Returns the number of operations sent and the seconds until what was limited
        may be tried again (None if nothing was). lose_answer() true: behave as if the answer never came."""
        sent, retry = 0, None
        while True:
            now = time.monotonic()
            operations = self.ready(now, batch)
            if not operations:
                break
            urgent = [op for op in operations if op.collection in self.crisis]
            if urgent:                  # alone and first; the rest goes out in the next round
                operations, call = urgent, server.push_crisis
            else:
                call = server.push_many if bulk or len(operations) > 8 else server.push
            answers = call(self.token, operations)
            sent += len(operations)
            if lose_answer is not None and lose_answer():
                for op in operations:
                    op.uncertain = True
                    op.not_before = now + 0.25
                return sent, 0.25
            for op, answer in zip(operations, answers, strict=True):
                wait = self.answered(op, answer, now)
                if wait is not None:
                    retry = wait if retry is None else max(retry, wait)
        return sent, retry

    def answered(self, op, answer, now):
        """Takes one row of push's answer; returns the seconds to wait if the operation was limited."""
        op_id, outcome, revision, retry_after, code, receipt = answer
        if op_id != op.op_id:
            raise RuntimeError("push answered out of order")
        if outcome == "limited":
            wait = retry_after.total_seconds() if retry_after is not None else 1.0
            op.not_before = now + wait
            op.uncertain = False
            self.observer.limited(self, op, code)
            return wait
        self.outbox.remove(op)
        if outcome == "rejected":
            self.observer.finished(self, op, "rejected", None, code)
            return None
        self.observer.acknowledged(self, op, outcome)
        self.in_flight[op.op_id] = op
        self.busy.add(op.doc_id)
        if receipt in FINAL:
            self.finish(op.op_id, receipt, revision, code)
        return None

    def finish(self, op_id, outcome, revision, code):
        """Takes a final outcome; hearing it twice (from push and again from pull) changes nothing."""
        op = self.in_flight.pop(op_id, None)
        if op is None:
            return
        self.busy.discard(op.doc_id)
        if outcome == "applied":
            self.learn(op.doc_id, revision, None if op.deleted else op.hash)
        self.observer.finished(self, op, outcome, revision, code)

    def learn(self, doc_id, revision, content):
        if revision > self.replica.get(doc_id, (0, None))[0]:
            self.replica[doc_id] = (revision, content)

    def take(self, rows):
        """Works on the rows of one pull, in order; returns how many changes were among them."""
        changes = 0
        for cursor, kind, collection, doc_id, revision, deleted, payload, op_id, outcome, code in rows:
            if kind == "change":
                changes += 1
                self.learn(doc_id, revision, None if deleted else digest(payload))
                self.observer.changed(self, collection, doc_id, revision)
            elif kind in ("position", "limited", "pending"):   # nothing new, or what comes again as a change
                pass
            elif kind == "receipt":
                self.finish(op_id, outcome, revision, code)
            elif kind == "reset":
                self.replica.clear()
                self.observer.reset(self, code)
            else:
                raise RuntimeError(f"unexpected kind of row in pull: {kind}")
            self.cursor = cursor
        return changes

    def pull(self, server, thorough=False, crisis=False):
        """Pulls page by page; returns the number of changes. A page far below both limits is taken for the last
        one, which saves a call; with `thorough` only an empty page is. The cursor is one for both lanes, so what
        was pulled of the crisis lane alone does not come again."""
        changes = 0
        call = server.pull_crisis if crisis else server.pull
        while True:
            rows = call(self.token, self.cursor)
            changes += self.take(rows)
            size = sum(len(row[6]) for row in rows if row[6] is not None)
            if rows and rows[-1][1] == "limited":       # the rest comes with a later pull
                return changes
            if not rows or (not thorough and len(rows) < MAX_CHANGES and size < MAX_BYTES // 2):
                return changes

    def wait(self, server, timeout="1 second"):
        """Waits for news, at most `timeout`; returns the number of changes."""
        return self.take(server.pull_wait(self.token, self.cursor, timeout))

    def ask_receipts(self, server):
        """Asks for the outcome of what is in flight; returns how many operations still have none."""
        for op_id, outcome, revision, code in server.receipts(self.token, list(self.in_flight)):
            if outcome is not None:
                self.finish(op_id, outcome, revision, code)
        return len(self.in_flight)

    def ack(self, server):
        if self.cursor != self.acked:
            server.ack(self.token, self.cursor)
            self.acked = self.cursor
