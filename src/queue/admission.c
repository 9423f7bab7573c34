/*
 * queue/admission.c - asking: which allowance, whether it and the server's budget have room, and the
 * counters.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "queue/admission.h"
#include "queue/allowance.h"
#include "queue/policy.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

#define SAVE_INTERVAL_NS INT64CONST(10000000000)

/* Of what is refused: at least a millisecond, and no longer than it takes until limits may be others. */
#define RETRY_MIN_US 1000
#define RETRY_MAX_US USECS_PER_DAY

typedef enum Counter
{
	ADMITTED,
	LIMITED,
	UNTRACKED,
	BYTES_IN,
	BYTES_OUT,
	PAGES_CUT,
	COUNTERS
} Counter;

typedef struct Counts
{
	pg_atomic_uint64 since;
	pg_atomic_uint64 counter[PAWS_CLASS_LAST + 1][PAWS_TIER_LAST + 1][COUNTERS];
} Counts;

typedef struct Shared
{
	pg_atomic_uint32 changed; /* somebody asked since the file was written */
	Counts counts[FLEXIBLE_ARRAY_MEMBER];
} Shared;

static Shared *shared = NULL;

static Size
counts_size(void)
{
	return MAXALIGN(offsetof(Shared, counts) + paws_max_databases * sizeof(Counts));
}

static Size
size(void)
{
	return add_size(counts_size(), paws_allowance_size());
}

void
paws_admission_reset(int slot)
{
	Counts *counts = &shared->counts[slot];

	for (int klass = 0; klass <= PAWS_CLASS_LAST; klass++)
		for (int tier = 0; tier <= PAWS_TIER_LAST; tier++)
			for (int i = 0; i < COUNTERS; i++)
				pg_atomic_write_u64(&counts->counter[klass][tier][i], 0);
	pg_atomic_write_u64(&counts->since, (uint64) GetCurrentTimestamp());
}

/* By the postmaster, when everybody else is gone. After a crash the file stays as it was last written. */
static void
save_at_end(int code, Datum arg)
{
	if (code == 0 && pg_atomic_exchange_u32(&shared->changed, 0))
		(void) paws_allowance_store(false);
}

static void
attach(void *memory, bool found)
{
	shared = memory;
	paws_allowance_attach((char *) memory + counts_size(), found);
	if (found)
		return;
	pg_atomic_init_u32(&shared->changed, 0);
	for (int slot = 0; slot < paws_max_databases; slot++)
	{
		pg_atomic_init_u64(&shared->counts[slot].since, 0);
		for (int klass = 0; klass <= PAWS_CLASS_LAST; klass++)
			for (int tier = 0; tier <= PAWS_TIER_LAST; tier++)
				for (int i = 0; i < COUNTERS; i++)
					pg_atomic_init_u64(&shared->counts[slot].counter[klass][tier][i], 0);
		paws_admission_reset(slot);
	}
	paws_allowance_load();
	if (!IsUnderPostmaster)
		on_shmem_exit(save_at_end, (Datum) 0);
}

void
paws_admission_init(void)
{
	static const PawsSharedPart part = {"paws_sync admission", size, attach, paws_admission_reset};

	paws_shmem_offer(&part);
}

void
paws_admission_save(void)
{
	static int64 saved_at = 0;
	int64 now = paws_clock_ns();

	if (pg_atomic_read_u32(&shared->changed) == 0 || (saved_at != 0 && now - saved_at < SAVE_INTERVAL_NS))
		return;
	saved_at = now;
	pg_atomic_write_u32(&shared->changed, 0);
	if (!paws_allowance_store(true))
		pg_atomic_write_u32(&shared->changed, 1);
}

/* Who asks, and the set of the allowance that is being looked at, locked. */
typedef struct Asking
{
	int slot;
	int64 subject_no;
	PawsTier tier;
	const PawsPolicy *policies[PAWS_CLASS_LAST + 1]; /* read before any lock */
	const PawsLimits *limits;
	PawsAllowanceSet *set;
	PawsAllowance *allowance; /* NULL: no room for one */
	int64 now;
} Asking;

static void
count(int slot, PawsTier tier, PawsClass klass, Counter counter, int64 amount)
{
	if (amount != 0)
		pg_atomic_fetch_add_u64(&shared->counts[slot].counter[klass][tier][counter], amount);
}

static void
begin_asking(Asking *asking, int slot, int64 subject_no, PawsTier tier)
{
	asking->slot = slot;
	asking->subject_no = subject_no;
	asking->tier = tier;
	paws_policies(tier, asking->policies);
}

/* The bucket that a class draws on. */
static int
bucket_of(const Asking *asking, PawsClass klass)
{
	return asking->policies[klass]->own_limits ? (int) klass : 0;
}

/* Locks the allowance of a bucket; the clock is read under the lock, so that it never goes back. */
static void
open_allowance(Asking *asking, PawsClass klass)
{
	PawsAllowanceKey key = {.subject_no = asking->subject_no,
							.database = MyDatabaseId,
							.identity = paws_database_identity(asking->slot),
							.bucket = bucket_of(asking, klass)};
	uint32 hash;

	asking->limits = &asking->policies[klass]->limits;
	asking->set = paws_allowance_set_of(&key, &hash);
	LWLockAcquire(&asking->set->lock, LW_EXCLUSIVE);
	asking->now = paws_clock_ns();
	asking->allowance = paws_allowance_find(asking->set, hash, &key, asking->now);
	if (asking->allowance)
		paws_allowance_adapt(asking->allowance, asking->limits, asking->now);
}

static void
close_allowance(Asking *asking)
{
	LWLockRelease(&asking->set->lock);
	if (pg_atomic_read_u32(&shared->changed) == 0)
		pg_atomic_write_u32(&shared->changed, 1);
}

static int64
wait_in_us(int64 wait)
{
	return Min(Max((wait + 999) / 1000, RETRY_MIN_US), RETRY_MAX_US);
}

static void
refuse(PawsAsk *ask, PawsReason reason, int64 wait)
{
	ask->admitted = false;
	ask->reason = reason;
	ask->retry_after = wait_in_us(wait);
}

static void
admit(PawsAsk *ask)
{
	ask->admitted = true;
	ask->reason = PAWS_REASON_NONE;
	ask->retry_after = 0;
}

static void
ask_one(Asking *asking, PawsAsk *ask)
{
	PawsAllowance *allowance = asking->allowance;
	int64 wait = allowance ? paws_allowance_push_wait(allowance, asking->limits, ask->bytes, asking->now) : 0;

	if (wait > 0)
	{
		refuse(ask, PAWS_REASON_RATE, wait);
		return;
	}
	if (!paws_reserve_take(ask->bytes, &wait))
	{
		refuse(ask, PAWS_REASON_BUDGET, wait);
		return;
	}
	admit(ask);
	if (allowance)
		paws_allowance_push(allowance, asking->limits, ask->bytes, asking->now);
}

/* All that draws on one bucket, under one lock. `refused` is of the budget, which is everybody's. */
static void
ask_bucket(Asking *asking, PawsAsk *asks, int count, int first, PawsAsk **refused)
{
	int bucket = bucket_of(asking, asks[first].klass);
	PawsAsk *before = *refused;

	open_allowance(asking, asks[first].klass);
	for (int i = first; i < count; i++)
	{
		PawsAsk *ask = &asks[i];

		if (bucket_of(asking, ask->klass) != bucket)
			continue;
		if (before == NULL)
			ask_one(asking, ask);
		else
			refuse(ask, before->reason, before->retry_after * 1000);
		if (!ask->admitted)
			before = ask;
	}
	close_allowance(asking);
	if (before && before->reason == PAWS_REASON_BUDGET)
		*refused = before;
}

static void
count_asks(const Asking *asking, const PawsAsk *asks, int n)
{
	int64 sums[PAWS_CLASS_LAST + 1][COUNTERS] = {0};
	int64 bytes = 0;

	for (int i = 0; i < n; i++)
	{
		sums[asks[i].klass][asks[i].admitted ? ADMITTED : LIMITED]++;
		if (!asks[i].admitted)
			continue;
		sums[asks[i].klass][BYTES_IN] += asks[i].bytes;
		bytes += asks[i].bytes;
	}
	for (int klass = PAWS_CLASS_FIRST; klass <= PAWS_CLASS_LAST; klass++)
		for (int i = 0; i < COUNTERS; i++)
			count(asking->slot, asking->tier, klass, i, sums[klass][i]);
	paws_reserve_count(bytes);
}

static void
count_untracked(const Asking *asking, const PawsAsk *asks, int n, int bucket)
{
	for (int i = 0; i < n; i++)
		if (asks[i].admitted && bucket_of(asking, asks[i].klass) == bucket)
			count(asking->slot, asking->tier, asks[i].klass, UNTRACKED, 1);
}

void
paws_admission_push(int slot, int64 subject_no, PawsTier tier, PawsAsk *asks, int count)
{
	Asking asking;
	bool asked[PAWS_CLASS_LAST + 1] = {0};
	PawsAsk *refused = NULL;

	begin_asking(&asking, slot, subject_no, tier);
	for (int i = 0; i < count; i++)
	{
		int bucket = bucket_of(&asking, asks[i].klass);

		if (asked[bucket])
			continue;
		asked[bucket] = true;
		ask_bucket(&asking, asks, count, i, &refused);
		if (asking.allowance == NULL)
			count_untracked(&asking, asks, count, bucket);
	}
	count_asks(&asking, asks, count);
}

int64
paws_admission_own(int slot, PawsTier tier, PawsClass klass, int64 bytes)
{
	int64 wait = 0;

	if (!paws_reserve_take(bytes, &wait))
	{
		count(slot, tier, klass, LIMITED, 1);
		return wait_in_us(wait);
	}
	count(slot, tier, klass, ADMITTED, 1);
	count(slot, tier, klass, BYTES_IN, bytes);
	paws_reserve_count(bytes);
	return 0;
}

void
paws_admission_limited(int slot, PawsTier tier, PawsClass klass)
{
	count(slot, tier, klass, LIMITED, 1);
}

void
paws_admission_pull(int slot, int64 subject_no, PawsTier tier, PawsAsk *ask)
{
	Asking asking;
	int64 wait = 0;

	begin_asking(&asking, slot, subject_no, tier);
	open_allowance(&asking, ask->klass);
	admit(ask);
	if (asking.allowance)
		wait = paws_allowance_pull_wait(asking.allowance, asking.limits, asking.now);
	if (wait > 0)
		refuse(ask, PAWS_REASON_RATE, wait);
	else if (!paws_reserve_take(ask->bytes, &wait))
		refuse(ask, PAWS_REASON_BUDGET, wait);
	else if (asking.allowance)
		paws_allowance_pull(asking.allowance, asking.limits, ask->bytes, asking.now);
	close_allowance(&asking);
	if (!ask->admitted)
		count(slot, tier, ask->klass, PAGES_CUT, 1);
	else if (asking.allowance == NULL)
		count(slot, tier, ask->klass, UNTRACKED, 1);
}

void
paws_admission_correct(int slot, int64 subject_no, PawsTier tier, const PawsAsk *ask, int64 bytes)
{
	Asking asking;
	int64 difference = bytes - ask->bytes;

	count(slot, tier, ask->klass, BYTES_OUT, bytes);
	paws_reserve_count(bytes);
	if (difference == 0)
		return;
	begin_asking(&asking, slot, subject_no, tier);
	open_allowance(&asking, ask->klass);
	if (asking.allowance)
		paws_allowance_pull(asking.allowance, asking.limits, difference, asking.now);
	close_allowance(&asking);
	paws_reserve_correct(difference);
}

static void
forget(void *arg)
{
	PawsAllowanceKey *key = arg;

	for (key->bucket = 0; key->bucket <= PAWS_CLASS_LAST; key->bucket++)
		paws_allowance_drop(key);
	pg_atomic_write_u32(&shared->changed, 1);
}

void
paws_admission_forget_at_commit(int slot, int64 subject_no)
{
	PawsAllowanceKey *key = paws_at_commit(forget, sizeof(PawsAllowanceKey));

	*key = (PawsAllowanceKey){.subject_no = subject_no,
							  .database = MyDatabaseId,
							  .identity = paws_database_identity(slot)};
}

void
paws_admission_read(int slot, PawsClass klass, PawsTier tier, PawsAdmissionCounts *counts)
{
	pg_atomic_uint64 *counter = shared->counts[slot].counter[klass][tier];

	counts->admitted = (int64) pg_atomic_read_u64(&counter[ADMITTED]);
	counts->limited = (int64) pg_atomic_read_u64(&counter[LIMITED]);
	counts->untracked = (int64) pg_atomic_read_u64(&counter[UNTRACKED]);
	counts->bytes_in = (int64) pg_atomic_read_u64(&counter[BYTES_IN]);
	counts->bytes_out = (int64) pg_atomic_read_u64(&counter[BYTES_OUT]);
	counts->pages_cut = (int64) pg_atomic_read_u64(&counter[PAGES_CUT]);
}

TimestampTz
paws_admission_since(int slot)
{
	return (TimestampTz) pg_atomic_read_u64(&shared->counts[slot].since);
}

void
paws_admission_total(int slot, PawsAdmissionCounts *total)
{
	*total = (PawsAdmissionCounts){0};
	for (int klass = PAWS_CLASS_FIRST; klass <= PAWS_CLASS_LAST; klass++)
		for (int tier = PAWS_TIER_FIRST; tier <= PAWS_TIER_LAST; tier++)
		{
			PawsAdmissionCounts one;

			paws_admission_read(slot, klass, tier, &one);
			total->admitted += one.admitted;
			total->limited += one.limited;
			total->untracked += one.untracked;
			total->bytes_in += one.bytes_in;
			total->bytes_out += one.bytes_out;
			total->pages_cut += one.pages_cut;
		}
}
