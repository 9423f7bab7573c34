/*
 * queue/lease_table.c - entries, chains by job and by flow, and what is free; for each database by itself.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/shmem.h"
#include "port/pg_bitutils.h"
#include "queue/lease_table.h"
#include "storage/proc.h"

#define TRANCHE "paws_sync_leases"
#define NO_ONE  (-1)
#define KEPT    4096

typedef struct Table
{
	LWLockPadded lock;
	pg_atomic_uint64 fence;    /* the last one given out; 0: none can be */
	pg_atomic_uint64 earliest; /* of a clock; PG_INT64_MAX: none */
	int32 free;
	uint64 kept[KEPT];
} Table;

static char *shared = NULL; /* for each database: Table, by id, by flow, counts by place, entries */
static int tranche = 0;

static int
chains(void)
{
	return (int) pg_nextpower2_32((uint32) paws_max_leases);
}

/* Of the chains, and of each topic. */
static int
numbers(void)
{
	return 2 * chains() + paws_max_topics + 1;
}

static Size
table_size(void)
{
	Size total = MAXALIGN(sizeof(Table));

	total = add_size(total, mul_size(numbers(), sizeof(int32)));
	return add_size(MAXALIGN(total), mul_size(paws_max_leases, sizeof(PawsLeaseEntry)));
}

static Size
size(void)
{
	return add_size(MAXALIGN(sizeof(int)), mul_size(paws_max_databases, MAXALIGN(table_size())));
}

static Table *
table_of(int slot)
{
	return (Table *) (shared + MAXALIGN(sizeof(int)) + slot * MAXALIGN(table_size()));
}

static int32 *
by_id(int slot)
{
	return (int32 *) ((char *) table_of(slot) + MAXALIGN(sizeof(Table)));
}

static int32 *
by_flow(int slot)
{
	return by_id(slot) + chains();
}

/* By place. */
static int32 *
counts(int slot)
{
	return by_flow(slot) + chains();
}

PawsLeaseEntry *
paws_lease_entry(int slot, int i)
{
	char *entries = (char *) table_of(slot) + MAXALIGN(MAXALIGN(sizeof(Table)) + numbers() * sizeof(int32));

	return (PawsLeaseEntry *) entries + i;
}

uint64 *
paws_lease_kept_flow(int slot, uint64 flow)
{
	return &table_of(slot)->kept[flow % KEPT];
}

static void
clear(int slot)
{
	Table *table = table_of(slot);

	for (int i = 0; i < 2 * chains(); i++)
		by_id(slot)[i] = NO_ONE;
	for (int i = 0; i < paws_max_leases; i++)
	{
		paws_lease_entry(slot, i)->state = PAWS_LEASE_FREE;
		paws_lease_entry(slot, i)->next_by_flow = i + 1 < paws_max_leases ? i + 1 : NO_ONE;
	}
	table->free = 0;
	memset(table->kept, 0, sizeof(table->kept));
	memset(counts(slot), 0, (paws_max_topics + 1) * sizeof(int32));
	pg_atomic_write_u64(&table->fence, 0);
	pg_atomic_write_u64(&table->earliest, PG_INT64_MAX);
}

static void
reset(int slot)
{
	LWLockAcquire(paws_lease_lock(slot), LW_EXCLUSIVE);
	clear(slot);
	LWLockRelease(paws_lease_lock(slot));
}

static void
attach(void *memory, bool found)
{
	shared = memory;
	if (!found)
	{
		memset(shared, 0, size());
		*(int *) shared = LWLockNewTrancheId();
	}
	tranche = *(int *) shared;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
	{
		LWLockInitialize(&table_of(slot)->lock.lock, tranche);
		pg_atomic_init_u64(&table_of(slot)->fence, 0);
		pg_atomic_init_u64(&table_of(slot)->earliest, PG_INT64_MAX);
		clear(slot);
	}
	LWLockRegisterTranche(tranche, TRANCHE);
}

void
paws_lease_table_init(void)
{
	static const PawsSharedPart part = {"paws_sync leases", size, attach, reset};

	paws_shmem_offer(&part);
}

LWLock *
paws_lease_lock(int slot)
{
	return &table_of(slot)->lock.lock;
}

pg_atomic_uint64 *
paws_lease_fence(int slot)
{
	return &table_of(slot)->fence;
}

pg_atomic_uint64 *
paws_lease_earliest(int slot)
{
	return &table_of(slot)->earliest;
}

int
paws_lease_room(void)
{
	return paws_max_leases;
}

static int32 *
chain_of_id(int slot, int64 id)
{
	return &by_id(slot)[paws_spread((uint64) id) & (uint64) (chains() - 1)];
}

static int32 *
chain_of_flow(int slot, uint64 flow)
{
	return &by_flow(slot)[paws_spread(flow) & (uint64) (chains() - 1)];
}

PawsLeaseEntry *
paws_lease_entry_of(int slot, int64 id)
{
	int32 i = *chain_of_id(slot, id);

	while (i != NO_ONE && paws_lease_entry(slot, i)->lease.id != id)
		i = paws_lease_entry(slot, i)->next_by_id;
	return i == NO_ONE ? NULL : paws_lease_entry(slot, i);
}

PawsLeaseEntry *
paws_lease_entry_add(int slot, const PawsLease *lease, PawsLeaseState state)
{
	Table *table = table_of(slot);
	int32 i = table->free;
	int32 *chain;
	PawsLeaseEntry *entry;

	if (i == NO_ONE)
		return NULL;
	entry = paws_lease_entry(slot, i);
	table->free = entry->next_by_flow;
	*entry = (PawsLeaseEntry){.lease = *lease, .state = (uint8) state, .next_by_flow = NO_ONE};
	chain = chain_of_id(slot, lease->id);
	entry->next_by_id = *chain;
	*chain = i;
	if (lease->flow != 0)
	{
		chain = chain_of_flow(slot, lease->flow);
		entry->next_by_flow = *chain;
		*chain = i;
	}
	counts(slot)[lease->place]++;
	return entry;
}

static int32
number_of(int slot, const PawsLeaseEntry *entry)
{
	return (int32) (entry - paws_lease_entry(slot, 0));
}

void
paws_lease_entry_remove(int slot, PawsLeaseEntry *entry)
{
	Table *table = table_of(slot);
	int32 i = number_of(slot, entry);
	int32 *link = chain_of_id(slot, entry->lease.id);

	while (*link != i)
		link = &paws_lease_entry(slot, *link)->next_by_id;
	*link = entry->next_by_id;
	if (entry->lease.flow != 0)
	{
		link = chain_of_flow(slot, entry->lease.flow);
		while (*link != i)
			link = &paws_lease_entry(slot, *link)->next_by_flow;
		*link = entry->next_by_flow;
	}
	counts(slot)[entry->lease.place]--;
	entry->state = PAWS_LEASE_FREE;
	entry->next_by_flow = table->free;
	table->free = i;
}

void
paws_lease_entry_mark(PawsLeaseEntry *entry)
{
	GET_VXID_FROM_PGPROC(entry->ender, *MyProc);
}

bool
paws_lease_entry_is_mine(const PawsLeaseEntry *entry)
{
	VirtualTransactionId mine;

	GET_VXID_FROM_PGPROC(mine, *MyProc);
	return VirtualTransactionIdEquals(entry->ender, mine);
}

int
paws_lease_entries_of_flow(int slot, int place, uint64 flow, int max, PawsLeaseEntry **one)
{
	int found = 0;

	for (int32 i = *chain_of_flow(slot, flow); i != NO_ONE && found < max;)
	{
		PawsLeaseEntry *entry = paws_lease_entry(slot, i);

		if (entry->lease.flow == flow && entry->lease.place == place)
		{
			*one = entry;
			found++;
		}
		i = entry->next_by_flow;
	}
	return found;
}

int64
paws_lease_entries(int slot, int place)
{
	return counts(slot)[place];
}
