/*
 * control/wal_flood.c - what each client wrote lately, decaying; and what running transactions write just
 * now.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/shmem.h"
#include "control/wal_flood.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"

#define RUNNING_MAX 16
#define SHORT_MS    20 /* what ends meanwhile is told by what it noted */

/* Written by its process alone. */
typedef struct Client
{
	pg_atomic_uint32 pid;   /* 0: none, or one that is no client */
	pg_atomic_uint64 bytes; /* as of `at`; decays with PAWS_WAL_FLOOD_SECONDS */
	pg_atomic_uint64 at;    /* us, by paws_clock */
} Client;

static Client *clients = NULL; /* [MaxBackends] */

static Size
size(void)
{
	return mul_size(MaxBackends, sizeof(Client));
}

static void
attach(void *memory, bool found)
{
	clients = memory;
	for (int i = 0; !found && i < MaxBackends; i++)
	{
		pg_atomic_init_u32(&clients[i].pid, 0);
		pg_atomic_init_u64(&clients[i].bytes, 0);
		pg_atomic_init_u64(&clients[i].at, 0);
	}
}

static double
decayed(const Client *client, int64 now)
{
	double age =
		(double) (now - (int64) pg_atomic_read_u64((pg_atomic_uint64 *) &client->at)) / USECS_PER_SEC;

	return (double) pg_atomic_read_u64((pg_atomic_uint64 *) &client->bytes) *
		   exp(-Max(age, 0) / PAWS_WAL_FLOOD_SECONDS);
}

static void
note(uint64 bytes)
{
	Client *client = &clients[PAWS_MY_PROC_NUMBER];
	int64 now = paws_clock();
	double before = pg_atomic_read_u32(&client->pid) == (uint32) MyProcPid ? decayed(client, now) : 0;

	pg_atomic_write_u64(&client->bytes, (uint64) before + bytes);
	pg_atomic_write_u64(&client->at, (uint64) now);
	pg_atomic_write_u32(&client->pid, (uint32) MyProcPid);
}

/* In every process, at the end of every transaction. */
static void
at_transaction_event(XactEvent event, void *arg)
{
	static uint64 noted = 0;
	uint64 written = pgWalUsage.wal_bytes;

	if (written == noted || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT))
		return;
	if (MyBackendType == B_BACKEND && clients != NULL)
		note(written - noted);
	noted = written;
}

void
paws_wal_flood_init(void)
{
	static const PawsSharedPart part = {"paws_sync WAL of clients", size, attach, NULL};

	paws_shmem_offer(&part);
	RegisterXactCallback(at_transaction_event, NULL);
}

/* A transaction that is not at its end. */
typedef struct Running
{
	const PGPROC *proc;
	int pid;
	TransactionId xid;
	uint64 written; /* bytes */
} Running;

/* What a process has handed to the system for files; 0 where that is not told, as outside of Linux. */
static uint64
written_by(int pid)
{
	char path[64];
	char line[128];
	unsigned long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL && sscanf(line, "wchar: %llu", &bytes) != 1)
		;
	fclose(file);
	return bytes;
}

/* Read without a lock: a client that comes or goes meanwhile costs a wrong look. */
static bool
is_writing_client(const PGPROC *proc)
{
	return proc->pid != 0 && proc->pid != MyProcPid && !proc->isBackgroundWorker &&
		   (proc->statusFlags & PROC_IS_AUTOVACUUM) == 0 && OidIsValid(proc->databaseId) &&
		   TransactionIdIsValid(proc->xid);
}

static int
list_running(Running *running)
{
	int count = 0;

	for (int i = 0; i < MaxBackends && count < RUNNING_MAX; i++)
	{
		const PGPROC *proc = &ProcGlobal->allProcs[i];

		if (is_writing_client(proc))
			running[count++] =
				(Running){.proc = proc, .pid = proc->pid, .xid = proc->xid, .written = written_by(proc->pid)};
	}
	return count;
}

/* Drops those that ended. */
static int
keep_running(Running *running, int count)
{
	int kept = 0;

	for (int i = 0; i < count; i++)
		if (running[i].proc->pid == running[i].pid && running[i].proc->xid == running[i].xid)
			running[kept++] = running[i];
	return kept;
}

static void
pause_for(long ms)
{
	(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Files are the WAL, but tables and sorting too: so nobody is said to write more WAL than the whole server
 * does meanwhile.
 */
static void
look_at_running(PawsWalWriter *worst)
{
	Running running[RUNNING_MAX];
	XLogRecPtr from = GetXLogInsertRecPtr();
	int64 began = paws_clock();
	int count = list_running(running);
	double seconds;
	double server;

	if (count == 0)
		return;
	pause_for(SHORT_MS);
	count = keep_running(running, count);
	if (count == 0)
		return;
	pause_for(PAWS_WAL_FLOOD_LOOK_MS - SHORT_MS);
	seconds = (double) (paws_clock() - began) / USECS_PER_SEC;
	server = (double) (GetXLogInsertRecPtr() - from) / seconds;
	for (int i = 0; i < count; i++)
	{
		uint64 written = written_by(running[i].pid);
		double rate = written > running[i].written ? (double) (written - running[i].written) / seconds : 0;

		if (Min(rate, server) > worst->rate)
			*worst = (PawsWalWriter){.pid = running[i].pid, .rate = Min(rate, server)};
	}
}

void
paws_wal_flood_worst(PawsWalWriter *worst)
{
	int64 now = paws_clock();

	*worst = (PawsWalWriter){0};
	for (int i = 0; i < MaxBackends; i++)
	{
		int pid = (int) pg_atomic_read_u32(&clients[i].pid);
		double rate = pid == 0 ? 0 : decayed(&clients[i], now) / PAWS_WAL_FLOOD_SECONDS;

		if (rate > worst->rate && BackendPidGetProc(pid) != NULL)
			*worst = (PawsWalWriter){.pid = pid, .rate = rate};
	}
	if (!RecoveryInProgress())
		look_at_running(worst);
}
