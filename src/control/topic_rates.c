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

/* By the monotonic clock, in microseconds; 0: not taken. */
typedef struct Ring
{
	int next;
	int64 taken_at[SAMPLES];
	Totals sample[SAMPLES][PAWS_TOPICS_MAX + 1]; /* by place, from 1 */
} Ring;

static Ring *rings = NULL;

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Ring));
}

static void
reset(int slot)
{
	memset(&rings[slot], 0, sizeof(Ring));
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

/* Of a place alone: that is all the counters go by. */
static Totals
totals_of(int slot, int place)
{
	PawsTopic topic = {.place = (int16) place};
	PawsTopicStats stats;

	paws_job_stats(slot, &topic, &stats);
	return (Totals){.in = stats.submitted, .out = stats.ended};
}

static const Totals *
newest(const Ring *ring, int place)
{
	return &ring->sample[(ring->next + SAMPLES - 1) % SAMPLES][place];
}

static const Totals *
oldest(const Ring *ring, int place)
{
	return &ring->sample[ring->taken_at[ring->next] ? ring->next : 0][place];
}

bool
paws_topic_rates_sample(int slot)
{
	Ring *ring = &rings[slot];
	int64 at = now();
	bool moving = false;
	int next = ring->next;

	if (at - ring->taken_at[(next + SAMPLES - 1) % SAMPLES] >= SAMPLE_US)
	{
		for (int place = 1; place <= PAWS_TOPICS_MAX; place++)
			ring->sample[next][place] = totals_of(slot, place);
		ring->taken_at[next] = at;
		ring->next = (next + 1) % SAMPLES;
	}
	for (int place = 1; place <= PAWS_TOPICS_MAX && !moving; place++)
		moving = memcmp(newest(ring, place), oldest(ring, place), sizeof(Totals)) != 0;
	return moving;
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
	const Ring *ring = &rings[slot];
	const Totals *from = oldest(ring, topic->place);
	const Totals *to = newest(ring, topic->place);
	int64 elapsed = ring->taken_at[(ring->next + SAMPLES - 1) % SAMPLES] -
					ring->taken_at[ring->taken_at[ring->next] ? ring->next : 0];

	rates->in = rate(from->in, to->in, elapsed);
	rates->out = rate(from->out, to->out, elapsed);
}
