"""What the demo asks about the place it runs in: machine, versions, settings, limits of the tiers."""

import os
import platform

SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_connections",
            "paws_sync.pool_size", "paws_sync.batch_size")


def device_limits(server):
    """tier -> most devices, as far as paws_sync.tier_policy tells."""
    limits = {}
    for row in server.policy():
        if row.get("max_devices") is not None:
            limits[row["tier"]] = row["max_devices"]
    return limits


STORED = ("(SELECT subject_no, doc_id, collection, envelope FROM paws_care.document"
          " UNION ALL SELECT subject_no, doc_id, collection, envelope FROM paws_crisis.document)")


def sealed(server):
    """What sealing makes of the size of documents, from the tables: no API tells, and none needs to.
    Payloads are measured on the documents of a few devices, which pull them."""
    sizes = server.dicts(
        "WITH pulled AS MATERIALIZED (SELECT DISTINCT ON (d.subject_no, p.doc_id) d.subject_no, p.doc_id,"
        " p.collection, octet_length(p.payload) AS bytes"
        " FROM (SELECT device, subject_no FROM paws_registry.device WHERE revoked_at IS NULL"
        " ORDER BY device_no DESC LIMIT 100) d, paws_sync.pull(d.device, NULL, 10000, 67108864) p"
        " WHERE p.kind = 'change' AND p.payload IS NOT NULL)"
        " SELECT p.collection, v.compressible, count(*) AS documents, sum(p.bytes) AS payload,"
        " sum(octet_length(s.envelope)) AS stored"
        f" FROM pulled p JOIN {STORED} s USING (subject_no, doc_id) JOIN paws_sync.collections v ON v.name = p.collection"
        " GROUP BY p.collection, v.compressible ORDER BY p.collection")
    return {"sizes": sizes}


def _first(path, key):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith(key):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return None


def machine(server):
    """(name, value) pairs for people who compare results; no host name and no path among them."""
    memory = _first("/proc/meminfo", "MemTotal")
    pairs = [
        ("Processor", f"{os.cpu_count()} × {_first('/proc/cpuinfo', 'model name') or platform.machine()}"),
        ("Memory", f"{int(memory.split()[0]) / 1048576:.0f} GiB" if memory else "unknown"),
        ("Kernel", f"{platform.system()} {platform.release()}"),
        ("PostgreSQL", server.rows("SELECT current_setting('server_version')")[0][0]),
        ("paws_sync", server.rows("SELECT extversion FROM pg_extension WHERE extname = 'paws_sync'"
                                  " UNION ALL SELECT 'not installed' LIMIT 1")[0][0]),
        ("Python", platform.python_version()),
    ]
    for name in SETTINGS:
        value = server.rows("SELECT current_setting(%s, true)", (name,))[0][0]
        if value is not None:
            pairs.append((name, value))
    return pairs
