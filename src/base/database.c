/*
 * base/database.c - the slots of databases.
 *
 * Locking: the array is changed under PAWS_LOCK_DATABASES exclusively. oid and identity are words that
 * readers may look at without the lock: a stale answer makes them take the lock and look again. Versions are
 * atomics.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/spi.h"
#include "miscadmin.h"

#define WITHDRAWN_MAX 16

typedef struct PawsDatabase
{
	volatile Oid oid;
	volatile Oid identity;
	pg_atomic_uint64 version[PAWS_CACHED_KINDS];
} PawsDatabase;

/* Who withdrew a database: if that process is gone without resuming, the entry is void. */
typedef struct PawsWithdrawal
{
	Oid database;
	int pid;
} PawsWithdrawal;

typedef struct PawsDatabasesShared
{
	PawsWithdrawal withdrawn[WITHDRAWN_MAX]; /* under PAWS_LOCK_DATABASES */
	PawsDatabase slot[FLEXIBLE_ARRAY_MEMBER];
} PawsDatabasesShared;

static PawsDatabasesShared *shared = NULL;
static int my_slot = -1;
static TransactionId touched_in =
	InvalidTransactionId; /* the last transaction that touched something cached */

static Size
size(void)
{
	return add_size(offsetof(PawsDatabasesShared, slot), mul_size(paws_max_databases, sizeof(PawsDatabase)));
}

static void
attach(void *memory, bool found)
{
	shared = memory;
	if (found)
		return;
	memset(shared, 0, size());
	for (int i = 0; i < paws_max_databases; i++)
		for (int kind = 0; kind < PAWS_CACHED_KINDS; kind++)
			pg_atomic_init_u64(&shared->slot[i].version[kind], 1);
}

void
paws_database_init(void)
{
	static const PawsSharedPart part = {"paws_sync databases", size, attach, NULL};

	paws_shmem_offer(&part);
}

/* The caller holds PAWS_LOCK_DATABASES exclusively. */
static int
take_slot(Oid identity)
{
	int found = -1;

	for (int i = 0; i < paws_max_databases; i++)
	{
		if (shared->slot[i].oid == MyDatabaseId)
		{
			found = i;
			break;
		}
		if (found < 0 && shared->slot[i].oid == InvalidOid)
			found = i;
	}
	if (found < 0)
		return -1;
	if (shared->slot[found].oid != MyDatabaseId || shared->slot[found].identity != identity)
	{
		paws_shmem_reset(found);
		for (int kind = 0; kind < PAWS_CACHED_KINDS; kind++)
			pg_atomic_fetch_add_u64(&shared->slot[found].version[kind], 1);
		shared->slot[found].identity = identity;
		shared->slot[found].oid = MyDatabaseId;
	}
	return found;
}

int
paws_database_slot(void)
{
	Oid identity;

	paws_shmem_require();
	identity = paws_extension_identity();
	if (!OidIsValid(identity))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("extension paws_sync is not installed in this database"),
						errhint("Run CREATE EXTENSION paws_sync CASCADE.")));
	if (my_slot >= 0 && shared->slot[my_slot].oid == MyDatabaseId &&
		shared->slot[my_slot].identity == identity)
		return my_slot;

	LWLockAcquire(paws_lock(PAWS_LOCK_DATABASES), LW_EXCLUSIVE);
	my_slot = take_slot(identity);
	LWLockRelease(paws_lock(PAWS_LOCK_DATABASES));
	if (my_slot < 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("too many databases use paws_sync"),
				 errhint("Raise \"paws_sync.max_databases\" and restart the server.")));
	return my_slot;
}

int
paws_database_find(Oid database)
{
	for (int i = 0; i < paws_max_databases; i++)
		if (shared->slot[i].oid == database)
			return i;
	return -1;
}

Oid
paws_database_oid(int slot)
{
	return shared->slot[slot].oid;
}

Oid
paws_database_identity(int slot)
{
	return shared->slot[slot].identity;
}

void
paws_database_forget(Oid database)
{
	int slot;

	LWLockAcquire(paws_lock(PAWS_LOCK_DATABASES), LW_EXCLUSIVE);
	slot = paws_database_find(database);
	if (slot >= 0)
	{
		shared->slot[slot].oid = InvalidOid;
		shared->slot[slot].identity = InvalidOid;
	}
	LWLockRelease(paws_lock(PAWS_LOCK_DATABASES));
}

/* A version that nobody else ever has. */
static uint64
own_version(void)
{
	static uint64 once = PG_UINT64_MAX;

	return once--;
}

static bool
touched_in_this_transaction(void)
{
	return TransactionIdIsValid(touched_in) && GetTopTransactionIdIfAny() == touched_in;
}

/*
 * What a transaction reads of its own uncommitted change, or by a snapshot of the past, must not stay in the
 * cache.
 */
uint64
paws_database_version(int slot, PawsCached kind)
{
	if (touched_in_this_transaction())
		return own_version();
	if (IsolationUsesXactSnapshot())
		return (uint64) PG_INT64_MAX + (uint64) GetCurrentTransactionStartTimestamp();
	return pg_atomic_read_u64(&shared->slot[slot].version[kind]);
}

uint64
paws_database_version_latest(int slot, PawsCached kind)
{
	return touched_in_this_transaction() ? own_version()
										 : pg_atomic_read_u64(&shared->slot[slot].version[kind]);
}

typedef struct Touched
{
	int slot;
	PawsCached kind;
} Touched;

static void
raise_version(void *arg)
{
	Touched *touched = arg;

	pg_atomic_fetch_add_u64(&shared->slot[touched->slot].version[touched->kind], 1);
}

/*
 * Raised now and again at commit: now, so that this transaction reads its own change; at commit, since
 * another process may have read the old rows in between. An abort leaves one needless re-read.
 */
void
paws_database_touch(int slot, PawsCached kind)
{
	Touched *touched = paws_at_commit(raise_version, sizeof(Touched));

	touched->slot = slot;
	touched->kind = kind;
	touched_in = GetTopTransactionId();
	raise_version(touched);
}

void
paws_database_withdraw(Oid database)
{
	LWLockAcquire(paws_lock(PAWS_LOCK_DATABASES), LW_EXCLUSIVE);
	for (int i = 0; i < WITHDRAWN_MAX; i++)
	{
		if (shared->withdrawn[i].pid == 0)
		{
			shared->withdrawn[i].database = database;
			shared->withdrawn[i].pid = MyProcPid;
			break;
		}
	}
	LWLockRelease(paws_lock(PAWS_LOCK_DATABASES));
}

void
paws_database_resume(Oid database)
{
	LWLockAcquire(paws_lock(PAWS_LOCK_DATABASES), LW_EXCLUSIVE);
	for (int i = 0; i < WITHDRAWN_MAX; i++)
		if (shared->withdrawn[i].database == database && shared->withdrawn[i].pid == MyProcPid)
			shared->withdrawn[i].pid = 0;
	LWLockRelease(paws_lock(PAWS_LOCK_DATABASES));
}

bool
paws_database_withdrawn(Oid database)
{
	bool withdrawn = false;

	LWLockAcquire(paws_lock(PAWS_LOCK_DATABASES), LW_SHARED);
	for (int i = 0; i < WITHDRAWN_MAX; i++)
		if (shared->withdrawn[i].pid != 0 && shared->withdrawn[i].database == database)
			withdrawn = true;
	LWLockRelease(paws_lock(PAWS_LOCK_DATABASES));
	return withdrawn;
}
