"""The clinic's own work during the day: reminders before visits, and exports that people ask for.

A desk submits, workers claim, do the work and complete it in one transaction. One export is broken, as data of an older
version may be: its worker fails, and it ends among the dead letters. At the end of the day somebody mends the worker
and gives the job a new life. Everything is counted: in the tables of the clinic, which the jobs wrote to, and by the
queue.
"""

import json
import signal
import threading
import time
import traceback

import psycopg

WORKERS = 2                     # beside the desk, which reads what came of exports
REMINDERS = 8                   # in each round of the desk
PAUSE = 0.25                    # seconds between rounds
PATIENCE = 60                   # seconds for the work of the last round
BROKEN = "an export of an older version"
TOPICS = ("reminders", "exports")


def prepare(server, dsn):
    """Topics, and the tables that hold the effects of jobs. Anew for each run, on a server that was kept up."""
    server.rows("SELECT paws_sync.define_topic('reminders', lease => '10 s')")
    server.rows("SELECT paws_sync.define_topic('exports', max_attempts => 3, backoff => '100 ms')")
    with psycopg.connect(dsn, application_name="paws_sync demo: tables of the clinic") as connection:
        connection.execute("DROP TABLE IF EXISTS clinic_sent, clinic_asked")
        connection.execute("CREATE TABLE clinic_asked (job bigint PRIMARY KEY, topic text, submitted_at timestamptz)")
        connection.execute("CREATE TABLE clinic_sent (job bigint, worker integer, claimed_at timestamptz)")


class Worker:
    """Claims, works, completes; all that a worker of an application needs."""

    def __init__(self, number, dsn):
        self.number = number
        self.connection = psycopg.connect(dsn, application_name="paws_sync demo: a worker", autocommit=True)
        self.done = self.failed = self.lost = 0

    def look(self):
        for job, fence, topic, payload in self.connection.execute(
                "SELECT job, fence, topic, payload FROM paws_sync.claim_wait(%s::text[], 10, timeout => '1 s')",
                (list(TOPICS),)).fetchall():
            self.work(job, fence, json.loads(payload))

    def work(self, job, fence, what):
        if what.get("broken"):
            self.connection.execute("SELECT paws_sync.fail(%s, %s, reason => 'invalid')", (job, fence))
            self.failed += 1
            return
        try:
            with self.connection.transaction():
                self.connection.execute("INSERT INTO clinic_sent VALUES (%s, %s, clock_timestamp())", (job, self.number))
                self.connection.execute("SELECT paws_sync.complete(%s, %s, %s::bytea)", (job, fence, b"sent"))
            self.done += 1
        except psycopg.Error as error:
            if error.sqlstate != "PW011":
                raise
            self.lost += 1


class Desk:
    """Submits: a reminder for some people in each round, now and then an export, each request with a key of its own."""

    def __init__(self, config):
        self.connection = psycopg.connect(config["dsn"], application_name="paws_sync demo: the desk", autocommit=True)
        self.config = config
        self.round = self.repeated = self.limited = 0

    def subject(self, index):
        return self.connection.execute("SELECT paws_sync.subject_for(%s)::text",
                                       (self.config["reference"].format(index % self.config["subjects"]),)).fetchone()[0]

    def submit(self, topic, what, klass, subject, key):
        """In one transaction with what the clinic writes down of it; and sometimes asked for twice."""
        for _ in range(2 if self.round % 5 == 0 else 1):
            with self.connection.transaction():
                job, outcome = self.connection.execute(
                    "SELECT job, outcome::text FROM paws_sync.submit(%s, %s::bytea, %s::paws_sync.class,"
                    " %s::paws_sync.subject, key => %s)", (topic, json.dumps(what).encode(), klass, subject, key)).fetchone()
                if outcome == "submitted":
                    self.connection.execute("INSERT INTO clinic_asked VALUES (%s, %s, clock_timestamp())", (job, topic))
            self.repeated += outcome == "duplicate"
            self.limited += outcome == "limited"

    def take_round(self):
        self.round += 1
        for number in range(REMINDERS):
            index = self.round * 131 + number * 17
            self.submit("reminders", {"visit": index}, "interactive", self.subject(index), f"{self.round} {number}")
        if self.round % 8 == 3:
            self.submit("exports", {"of": self.round, "broken": self.round == 3}, "bulk", self.subject(self.round),
                        f"export {self.round}")


def run_day(config, stop):
    """The desk and the workers, until told to stop and all is done; then what they saw."""
    workers = [Worker(number, config["dsn"]) for number in range(WORKERS)]
    failures = []

    def keep_working(worker):
        try:
            while not stop.is_set():
                worker.look()
        except Exception:
            failures.append(traceback.format_exc())

    threads = [threading.Thread(target=keep_working, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    desk = Desk(config)
    while not stop.wait(PAUSE) and not failures:
        desk.take_round()
    for thread in threads:
        thread.join(timeout=PATIENCE)
    if failures:
        raise RuntimeError(failures[0])
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and desk.connection.execute(
            "SELECT sum(waiting + delayed + running) > 0 FROM paws_sync.pg_stat_paws_sync_topics"
            " WHERE topic = ANY (%s)", (list(TOPICS),)).fetchone()[0]:
        workers[0].look()
    return {"repeated": desk.repeated, "limited": desk.limited, "failed": sum(w.failed for w in workers),
            "lost": sum(w.lost for w in workers)}


def process(config, pipe):
    """The main of the process that works."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    seen = []

    def day():
        try:
            seen.append(run_day(config, stop))
        except Exception:
            seen.append(traceback.format_exc())
            stop.set()

    try:
        thread = threading.Thread(target=day)
        thread.start()
        pipe.send(("ready", WORKERS))
        pipe.recv()
        stop.set()
        thread.join()
        pipe.send(("worked", seen[0]) if isinstance(seen[0], dict) else ("failed", seen[0]))
    except EOFError:
        stop.set()


def mend(server):
    """Redrives what is dead, and does it with a worker that knows the older version. Rows and problems."""
    dead = server.rows("SELECT job, reason::text, attempts FROM paws_sync.dead_letters('exports')")
    redriven = server.rows("SELECT paws_sync.redrive('exports')")[0][0]
    done = server.rows(
        "WITH claimed AS MATERIALIZED (SELECT job, fence FROM paws_sync.claim('{exports}', 10)),"
        " sent AS (INSERT INTO clinic_sent SELECT job, -1, clock_timestamp() FROM claimed RETURNING job)"
        " SELECT count(paws_sync.complete(c.job, c.fence)) FROM claimed c JOIN sent USING (job)")[0][0]
    problems = [] if len(dead) == redriven == done == 1 else [
        f"one export is broken, but {len(dead)} were dead, {redriven} redriven and {done} done"]
    seen = ", ".join(f"{reason} after {attempts} attempts" for _, reason, attempts in dead)
    return [("Dead letters", f"{len(dead)} ({BROKEN}: {seen}); redriven and done: {done}")], problems


def shown(server, seen):
    """(rows, problems) of the day's jobs, by the clinic's own tables."""
    mended, problems = mend(server)
    asked, never, twice, p50, p99, reminders, exports = server.rows(
        "SELECT count(DISTINCT a.job), count(DISTINCT a.job) FILTER (WHERE s.job IS NULL),"
        " count(s.job) - count(DISTINCT s.job),"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.claimed_at - a.submitted_at) * 1000)"
        "  FILTER (WHERE s.worker >= 0),"
        " percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM s.claimed_at - a.submitted_at) * 1000)"
        "  FILTER (WHERE s.worker >= 0),"
        " count(DISTINCT a.job) FILTER (WHERE a.topic = 'reminders'), count(DISTINCT a.job) FILTER (WHERE a.topic = 'exports')"
        " FROM clinic_asked a LEFT JOIN clinic_sent s ON s.job = a.job")[0]
    left = server.rows("SELECT topic, waiting, delayed, running, dead FROM paws_sync.pg_stat_paws_sync_topics"
                       " WHERE topic = ANY (%s) AND waiting + delayed + running + dead > 0", (list(TOPICS),))
    stray = server.rows("SELECT count(*) FROM clinic_sent s WHERE NOT EXISTS"
                        " (SELECT FROM clinic_asked a WHERE a.job = s.job)")[0][0]
    if never or twice or stray:
        problems.append(f"of the clinic's jobs {never} were never done, {twice} twice, {stray} without being asked for")
    problems += [f"jobs of {topic} are left: {counts}" for topic, *counts in left]
    rows = [
        ("Reminders and exports", f"{reminders:,} and {exports:,}, submitted with what the clinic noted of them"),
        ("Done", f"{asked - never:,} of {asked:,}, each exactly once; leases lost: {seen['lost']}"),
        ("From submit to done", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms" if p50 is not None else "nothing was done"),
        ("Asked for again", f"{seen['repeated']:,} requests, each answered with the first one's job"),
        ("Failed attempts", f"{seen['failed']}"),
    ]
    return rows + mended, problems
