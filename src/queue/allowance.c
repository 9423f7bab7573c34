/*
 * queue/allowance.c - finding entries, and the arithmetic of GCRA in nanoseconds.
 *
 * Times are rounded up and allowances down, so that rounding never adds to a rate.
 */
#include "postgres.h"

#include <math.h>

#include "base/settings.h"
#include "common/hashfn.h"
#include "port/pg_bitutils.h"
#include "queue/allowance.h"

/* Filled by half or less, a set has room for nearly all that fall into it. */
#define SUBJECTS_PER_SET 7

/* A time that is as good as never, and far from overflow. */
#define NEVER_NS (PG_INT64_MAX / 8)

#define NS_PER_SECOND 1e9

StaticAssertDecl(offsetof(PawsAllowanceSet, entry) == 64, "lock and hashes are one cache line");
StaticAssertDecl(sizeof(PawsAllowance) == 64, "an entry is one cache line");
StaticAssertDecl(sizeof(PawsLimits) == 40, "limits have no padding");

static PawsAllowanceSet *sets = NULL;

uint32
paws_allowance_sets(void)
{
	return pg_nextpower2_32(Max(paws_max_subjects_limited / SUBJECTS_PER_SET, 1));
}

Size
paws_allowance_size(void)
{
	return add_size(mul_size(paws_allowance_sets(), sizeof(PawsAllowanceSet)), PG_CACHE_LINE_SIZE);
}

void
paws_allowance_attach(void *memory, bool found)
{
	int tranche;

	sets = (PawsAllowanceSet *) TYPEALIGN(PG_CACHE_LINE_SIZE, memory);
	if (found)
		return;
	tranche = LWLockNewTrancheId();
	LWLockRegisterTranche(tranche, "paws_sync_admission");
	memset(sets, 0, paws_allowance_sets() * sizeof(PawsAllowanceSet));
	for (uint32 i = 0; i < paws_allowance_sets(); i++)
		LWLockInitialize(&sets[i].lock, tranche);
}

PawsAllowanceSet *
paws_allowance_set(uint32 index)
{
	return &sets[index];
}

PawsAllowanceSet *
paws_allowance_set_of(const PawsAllowanceKey *key, uint32 *hash)
{
	uint64 mixed = (uint64) key->subject_no ^ ((uint64) key->database << 32) ^ ((uint64) key->bucket << 24);

	*hash = Max(hash_bytes((const unsigned char *) &mixed, sizeof(mixed)), 1);
	return &sets[*hash & (paws_allowance_sets() - 1)];
}

static bool
is_of(const PawsAllowance *entry, const PawsAllowanceKey *key)
{
	return entry->key.subject_no == key->subject_no && entry->key.database == key->database &&
		   entry->key.identity == key->identity && entry->key.bucket == key->bucket;
}

bool
paws_allowance_idle(const PawsAllowance *allowance, int64 now)
{
	for (int i = 0; i < PAWS_METERS; i++)
		if (allowance->used[i] > now)
			return false;
	return true;
}

PawsAllowance *
paws_allowance_find(PawsAllowanceSet *set, uint32 hash, const PawsAllowanceKey *key, int64 now)
{
	int idle = -1;

	for (int i = 0; i < PAWS_ALLOWANCE_WAYS; i++)
		if (set->hash[i] == hash && is_of(&set->entry[i], key))
			return &set->entry[i];
	for (int i = 0; i < PAWS_ALLOWANCE_WAYS && idle < 0; i++)
		if (set->hash[i] == 0 || paws_allowance_idle(&set->entry[i], now))
			idle = i;
	if (idle < 0)
		return NULL;
	set->hash[idle] = hash;
	set->entry[idle] = (PawsAllowance){.key = *key, .used = {now, now, now}};
	return &set->entry[idle];
}

void
paws_allowance_drop(const PawsAllowanceKey *key)
{
	uint32 hash;
	PawsAllowanceSet *set = paws_allowance_set_of(key, &hash);

	LWLockAcquire(&set->lock, LW_EXCLUSIVE);
	for (int i = 0; i < PAWS_ALLOWANCE_WAYS; i++)
		if (set->hash[i] == hash && is_of(&set->entry[i], key))
			set->hash[i] = 0;
	LWLockRelease(&set->lock);
}

static int64
rate_of(const PawsLimits *limits, PawsMeter meter)
{
	return meter == PAWS_METER_OPERATIONS ? limits->ops_per_second
		   : meter == PAWS_METER_PUSHED   ? limits->bytes_per_second
										  : limits->pull_bytes_per_second;
}

static int64
burst_of(const PawsLimits *limits, PawsMeter meter)
{
	return meter == PAWS_METER_OPERATIONS ? limits->ops_burst
		   : meter == PAWS_METER_PUSHED   ? limits->bytes_burst
										  : limits->pull_bytes_burst;
}

/* A rate of 0 never allows anything. */
static double
exact_duration(int64 amount, int64 per_second)
{
	return per_second > 0 ? (double) amount * NS_PER_SECOND / (double) per_second : (double) NEVER_NS;
}

static int64
cost_of(const PawsLimits *limits, PawsMeter meter, int64 amount)
{
	return (int64) Min(ceil(exact_duration(amount, rate_of(limits, meter))), (double) NEVER_NS);
}

/* Of operations a whole number of costs, so that a burst is as many as it says. */
static int64
tolerance_of(const PawsLimits *limits, PawsMeter meter)
{
	int64 burst = burst_of(limits, meter);
	double exact = meter == PAWS_METER_OPERATIONS ? (double) burst * (double) cost_of(limits, meter, 1)
												  : exact_duration(burst, rate_of(limits, meter));

	return (int64) Min(exact, (double) NEVER_NS);
}

void
paws_allowance_adapt(PawsAllowance *allowance, const PawsLimits *limits, int64 now)
{
	uint32 stamp = hash_bytes((const unsigned char *) limits, sizeof(*limits));

	if (allowance->stamp == stamp)
		return;
	allowance->stamp = stamp;
	for (int i = 0; i < PAWS_METERS; i++)
	{
		double left = (double) Max(allowance->used[i] - now, 0);
		int64 rate = rate_of(limits, i);

		if (rate > 0)
			left = Min(left * (double) allowance->rate[i] / (double) rate, (double) tolerance_of(limits, i));
		allowance->used[i] = now + (int64) left;
		allowance->rate[i] = (float) rate;
	}
}

/* What is larger than the burst fits when all of it is there. */
static int64
wait_of(const PawsAllowance *allowance, const PawsLimits *limits, PawsMeter meter, int64 amount, int64 now)
{
	int64 tolerance = tolerance_of(limits, meter);
	int64 cost = cost_of(limits, meter, amount);

	if (amount == 0)
		return 0;
	if (rate_of(limits, meter) == 0)
		return NEVER_NS;
	return Max(allowance->used[meter], now) + Min(cost, tolerance) - tolerance - now;
}

static void
take(PawsAllowance *allowance, const PawsLimits *limits, PawsMeter meter, int64 amount, int64 now)
{
	if (amount > 0)
		allowance->used[meter] = Max(allowance->used[meter], now) + cost_of(limits, meter, amount);
}

int64
paws_allowance_push_wait(const PawsAllowance *allowance, const PawsLimits *limits, int64 bytes, int64 now)
{
	/* a tier that may push no bytes at all pushes nothing, deletions neither */
	if (limits->bytes_per_second == 0)
		return NEVER_NS;
	return Max(wait_of(allowance, limits, PAWS_METER_OPERATIONS, 1, now),
			   wait_of(allowance, limits, PAWS_METER_PUSHED, bytes, now));
}

void
paws_allowance_push(PawsAllowance *allowance, const PawsLimits *limits, int64 bytes, int64 now)
{
	take(allowance, limits, PAWS_METER_OPERATIONS, 1, now);
	take(allowance, limits, PAWS_METER_PUSHED, bytes, now);
}

int64
paws_allowance_pull_wait(const PawsAllowance *allowance, const PawsLimits *limits, int64 now)
{
	return wait_of(allowance, limits, PAWS_METER_PULLED, 1, now);
}

void
paws_allowance_pull(PawsAllowance *allowance, const PawsLimits *limits, int64 bytes, int64 now)
{
	if (bytes >= 0)
		take(allowance, limits, PAWS_METER_PULLED, bytes, now);
	else if (limits->pull_bytes_per_second > 0)
		allowance->used[PAWS_METER_PULLED] -= cost_of(limits, PAWS_METER_PULLED, -bytes);
}
