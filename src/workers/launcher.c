/*
 * workers/launcher.c - one for the server: crisis workers, a scheduler, a timer and a canary for each listed
 * database that exists, none for any other.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/database.h"
#include "base/log_safe.h"
#include "base/settings.h"
#include "base/worker.h"
#include "catalog/pg_database.h"
#include "control/health.h"
#include "nodes/pg_list.h"
#include "queue/admission.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "vault/keyring.h"
#include "workers/workers.h"

#define TURN_MS 1000

static bool
is_listed(List *names, const char *name)
{
	ListCell *cell;

	foreach (cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

/*
 * The oids of the listed databases that exist, take connections and are not withdrawn; in the turn's memory.
 * pg_database is read by a sequential scan, as the autovacuum launcher does: a process without a database has
 * no other way before the relation cache's file exists.
 */
static List *
wanted_databases(void)
{
	MemoryContext turn = CurrentMemoryContext;
	List *names = paws_settings_databases();
	List *wanted = NIL;
	Relation relation;
	TableScanDesc scan;
	HeapTuple tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if (!database->datallowconn || !is_listed(names, NameStr(database->datname)) ||
			paws_database_withdrawn(database->oid))
			continue;
		old = MemoryContextSwitchTo(turn);
		wanted = lappend_oid(wanted, database->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(turn);
	return wanted;
}

/* Workers of a database that is not wanted leave; so does a pool whose scheduler went and will not come back.
 */
static void
stop_unwanted(List *wanted)
{
	for (int i = 0; i < paws_worker_slots(); i++)
	{
		PawsWorkerSlot slot;

		if (!paws_worker_read(i, &slot) || slot.kind == PAWS_WORKER_LAUNCHER ||
			list_member_oid(wanted, slot.database))
			continue;
		paws_worker_stop(PAWS_WORKER_SCHEDULER, slot.database, 0);
		paws_worker_stop(PAWS_WORKER_TIMER, slot.database, 0);
		paws_worker_stop(PAWS_WORKER_POOL, slot.database, 0);
		paws_worker_stop(PAWS_WORKER_CRISIS, slot.database, 0);
		paws_worker_stop(PAWS_WORKER_CANARY, slot.database, 0);
	}
}

/* From the start on, so that no copy of this server can come before it. */
static void
claim_keyring(void)
{
	static bool complained = false;
	bool claimed = paws_keyring_claim();

	if (!claimed && !complained)
		ereport_domain(
			WARNING, PAWS_LOG_SAFE,
			(errcode(ERRCODE_OBJECT_IN_USE), errmsg("another server of the same identity uses the keyring"),
			 errdetail("One of them is a copy of the other. This one came second and destroys no epochs."),
			 errhint(
				 "In the copy, let \"paws_sync.keyring_file\" name a file of its own, a copy of this, and restart it.")));
	complained = !claimed;
}

/* Up to `wanted` workers of a kind; false if there was no room for one. This process hears at once of one
 * that ends. */
static bool
keep(PawsWorkerKind kind, const char *entry, Oid database, int wanted)
{
	for (int running = paws_worker_count(kind, database); running < wanted; running++)
		if (!paws_worker_start(kind, entry, database))
			return false;
	return true;
}

/* One that runs and is not heard of waits for a commit: somebody else has to say so. */
static bool
keep_canary(Oid database)
{
	if (paws_worker_running(PAWS_WORKER_CANARY, database) > 0)
		paws_health_look_from_outside(database);
	else if (paws_worker_count(PAWS_WORKER_CANARY, database) == 0)
		paws_health_expect(database);
	return keep(PAWS_WORKER_CANARY, PAWS_CANARY_ENTRY, database, 1);
}

static void
complain_of_room(bool short_of_room)
{
	static bool complained = false;

	if (short_of_room && !complained)
		ereport_domain(WARNING, PAWS_LOG_SAFE,
					   (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("could not start all workers"),
						errhint("Raise \"max_worker_processes\".")));
	complained = short_of_room;
}

/* Crisis workers of all databases before anything else. */
static long
turn(void)
{
	List *wanted = wanted_databases();
	ListCell *cell;
	bool good = true;

	paws_keyring_watch();
	claim_keyring();
	paws_admission_save();
	stop_unwanted(wanted);
	foreach (cell, wanted)
		good = keep(PAWS_WORKER_CRISIS, PAWS_CRISIS_ENTRY, lfirst_oid(cell), PAWS_CRISIS_WORKERS) && good;
	foreach (cell, wanted)
		good = keep(PAWS_WORKER_SCHEDULER, PAWS_SCHEDULER_ENTRY, lfirst_oid(cell), 1) &&
			   keep(PAWS_WORKER_TIMER, PAWS_TIMER_ENTRY, lfirst_oid(cell), 1) && good;
	foreach (cell, wanted)
		good = keep_canary(lfirst_oid(cell)) && good;
	complain_of_room(!good);
	return TURN_MS;
}

void
paws_launcher_main(Datum main_arg)
{
	static const PawsWorkerMain launcher = {PAWS_WORKER_LAUNCHER, PAWS_LAUNCHER_ENTRY, turn, NULL};

	paws_worker_run(&launcher, main_arg);
}
