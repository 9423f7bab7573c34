/*
 * workers/carry.c - from signals to raised subjects, and what signals leave behind.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/log_safe.h"
#include "base/spi.h"
#include "base/worker.h"
#include "crisis/attention.h"
#include "crisis/signal.h"
#include "queue/raise.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "workers/carry.h"

#define RETRY_MS    100
#define RETRY_MAX   6 /* doublings */
#define SWEEP_SLICE 200
#define SWEEP_US    (10 * INT64CONST(60) * USECS_PER_SEC)

/* Who is in a crisis. */
typedef struct Carried
{
	int count;
	PawsInCrisis subjects[PAWS_RAISED_MAX + 1]; /* one more than fit: that there are more */
} Carried;

static uint64 carried_version = 0; /* of signals, as carried; 0: nothing was */
static int failures = 0;

static void
read_signals(int slot, void *arg)
{
	Carried *carried = arg;

	uint64 seen;

	(void) paws_signals_maybe(slot, &seen);
	carried->count = paws_signals_subjects(carried->subjects, PAWS_RAISED_MAX + 1);
	if (carried->count == 0)
		paws_signals_none(slot, seen);
}

static void
write_raised(int slot, void *arg)
{
	const Carried *carried = arg;
	int count = Min(carried->count, PAWS_RAISED_MAX);
	PawsRaised *raised = palloc(Max(count, 1) * sizeof(PawsRaised));

	for (int i = 0; i < count; i++)
		raised[i] = (PawsRaised){carried->subjects[i].subject_no, carried->subjects[i].until};
	paws_raise_set(slot, raised, count);
}

static void
sweep(int slot, void *arg)
{
	(void) paws_signals_sweep(SWEEP_SLICE);
}

/* False if it failed, which the log has. */
static bool
run(int slot, const char *activity, void (*work)(int slot, void *arg), void *arg)
{
	volatile bool good = false;

	if (!paws_worker_begin(activity))
		return false;
	PG_TRY();
	{
		paws_spi_begin();
		work(slot, arg);
		paws_spi_end();
		paws_worker_commit();
		good = true;
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
	return good;
}

static void
note_overflow(bool over)
{
	static bool was_over = false;

	if (over && !was_over)
		ereport_domain(WARNING, PAWS_LOG_SAFE,
					   (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("more subjects are in a crisis than can be raised at once"),
						errdetail("Their crisis operations are served as ever; ordinary work of the others "
								  "waits at its own level."),
						errhint("Resolve signals that are over; see paws_sync.crisis_signals.")));
	was_over = over;
}

static bool
carry(int slot)
{
	Carried *carried = MemoryContextAlloc(TopMemoryContext, sizeof(Carried));
	bool good = run(slot, "paws_sync: read crisis signals", read_signals, carried) &&
				run(slot, "paws_sync: raise what waits for subjects in a crisis", write_raised, carried);

	if (good)
		note_overflow(carried->count > PAWS_RAISED_MAX);
	pfree(carried);
	return good;
}

/* What ended long ago, now and then. */
static void
keep_house(int slot)
{
	static int64 swept_at = 0;
	int64 now = paws_clock();

	if (swept_at > 0 && now - swept_at < SWEEP_US)
		return;
	swept_at = now;
	(void) run(slot, "paws_sync: sweep crisis signals", sweep, NULL);
}

long
paws_carry_turn(int slot)
{
	uint64 version = paws_signals_version(slot);

	keep_house(slot);
	if (version != carried_version || !paws_raise_known(slot))
	{
		if (!carry(slot))
			return RETRY_MS << Min(failures++, RETRY_MAX);
		carried_version = version;
	}
	failures = 0;
	/* rows that came in by other ways, and what a race passed over */
	paws_raise_touch_all(slot);
	return PAWS_CARRY_IDLE;
}
