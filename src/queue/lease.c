/*
 * queue/lease.c - taking leases, and what becomes of them by time.
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "base/spi.h"
#include "base/wake.h"
#include "base/worker.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "queue/job_private.h"
#include "queue/lease.h"
#include "queue/lease_table.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/lsyscache.h"

/* A fence is an epoch and a number below it; when numbers are nearly used up another epoch is drawn. */
#define NUMBERS_END  UINT64CONST(0xFFFF0000)
#define NUMBERS_MASK UINT64CONST(0xFFFFFFFF)

/* How long after its end a lease is left to the timer. */
#define REAP_AFTER_US 1000000

void
paws_lease_init(void)
{
	paws_lease_table_init();
}

int64
paws_lease_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * USECS_PER_SEC + now.tv_nsec / 1000;
}

/* Nobody is given a fence that a crash could forget was given. */
void
paws_lease_ready(int slot)
{
	pg_atomic_uint64 *fence = paws_lease_fence(slot);
	uint64 old = pg_atomic_read_u64(fence);
	uint64 epoch;

	if (old != 0 && (old & NUMBERS_MASK) < NUMBERS_END)
		return;
	epoch = (uint64) nextval_internal(paws_job_sequence(PAWS_SEQUENCE_EPOCH), false);
	XLogFlush(GetXLogInsertRecPtr());
	epoch = epoch << 32 | (pg_prng_uint32(&pg_global_prng_state) >> 1);
	(void) pg_atomic_compare_exchange_u64(fence, &old, epoch);
}

static void
lower_earliest(int slot, int64 until)
{
	pg_atomic_uint64 *earliest = paws_lease_earliest(slot);
	uint64 known = pg_atomic_read_u64(earliest);

	while ((int64) known > until && !pg_atomic_compare_exchange_u64(earliest, &known, (uint64) until))
		;
}

/* Somebody must look when the lease is over. */
void
paws_lease_noted(int slot, int64 until)
{
	lower_earliest(slot, until);
	paws_job_alarm(slot, until);
}

/* Of those that a flow keeps waiting, the first is told when the lease ends. */
static void
note_next(PawsLeaseEntry *entry, const PawsLease *lease)
{
	if (entry->next_level != 0 && entry->next.id <= lease->id)
		return;
	entry->next = (PawsJobPlace){lease->rank, lease->id};
	entry->next_level = lease->level;
}

PawsLeased
paws_lease_take(int slot, PawsLease *lease, int64 duration, int cap)
{
	PawsLeaseEntry *one = NULL;
	PawsLeased leased = PAWS_LEASED;

	paws_lease_prepare(slot);
	LWLockAcquire(paws_lease_lock(slot), LW_EXCLUSIVE);
	if (paws_lease_entry_of(slot, lease->id) != NULL)
		leased = PAWS_LEASED_ALREADY;
	else if (cap > 0 && lease->flow != 0 &&
			 paws_lease_entries_of_flow(slot, lease->place, lease->flow, cap, &one) >= cap)
	{
		note_next(one, lease);
		leased = PAWS_LEASED_FLOW;
	}
	else
	{
		lease->fence = (int64) pg_atomic_add_fetch_u64(paws_lease_fence(slot), 1);
		lease->until = paws_lease_clock() + duration;
		if (paws_lease_entry_add(slot, lease, PAWS_LEASE_HELD) == NULL)
			leased = PAWS_LEASED_FULL;
	}
	LWLockRelease(paws_lease_lock(slot));
	if (leased == PAWS_LEASED)
	{
		paws_lease_remember(slot, lease);
		paws_lease_noted(slot, lease->until);
	}
	return leased;
}

bool
paws_lease_flow_has_room(int slot, int place, uint64 flow, int cap)
{
	PawsLeaseEntry *one;
	bool room;

	LWLockAcquire(paws_lease_lock(slot), LW_SHARED);
	room = paws_lease_entries_of_flow(slot, place, flow, cap, &one) < cap;
	LWLockRelease(paws_lease_lock(slot));
	return room;
}

bool
paws_lease_exists(int slot, int64 id)
{
	bool exists;

	LWLockAcquire(paws_lease_lock(slot), LW_SHARED);
	exists = paws_lease_entry_of(slot, id) != NULL;
	LWLockRelease(paws_lease_lock(slot));
	return exists;
}

bool
paws_lease_extend(int slot, int64 id, int64 fence, int64 duration)
{
	PawsLeaseEntry *entry;
	bool held;

	LWLockAcquire(paws_lease_lock(slot), LW_EXCLUSIVE);
	entry = paws_lease_entry_of(slot, id);
	held = entry != NULL && entry->lease.fence == fence &&
		   (entry->state == PAWS_LEASE_HELD ||
			(entry->state == PAWS_LEASE_ENDING && entry->before == PAWS_LEASE_HELD &&
			 !paws_lease_entry_is_mine(entry)));
	if (held)
		entry->lease.until = paws_lease_clock() + duration;
	LWLockRelease(paws_lease_lock(slot));
	if (held)
		paws_lease_noted(slot, paws_lease_clock() + duration);
	return held;
}

/* Longer than anybody should be at a job without ending it. */
#define ENDER_WAIT_MS 5000

static bool
ender_of(int slot, int64 id, VirtualTransactionId *ender)
{
	PawsLeaseEntry *entry;
	bool ending;

	LWLockAcquire(paws_lease_lock(slot), LW_SHARED);
	entry = paws_lease_entry_of(slot, id);
	ending = entry != NULL && entry->state == PAWS_LEASE_ENDING && !paws_lease_entry_is_mine(entry);
	if (ending)
		*ender = entry->ender;
	LWLockRelease(paws_lease_lock(slot));
	return ending;
}

/* The lock of its transaction goes after what it did to leases is in the table. */
void
paws_lease_await_end(int slot, int64 id)
{
	int lock_timeout = LockTimeout;
	VirtualTransactionId ender;

	if (!ender_of(slot, id, &ender))
		return;
	if (lock_timeout == 0 || lock_timeout > ENDER_WAIT_MS)
		LockTimeout = ENDER_WAIT_MS;
	PG_TRY();
	{
		(void) VirtualXactLock(ender, true);
	}
	PG_FINALLY();
	{
		LockTimeout = lock_timeout;
	}
	PG_END_TRY();
}

bool
paws_lease_find(int slot, int64 id, int64 *left, int16 *place)
{
	PawsLeaseEntry *entry;

	LWLockAcquire(paws_lease_lock(slot), LW_SHARED);
	entry = paws_lease_entry_of(slot, id);
	if (entry != NULL)
	{
		*left = Max(entry->lease.until - paws_lease_clock(), 0);
		*place = entry->lease.place;
	}
	LWLockRelease(paws_lease_lock(slot));
	return entry != NULL;
}

void
paws_lease_spoil(int slot, int64 id)
{
	PawsLeaseEntry *entry;

	LWLockAcquire(paws_lease_lock(slot), LW_EXCLUSIVE);
	entry = paws_lease_entry_of(slot, id);
	if (entry != NULL && entry->state == PAWS_LEASE_HELD)
		entry->state = PAWS_LEASE_UNREADABLE;
	LWLockRelease(paws_lease_lock(slot));
	paws_lease_noted(slot, 0);
}

static bool
is_over(const PawsLeaseEntry *entry, int64 now)
{
	return entry->state == PAWS_LEASE_UNREADABLE ||
		   (entry->state == PAWS_LEASE_HELD && entry->lease.until <= now);
}

/* Those that somebody is just ending are looked at again before long, for they may be held again then. */
static int64
next_look(const PawsLeaseEntry *entry, int64 now)
{
	if (entry->state == PAWS_LEASE_FREE)
		return PG_INT64_MAX;
	if (entry->state == PAWS_LEASE_UNREADABLE)
		return now + REAP_AFTER_US / 10;
	return entry->state == PAWS_LEASE_ENDING ? Max(entry->lease.until, now + REAP_AFTER_US)
											 : entry->lease.until;
}

int
paws_lease_over(int slot, PawsLease *leases, bool *unreadable, int max, int *from, bool *more)
{
	int64 now = paws_lease_clock();
	int64 earliest = PG_INT64_MAX;
	int room = paws_lease_room();
	int found = 0;
	int last = 0;
	bool others = false;

	*more = false;
	if ((int64) pg_atomic_read_u64(paws_lease_earliest(slot)) > now)
		return 0;
	LWLockAcquire(paws_lease_lock(slot), LW_EXCLUSIVE);
	for (int i = *from; i < *from + room; i++)
	{
		PawsLeaseEntry *entry = paws_lease_entry(slot, i % room);

		if (!is_over(entry, now))
			earliest = Min(earliest, next_look(entry, now));
		else if (found < max)
		{
			leases[found] = entry->lease;
			unreadable[found++] = entry->state == PAWS_LEASE_UNREADABLE;
			last = i;
		}
		else
			others = true;
	}
	*more = others && last + 1 < room;
	*from = others ? (last + 1) % room : 0;
	/* if what was found is not ended after all, that is noticed soon */
	if (found > 0)
		earliest = *more ? now : Min(earliest, now + REAP_AFTER_US / 10);
	pg_atomic_write_u64(paws_lease_earliest(slot), (uint64) earliest);
	LWLockRelease(paws_lease_lock(slot));
	return found;
}

#define REAP_MAX 64

/* While there is a timer it counts attempts, and is only late when it cannot write. */
static int64
reap_after(void)
{
	return paws_worker_count(PAWS_WORKER_TIMER, MyDatabaseId) > 0 ? 10 * REAP_AFTER_US : REAP_AFTER_US;
}

/* Removes up to REAP_MAX that have been over for a while; the caller tells of them. */
static int
remove_over(int slot, PawsLeaseEntry *removed)
{
	int64 now = paws_lease_clock();
	int64 after = reap_after();
	int64 earliest = PG_INT64_MAX;
	int found = 0;

	LWLockAcquire(paws_lease_lock(slot), LW_EXCLUSIVE);
	for (int i = 0; i < paws_lease_room() && found < REAP_MAX; i++)
	{
		PawsLeaseEntry *entry = paws_lease_entry(slot, i);

		if (entry->state == PAWS_LEASE_HELD && entry->lease.until + after <= now)
		{
			removed[found++] = *entry;
			paws_lease_entry_remove(slot, entry);
		}
		else
			earliest = Min(earliest, Max(next_look(entry, now), now + REAP_AFTER_US / 10));
	}
	/* those behind were not looked at, and an error may keep the caller from coming back */
	pg_atomic_write_u64(paws_lease_earliest(slot), (uint64) (found == REAP_MAX ? now : earliest));
	LWLockRelease(paws_lease_lock(slot));
	return found;
}

void
paws_lease_reap(int slot)
{
	PawsLeaseEntry removed[REAP_MAX];
	int found;

	if ((int64) pg_atomic_read_u64(paws_lease_earliest(slot)) > paws_lease_clock() - REAP_AFTER_US)
		return;
	do
	{
		found = remove_over(slot, removed);
		for (int i = 0; i < found; i++)
		{
			const PawsLease *lease = &removed[i].lease;

			paws_front_tell(slot, lease->place, lease->level, (PawsJobPlace){lease->rank, lease->id});
			if (removed[i].next_level != 0)
				paws_front_tell(slot, lease->place, removed[i].next_level, removed[i].next);
		}
	} while (found == REAP_MAX);
}

int64
paws_lease_next_over(int slot)
{
	int64 earliest = (int64) pg_atomic_read_u64(paws_lease_earliest(slot));

	return earliest == PG_INT64_MAX ? -1 : Max(earliest - paws_lease_clock(), 0);
}

int64
paws_lease_count(int slot, int place)
{
	return paws_lease_entries(slot, place);
}
