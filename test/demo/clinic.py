#!/usr/bin/env python3
"""The main job of paws_sync on realistic traffic: a clinic app's day of 24 hours, replayed in about 80 seconds.

Some thousands of people in four tiers, one to four devices each, push and pull FHIR documents through the SQL
API; at the end every promise the server made is checked. Exit code 0: nothing was lost and all replicas agree;
1: something was; 2: the run itself failed.
"""

import argparse
import base64
import json
import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import time
import uuid
from datetime import datetime

import psycopg

import crisis
import facts
import jobs
import load
import report
import traffic
import vault
from client import Server

SAMPLE_SECONDS = 0.4
ROTATIONS = ((9.0, "epochs"), (15.0, "data_keys"))      # hour of the day, what is rotated
CONTEXT = multiprocessing.get_context("spawn")      # children inherit no connection and no pipe


class Failure(Exception):
    pass


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dsn", required=True, help="connection string of a database with the extension")
    parser.add_argument("--subjects", type=int, default=3000)
    parser.add_argument("--day-seconds", type=float, default=80.0, help="real seconds for the simulated day")
    parser.add_argument("--processes", type=int, default=4, help="load processes, one connection each")
    parser.add_argument("--waiting", type=int, default=12, help="devices that wait with pull_wait all day")
    parser.add_argument("--sample", type=int, default=240, help="subjects whose replicas are all compared")
    parser.add_argument("--seed", default="paws", help="the same seed gives the same people and the same day")
    parser.add_argument("--report", default="demo.html", help="the HTML page to write (and its data as .json)")
    parser.add_argument("--cluster", help="the script that can restart the server; without it, the demo never does")
    parser.add_argument("--kept", action="store_true", help="the cluster stays up: say how to go on by hand")
    options = parser.parse_args()
    if min(options.subjects, options.processes, options.day_seconds) <= 0 or options.waiting < 0:
        parser.error("--subjects, --processes and --day-seconds must be positive")
    options.sample = min(options.sample, options.subjects)
    options.processes = min(options.processes, options.subjects)
    return options


class Progress:
    """One line that is rewritten on a terminal, a line every ten seconds otherwise."""

    def __init__(self):
        self.tty = sys.stdout.isatty()
        self.last = 0.0

    def show(self, text, force=False):
        now = time.monotonic()
        if self.tty:
            print("\r\033[K" + text, end="", flush=True)
        elif force or now - self.last >= 10:
            print(text, flush=True)
            self.last = now

    def say(self, text):
        print(("\r\033[K" if self.tty else "") + text, flush=True)


class Clinic:
    def __init__(self, options):
        self.options = options
        self.progress = Progress()
        self.server = Server(options.dsn, "paws_sync demo: control")
        self.shared = CONTEXT.Array("q", options.processes * len(load.FIELDS), lock=False)
        self.processes, self.pipes = [], []
        self.waiters = None
        self.workers = None
        self.samples = []
        self.rotation = vault.Rotation(self.server)
        self.config = {}

    # -- processes --------------------------------------------------------------------------------

    def spawn(self, target, *args):
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=target, args=(*args, theirs), daemon=True)
        process.start()
        theirs.close()
        self.processes.append(process)
        return ours

    def stop(self):
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        for process in self.processes:
            process.join(timeout=5)

    def answer(self, pipe, wanted):
        try:
            kind, value = pipe.recv()
        except EOFError:
            raise Failure("a load process ended without a word") from None
        if kind == "failed":
            raise Failure("a load process failed:\n" + value)
        if kind != wanted:
            raise Failure(f"a load process says {kind}, expected was {wanted}")
        return value

    def gather(self, pipes, wanted, while_waiting=None):
        """One answer from each pipe, in the pipes' order; calls while_waiting() between."""
        answers = {}
        while len(answers) < len(pipes):
            left = [pipe for pipe in pipes if pipe not in answers]
            for pipe in multiprocessing.connection.wait(left, timeout=SAMPLE_SECONDS if while_waiting else 120):
                answers[pipe] = self.answer(pipe, wanted)
            if while_waiting:
                while_waiting()
        return [answers[pipe] for pipe in pipes]

    def total(self, field):
        offset, width = load.FIELDS.index(field), len(load.FIELDS)
        return sum(self.shared[offset + number * width] for number in range(self.options.processes))

    # -- phases -----------------------------------------------------------------------------------

    def prepare(self):
        self.server.stat_reset()        # a cluster that was kept up has the latencies of an earlier day
        for collection in traffic.COLLECTIONS:
            self.server.define_collection(*collection)
        options = self.options
        limits = facts.device_limits(self.server)
        self.config = {
            "dsn": options.dsn, "subjects": options.subjects, "processes": options.processes, "seed": options.seed,
            "day_seconds": options.day_seconds, "device_limits": limits,
            "reference": f"demo-{uuid.uuid4().hex[:12]}-{{:06d}}",
        }
        self.config["waiting"] = self.choose_waiting(limits)
        jobs.prepare(self.server, options.dsn)

    def choose_waiting(self, limits):
        """Subjects with several devices, and room in their tier for a waiting and for a new device."""
        chosen = []
        for index in range(self.options.subjects):
            if len(chosen) == self.options.waiting:
                break
            person = traffic.subject(self.options.seed, index, limits)
            if len(person.platforms) > 1 and len(person.platforms) + 2 <= limits.get(person.tier, 99):
                chosen.append(index)
        return chosen

    def register(self):
        began = time.monotonic()
        self.pipes = [self.spawn(load.shard_process, number, self.config, self.shared)
                      for number in range(self.options.processes)]
        devices = sum(self.gather(self.pipes, "ready"))
        if self.config["waiting"]:
            self.waiters = self.spawn(load.waiters_process, self.config)
            self.gather([self.waiters], "ready")
        self.workers = self.spawn(jobs.process, self.config)
        self.crises = self.spawn(crisis.process, self.config)
        self.gather([self.workers, self.crises], "ready")
        self.progress.say(f"Registered {self.options.subjects:,} subjects with {devices:,} devices"
                          f" in {time.monotonic() - began:.1f} s; {len(self.config['waiting'])} more wait for news.")
        return time.monotonic() - began

    def replay(self):
        start = time.monotonic() + 0.3
        self.start = start
        for pipe in self.pipes:
            pipe.send(start)
        self.crises.send("begin")
        summaries = self.gather(self.pipes, "drained", self.observe)
        self.replay_seconds = time.monotonic() - start
        self.observe()
        if self.progress.tty:
            print()
        return summaries

    def observe(self):
        now = time.monotonic()
        lanes = self.server.lanes()
        hour = max(0.0, (now - self.start) / self.options.day_seconds * 24)
        if len(self.rotation.jobs) < len(ROTATIONS) and hour >= ROTATIONS[len(self.rotation.jobs)][0]:
            self.rotation.request(ROTATIONS[len(self.rotation.jobs)][1])
        acknowledged = self.total("acknowledged")
        self.samples.append({
            "hour": hour, "acknowledged": acknowledged, "pulled": self.total("pulled"), "seconds": now - self.start,
            "depth": {str(lane["level_number"]): lane["depth"] for lane in lanes}})
        before = next((s for s in reversed(self.samples) if s["seconds"] <= now - self.start - 2), self.samples[0])
        span = max(0.1, now - self.start - before["seconds"])
        minutes = int(min(24, hour) * 60)
        clock = f"{minutes // 60:02d}:{minutes % 60:02d}" if hour < 24 else "evening is over, draining"
        lag = max(self.shared[load.FIELDS.index("lag_ms")::len(load.FIELDS)]) if hour < 24 else 0
        self.progress.show(
            f"{clock}  pushed {acknowledged:,} ({(acknowledged - before['acknowledged']) / span:,.0f}/s)"
            f"  final {self.total('final'):,}  pulled {self.total('pulled'):,}"
            f"  waiting in queue {sum(lane['depth'] for lane in lanes):,}"
            + (f"  limited {self.total('limited'):,}" if self.total("limited") else "")
            + (f"  driver late {lag / 1000:.1f} s" if lag > 1000 else ""))

    def finish_jobs(self):
        """Ends the clinic's own work, once all of it is done; (rows, problems)."""
        self.workers.send("stop")
        return jobs.shown(self.server, self.gather([self.workers], "worked")[0])

    def finish_crises(self):
        """Waits for the last crisis to be over; (rows, problems)."""
        self.crises.send("stop")
        return crisis.shown(self.server, self.gather([self.crises], "responded")[0]["seen"])

    def verify(self):
        """Stops the waiters, then compares replicas; returns one dict of what was found."""
        waited = {"arrived": [], "prints": {}, "devices": 0}
        if self.waiters:
            self.waiters.send("stop")
            waited = self.gather([self.waiters], "waited")[0]
        step = self.options.subjects / max(1, self.options.sample)
        wanted = {int(number * step) for number in range(self.options.sample)} | set(self.config["waiting"])
        for number, pipe in enumerate(self.pipes):
            pipe.send([index for index in sorted(wanted) if index % self.options.processes == number])
        parts = self.gather(self.pipes, "verified")
        prints = {index: value for part in parts for index, value in part["prints"].items()}
        sent = {change: when for part in parts for change, when in part["sent"].items()}
        delays = [(when - sent[doc_id, revision]) * 1000
                  for doc_id, revision, when in waited["arrived"] if (doc_id, revision) in sent]
        problems = [problem for part in parts for problem in part["problems"]]
        problems += [f"subject {index}, the waiting device: its replica differs"
                     for index, value in waited["prints"].items() if prints[index] != value]
        return {"problems": problems, "delays": sorted(delays),
                "subjects": sum(part["subjects"] for part in parts),
                "devices": sum(part["devices"] for part in parts) + waited["devices"],
                "documents": sum(part["documents"] for part in parts)}


def statements(example):
    """(what it shows, SQL, expected to fail) to try by hand, with tokens of this run."""
    def payload(resource):
        return base64.b64encode(json.dumps(resource, separators=(",", ":")).encode()).decode()

    def operation(collection, resource):
        return json.dumps([{"op_id": str(uuid.uuid4()), "collection": collection, "doc_id": str(uuid.uuid4()),
                            "base_revision": 0, "payload": payload(resource)}])

    subject, device, other = example["subject"], example["device"], example["other"]
    forged = subject[:-1] + ("2" if subject[-1] != "2" else "3")
    return [
        ("How often was each tier's target met?",
         "SELECT class, tier, count, p50, p99, max, target, attainment FROM paws_sync.pg_stat_paws_sync_latency"
         " WHERE count > 0;", False),
        ("What waits in the queue, by level, and for how long?",
         "SELECT level, depth, oldest_age, in_rate, out_rate FROM paws_sync.pg_stat_paws_sync_lanes;", False),
        ("How far is each of this person's devices?",
         f"SELECT * FROM paws_sync.sync_status('{subject}');", False),
        ("What would a device see that starts from nothing?",
         "SELECT lane, collection, revision, convert_from(nullif(payload, ''), 'UTF8')::jsonb ->> 'resourceType' AS"
         f" resource, octet_length(payload) AS bytes FROM paws_sync.pull('{other}', max_changes => 10)"
         " WHERE kind = 'change';", False),
        ("Push a mood. Paste it twice: the second time the answer is a duplicate, with the receipt.",
         f"SELECT op_id, outcome, level, receipt FROM paws_sync.push('{device}', '"
         + operation("mood", {"resourceType": "Observation", "status": "final", "valueInteger": 7}) + "');", False),
        ("Push a safety plan through the crisis lane alone: it is final in the same call.",
         f"SELECT outcome, level, revision, receipt FROM paws_sync.push_crisis('{device}', '"
         + operation("safety_plan", {"resourceType": "CarePlan", "status": "active"}) + "');", False),
        ("What became of an operation of this morning?",
         f"SELECT * FROM paws_sync.receipts('{device}', ARRAY['{example['mood']}']::uuid[]);", False),
        ("A payment fails: the grace period raises priority, it takes nothing away.",
         f"SELECT paws_sync.set_entitlement('{subject}', 'grace_period', now() + interval '7 days');", False),
        ("What does the app show in a crisis, wherever the person is?",
         "SELECT kind, region, name, channel, contact, priority, collection, revision, octet_length(payload) AS bytes"
         f" FROM paws_sync.crisis_bundle('{other}', 'us_ny');", False),
        ("A person is in a crisis: responders have an item, whatever else waits. Then it is over.",
         f"SELECT paws_sync.raise_crisis('{subject}', 'clinician', 'high'); SELECT job, fence, level,"
         " convert_from(payload, 'UTF8') FROM paws_sync.claim('{crisis_response}'); SELECT * FROM paws_sync.crisis_signals;"
         " SELECT paws_sync.resolve_crisis(signal) FROM paws_sync.crisis_signals;", False),
        ("A token with one letter changed is refused before any table is read.",
         f"SELECT * FROM paws_sync.devices('{forged}');", True),
        ("Which keys are there, and how many data keys does each epoch wrap?",
         "SELECT * FROM paws_sync.key_status();", False),
        ("What was rotated, and how far is it?",
         "SELECT * FROM paws_sync.pg_stat_progress_paws_sync_keys;", False),
        ("Forget this person: everything of theirs is gone at the commit. Ask again for the certificate.",
         f"SELECT * FROM paws_sync.forget('{subject}');", False),
        ("What of the clinic's own work waits, runs or is dead?",
         "SELECT * FROM paws_sync.pg_stat_paws_sync_topics;", False),
        ("Submit a reminder twice, and do it.",
         f"SELECT outcome, state, level FROM paws_sync.submit('reminders', 'bring the diary', subject => '{subject}',"
         " key => 'by hand'); SELECT job, fence, convert_from(payload, 'UTF8') FROM paws_sync.claim('{reminders}');", False),
        ("What is not in order, and what is to be done?",
         "SELECT area, check_name, value, wanted, hint FROM paws_sync.doctor() WHERE NOT ok;", False),
    ]


def try_statements(dsn, texts):
    """Runs each statement in a transaction that is rolled back; returns what did not behave as promised."""
    problems = []
    connection = psycopg.connect(dsn, application_name="paws_sync demo: statements")
    for title, sql, fails in texts:
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                cursor.fetchall()
            if fails:
                problems.append(f"a statement should fail and did not ({title})")
        except psycopg.Error as error:
            if not fails:
                problems.append(f"a statement fails ({title}): {str(error).splitlines()[0]}")
        connection.rollback()
    connection.close()
    return problems


def show_vault(clinic, summaries):
    """(rows, problems, certificate) of everything about keys, after the day. One person is forgotten, another one
    is served without keys."""
    rows, problems = clinic.rotation.finish()
    sealed_rows, found = vault.sealed(clinic.server)
    rows, problems = sealed_rows + rows, problems + found
    examples = [summary["example"] for summary in summaries if summary["example"]]
    if len(examples) < 2:
        raise Failure("too few people for the demo of keys: raise --subjects")
    gone, left = examples[-1], examples[0]
    parts = [vault.forget(clinic.server, gone["subject"], gone["device"])]
    certificate = parts[0][2]
    if clinic.options.cluster:
        parts.append(vault.without_keys(clinic.server, clinic.options.cluster, left["device"], left["other"]))
    parts.append(vault.doctor(clinic.server))
    for part in parts:
        rows, problems = rows + part[0], problems + part[1]
    return rows, problems, certificate


def merged(summaries, key):
    result = {}
    for summary in summaries:
        for name, value in summary[key].items():
            result[name] = result.get(name, 0) + value
    return result


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else None


def results(clinic, summaries, checked, seconds):
    """Everything that the table and the page show, as plain data."""
    options = clinic.options
    classes = {klass: [sum(s["classes"][klass][b] for s in summaries) for b in range(load.BUCKETS)]
               for klass in summaries[0]["classes"]}
    lost = sum(summary["lost"] for summary in summaries)
    unsent = sum(summary["unsent"] for summary in summaries)
    problems = checked["problems"] + [text for summary in summaries for text in summary["wrong"]]
    if lost:
        problems.insert(0, f"{lost} acknowledged operations have no outcome")
    if unsent:
        problems.insert(0, f"{unsent} operations could not be handed over")
    refused = merged(summaries, "refused")
    problems += [f"{count} operations were rejected ({what})" for what, count in refused.items()]
    return {
        "when": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "machine": facts.machine(clinic.server),
        "subjects": options.subjects,
        "devices": sum(s["devices"] for s in summaries),
        "day_seconds": options.day_seconds, "replay_seconds": clinic.replay_seconds, "seconds": seconds,
        "bucket_seconds": options.day_seconds / load.BUCKETS,
        "classes": classes, "samples": clinic.samples,
        "sent": clinic.total("sent"), "acknowledged": clinic.total("acknowledged"), "pulled": clinic.total("pulled"),
        "outcomes": merged(summaries, "outcomes"), "refused": refused, "limits": merged(summaries, "limits"),
        "resets": merged(summaries, "resets"),
        "duplicates": sum(s["duplicates"] for s in summaries),
        "bundles": sum(s["bundles"] for s in summaries), "lost": lost, "unsent": unsent,
        "reconnects": sum(s["reconnects"] for s in summaries),
        "worst_lag": max(s["worst_lag"] for s in summaries),
        "peak": max(sum(counts[b] for counts in classes.values()) for b in range(load.BUCKETS - 1))
        / (options.day_seconds / load.BUCKETS),
        "checked": {key: checked[key] for key in ("subjects", "devices", "documents")},
        "news": {name: percentile(checked["delays"], share)
                 for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))} | {"count": len(checked["delays"])},
        "latency": clinic.server.latency(),
        "sealing": facts.sealed(clinic.server),
        "problems": problems,
    }


def run(options):
    began = time.monotonic()
    clinic = Clinic(options)
    try:
        clinic.prepare()
        clinic.register()
        summaries = clinic.replay()
        crisis_rows, crisis_problems = clinic.finish_crises()
        job_rows, job_problems = clinic.finish_jobs()
        clinic.progress.say("The day is over and the queue is empty. Comparing replicas ...")
        checked = clinic.verify()
        checked["problems"] += crisis_problems + job_problems
        texts = statements(next(s["example"] for s in summaries if s["example"]))
        checked["problems"] += try_statements(options.dsn, texts)
        data = results(clinic, summaries, checked, time.monotonic() - began)
        data["crises"], data["jobs"] = crisis_rows, job_rows
        clinic.stop()       # before the server is restarted
        clinic.progress.say("Looking at keys: sealing, rotation, forgetting, a start without keys, the doctor ...")
        data["vault"], problems, data["certificate"] = show_vault(clinic, summaries)
        data["problems"] += problems
    finally:
        clinic.stop()
    data["statements"] = [text[:2] for text in texts]
    data["psql"] = "psql " + report.shell_quoted(options.dsn)
    report.write(options.report, data)
    report.print_results(data, os.path.abspath(options.report), options.kept)
    return 1 if data["problems"] else 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return run(arguments())
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    except (Failure, psycopg.Error) as error:
        print(f"\nThe demo could not run: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
