/*
 * vault/memory_state.c - a place for each process that has a PGPROC, and one for the postmaster.
 *
 * No lock: only its owner writes to a place, and the process id goes in last and out first.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/proc.h"

#include "base/compat.h"
#include "base/shmem.h"
#include "vault/memory_state.h"

typedef struct Place
{
	pg_atomic_uint32 pid; /* 0: nobody's */
	pg_atomic_uint32 state;
	pg_atomic_uint64 bytes;
} Place;

#define POSTMASTER 0 /* the first place; process n has place n + 1 */

static Place *places = NULL;
static int mine = -1;

/* What the postmaster, or a server in single-user mode, reported: before there was shared memory, and kept
 * for when it is made anew. */
static PawsMemoryState postmaster_state = PAWS_MEMORY_NONE;
static Size postmaster_bytes = 0;

static int
count(void)
{
	return 1 + MaxBackends + NUM_AUXILIARY_PROCS;
}

static Size
size(void)
{
	return mul_size(count(), sizeof(Place));
}

static void
fill(Place *place, int pid, PawsMemoryState state, Size bytes)
{
	pg_atomic_write_u32(&place->state, state);
	pg_atomic_write_u64(&place->bytes, bytes);
	pg_write_barrier();
	pg_atomic_write_u32(&place->pid, pid);
}

static void
attach(void *memory, bool found)
{
	places = memory;
	if (found)
		return;
	for (int i = 0; i < count(); i++)
	{
		pg_atomic_init_u32(&places[i].pid, 0);
		pg_atomic_init_u32(&places[i].state, PAWS_MEMORY_NONE);
		pg_atomic_init_u64(&places[i].bytes, 0);
	}
	fill(&places[POSTMASTER], PostmasterPid, postmaster_state, postmaster_bytes);
}

void
paws_memory_state_init(void)
{
	static const PawsSharedPart part = {"paws_sync memory", size, attach, NULL};

	paws_shmem_offer(&part);
}

static void
leave(int code, Datum arg)
{
	pg_atomic_write_u32(&places[mine].pid, 0);
}

void
paws_memory_report(PawsMemoryState state, Size bytes)
{
	if (!IsUnderPostmaster)
	{
		postmaster_state = state;
		postmaster_bytes = bytes;
		return;
	}
	if (places == NULL || MyProc == NULL)
		return;
	if (mine < 0)
	{
		mine = PAWS_MY_PROC_NUMBER + 1;
		on_shmem_exit(leave, (Datum) 0);
	}
	fill(&places[mine], MyProcPid, state, bytes);
}

PawsMemoryState
paws_memory_state(int pid, uint64 *bytes)
{
	*bytes = 0;
	if (!IsUnderPostmaster && pid == MyProcPid)
	{
		*bytes = postmaster_bytes;
		return postmaster_state;
	}
	for (int i = 0; i < count(); i++)
	{
		if (pg_atomic_read_u32(&places[i].pid) != (uint32) pid)
			continue;
		pg_read_barrier();
		*bytes = pg_atomic_read_u64(&places[i].bytes);
		return (PawsMemoryState) pg_atomic_read_u32(&places[i].state);
	}
	return PAWS_MEMORY_NONE;
}

const char *
paws_memory_state_name(PawsMemoryState state)
{
	static const char *const names[] = {"none", "locked", "unlocked"};

	return names[state];
}
