/*
 * control/topic_rates.c - a ring of samples for each place of a topic, written by the timer alone.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/shmem.h"
#include "control/topic_rates.h"
#include "port/atomics.h"
#include "portability/instr_time.h"
#include "queue/job.h"

#define SAMPLES   11
#define SAMPLE_US INT64CONST(1000000)

typedef struct Totals
{
	int64 in;
	int64 out;
} Totals;

typedef struct Ring
{
	int next;
	int64 taken_at[SAMPLES];               /* by the monotonic clock, in microseconds; 0: not taken */
	Totals samples[FLEXIBLE_ARRAY_MEMBER]; /* [SAMPLES * paws_max_topics] */
} Ring;

static char *rings = NULL;

static Size
ring_size(void)
{
	return MAXALIGN(add_size(offsetof(Ring, samples), mul_size(SAMPLES * paws_max_topics, sizeof(Totals))));
}

static Ring *
ring_of(int slot)
{
	return (Ring *) (rings + slot * ring_size());
}

static Totals *
sample_of(Ring *ring, int number, int place)
{
	return &ring->samples[number * paws_max_topics + place - 1];
}

static Size
size(void)
{
	return mul_size(paws_max_databases, ring_size());
}

static void
reset(int slot)
{
	memset(ring_of(slot), 0, ring_size());
}

static void
attach(void *memory, bool found)
{
	rings = memory;
	if (!found)
		memset(memory, 0, size());
}

void
paws_topic_rates_init(void)
{
	static const PawsSharedPart part = {"paws_sync topic rates", size, attach, reset};

	paws_shmem_offer(&part);
}

static int64
now(void)
{
	instr_time clock;

	INSTR_TIME_SET_CURRENT(clock);
	return (int64) INSTR_TIME_GET_MICROSEC(clock);
}

/* What was submitted and is neither waiting nor running has ended. Of a place alone: that is all the counters
 * go by. */
static Totals
totals_of(int slot, int place)
{
	PawsTopic topic = {.place = (int16) place};
	PawsTopicStats stats;
	int64 open;

	paws_job_stats(slot, &topic, &stats);
	open = stats.delayed;
	for (int level = PAWS_LEVEL_MIN; level <= PAWS_LEVEL_ORDINARY_MAX; level++)
		open += stats.waiting[level];
	return (Totals){.in = stats.submitted, .out = stats.submitted - open};
}

static int
newest(const Ring *ring)
{
	return (ring->next + SAMPLES - 1) % SAMPLES;
}

static int
oldest(const Ring *ring)
{
	return ring->taken_at[ring->next] ? ring->next : 0;
}

bool
paws_topic_rates_sample(int slot)
{
	Ring *ring = ring_of(slot);
	int64 at = now();
	int next = ring->next;

	if (at - ring->taken_at[newest(ring)] >= SAMPLE_US)
	{
		for (int place = 1; place <= paws_max_topics; place++)
			*sample_of(ring, next, place) = totals_of(slot, place);
		ring->taken_at[next] = at;
		ring->next = (next + 1) % SAMPLES;
	}
	return memcmp(sample_of(ring, newest(ring), 1), sample_of(ring, oldest(ring), 1),
				  paws_max_topics * sizeof(Totals)) != 0;
}

/* A place that was given to another topic counts from nothing. */
static double
rate(int64 from, int64 to, int64 elapsed)
{
	return elapsed > 0 && to > from ? (double) (to - from) * 1e6 / (double) elapsed : 0;
}

void
paws_topic_rates(int slot, const PawsTopic *topic, PawsTopicRates *rates)
{
	Ring *ring = ring_of(slot);
	const Totals *from = sample_of(ring, oldest(ring), topic->place);
	const Totals *to = sample_of(ring, newest(ring), topic->place);
	int64 elapsed = ring->taken_at[newest(ring)] - ring->taken_at[oldest(ring)];

	rates->in = rate(from->in, to->in, elapsed);
	rates->out = rate(from->out, to->out, elapsed);
}
