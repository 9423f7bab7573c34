#!/usr/bin/env python3
"""Submit work and do it, with psycopg 3 (Debian: python3-psycopg).

    python3 jobs.py "host=... port=... dbname=paws user=..."

The effects of a job and its completion are one transaction: both happen or none. A worker that was too slow finds that
out by PW011, and what it wrote is rolled back.
"""

import sys

import psycopg

connection = psycopg.connect(sys.argv[1], autocommit=True)


def rows(sql, *args):
    return connection.execute(sql, args).fetchall()


rows("SELECT paws_sync.define_topic(%s, max_attempts => 2, backoff => '10 ms')", "reminders_py")
connection.execute("CREATE TEMP TABLE sent (job bigint, text text)")

# The key is what makes a repeated request the same job.
for _ in range(2):
    print("submit:", *rows("SELECT outcome::text, state::text FROM paws_sync.submit(%s, %s::bytea, key => %s)",
                           "reminders_py", b"bring the diary", "visit-17")[0])
print("batch:", *(r[0] for r in rows("SELECT outcome::text FROM paws_sync.submit_many(%s, %s::bytea[], 'bulk')",
                                     "reminders_py", [b"one", b"two", b"three"])))


def claim(most=1):
    """Waits a little; in a loop this is all that a worker needs."""
    return rows("SELECT job, fence, payload, attempt FROM paws_sync.claim_wait(%s::text[], %s, timeout => '1 s')",
                ["reminders_py"], most)


def work(job, fence, payload):
    with connection.transaction():
        connection.execute("INSERT INTO sent VALUES (%s, %s)", (job, payload.decode()))
        connection.execute("SELECT paws_sync.complete(%s, %s, %s::bytea)", (job, fence, b"sent"))


[(job, fence, payload, _)] = claim()
work(job, fence, payload)
print("done:", payload.decode())
print("repeat:", *rows("SELECT outcome::text, state::text, convert_from(result, 'UTF8') FROM paws_sync.submit(%s, %s::bytea, key => %s)",
                       "reminders_py", b"bring the diary", "visit-17")[0])

# Too late: the lease was given back, so somebody else may have it by now.
[(job, fence, payload, _)] = claim()
rows("SELECT paws_sync.release(%s, %s)", job, fence)
try:
    work(job, fence, payload)
except psycopg.Error as error:
    print("late:", error.sqlstate, "effects:", rows("SELECT count(*) FROM sent WHERE job = %s", job)[0][0])

# One fails for good; the others are completed together, without waiting for the disk.
batch = claim(10)
failed, good = batch[0], batch[1:]
print("fail:", rows("SELECT paws_sync.fail(%s, %s, reason => 'refused')::text", failed[0], failed[1])[0][0])
print("batch:", *(r[0] for r in rows("SELECT outcome::text FROM paws_sync.complete_many(%s::bigint[], %s::bigint[], durable => false)",
                                     [j[0] for j in good], [j[1] for j in good])))
again = []
while not again:
    again = claim()
print("attempt:", again[0][3])
print("fail:", rows("SELECT paws_sync.fail(%s, %s, reason => 'refused')::text", again[0][0], again[0][1])[0][0])
print("dead:", *rows("SELECT reason::text, attempts FROM paws_sync.dead_letters(%s)", "reminders_py")[0])
print("redriven:", rows("SELECT paws_sync.redrive(%s)", "reminders_py")[0][0])
[(job, fence, payload, _)] = claim()
work(job, fence, payload)
print("left:", *rows("SELECT waiting, running, dead FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = %s", "reminders_py")[0])
