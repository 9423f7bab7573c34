/*
 * crisis/outcome.c - the counters, and which error is which refusal.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/errors.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "crisis/budget.h"
#include "crisis/canary.h"
#include "crisis/outcome.h"
#include "utils/timestamp.h"

typedef struct Outcomes
{
	pg_atomic_uint64 attempts;
	pg_atomic_uint64 acknowledged;
	pg_atomic_uint64 rolled_back;
	pg_atomic_uint64 refused[PAWS_REFUSALS];
	pg_atomic_uint64 since;
	pg_atomic_uint64 told_refused; /* by paws_outcome_news */
	pg_atomic_uint64 told_rolled_back;
	PawsHistogram histogram[2]; /* emergency, safety */
} Outcomes;

static Outcomes *shared = NULL; /* for each database */

static const char *const names[PAWS_REFUSALS] = {
	[PAWS_REFUSAL_TOO_LARGE] = "too_large", [PAWS_REFUSAL_QUEUE_FULL] = "queue_full",
	[PAWS_REFUSAL_LOCKED] = "locked",       [PAWS_REFUSAL_CANCELED] = "canceled",
	[PAWS_REFUSAL_STORAGE] = "storage",     [PAWS_REFUSAL_KEYS] = "keys",
	[PAWS_REFUSAL_CONFLICT] = "conflict",   [PAWS_REFUSAL_READ_ONLY] = "read_only",
	[PAWS_REFUSAL_OTHER] = "other",
};

const char *
paws_refusal_name(PawsRefusal refusal)
{
	return names[refusal];
}

PawsRefusal
paws_refusal_of(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:
			return PAWS_REFUSAL_QUEUE_FULL;
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
			return PAWS_REFUSAL_LOCKED;
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_ADMIN_SHUTDOWN:
			return PAWS_REFUSAL_CANCELED;
		case ERRCODE_DISK_FULL:
		case ERRCODE_IO_ERROR:
		case ERRCODE_DATA_CORRUPTED:
		case ERRCODE_INDEX_CORRUPTED:
			return PAWS_REFUSAL_STORAGE;
		case PAWS_ERRCODE_ENVELOPE:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
			return PAWS_REFUSAL_KEYS;
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
			return PAWS_REFUSAL_CONFLICT;
		case ERRCODE_READ_ONLY_SQL_TRANSACTION:
			return PAWS_REFUSAL_READ_ONLY;
		default:
			return PAWS_REFUSAL_OTHER;
	}
}

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Outcomes));
}

void
paws_outcome_reset(int slot)
{
	Outcomes *mine = &shared[slot];

	pg_atomic_write_u64(&mine->attempts, 0);
	pg_atomic_write_u64(&mine->acknowledged, 0);
	pg_atomic_write_u64(&mine->rolled_back, 0);
	for (int i = 0; i < PAWS_REFUSALS; i++)
		pg_atomic_write_u64(&mine->refused[i], 0);
	for (size_t i = 0; i < lengthof(mine->histogram); i++)
		paws_histogram_reset(&mine->histogram[i]);
	pg_atomic_write_u64(&mine->told_refused, 0);
	pg_atomic_write_u64(&mine->told_rolled_back, 0);
	pg_atomic_write_u64(&mine->since, (uint64) GetCurrentTimestamp());
}

static void
attach(void *memory, bool found)
{
	shared = memory;
	if (found)
		return;
	/* zeroes are what atomics are initialised to */
	memset(memory, 0, size());
	for (int slot = 0; slot < paws_max_databases; slot++)
		paws_outcome_reset(slot);
}

void
paws_outcome_init(void)
{
	static const PawsSharedPart part = {"paws_sync crisis outcomes", size, attach, paws_outcome_reset};

	paws_shmem_offer(&part);
}

void
paws_outcome_attempt(int slot, int count)
{
	if (!paws_canary_here)
		pg_atomic_fetch_add_u64(&shared[slot].attempts, count);
}

void
paws_outcome_refused(int slot, PawsRefusal refusal, int count)
{
	if (!paws_canary_here)
		pg_atomic_fetch_add_u64(&shared[slot].refused[refusal], count);
}

typedef struct Taken
{
	int slot;
	int count;
} Taken;

static void
acknowledge(void *arg)
{
	Taken *taken = arg;

	pg_atomic_fetch_add_u64(&shared[taken->slot].acknowledged, taken->count);
}

static void
roll_back(void *arg)
{
	Taken *taken = arg;

	pg_atomic_fetch_add_u64(&shared[taken->slot].rolled_back, taken->count);
}

void
paws_outcome_taken(int slot, int count)
{
	if (paws_canary_here || count == 0)
		return;
	*(Taken *) paws_at_commit(acknowledge, sizeof(Taken)) = (Taken){slot, count};
	*(Taken *) paws_at_abort(roll_back, sizeof(Taken)) = (Taken){slot, count};
}

PawsHistogram *
paws_outcome_histogram(int slot, PawsClass klass)
{
	return &shared[slot].histogram[klass == PAWS_CLASS_EMERGENCY ? 0 : 1];
}

typedef struct Measured
{
	int slot;
	PawsClass klass;
	TimestampTz since;
} Measured;

static void
measure(void *arg)
{
	Measured *measured = arg;
	int64 took = GetCurrentTimestamp() - measured->since;

	paws_histogram_record(paws_outcome_histogram(measured->slot, measured->klass), Max(took, 0),
						  PAWS_CRISIS_BUDGET_MS * UINT64CONST(1000));
}

void
paws_outcome_latency_at_commit(int slot, PawsClass klass, TimestampTz since)
{
	if (!paws_canary_here)
		*(Measured *) paws_at_commit(measure, sizeof(Measured)) = (Measured){slot, klass, since};
}

void
paws_outcome_read(int slot, PawsOutcomes *outcomes)
{
	Outcomes *mine = &shared[slot];

	outcomes->attempts = (int64) pg_atomic_read_u64(&mine->attempts);
	outcomes->acknowledged = (int64) pg_atomic_read_u64(&mine->acknowledged);
	outcomes->rolled_back = (int64) pg_atomic_read_u64(&mine->rolled_back);
	for (int i = 0; i < PAWS_REFUSALS; i++)
		outcomes->refused[i] = (int64) pg_atomic_read_u64(&mine->refused[i]);
	outcomes->overdue = 0;
	for (size_t i = 0; i < lengthof(mine->histogram); i++)
		outcomes->overdue += (int64) (pg_atomic_read_u64(&mine->histogram[i].count) -
									  pg_atomic_read_u64(&mine->histogram[i].within));
	outcomes->since = (TimestampTz) pg_atomic_read_u64(&mine->since);
}

int64
paws_outcome_refusals(const PawsOutcomes *outcomes)
{
	int64 refused = 0;

	for (int i = 0; i < PAWS_REFUSALS; i++)
		if (i != PAWS_REFUSAL_TOO_LARGE)
			refused += outcomes->refused[i];
	return refused;
}

void
paws_outcome_news(int slot, int64 *refused, int64 *rolled_back)
{
	Outcomes *mine = &shared[slot];
	PawsOutcomes now;

	paws_outcome_read(slot, &now);
	*refused = paws_outcome_refusals(&now);
	*refused -= (int64) pg_atomic_exchange_u64(&mine->told_refused, *refused);
	*rolled_back = now.rolled_back - (int64) pg_atomic_exchange_u64(&mine->told_rolled_back, now.rolled_back);
}
