/*
 * crisis/attention.c - the words of each database.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/wake.h"
#include "crisis/attention.h"
#include "port/atomics.h"

/* items: a count of what was told, doubled, plus 1 while there may be any; 0: nothing is known. signals: the
 * same, but that a look which finds none leaves the count as it is. */
typedef struct Attention
{
	pg_atomic_uint64 items;
	pg_atomic_uint64 signals;
	pg_atomic_uint32 untold; /* an item was escalated */
} Attention;

static Attention *databases = NULL; /* [paws_max_databases] */

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Attention));
}

static void
reset(int slot)
{
	pg_atomic_init_u64(&databases[slot].items, 0);
	pg_atomic_init_u64(&databases[slot].signals, 3);
	pg_atomic_init_u32(&databases[slot].untold, 0);
}

static void
attach(void *memory, bool found)
{
	databases = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
		reset(slot);
}

void
paws_attention_init(void)
{
	static const PawsSharedPart part = {"paws_sync crisis attention", size, attach, reset};

	paws_shmem_offer(&part);
}

bool
paws_items_maybe(int slot, uint64 *seen)
{
	*seen = pg_atomic_read_u64(&databases[slot].items);
	pg_memory_barrier();
	return *seen == 0 || (*seen & 1) != 0;
}

void
paws_items_none(int slot, uint64 seen)
{
	if (seen != 0 && (seen & 1) == 0)
		return;
	(void) pg_atomic_compare_exchange_u64(&databases[slot].items, &seen, (seen | 1) + 1);
}

void
paws_items_found(int slot)
{
	uint64 known = pg_atomic_read_u64(&databases[slot].items);

	while (!pg_atomic_compare_exchange_u64(&databases[slot].items, &known, (known + 2) | 1))
		;
}

bool
paws_signals_maybe(int slot, uint64 *seen)
{
	*seen = pg_atomic_read_u64(&databases[slot].signals);
	pg_memory_barrier();
	return (*seen & 1) != 0 || RecoveryInProgress();
}

void
paws_signals_none(int slot, uint64 seen)
{
	(void) pg_atomic_compare_exchange_u64(&databases[slot].signals, &seen, seen & ~UINT64CONST(1));
}

void
paws_signals_found(int slot)
{
	uint64 known = pg_atomic_read_u64(&databases[slot].signals);

	while (!pg_atomic_compare_exchange_u64(&databases[slot].signals, &known, (known + 2) | 1))
		;
}

typedef struct Told
{
	int slot;
	Oid identity;
} Told;

static void
tell_items(void *arg)
{
	Told *told = arg;

	if (paws_database_identity(told->slot) == told->identity)
		paws_items_found(told->slot);
}

static void
tell_signals(void *arg)
{
	Told *told = arg;

	if (paws_database_identity(told->slot) == told->identity)
		paws_signals_found(told->slot);
}

static void
set_untold(void *arg)
{
	Told *told = arg;

	if (paws_database_identity(told->slot) == told->identity)
		pg_atomic_write_u32(&databases[told->slot].untold, 1);
}

static void
tell_at_commit(int slot, PawsCommitAction action)
{
	Told *told = paws_at_commit_find(action);

	if (told == NULL)
		told = paws_at_commit(action, sizeof(Told));
	told->slot = slot;
	told->identity = paws_database_identity(slot);
	paws_commit_of_crisis();
}

void
paws_items_at_commit(int slot)
{
	tell_at_commit(slot, tell_items);
	paws_wake_key_at_commit(slot, PAWS_ITEMS_KEY);
	paws_wake_at_commit(slot, PAWS_WAKE_CRISIS);
	paws_items_at_abort(slot);
}

void
paws_items_at_abort(int slot)
{
	paws_wake_key_at_abort(slot, PAWS_ITEMS_KEY);
}

void
paws_items_untold_at_commit(int slot)
{
	tell_at_commit(slot, set_untold);
}

bool
paws_items_untold(int slot)
{
	return pg_atomic_read_u32(&databases[slot].untold) != 0;
}

bool
paws_items_take_untold(int slot)
{
	Told *told;

	if (pg_atomic_exchange_u32(&databases[slot].untold, 0) == 0)
		return false;
	told = paws_at_abort(set_untold, sizeof(Told));
	told->slot = slot;
	told->identity = paws_database_identity(slot);
	return true;
}

uint64
paws_signals_version(int slot)
{
	return pg_atomic_read_u64(&databases[slot].signals) >> 1;
}

void
paws_signals_at_commit(int slot)
{
	tell_at_commit(slot, tell_signals);
	paws_wake_at_commit(slot, PAWS_WAKE_SCHEDULER);
	paws_wake_at_commit(slot, PAWS_WAKE_CRISIS);
}
