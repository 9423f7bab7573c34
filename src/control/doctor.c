/*
 * control/doctor.c - what SQL cannot see of the state of the server; the rest of doctor() is in doctor.sql.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/worker.h"
#include "commands/dbcommands.h"
#include "control/rows.h"
#include "control/wal_flood.h"
#include "guard/connection_reserve.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "queue/admission.h"
#include "postmaster/postmaster.h"
#include "replication/logicallauncher.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(paws_doctor_probe);

/* The hint is given where it is needed. */
static void
put(PawsRows *rows, const char *area, const char *name, bool good, const char *value, const char *wanted,
	const char *hint)
{
	paws_row_text(rows, area);
	paws_row_text(rows, name);
	paws_row_datum(rows, BoolGetDatum(good));
	paws_row_text(rows, value);
	paws_row_text(rows, wanted);
	paws_row_text(rows, good ? NULL : hint);
	paws_row_end(rows);
}

/*
 * The launcher, and for each database a scheduler, a timer, two crisis workers and the pool; beside them what
 * the server itself starts from the same number, which would else leave us without when it is busy.
 */
static void
put_processes(PawsRows *rows, int databases)
{
	int ours = 1 + databases * (2 + PAWS_CRISIS_WORKERS + paws_pool_size);
	int needed = ours + max_parallel_workers + (max_logical_replication_workers > 0 ? 1 : 0);

	put(rows, "workers", "max_worker_processes", max_worker_processes >= needed,
		psprintf("%d", max_worker_processes), psprintf("%d or more", needed),
		psprintf("paws_sync needs %d; the rest is \"max_parallel_workers\" and logical replication. Raise "
				 "it, or lower \"max_parallel_workers\".",
				 ours));
}

static void
put_databases(PawsRows *rows, List *names)
{
	StringInfoData missing;
	ListCell *cell;

	initStringInfo(&missing);
	foreach (cell, names)
		if (!OidIsValid(get_database_oid(lfirst(cell), true)))
			appendStringInfo(&missing, "%s%s", missing.len ? ", " : "", (char *) lfirst(cell));
	put(rows, "workers", "listed databases that do not exist", missing.len == 0,
		missing.len ? missing.data : "none", "none",
		"Correct \"paws_sync.databases\"; nothing serves a database under another name.");
	put(rows, "workers", "listed databases", list_length(names) <= paws_max_databases,
		psprintf("%d", list_length(names)), psprintf("%d or fewer", paws_max_databases),
		"Raise \"paws_sync.max_databases\" and restart the server.");
}

/* What of max_connections is kept for whom. */
static void
put_connections(PawsRows *rows)
{
	bool exists = paws_connection_reserve_role_exists();
	int reserved = paws_crisis_reserved_connections;
	int ordinary = MaxConnections - ReservedBackends - reserved;

	put(rows, "crisis", "paws_sync.crisis_role", exists,
		exists                        ? paws_crisis_role
		: paws_crisis_role[0] != '\0' ? "a role that does not exist"
									  : "none",
		"a role that exists",
		"No connection is kept free, so crisis clients find none when all are taken: name the role of what serves the "
		"crisis lane.");
	put(rows, "crisis", "paws_sync.crisis_reserved_connections", reserved > 0 && ordinary >= reserved,
		psprintf("%d of %d", reserved, MaxConnections), "1 or more, and at most what is left to others",
		"Set it to what the crisis service opens at most, and \"max_connections\" well above it.");
}

/* A limiter that lets through what it should not is no error, but somebody should know. */
static void
put_admission(PawsRows *rows)
{
	PawsAdmissionCounts total;

	paws_admission_total(paws_database_slot(), &total);
	put(rows, "limits", "let through without an allowance", total.untracked == 0,
		psprintf(INT64_FORMAT, total.untracked), "0",
		"Raise \"paws_sync.max_subjects_limited\" and restart the server; stat_reset() counts anew.");
}

/* A crisis commit is flushed behind whatever was written before it, whosoever's that is. */
static void
put_wal_writer(PawsRows *rows)
{
	double bound = (double) paws_bulk_wal_rate * 1024;
	PawsWalWriter worst;

	paws_wal_flood_worst(&worst);
	put(rows, "crisis", "WAL of one client", worst.rate <= bound,
		worst.pid == 0 ? "none"
					   : psprintf("%.1f MB a second by process %d", worst.rate / (1024 * 1024), worst.pid),
		psprintf("at most %.1f MB a second (paws_sync.bulk_wal_rate)", bound / (1024 * 1024)),
		"Crisis commits wait for the disk behind it. Let this client write less at a time and pause in between, or end "
		"it with pg_terminate_backend(); see \"When a client floods the WAL\" in README.md.");
}

Datum
paws_doctor_probe(PG_FUNCTION_ARGS)
{
	List *names = paws_settings_databases();
	bool standby = RecoveryInProgress();
	bool launcher;
	bool locked;
	PawsRows rows;

	paws_shmem_require();
	launcher = paws_worker_count(PAWS_WORKER_LAUNCHER, InvalidOid) > 0;
	locked = (!paws_vault_ready(PAWS_ROOT_CARE) && !paws_vault_ready(PAWS_ROOT_CRISIS)) ||
			 paws_vault_memory_locked();
	paws_rows_begin(&rows, fcinfo);
	put(&rows, "keys", "memory of this process", locked, locked ? "locked" : "not locked", "locked",
		"Keys may be written to swap space: raise the limit on locked memory of the server's user.");
	put(&rows, "workers", "launcher", launcher || standby,
		launcher  ? "there"
		: standby ? "not on a standby"
				  : "gone",
		"there", "It comes back by itself within seconds; if not, look into the server's log.");
	put_processes(&rows, list_length(names));
	put_databases(&rows, names);
	put_connections(&rows);
	put_admission(&rows);
	put_wal_writer(&rows);
	return (Datum) 0;
}
