/*
 * base/worker.c - slots, starting and stopping.
 *
 * All dynamic workers are registered with BGW_NEVER_RESTART: whoever owns them (the launcher owns schedulers,
 * a scheduler its pool) compares wanted with running at every turn, so no start or end has to be seen as an
 * event.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/worker.h"
#include "base/worker_private.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"

/* A start that nobody has heard of for this long has failed. */
#define START_PATIENCE_MS 10000

static PawsWorkerSlot *slots = NULL;

static const char *const kind_names[PAWS_WORKER_KINDS] = {
	[PAWS_WORKER_LAUNCHER] = "launcher", [PAWS_WORKER_SCHEDULER] = "scheduler",
	[PAWS_WORKER_POOL] = "pool",         [PAWS_WORKER_TIMER] = "timer",
	[PAWS_WORKER_CRISIS] = "crisis",     [PAWS_WORKER_CANARY] = "canary",
};

const char *
paws_worker_kind_name(PawsWorkerKind kind)
{
	return kind_names[kind];
}

int
paws_worker_slots(void)
{
	return 1 + paws_max_databases * (PAWS_FIXED_WORKERS + PAWS_POOL_SIZE_MAX);
}

static Size
size(void)
{
	return mul_size(paws_worker_slots(), sizeof(PawsWorkerSlot));
}

static void
attach(void *memory, bool found)
{
	slots = memory;
	if (found)
		return;
	memset(slots, 0, size());
	for (int i = 0; i < paws_worker_slots(); i++)
	{
		pg_atomic_init_u32(&slots[i].busy, 0);
		pg_atomic_init_u64(&slots[i].batches, 0);
		pg_atomic_init_u64(&slots[i].operations, 0);
		pg_atomic_init_u64(&slots[i].errors, 0);
		pg_atomic_init_u64(&slots[i].active_at, 0);
	}
}

void
paws_worker_init(void)
{
	static const PawsSharedPart part = {"paws_sync workers", size, attach, NULL};

	paws_shmem_offer(&part);
}

PawsWorkerSlot *
paws_worker_slot(int index)
{
	return &slots[index];
}

bool
paws_worker_read(int index, PawsWorkerSlot *copy)
{
	LWLockAcquire(paws_lock(PAWS_LOCK_WORKERS), LW_SHARED);
	*copy = slots[index];
	LWLockRelease(paws_lock(PAWS_LOCK_WORKERS));
	return copy->used;
}

/* A slot whose start came to nothing is free again. The caller holds PAWS_LOCK_WORKERS exclusively. */
static bool
in_use(PawsWorkerSlot *slot)
{
	if (slot->used && slot->pid == 0 && paws_clock() - slot->asked_at > START_PATIENCE_MS * INT64CONST(1000))
		slot->used = false;
	return slot->used;
}

int
paws_worker_count(PawsWorkerKind kind, Oid database)
{
	int count = 0;

	LWLockAcquire(paws_lock(PAWS_LOCK_WORKERS), LW_EXCLUSIVE);
	for (int i = 0; i < paws_worker_slots(); i++)
		if (in_use(&slots[i]) && slots[i].kind == kind && slots[i].database == database)
			count++;
	LWLockRelease(paws_lock(PAWS_LOCK_WORKERS));
	return count;
}

int
paws_worker_running(PawsWorkerKind kind, Oid database)
{
	int count = 0;

	LWLockAcquire(paws_lock(PAWS_LOCK_WORKERS), LW_SHARED);
	for (int i = 0; i < paws_worker_slots(); i++)
		if (slots[i].used && slots[i].pid != 0 && slots[i].kind == kind && slots[i].database == database)
			count++;
	LWLockRelease(paws_lock(PAWS_LOCK_WORKERS));
	return count;
}

/* Takes a free slot; -1 if there is none. The caller holds PAWS_LOCK_WORKERS exclusively. */
static int
take_slot(PawsWorkerKind kind, Oid database)
{
	for (int i = 0; i < paws_worker_slots(); i++)
	{
		if (in_use(&slots[i]))
			continue;
		slots[i].used = true;
		slots[i].stopping = false;
		slots[i].kind = kind;
		slots[i].generation++;
		slots[i].database = database;
		slots[i].pid = 0;
		slots[i].asked_at = paws_clock();
		slots[i].started_at = 0;
		pg_atomic_write_u32(&slots[i].busy, 0);
		pg_atomic_write_u64(&slots[i].batches, 0);
		pg_atomic_write_u64(&slots[i].operations, 0);
		pg_atomic_write_u64(&slots[i].errors, 0);
		pg_atomic_write_u64(&slots[i].active_at, 0);
		return i;
	}
	return -1;
}

void
paws_worker_release(int index, uint32 generation)
{
	LWLockAcquire(paws_lock(PAWS_LOCK_WORKERS), LW_EXCLUSIVE);
	if (slots[index].generation == generation)
	{
		slots[index].used = false;
		slots[index].pid = 0;
	}
	LWLockRelease(paws_lock(PAWS_LOCK_WORKERS));
}

bool
paws_worker_occupy(int index, uint32 generation)
{
	bool mine;

	LWLockAcquire(paws_lock(PAWS_LOCK_WORKERS), LW_EXCLUSIVE);
	mine = slots[index].used && slots[index].generation == generation && slots[index].pid == 0;
	if (mine && slots[index].stopping)
		mine = slots[index].used = false;
	if (mine)
	{
		slots[index].pid = MyProcPid;
		slots[index].started_at = GetCurrentTimestamp();
	}
	LWLockRelease(paws_lock(PAWS_LOCK_WORKERS));
	return mine;
}

int
paws_worker_adopt_launcher(uint32 *generation)
{
	int index;

	LWLockAcquire(paws_lock(PAWS_LOCK_WORKERS), LW_EXCLUSIVE);
	index = take_slot(PAWS_WORKER_LAUNCHER, InvalidOid);
	if (index >= 0)
	{
		slots[index].pid = MyProcPid;
		slots[index].started_at = GetCurrentTimestamp();
		*generation = slots[index].generation;
	}
	LWLockRelease(paws_lock(PAWS_LOCK_WORKERS));
	return index;
}

static void
describe(BackgroundWorker *worker, PawsWorkerKind kind, const char *entry)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	snprintf(worker->bgw_library_name, BGW_MAXLEN, "paws_sync");
	snprintf(worker->bgw_function_name, BGW_MAXLEN, "%s", entry);
	snprintf(worker->bgw_type, BGW_MAXLEN, "paws_sync %s", kind_names[kind]);
	snprintf(worker->bgw_name, BGW_MAXLEN, "paws_sync %s", kind_names[kind]);
}

void
paws_worker_register_launcher(const char *entry)
{
	BackgroundWorker worker;

	describe(&worker, PAWS_WORKER_LAUNCHER, entry);
	worker.bgw_restart_time = 1;
	RegisterBackgroundWorker(&worker);
}

bool
paws_worker_start(PawsWorkerKind kind, const char *entry, Oid database)
{
	BackgroundWorker worker;
	uint32 generation = 0;
	int index;

	LWLockAcquire(paws_lock(PAWS_LOCK_WORKERS), LW_EXCLUSIVE);
	index = take_slot(kind, database);
	if (index >= 0)
		generation = slots[index].generation;
	LWLockRelease(paws_lock(PAWS_LOCK_WORKERS));
	if (index < 0)
		return false;

	describe(&worker, kind, entry);
	snprintf(worker.bgw_name, BGW_MAXLEN, "paws_sync %s for database %u", kind_names[kind], database);
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = Int32GetDatum(index);
	memcpy(worker.bgw_extra, &generation, sizeof(generation));
	worker.bgw_notify_pid = MyProcPid;
	if (RegisterDynamicBackgroundWorker(&worker, NULL))
		return true;
	paws_worker_release(index, generation);
	return false;
}

/*
 * The worker leaves at its next turn and frees the slot itself, so the slot has no other owner before. Under
 * the lock the pid cannot be another process's by then.
 */
void
paws_worker_stop(PawsWorkerKind kind, Oid database, int keep)
{
	LWLockAcquire(paws_lock(PAWS_LOCK_WORKERS), LW_EXCLUSIVE);
	for (int i = 0; i < paws_worker_slots(); i++)
	{
		PGPROC *proc;

		if (!slots[i].used || slots[i].kind != kind || slots[i].database != database || keep-- > 0)
			continue;
		slots[i].stopping = true;
		proc = slots[i].pid ? BackendPidGetProc(slots[i].pid) : NULL;
		if (proc)
			SetLatch(&proc->procLatch);
	}
	LWLockRelease(paws_lock(PAWS_LOCK_WORKERS));
}

void
paws_worker_nudge(Oid database)
{
	LWLockAcquire(paws_lock(PAWS_LOCK_WORKERS), LW_SHARED);
	for (int i = 0; i < paws_worker_slots(); i++)
	{
		PGPROC *proc;

		if (!slots[i].used || slots[i].pid == 0 || slots[i].database != database)
			continue;
		proc = BackendPidGetProc(slots[i].pid);
		if (proc)
			SetLatch(&proc->procLatch);
	}
	LWLockRelease(paws_lock(PAWS_LOCK_WORKERS));
}
