/*
 * queue/flow.c - the levels and flows of each database, under one spinlock.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "common/hashfn.h"
#include "guard/codes.h"
#include "port/pg_bitutils.h"
#include "queue/flow.h"
#include "storage/spin.h"

#define LEVELS (PAWS_LEVEL_ORDINARY_MAX + 1)

/* Followed by the levels of all domains, then by the sets of entries. */
typedef struct Flows
{
	slock_t mutex; /* all below, levels and entries */
	uint64 displaced;
} Flows;

static char *memory_of_all = NULL; /* [max_databases] of stride() bytes */

static uint32
places(void)
{
	return (uint32) (paws_max_topics + 1) * LEVELS;
}

static uint32
sets(void)
{
	return pg_nextpower2_32(Max(paws_max_flows / PAWS_FLOW_WAYS, 1));
}

static Size
stride(void)
{
	Size levels = mul_size(places(), sizeof(PawsFlowLevel));
	Size entries = mul_size(mul_size(sets(), PAWS_FLOW_WAYS), sizeof(PawsFlowEntry));

	return add_size(MAXALIGN(sizeof(Flows)), add_size(MAXALIGN(levels), MAXALIGN(entries)));
}

static Size
size(void)
{
	return mul_size(paws_max_databases, stride());
}

static Flows *
flows_of(int slot)
{
	return (Flows *) (memory_of_all + slot * stride());
}

static PawsFlowLevel *
levels_of(Flows *flows)
{
	return (PawsFlowLevel *) ((char *) flows + MAXALIGN(sizeof(Flows)));
}

static PawsFlowEntry *
set_of(Flows *flows, uint32 place, uint64 flow)
{
	uint32 hash = hash_combine(hash_bytes_uint32((uint32) flow), (uint32) (flow >> 32) ^ place << 16);
	PawsFlowEntry *first =
		(PawsFlowEntry *) ((char *) levels_of(flows) + MAXALIGN(places() * sizeof(PawsFlowLevel)));

	return &first[(hash_bytes_uint32(hash) & (sets() - 1)) * PAWS_FLOW_WAYS];
}

static uint32
place_of(int domain, int level)
{
	Assert(domain >= 0 && domain <= paws_max_topics && level >= 1 && level < LEVELS);
	return (uint32) (domain * LEVELS + level);
}

/* Levels and entries of a database as if nothing had ever waited. */
static void
clear(Flows *flows)
{
	memset(levels_of(flows), 0, stride() - MAXALIGN(sizeof(Flows)));
}

static void
reset(int slot)
{
	SpinLockAcquire(&flows_of(slot)->mutex);
	clear(flows_of(slot));
	SpinLockRelease(&flows_of(slot)->mutex);
}

static void
attach(void *memory, bool found)
{
	memory_of_all = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
	{
		SpinLockInit(&flows_of(slot)->mutex);
		flows_of(slot)->displaced = 0;
		clear(flows_of(slot));
	}
}

void
paws_flow_init(void)
{
	static const PawsSharedPart part = {"paws_sync flows", size, attach, reset};

	paws_shmem_offer(&part);
}

/* What a transaction took, and gives back if it does not use it. */
typedef struct Taken
{
	int slot;
	Oid identity;
	uint32 place;
	uint64 flow;
	int count;
	int64 end;
} Taken;

static void
give_back(void *arg)
{
	Taken *taken = arg;
	Flows *flows = flows_of(taken->slot);

	if (paws_database_identity(taken->slot) != taken->identity)
		return;
	SpinLockAcquire(&flows->mutex);
	paws_flow_rule_return(set_of(flows, taken->place, taken->flow), taken->place, taken->flow, taken->count);
	SpinLockRelease(&flows->mutex);
}

static void
use(void *arg)
{
	Taken *taken = arg;
	Flows *flows = flows_of(taken->slot);

	if (paws_database_identity(taken->slot) != taken->identity)
		return;
	SpinLockAcquire(&flows->mutex);
	paws_flow_rule_put(&levels_of(flows)[taken->place], taken->end);
	SpinLockRelease(&flows->mutex);
}

int64
paws_flow_rank(int slot, int domain, int level, uint64 flow, int count)
{
	Flows *flows = flows_of(slot);
	Taken taken = {slot, paws_database_identity(slot), place_of(domain, level), flow, count, 0};
	Taken *at_commit = paws_at_commit(use, sizeof(Taken));
	bool displaced = false;
	int64 rank;

	if (flow != 0)
		*(Taken *) paws_at_abort(give_back, sizeof(Taken)) = taken;
	SpinLockAcquire(&flows->mutex);
	rank = paws_flow_rule_rank(levels_of(flows), set_of(flows, taken.place, flow), taken.place, flow, count,
							   &displaced);
	flows->displaced += displaced;
	SpinLockRelease(&flows->mutex);
	*at_commit = taken;
	at_commit->end = rank + (flow == 0 ? 1 : count);
	return rank;
}

void
paws_flow_unused(int slot, int domain, int level, uint64 flow, int count)
{
	*(Taken *) paws_at_commit(give_back, sizeof(Taken)) =
		(Taken){slot, paws_database_identity(slot), place_of(domain, level), flow, count, 0};
}

void
paws_flow_served(int slot, int domain, int level, int64 rank)
{
	Flows *flows = flows_of(slot);

	SpinLockAcquire(&flows->mutex);
	paws_flow_rule_served(&levels_of(flows)[place_of(domain, level)], rank);
	SpinLockRelease(&flows->mutex);
}

int64
paws_flow_seen(int slot, int domain, int level, int64 head_rank)
{
	Flows *flows = flows_of(slot);
	int64 now = paws_clock();
	int64 age;

	SpinLockAcquire(&flows->mutex);
	age = paws_flow_rule_seen(&levels_of(flows)[place_of(domain, level)], head_rank, now);
	SpinLockRelease(&flows->mutex);
	return Max(age, 0);
}

void
paws_flow_trim(int slot, int domain, int level, int64 last_rank, int64 when)
{
	Flows *flows = flows_of(slot);

	SpinLockAcquire(&flows->mutex);
	paws_flow_rule_trim(&levels_of(flows)[place_of(domain, level)], last_rank, when);
	SpinLockRelease(&flows->mutex);
}

void
paws_flow_restart(int slot, int domain, int level, int64 head_rank, int64 last_rank)
{
	Flows *flows = flows_of(slot);
	int64 now = paws_clock();

	SpinLockAcquire(&flows->mutex);
	paws_flow_rule_start(&levels_of(flows)[place_of(domain, level)], head_rank, last_rank, now);
	SpinLockRelease(&flows->mutex);
}

uint64
paws_flow_displaced(int slot)
{
	uint64 displaced;

	SpinLockAcquire(&flows_of(slot)->mutex);
	displaced = flows_of(slot)->displaced;
	SpinLockRelease(&flows_of(slot)->mutex);
	return displaced;
}
