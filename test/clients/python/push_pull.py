#!/usr/bin/env python3
"""Push on one device, pull on another, with psycopg 3 (Debian: python3-psycopg).

    python3 push_pull.py "host=... port=... dbname=paws user=..."

The driver knows none of our types: tokens and cursors travel as text and are cast in the statement. Values are bind
parameters, so a payload never stands in a statement's text.
"""

import json
import sys
import uuid

import psycopg

connection = psycopg.connect(sys.argv[1], autocommit=True)
cursor = connection.cursor()


def rows(sql, *args):
    cursor.execute(sql, args)
    return cursor.fetchall()


if not rows("SELECT FROM paws_sync.collections WHERE name = %s", "mood"):
    rows("SELECT paws_sync.define_collection(%s, %s::paws_sync.class, %s)", "mood", "interactive", "append")
subject = rows("SELECT paws_sync.subject_for(%s)::text", str(uuid.uuid4()))[0][0]
rows("SELECT paws_sync.set_entitlement(%s::paws_sync.subject, %s::paws_sync.tier)", subject, "premium")
phone, tablet = (rows("SELECT paws_sync.register_device(%s::paws_sync.subject, %s)::text", subject, platform)[0][0]
                 for platform in ("ios", "web"))

# An operation keeps its op_id: whatever happens to the answer, the same operation may be sent again.
operation, document = str(uuid.uuid4()), str(uuid.uuid4())
payload = json.dumps({"resourceType": "Observation", "status": "final", "valueInteger": 7}).encode()
for _ in range(2):
    for op_id, outcome, retry_after, code in rows(
            "SELECT op_id::text, outcome::text, retry_after, code FROM paws_sync.push_many(%s::paws_sync.device,"
            " %s::uuid[], %s::text[], %s::uuid[], %s::bigint[], %s::bytea[])",
            phone, [operation], ["mood"], [document], [0], [payload]):
        print("push:", outcome, code or "", retry_after or "")

# The cursor to keep is that of the last row that was worked on; None at the beginning.
place = None
for place, kind, collection, revision, content in rows(
        "SELECT cursor::text, kind, collection, revision, payload FROM paws_sync.pull_wait(%s::paws_sync.device,"
        " %s::paws_sync.cursor, %s::interval)", tablet, place, "1 second"):
    print("pull:", kind, collection, revision, content or "")
rows("SELECT paws_sync.ack(%s::paws_sync.device, %s::paws_sync.cursor)", tablet, place)

print("receipt:", rows("SELECT outcome::text, revision FROM paws_sync.receipts(%s::paws_sync.device, %s::uuid[])",
                       phone, [operation]))
