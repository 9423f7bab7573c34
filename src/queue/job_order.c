/*
 * queue/job_order.c - where each ordering key is: a small table that forgets.
 *
 * What is forgotten is found again by a walk from the key's first row.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/shmem.h"
#include "queue/job_private.h"
#include "storage/spin.h"

#define ENTRIES 4096 /* of a database; a power of two */

typedef struct Entry
{
	slock_t mutex;
	uint64 flow; /* 0: none */
	int64 low;
} Entry;

static Entry *entries = NULL; /* [max_databases * ENTRIES] */

static Size
size(void)
{
	return mul_size(paws_max_databases, ENTRIES * sizeof(Entry));
}

static Entry *
entry_of(int slot, uint64 flow)
{
	return &entries[slot * ENTRIES + (paws_spread(flow) & (ENTRIES - 1))];
}

static void
reset(int slot)
{
	for (int i = 0; i < ENTRIES; i++)
	{
		Entry *entry = &entries[slot * ENTRIES + i];

		SpinLockAcquire(&entry->mutex);
		entry->flow = 0;
		SpinLockRelease(&entry->mutex);
	}
}

static void
attach(void *memory, bool found)
{
	entries = memory;
	for (int i = 0; !found && i < paws_max_databases * ENTRIES; i++)
	{
		SpinLockInit(&entries[i].mutex);
		entries[i].flow = 0;
	}
}

void
paws_order_init(void)
{
	static const PawsSharedPart part = {"paws_sync ordering keys", size, attach, reset};

	paws_shmem_offer(&part);
}

int64
paws_order_low(int slot, uint64 flow)
{
	Entry *entry = entry_of(slot, flow);
	int64 low;

	SpinLockAcquire(&entry->mutex);
	low = entry->flow == flow ? entry->low : 0;
	SpinLockRelease(&entry->mutex);
	return low;
}

void
paws_order_raise(int slot, uint64 flow, int64 id)
{
	Entry *entry = entry_of(slot, flow);

	SpinLockAcquire(&entry->mutex);
	entry->flow = flow;
	entry->low = id;
	SpinLockRelease(&entry->mutex);
}

void
paws_order_lower(int slot, uint64 flow, int64 id)
{
	Entry *entry = entry_of(slot, flow);

	SpinLockAcquire(&entry->mutex);
	if (entry->flow == flow && entry->low > id)
		entry->low = id;
	SpinLockRelease(&entry->mutex);
}
