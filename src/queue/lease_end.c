/*
 * queue/lease_end.c - what a transaction does to leases, kept along savepoints, and what follows at its end.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/database.h"
#include "queue/job_private.h"
#include "queue/lease.h"
#include "queue/lease_table.h"
#include "utils/memutils.h"

typedef struct Touch
{
	struct Touch *next;
	int slot;
	Oid identity; /* of the extension whose lease it is */
	PawsLease lease;
	bool ending; /* else it was taken */
	int nesting; /* level of the (sub)transaction that did it */
	PawsLeaseEnd end;
} Touch;

/* Newest first; lives in TopTransactionContext. */
static Touch *touches = NULL;

/* For the next one; in the same memory. */
static Touch *prepared = NULL;

/* True if the table still is that of the same installation. */
static bool
is_current(const Touch *touch)
{
	return paws_database_identity(touch->slot) == touch->identity;
}

/* The caller holds the lock. What was ended without a lease takes one along that somebody has. */
static PawsLeaseEntry *
entry_of(const Touch *touch)
{
	PawsLeaseEntry *entry = paws_lease_entry_of(touch->slot, touch->lease.id);

	if (entry == NULL || (touch->lease.fence == 0 && entry->state == PAWS_LEASE_ENDING))
		return NULL;
	return touch->lease.fence == 0 || entry->lease.fence == touch->lease.fence ? entry : NULL;
}

static void
tell(int slot, int place, int level, PawsJobPlace at)
{
	paws_front_tell(slot, place, level, at);
	paws_job_wake(slot, place, 1);
}

/* Takes the entry out of the table and tells what it kept waiting; false if it is not there. */
static bool
let_go(const Touch *touch)
{
	PawsLeaseEntry gone;
	PawsLeaseEntry *entry;

	LWLockAcquire(paws_lease_lock(touch->slot), LW_EXCLUSIVE);
	entry = entry_of(touch);
	if (entry != NULL)
	{
		gone = *entry;
		paws_lease_entry_remove(touch->slot, entry);
	}
	LWLockRelease(paws_lease_lock(touch->slot));
	if (entry == NULL)
		return false;
	if (gone.next_level != 0)
		tell(touch->slot, gone.lease.place, gone.next_level, gone.next);
	return true;
}

/* It waits again. */
static void
give_back(const Touch *touch)
{
	if (let_go(touch))
		tell(touch->slot, touch->lease.place, touch->lease.level,
			 (PawsJobPlace){touch->lease.rank, touch->lease.id});
}

/* It is held as before; what was made for the ending goes. */
static void
undo(const Touch *touch)
{
	PawsLeaseEntry *entry;
	bool made = false;

	if (!is_current(touch))
		return;
	if (!touch->ending)
	{
		give_back(touch);
		return;
	}
	if (touch->lease.fence == 0)
	{
		/* a claim may have passed over it for its sake */
		tell(touch->slot, touch->lease.place, touch->lease.level,
			 (PawsJobPlace){touch->lease.rank, touch->lease.id});
		return;
	}
	LWLockAcquire(paws_lease_lock(touch->slot), LW_EXCLUSIVE);
	entry = entry_of(touch);
	if (entry != NULL && entry->state == PAWS_LEASE_ENDING)
	{
		made = entry->before == PAWS_LEASE_FREE;
		entry->state = entry->before;
	}
	LWLockRelease(paws_lease_lock(touch->slot));
	if (made)
		give_back(touch);
}

static void
count_end(const Touch *touch)
{
	PawsJobCounts *counts = paws_front_counts(touch->slot, touch->lease.place);
	const PawsLeaseEnd *end = &touch->end;
	bool delayed = end->state == PAWS_JOB_SCHEDULED;
	bool available = end->state == PAWS_JOB_AVAILABLE;

	pg_atomic_fetch_add_u64(end->was_delayed ? &counts->delayed : &counts->waiting[touch->lease.level], -1);
	if (!delayed && !available)
		pg_atomic_fetch_add_u64(&counts->ended, 1);
	if (delayed)
		pg_atomic_fetch_add_u64(&counts->delayed, 1);
	else if (available)
		pg_atomic_fetch_add_u64(&counts->waiting[end->level], 1);
	else if (end->state == PAWS_JOB_COMPLETED)
		pg_atomic_fetch_add_u64(&counts->completed, 1);
	else if (end->state == PAWS_JOB_DEAD)
	{
		pg_atomic_fetch_add_u64(&counts->dead, 1);
		pg_atomic_fetch_add_u64(&counts->dead_ever, 1);
	}
	if (end->reason == PAWS_JOB_LEASE_EXPIRED)
		pg_atomic_fetch_add_u64(&counts->expired_leases, 1);
	else if (end->reason == PAWS_JOB_UNREADABLE)
		pg_atomic_fetch_add_u64(&counts->unreadable, 1);
	else if (end->reason != 0)
		pg_atomic_fetch_add_u64(&counts->failed, 1);
}

static void
finish(const Touch *touch)
{
	const PawsLeaseEnd *end = &touch->end;

	if (!touch->ending || !is_current(touch))
		return;
	(void) let_go(touch);
	count_end(touch);
	if (end->state == PAWS_JOB_AVAILABLE)
		tell(touch->slot, touch->lease.place, end->level, end->at);
	else if (end->state == PAWS_JOB_SCHEDULED)
		paws_job_delayed(touch->slot, end->delay);
	if (end->next_level != 0)
		tell(touch->slot, touch->lease.place, end->next_level, end->next);
}

/* In the order in which they were done. */
static void
finish_all(void)
{
	Touch *reversed = NULL;

	while (touches)
	{
		Touch *touch = touches;

		touches = touch->next;
		touch->next = reversed;
		reversed = touch;
	}
	for (; reversed; reversed = reversed->next)
		finish(reversed);
}

static void
undo_from(int nesting)
{
	while (touches && touches->nesting >= nesting)
	{
		Touch *touch = touches;

		touches = touch->next;
		undo(touch);
	}
}

static void
at_transaction_event(XactEvent event, void *arg)
{
	/* a claim that took nothing may be in a transaction that is prepared: its memory goes all the same */
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		prepared = NULL;
	if (touches == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that claimed or ended jobs"),
					 errhint("Commit it in one phase; nothing would end the leases at COMMIT PREPARED.")));
			break;
		case XACT_EVENT_COMMIT:
			finish_all();
			break;
		case XACT_EVENT_ABORT:
			undo_from(0);
			break;
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			break;
	}
}

static void
at_savepoint_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int nesting = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		undo_from(nesting);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (Touch *touch = touches; touch && touch->nesting >= nesting; touch = touch->next)
			touch->nesting = nesting - 1;
}

static void
install_callbacks(void)
{
	static bool installed = false;

	if (!installed)
	{
		RegisterXactCallback(at_transaction_event, NULL);
		RegisterSubXactCallback(at_savepoint_event, NULL);
		installed = true;
	}
}

/* Memory is taken before shared memory is changed: afterwards nothing may fail. */
static Touch *
new_touch(int slot)
{
	Touch *touch = prepared;

	install_callbacks();
	prepared = NULL;
	if (touch == NULL)
		touch = MemoryContextAlloc(TopTransactionContext, sizeof(Touch));
	memset(touch, 0, sizeof(Touch));
	touch->slot = slot;
	touch->identity = paws_database_identity(slot);
	touch->nesting = GetCurrentTransactionNestLevel();
	return touch;
}

void
paws_lease_prepare(int slot)
{
	prepared = new_touch(slot);
}

void
paws_lease_remember(int slot, const PawsLease *lease)
{
	Touch *touch = prepared;

	prepared = NULL;
	touch->lease = *lease;
	touch->next = touches;
	touches = touch;
}

/* The caller holds the lock. */
static PawsLeaseBegun
begin_end(int slot, int64 id, int64 fence, PawsLease *lease)
{
	PawsLeaseEntry *entry = paws_lease_entry_of(slot, id);

	if (entry == NULL)
	{
		if (fence != 0)
			return PAWS_LEASE_LOST;
		lease->fence = -(int64) pg_atomic_add_fetch_u64(paws_lease_fence(slot), 1);
		entry = paws_lease_entry_add(slot, lease, PAWS_LEASE_ENDING);
		if (entry == NULL)
			return PAWS_LEASE_NO_ROOM;
		entry->before = PAWS_LEASE_FREE;
		paws_lease_entry_mark(entry);
		return PAWS_LEASE_BEGUN;
	}
	if (entry->state == PAWS_LEASE_ENDING)
		return paws_lease_entry_is_mine(entry) || (fence != 0 && entry->lease.fence != fence)
				   ? PAWS_LEASE_LOST
				   : PAWS_LEASE_BUSY;
	if (fence != 0 && (entry->lease.fence != fence || entry->state != PAWS_LEASE_HELD))
		return PAWS_LEASE_LOST;
	entry->before = entry->state;
	entry->state = PAWS_LEASE_ENDING;
	paws_lease_entry_mark(entry);
	*lease = entry->lease;
	return PAWS_LEASE_BEGUN;
}

PawsLeaseBegun
paws_lease_begin_end(int slot, int64 id, int64 fence, PawsLease *lease, PawsLeaseEnd **end)
{
	Touch *touch = new_touch(slot);
	PawsLeaseBegun begun;

	LWLockAcquire(paws_lease_lock(slot), LW_EXCLUSIVE);
	begun = begin_end(slot, id, fence, lease);
	LWLockRelease(paws_lease_lock(slot));
	if (begun != PAWS_LEASE_BEGUN)
	{
		prepared = touch;
		return begun;
	}
	touch->lease = *lease;
	touch->ending = true;
	touch->next = touches;
	touches = touch;
	*end = &touch->end;
	return begun;
}

void
paws_lease_untake(int slot, int64 id)
{
	Touch *touch = touches;

	Assert(touch && touch->slot == slot && touch->lease.id == id && !touch->ending);
	touches = touch->next;
	(void) let_go(touch);
	prepared = touch;
}

PawsLeaseEnd *
paws_lease_end_unleased(int slot, const PawsLease *lease)
{
	Touch *touch = new_touch(slot);

	touch->lease = *lease;
	touch->lease.fence = 0;
	touch->ending = true;
	touch->next = touches;
	touches = touch;
	return &touch->end;
}

void
paws_lease_undo_end(int slot, int64 id)
{
	for (Touch **link = &touches; *link; link = &(*link)->next)
	{
		Touch *touch = *link;

		if (touch->slot != slot || touch->lease.id != id || !touch->ending)
			continue;
		*link = touch->next;
		undo(touch);
		pfree(touch);
		return;
	}
}

void
paws_lease_forget(int slot, int64 id)
{
	for (Touch **link = &touches; *link; link = &(*link)->next)
	{
		Touch *touch = *link;

		if (touch->slot != slot || touch->lease.id != id || !touch->ending)
			continue;
		*link = touch->next;
		if (is_current(touch))
			(void) let_go(touch);
		pfree(touch);
		return;
	}
}
