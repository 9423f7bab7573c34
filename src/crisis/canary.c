/*
 * crisis/canary.c - what the canary and those who wait for it share.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "crisis/budget.h"
#include "crisis/canary.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#define MINUTES 60

/* A round that comes later than that after the one before leaves out what it should have told. */
#define GAP_INTERVALS 2
#define GAP_US        INT64CONST(2000000)

bool paws_canary_here = false;
bool paws_canary_by_queue = false;

/* The round under way. */
typedef struct Round
{
	bool open;
	bool by_queue;
	bool applied;
	pg_uuid_t op_id;
	int64 begun_at; /* ns */
	int64 seen_at;  /* ns; 0: not yet */
	int process;    /* the canary's, whose latch is set */
} Round;

typedef struct Canary
{
	slock_t lock;
	int64 subject_no; /* 0: not introduced */
	PawsToken watcher;
	int waiting; /* processes that wait for this subject's */
	Round round;
	PawsCanaryState state;
	int64 minute[MINUTES]; /* of the clock, and the worst in it */
	int64 worst[MINUTES];
	int64 accounted_clock; /* 0: not since the start of the server */
	bool accounted_good;
	PawsHistogram histogram;
} Canary;

static Canary *canaries = NULL; /* for each database */

/* What this process waits for. */
static int waits_in = -1;
static int64 waits_for = 0;

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Canary));
}

static void
reset(int slot)
{
	Canary *canary = &canaries[slot];

	SpinLockAcquire(&canary->lock);
	canary->subject_no = 0;
	canary->waiting = 0;
	memset(&canary->round, 0, sizeof(canary->round));
	memset(&canary->state, 0, sizeof(canary->state));
	memset(canary->minute, 0, sizeof(canary->minute));
	canary->accounted_clock = 0;
	canary->accounted_good = false;
	SpinLockRelease(&canary->lock);
	paws_histogram_reset(&canary->histogram);
}

static void
attach(void *memory, bool found)
{
	canaries = memory;
	if (found)
		return;
	memset(memory, 0, size());
	for (int slot = 0; slot < paws_max_databases; slot++)
	{
		SpinLockInit(&canaries[slot].lock);
		reset(slot);
	}
}

void
paws_canary_init(void)
{
	static const PawsSharedPart part = {"paws_sync canary", size, attach, reset};

	paws_shmem_offer(&part);
}

void
paws_canary_alive(int slot, bool waits)
{
	Canary *canary = &canaries[slot];

	SpinLockAcquire(&canary->lock);
	canary->state.alive_clock = paws_clock();
	canary->state.waits = waits;
	SpinLockRelease(&canary->lock);
}

bool
paws_canary_introduce(int slot, int64 subject_no, const PawsToken *watcher)
{
	Canary *canary = &canaries[slot];
	bool new;

	SpinLockAcquire(&canary->lock);
	new = canary->subject_no != subject_no;
	if (new)
		canary->waiting = 0;
	canary->subject_no = subject_no;
	canary->watcher = *watcher;
	SpinLockRelease(&canary->lock);
	return new;
}

bool
paws_canary_is(int slot, int64 subject_no)
{
	Canary *canary = &canaries[slot];
	bool is;

	SpinLockAcquire(&canary->lock);
	is = canary->subject_no == subject_no;
	SpinLockRelease(&canary->lock);
	return is;
}

int64
paws_canary_watched(int slot, PawsToken *watcher, bool *open)
{
	Canary *canary = &canaries[slot];
	int64 subject_no;

	SpinLockAcquire(&canary->lock);
	subject_no = canary->subject_no;
	*watcher = canary->watcher;
	*open = canary->round.open &&
			(canary->round.seen_at == 0 || (canary->round.by_queue && !canary->round.applied));
	SpinLockRelease(&canary->lock);
	return subject_no;
}

/* Adds or takes away this process, if what it waits for is what there is. */
static void
count_me(int difference)
{
	Canary *canary = &canaries[waits_in];

	if (waits_for == 0)
		return;
	SpinLockAcquire(&canary->lock);
	if (canary->subject_no == waits_for)
		canary->waiting += difference;
	SpinLockRelease(&canary->lock);
}

static void
wait_no_more(int code, Datum arg)
{
	count_me(-1);
}

void
paws_canary_wait_for(int slot, int64 subject_no)
{
	if (waits_in < 0)
		before_shmem_exit(wait_no_more, (Datum) 0);
	else
		count_me(-1);
	waits_in = slot;
	waits_for = subject_no;
	count_me(1);
}

void
paws_canary_begin(int slot, const pg_uuid_t *op_id, bool by_queue)
{
	Canary *canary = &canaries[slot];

	SpinLockAcquire(&canary->lock);
	canary->round = (Round){.open = true,
							.by_queue = by_queue,
							.op_id = *op_id,
							.begun_at = paws_clock_ns(),
							.process = PAWS_MY_PROC_NUMBER};
	SpinLockRelease(&canary->lock);
}

void
paws_canary_seen(int slot, const pg_uuid_t *op_id, bool applied)
{
	Canary *canary = &canaries[slot];
	Round *round = &canary->round;
	int64 now = paws_clock_ns();
	int process = -1;

	SpinLockAcquire(&canary->lock);
	if (round->open && memcmp(&round->op_id, op_id, sizeof(*op_id)) == 0)
	{
		if (round->seen_at == 0)
			round->seen_at = now;
		round->applied = round->applied || applied;
		process = round->process;
	}
	SpinLockRelease(&canary->lock);
	if (process >= 0)
		SetLatch(&ProcGlobal->allProcs[process].procLatch);
}

bool
paws_canary_arrived(int slot, int64 *latency, bool *nobody)
{
	Canary *canary = &canaries[slot];
	bool arrived;

	SpinLockAcquire(&canary->lock);
	*latency = canary->round.seen_at ? (canary->round.seen_at - canary->round.begun_at) / 1000 : -1;
	arrived = canary->round.seen_at && (canary->round.applied || !canary->round.by_queue);
	*nobody = canary->waiting <= 0;
	SpinLockRelease(&canary->lock);
	return arrived;
}

static void
note_worst(Canary *canary, int64 latency)
{
	int64 minute = paws_clock() / USECS_PER_MINUTE;
	int place = (int) (minute % MINUTES);

	if (canary->minute[place] != minute)
		canary->worst[place] = 0;
	canary->minute[place] = minute;
	canary->worst[place] = Max(canary->worst[place], latency);
}

void
paws_canary_end(int slot, PawsCanaryResult result, int64 latency)
{
	Canary *canary = &canaries[slot];
	PawsCanaryState *state = &canary->state;
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&canary->lock);
	canary->round.open = false;
	state->result = result;
	state->latency = latency;
	state->ended_at = now;
	state->ended_clock = paws_clock();
	state->rounds++;
	state->failed += result != PAWS_CANARY_GOOD;
	note_worst(canary, latency);
	SpinLockRelease(&canary->lock);
	paws_histogram_record(&canary->histogram, (uint64) latency, PAWS_CRISIS_BUDGET_MS * UINT64CONST(1000));
}

void
paws_canary_read(int slot, PawsCanaryState *state)
{
	Canary *canary = &canaries[slot];
	int64 minute = paws_clock() / USECS_PER_MINUTE;

	SpinLockAcquire(&canary->lock);
	*state = canary->state;
	state->worst = -1;
	for (int i = 0; i < MINUTES; i++)
		if (canary->minute[i] > minute - MINUTES && canary->minute[i] > 0)
			state->worst = Max(state->worst, canary->worst[i]);
	SpinLockRelease(&canary->lock);
}

PawsHistogram *
paws_canary_histogram(int slot)
{
	return &canaries[slot].histogram;
}

void
paws_canary_elapsed(int slot, bool good, int64 *elapsed, int64 *there)
{
	Canary *canary = &canaries[slot];
	int64 longest = GAP_INTERVALS * (int64) paws_canary_interval * USECS_PER_SEC + GAP_US;
	int64 now = paws_clock();

	SpinLockAcquire(&canary->lock);
	*elapsed = canary->accounted_clock > 0 ? now - canary->accounted_clock : -1;
	*there = good && canary->accounted_good && *elapsed <= longest ? Max(*elapsed, 0) : 0;
	SpinLockRelease(&canary->lock);
}

void
paws_canary_accounted(int slot, bool good)
{
	Canary *canary = &canaries[slot];

	SpinLockAcquire(&canary->lock);
	canary->accounted_clock = paws_clock();
	canary->accounted_good = good;
	SpinLockRelease(&canary->lock);
}

void
paws_canary_unaccounted(int slot)
{
	Canary *canary = &canaries[slot];

	SpinLockAcquire(&canary->lock);
	canary->accounted_clock = 0;
	canary->accounted_good = false;
	canary->state.result = PAWS_CANARY_NONE;
	canary->state.ended_clock = 0;
	SpinLockRelease(&canary->lock);
}
