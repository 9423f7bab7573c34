"""Payloads on their whole way: pushed by one device, applied by workers, pulled by another one, on pages far above
work_mem. And what becomes of them when the caller's own SQL goes on with what pull has handed out."""

import uuid

import arguments
import ways
from server import wait_for
from session import Failure
from values import Planted

LIMITS = "10000, 67108864"
EVERYTHING = f"paws_sync.pull($1::paws_sync.device, NULL, {LIMITS})"
PUSH = ("SELECT outcome FROM paws_sync.push_many($1::paws_sync.device, $2::uuid[], $3::text[], $4::uuid[],"
        " $5::bigint[], $6::bytea[])")
FILL = "." * 6000

# Ways to read a page that must keep it in memory.
READING = {
    "pull": f"SELECT * FROM {EVERYTHING}",
    "pull_wait": f"SELECT * FROM paws_sync.pull_wait($1::paws_sync.device, NULL, '1 second', {LIMITS})",
    "pull_crisis": f"SELECT * FROM paws_sync.pull_crisis($1::paws_sync.device, NULL, {LIMITS})",
    "crisis_bundle": "SELECT * FROM paws_sync.crisis_bundle($1::paws_sync.device)",
    "pull in the select list": f"SELECT ({EVERYTHING})::text",
    "pull in PL/pgSQL": "SELECT ways.read_all($1)",
    "pull through a pipe of expressions": f"SELECT upper(convert_from(payload, 'UTF8')) FROM {EVERYTHING}",
}

# What the caller does with it: these spill, and are on the list of what is left.
OWN = {
    "sort above work_mem": (f"FOR SELECT payload FROM {EVERYTHING} ORDER BY payload", "FETCH 1 FROM c"),
    "cursor WITH HOLD above work_mem": (f"WITH HOLD FOR SELECT payload FROM {EVERYTHING}", "COMMIT"),
    "FETCH above work_mem": (f"FOR SELECT payload FROM {EVERYTHING}", "FETCH ALL FROM c"),
    "RETURN QUERY above work_mem": ("FOR SELECT * FROM ways.hand_on($1)", "FETCH 1 FROM c"),
}
FUNCTIONS = f"""
CREATE FUNCTION ways.read_all(device text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE line record; bytes bigint := 0;
BEGIN
    FOR line IN SELECT * FROM {EVERYTHING} LOOP
        bytes := bytes + length(line.payload);
    END LOOP;
    RETURN bytes;
END $$;
CREATE FUNCTION ways.hand_on(device text) RETURNS SETOF bytea LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT payload FROM {EVERYTHING};
END $$;
"""


def push(target, count):
    """A new person, one device of which has pushed so many payloads; all of them are applied."""
    person = target.new_person()
    planted = [target.values.new() for _ in range(count)]
    op_ids = [str(uuid.uuid4()) for _ in planted]
    given = [arguments.Given(person.device), arguments.Given(arguments.array_text(op_ids)),
             arguments.Given(arguments.array_text([person.collection() for _ in planted])),
             arguments.Given(arguments.array_text([str(uuid.uuid4()) for _ in planted])),
             arguments.Given("{" + ",".join("0" for _ in planted) + "}"), arguments.byte_arrays(planted, FILL)]
    outcomes = target.session.rows(PUSH, *[g.text for g in given])
    if any(outcome != ["accepted"] for outcome in outcomes):
        raise Failure(f"pushes were answered {outcomes}")
    ready = "SELECT bool_and(outcome IS NOT NULL) FROM paws_sync.receipts($1::paws_sync.device, $2::uuid[])"
    wait_for("the workers", lambda: target.session.one(ready, person.device, arguments.array_text(op_ids)) == "t")
    return person, planted


def run(target):
    count = 40 if target.small else 300
    target.must(FUNCTIONS)
    for name, sql in READING.items():
        person, planted = push(target, count)
        rows = target.session.rows(sql, person.other_device)
        if name == "pull":
            compare(rows, planted)
        target.watch.keep_files()
        target.planted += [Planted(v, ways.PARAMETER, name, "committed", "", "", "right", "00000") for v in planted]
        target.spill(f"{name}, cursor", f"FOR {sql}", [arguments.Given(person.other_device)], [], ways.PARAMETER)
    for name, (form, fetch) in OWN.items():
        person, planted = push(target, count)
        target.spill(name, form, [arguments.Given(person.other_device)], planted, ways.OWN, fetch)


def compare(rows, planted):
    """What was pushed is what is pulled: else this sweep would have looked for nothing."""
    texts = {bytes.fromhex(row[7][2:]).decode() for row in rows if row[7]}
    missing = [v for v in planted if v.text + FILL not in texts]
    if missing:
        raise Failure(f"{len(missing)} of {len(planted)} payloads did not come back")
