"""What the demo shows of the vault, as rows of (what, what was seen), with what did not go as promised.

sealed           in which suites the day's documents are stored, and that none of them is in clear
rotate           new epochs and new data keys, asked for while the day goes on (the replicas compared at the end show
                 that no write was lost and no read failed)
forget           a person is forgotten; the certificate is checked by the server, and without it
without_keys     the server starts without its keys: crisis is written and hotlines are told all the same
doctor           the verdict
"""

import base64
import json
import subprocess
import time
import uuid

import psycopg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SUITES = {0x01: "XChaCha20-Poly1305", 0x02: "AES-256-GCM", 0x03: "sealed to the subject's public key",
          0x12: "AES-256-GCM around XChaCha20-Poly1305", 0x13: "AES-256-GCM around sealed to the public key"}
PATIENCE = 180                  # seconds for what the scheduler does by and by
CLEAR = b"resourceType"         # is in every document that the devices write


def until(condition):
    """Asks until there is an answer; None if there is none in time."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.2)
    return None


def sealed(server):
    """(rows, problems): a row for each way in which documents are sealed."""
    found = server.rows(
        "SELECT get_byte(d.envelope, 3), count(*), sum(octet_length(d.envelope)),"
        " count(*) FILTER (WHERE position(%s::bytea IN d.envelope) > 0),"
        " array_agg(DISTINCT c.name::text) FROM ("
        "  SELECT collection, envelope FROM paws_care.document UNION ALL"
        "  SELECT collection, envelope FROM paws_crisis.document) d"
        " JOIN paws_registry.collection c ON c.collection_no = d.collection"
        " WHERE d.envelope IS NOT NULL GROUP BY 1 ORDER BY 1", (CLEAR,))
    rows = [(f"Sealed in suite 0x{suite:02x}",
             f"{count:,} documents of {', '.join(names)}: {SUITES[suite]}") for suite, count, _, _, names in found]
    clear = sum(row[3] for row in found)
    rows.append(("In clear", f"{clear} of {sum(row[1] for row in found):,}"))
    return rows, [f"{clear} documents are stored in clear"] if clear else []


class Rotation:
    """Rotations that were asked for during the day."""

    def __init__(self, server):
        self.server = server
        self.jobs = []

    def request(self, what):
        self.jobs.append(self.server.rows("SELECT paws_sync.rotate_keys(%s)", (what,))[0][0])

    def finish(self):
        """(rows, problems), when all of them are done."""
        sql = ("SELECT kind, done, left_over, extract(epoch FROM finished_at - requested_at)::float8"
               " FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = ANY (%s) AND finished_at IS NOT NULL"
               " ORDER BY job")

        def done():
            found = self.server.rows(sql, (self.jobs,))
            return found if len(found) == len(self.jobs) else None

        found = until(done)
        if found is None:
            return [], ["a rotation of keys did not end"]
        units = {"epochs": "data keys wrapped anew, the old epochs destroyed",
                 "data_keys": "subjects have new keys, and all their documents are sealed anew"}
        return ([(f"Rotated {kind.replace('_', ' ')}", f"{count:,} {units[kind]}, {seconds:.1f} s during the day")
                 for kind, count, _, seconds in found],
                [f"{left} keys were left over by the rotation of {kind}" for kind, _, left, _ in found if left])


def signature_fits(certificate, key):
    """The check that anybody can make who has the certificate and the public key, and no server."""
    text, _, last = certificate.rpartition("\n\N{EM DASH} paws_sync ")
    try:
        Ed25519PublicKey.from_public_bytes(bytes(key)).verify(base64.b64decode(last), text.encode())
    except InvalidSignature:
        return False
    return True


def forget(server, subject, device):
    """(rows, problems, certificate): forgets a person; there are no backups of the keyring here, so it is soon certain."""
    for setting in ("erasure_interval", "keyring_backup_retention"):
        server.command(f"ALTER SYSTEM SET paws_sync.{setting} = 0")
    server.rows("SELECT pg_reload_conf()")
    documents = len(server.pull(device, None))
    keys = server.rows("SELECT keys FROM paws_sync.forget(%s::paws_sync.subject)", (subject,))[0][0]
    try:
        server.pull(device, None)
        refused = "it is not"
    except psycopg.Error as error:
        refused = error.sqlstate
    found = until(lambda: server.rows(
        "SELECT certificate, logical_at::text, irrecoverable_at::text, paws_sync.certificate_key(),"
        " paws_sync.verify_certificate(certificate)"
        " FROM paws_sync.erasure_status(%s::paws_sync.subject) WHERE certificate IS NOT NULL", (subject,)))
    rows = [("Forgotten", f"one person with {documents} changes on a device: {keys} keys deleted; the device is refused"
             f" ({refused}) at once")]
    if found is None:
        return rows, ["the erasure was not certified"], None
    certificate, logical, irrecoverable, key, valid = found[0]
    offline, tampered = signature_fits(certificate, key), signature_fits(certificate.replace("keys ", "keys 1", 1), key)
    rows.append(("Certificate", f"logical {logical}, irrecoverable {irrecoverable}; the signature is"
                 f" {'valid' if valid and offline else 'NOT VALID'}, checked without the server as well"))
    problems = [] if refused == "PW002" else ["a device of a forgotten person is still served"]
    if not valid or not offline or tampered:
        problems.append("the certificate of an erasure does not verify as it should")
    return rows, problems, certificate


def restart(server, cluster, *options):
    server.close()
    subprocess.run([cluster, "restart", *options], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def crisis_operation(document):
    return json.dumps([{"op_id": str(uuid.uuid4()), "collection": "safety_plan", "doc_id": document,
                        "base_revision": 0,
                        "payload": base64.b64encode(b'{"resourceType": "CarePlan", "status": "active"}').decode()}])


def look_without_keys(server, device):
    """What can be had while there are no keys: states of care and crisis, and answers of the crisis functions."""
    document = str(uuid.uuid4())
    states = {row["component"]: row["state"] for row in server.dicts("SELECT * FROM paws_sync.status()")}
    written = server.rows("SELECT receipt::text FROM paws_sync.push_crisis(%s::paws_sync.device, %s::jsonb)",
                          (device, crisis_operation(document)))[0][0]
    suite = server.rows("SELECT get_byte(envelope, 3) FROM paws_crisis.document WHERE doc_id = %s", (document,))[0][0]
    codes = {row[9] for row in server.pull_crisis(device, None) if row[1] != "position"}
    hotlines = [row["contact"] for row in server.crisis_bundle(device, "us_ny") if row["kind"] == "resource"]
    try:
        server.pull(device, None)
        ordinary = "served"
    except psycopg.Error as error:
        ordinary = error.sqlstate
    return states, written, suite, codes, hotlines, ordinary


def without_keys(server, cluster, device, other):
    """(rows, problems): what was written without keys is there in clear when they are back."""
    restart(server, cluster, "--without-keys")
    try:
        states, written, suite, codes, hotlines, ordinary = look_without_keys(server, device)
    finally:
        restart(server, cluster)
    readable = [row for row in server.pull_crisis(other, None) if row[1] == "change" and CLEAR in bytes(row[6])]
    rows = [("Started without keys", f"keys care: {states['keys care']}, keys crisis: {states['keys crisis']};"
             f" ordinary pull: {ordinary}; crisis push: {written}, in suite 0x{suite:02x} ({SUITES[suite]}); pull_crisis: {', '.join(sorted(map(str, codes)))};"
             f" {len(hotlines)} hotlines, {'988 among them' if '988' in hotlines else 'WITHOUT 988'}"),
            ("Keys are back", f"the other device reads {len(readable)} plans in clear")]
    as_promised = (states["keys care"] == "none" and written == "applied" and codes == {"sealed"}
                   and "988" in hotlines and ordinary == "55000" and suite == 0x03 and readable)
    return rows, [] if as_promised else ["the crisis lane without keys is not as promised"]


def doctor(server):
    """(rows, problems). What the machine or a throw-away server may lack is told, and is no problem of the demo."""
    until(lambda: server.rows("SELECT 1 FROM paws_sync.status() WHERE component = 'workers' AND state = 'ready'"))
    checks = server.dicts("SELECT area, check_name, ok, value, wanted, hint FROM paws_sync.doctor()")
    wrong = [check for check in checks if not check["ok"]]
    rows = [("Doctor", f"{len(checks)} checks, {len(checks) - len(wrong)} in order")]
    rows += [(f"  {check['area']}", f"{check['check_name']} is {check['value']}: {check['hint']}") for check in wrong]
    rows += [("Beyond the manifest", f"{check['check_name'].rpartition(': ')[2]}: {check['value']}")
             for check in checks if check["check_name"].startswith("stored beyond the manifest")]
    return rows, [f"the doctor says of {check['check_name']}: {check['value']}" for check in wrong
                  if check["area"] in ("keys", "leaks", "minimisation", "objects", "status")]
