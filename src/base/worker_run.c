/*
 * base/worker_run.c - the life of one worker process.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/spi.h"
#include "base/worker.h"
#include "base/worker_private.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "access/genam.h"
#include "access/table.h"

static int my_index = -1;
static uint32 my_generation = 0;
static int database_slot = -1;
static MemoryContext turn_context = NULL;

PawsWorkerSlot *
paws_worker_self(void)
{
	return paws_worker_slot(my_index);
}

int
paws_worker_index(void)
{
	return my_index;
}

int
paws_worker_database_slot(void)
{
	return database_slot;
}

static void
leave(int code, Datum arg)
{
	paws_worker_release(my_index, my_generation);
}

/* Settings that a database or role may have changed must not reach a worker: as autovacuum does for itself.
 */
static void
pin_session(void)
{
	static const char *const pinned[][2] = {
		{"search_path", ""},
		{"statement_timeout", "0"},
		{"lock_timeout", "1s"},
		{"idle_in_transaction_session_timeout", "0"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"max_parallel_workers_per_gather", "0"},
		{"jit", "off"},
		{"row_security", "off"},
		{"session_replication_role", "origin"},
		{"synchronous_commit", "on"},
	};

	for (int i = 0; i < (int) lengthof(pinned); i++)
		SetConfigOption(pinned[i][0], pinned[i][1], PGC_SUSET, PGC_S_OVERRIDE);
}

static void
set_up(const PawsWorkerMain *worker, Datum main_arg)
{
	/* die, not the stock handler of background workers, which may fire inside a critical section */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	if (worker->kind == PAWS_WORKER_LAUNCHER)
	{
		my_index = paws_worker_adopt_launcher(&my_generation);
		if (my_index < 0)
			proc_exit(1);
	}
	else
	{
		my_index = DatumGetInt32(main_arg);
		memcpy(&my_generation, MyBgworkerEntry->bgw_extra, sizeof(my_generation));
		if (!paws_worker_occupy(my_index, my_generation))
			proc_exit(0);
	}
	before_shmem_exit(leave, (Datum) 0);

	if (worker->kind == PAWS_WORKER_LAUNCHER)
		BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	else
		BackgroundWorkerInitializeConnectionByOid(paws_worker_self()->database, InvalidOid, 0);
	pin_session();
	turn_context = AllocSetContextCreate(TopMemoryContext, "paws_sync worker turn", ALLOCSET_DEFAULT_SIZES);
}

/* Exit code 0 in both cases: the owner decides whether a new one is wanted. */
static void
leave_if_unwanted(const PawsWorkerMain *worker)
{
	PawsWorkerSlot *slot = paws_worker_self();

	if (slot->stopping || slot->generation != my_generation)
		proc_exit(0);
	if (worker->kind != PAWS_WORKER_LAUNCHER && paws_database_withdrawn(slot->database))
		proc_exit(0);
}

void
paws_worker_run(const PawsWorkerMain *worker, Datum main_arg)
{
	set_up(worker, main_arg);
	for (;;)
	{
		long wait;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		leave_if_unwanted(worker);

		MemoryContextSwitchTo(turn_context);
		MemoryContextReset(turn_context);
		wait = worker->turn();
		/* while busy at most once a second, or autovacuum would never hear of what we delete */
		pgstat_report_stat(wait > 0);
		if (wait <= 0)
			continue;
		if (worker->before_sleep)
			worker->before_sleep();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, wait, PG_WAIT_EXTENSION);
	}
}

/* The extension as it was found last, and the number of changes of schemas that were heard of by then:
 * whoever drops it, makes it anew or gives it to another role changes schemas of it. */
typedef struct Extension
{
	uint64 changes;
	Oid oid; /* InvalidOid: not found yet */
	Oid owner;
} Extension;

static Extension extension = {0};

static Oid
extension_owner(Oid oid)
{
	Relation relation = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	Oid owner = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(relation, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return owner;
}

static void
find_extension(void)
{
	(void) paws_extension_identity();
	if (OidIsValid(extension.oid) && extension.changes == paws_extension_changes())
		return;
	extension.changes = paws_extension_changes();
	extension.oid = get_extension_oid("paws_sync", true);
	extension.owner = OidIsValid(extension.oid) ? extension_owner(extension.oid) : InvalidOid;
}

/*
 * Locks the installed extension against DROP, to the end of the transaction; false if there is none. It is
 * looked at again under the lock, since it may have been dropped while we waited. One that is just being
 * committed can be seen a moment before the caches hear of its schema: then it is there in the next turn.
 */
static bool
lock_extension(void)
{
	Oid oid;

	find_extension();
	oid = extension.oid;
	if (!OidIsValid(oid))
		return false;
	LockDatabaseObject(ExtensionRelationId, oid, 0, AccessShareLock);
	AcceptInvalidationMessages();
	find_extension();
	return extension.oid == oid && OidIsValid(paws_extension_identity());
}

bool
paws_worker_begin(const char *activity)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (!lock_extension())
	{
		CommitTransactionCommand();
		MemoryContextSwitchTo(turn_context);
		database_slot = -1;
		return false;
	}
	SetUserIdAndSecContext(extension.owner, SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	database_slot = paws_database_slot();
	debug_query_string = activity;
	pgstat_report_activity(STATE_RUNNING, activity);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (paws_worker_self()->kind == PAWS_WORKER_CRISIS || paws_worker_self()->kind == PAWS_WORKER_CANARY)
		paws_commit_of_crisis();
	return true;
}

/* The user comes back by itself: the transaction restores user and security context of its start only on
 * abort. */
static void
back_to_session_user(void)
{
	SetUserIdAndSecContext(GetSessionUserId(), 0);
	debug_query_string = NULL;
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextSwitchTo(turn_context);
}

void
paws_worker_commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	back_to_session_user();
}

void
paws_worker_abort(void)
{
	MemoryContextSwitchTo(turn_context);
	HOLD_INTERRUPTS();
	EmitErrorReport();
	AbortCurrentTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
	back_to_session_user();
	pg_atomic_fetch_add_u64(&paws_worker_self()->errors, 1);
}
