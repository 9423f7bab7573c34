/*
 * queue/job_front.c - fronts and ready jobs of topics, one spinlock for each topic.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/shmem.h"
#include "queue/flow.h"
#include "queue/job_front.h"
#include "storage/spin.h"

#define TRANCHE "paws_sync_topics"

static const PawsJobPlace none = {PG_INT64_MAX, PG_INT64_MAX};

typedef struct Level
{
	PawsJobPlace front;
	PawsJobPlace noted; /* the first that was told of since the search began */
	bool end;           /* nothing lies at the front or behind it */
	int ready;          /* of the list */
} Level;

typedef struct Ready
{
	PawsJobPlace at;
	int16 level;
} Ready;

typedef struct Topic
{
	LWLockPadded lock;
	slock_t mutex; /* all but counts */
	int16 no;      /* 0: nobody's */
	int nready;
	Level level[PAWS_JOB_LEVELS];
	Ready ready[PAWS_READY_MAX];
	PawsJobCounts counts;
} Topic;

typedef struct Shared
{
	int tranche;
	Topic topic[FLEXIBLE_ARRAY_MEMBER]; /* [max_databases * max_topics] */
} Shared;

static Shared *shared = NULL;

static Topic *
topic_at(int slot, int place)
{
	Assert(place >= 1 && place <= paws_max_topics);
	return &shared->topic[slot * paws_max_topics + place - 1];
}

static Size
size(void)
{
	return add_size(offsetof(Shared, topic), mul_size(paws_max_databases * paws_max_topics, sizeof(Topic)));
}

/* Atomics are all that counts are made of. */
static void
clear_counts(PawsJobCounts *counts)
{
	for (int level = 0; level < PAWS_JOB_LEVELS; level++)
		pg_atomic_write_u64(&counts->waiting[level], 0);
	pg_atomic_write_u64(&counts->delayed, 0);
	pg_atomic_write_u64(&counts->dead, 0);
	pg_atomic_write_u64(&counts->submitted, 0);
	pg_atomic_write_u64(&counts->completed, 0);
	pg_atomic_write_u64(&counts->ended, 0);
	pg_atomic_write_u64(&counts->failed, 0);
	pg_atomic_write_u64(&counts->dead_ever, 0);
	pg_atomic_write_u64(&counts->expired_leases, 0);
	pg_atomic_write_u64(&counts->unreadable, 0);
	pg_atomic_write_u64(&counts->refused, 0);
}

/* The caller holds the mutex, or nobody else can be here. */
static void
clear(Topic *topic, int16 no)
{
	topic->no = no;
	topic->nready = 0;
	for (int level = 0; level < PAWS_JOB_LEVELS; level++)
		topic->level[level] = (Level){.front = {PG_INT64_MIN, PG_INT64_MIN}, .noted = none};
}

static void
reset(int slot)
{
	for (int place = 1; place <= paws_max_topics; place++)
	{
		Topic *topic = topic_at(slot, place);

		SpinLockAcquire(&topic->mutex);
		clear(topic, 0);
		SpinLockRelease(&topic->mutex);
		clear_counts(&topic->counts);
	}
}

static void
attach(void *memory, bool found)
{
	shared = memory;
	if (!found)
	{
		memset(shared, 0, size());
		shared->tranche = LWLockNewTrancheId();
		for (int i = 0; i < paws_max_databases * paws_max_topics; i++)
		{
			LWLockInitialize(&shared->topic[i].lock.lock, shared->tranche);
			SpinLockInit(&shared->topic[i].mutex);
			clear(&shared->topic[i], 0);
		}
	}
	LWLockRegisterTranche(shared->tranche, TRANCHE);
}

void
paws_front_init(void)
{
	static const PawsSharedPart part = {"paws_sync topics", size, attach, reset};

	paws_shmem_offer(&part);
}

LWLock *
paws_front_lock(int slot, int place)
{
	return &topic_at(slot, place)->lock.lock;
}

bool
paws_front_owned(int slot, const PawsTopic *topic)
{
	return *(volatile int16 *) &topic_at(slot, topic->place)->no == topic->no;
}

void
paws_front_adopt(int slot, const PawsTopic *topic)
{
	Topic *t = topic_at(slot, topic->place);
	bool other;

	SpinLockAcquire(&t->mutex);
	other = t->no != 0;
	clear(t, topic->no);
	SpinLockRelease(&t->mutex);
	if (other)
		clear_counts(&t->counts);
}

PawsJobCounts *
paws_front_counts(int slot, int place)
{
	return &topic_at(slot, place)->counts;
}

bool
paws_front_waits(int slot, int place, int level)
{
	volatile Level *l = &topic_at(slot, place)->level[level];

	return !l->end || l->ready > 0;
}

bool
paws_front_any_ready(int slot, int place)
{
	return *(volatile int *) &topic_at(slot, place)->nready > 0;
}

void
paws_front_begin(int slot, int place, int level, PawsJobPlace *from)
{
	Topic *topic = topic_at(slot, place);

	SpinLockAcquire(&topic->mutex);
	topic->level[level].noted = none;
	*from = topic->level[level].front;
	SpinLockRelease(&topic->mutex);
}

void
paws_front_end(int slot, int place, int level, PawsJobPlace reached, bool end)
{
	Topic *topic = topic_at(slot, place);
	Level *l = &topic->level[level];

	SpinLockAcquire(&topic->mutex);
	if (paws_place_before(l->noted, reached))
		reached = l->noted;
	l->front = reached;
	l->end = end && l->noted.id == none.id;
	SpinLockRelease(&topic->mutex);
}

/* The caller holds the mutex. */
static int
first_ready(const Topic *topic, int level)
{
	int first = -1;

	for (int i = 0; i < topic->nready; i++)
		if (topic->ready[i].level == level &&
			(first < 0 || paws_place_before(topic->ready[i].at, topic->ready[first].at)))
			first = i;
	return first;
}

int
paws_front_take_ready(int slot, int place, int level, PawsJobPlace *places, int max)
{
	Topic *topic = topic_at(slot, place);
	int taken = 0;

	if (!paws_front_any_ready(slot, place))
		return 0;
	SpinLockAcquire(&topic->mutex);
	while (taken < max && topic->level[level].ready > 0)
	{
		int first = first_ready(topic, level);

		places[taken++] = topic->ready[first].at;
		topic->ready[first] = topic->ready[--topic->nready];
		topic->level[level].ready--;
	}
	SpinLockRelease(&topic->mutex);
	return taken;
}

bool
paws_front_first_ready(int slot, int place, int level, PawsJobPlace *at)
{
	Topic *topic = topic_at(slot, place);
	int first = -1;

	if (!paws_front_any_ready(slot, place))
		return false;
	SpinLockAcquire(&topic->mutex);
	if (topic->level[level].ready > 0)
		first = first_ready(topic, level);
	if (first >= 0)
		*at = topic->ready[first].at;
	SpinLockRelease(&topic->mutex);
	return first >= 0;
}

/* The caller holds the mutex. */
static bool
add_ready(Topic *topic, int level, PawsJobPlace at)
{
	for (int i = 0; i < topic->nready; i++)
		if (topic->ready[i].at.id == at.id && topic->ready[i].level == level)
			return true;
	if (topic->nready >= PAWS_READY_MAX)
		return false;
	topic->ready[topic->nready++] = (Ready){.at = at, .level = (int16) level};
	topic->level[level].ready++;
	return true;
}

/* The caller holds the mutex. */
static void
note(Level *l, PawsJobPlace at)
{
	if (paws_place_before(at, l->noted))
		l->noted = at;
	if (paws_place_before(at, l->front))
		l->front = at;
	l->end = false;
}

void
paws_front_tell(int slot, int place, int level, PawsJobPlace at)
{
	Topic *topic = topic_at(slot, place);
	Level *l = &topic->level[level];

	SpinLockAcquire(&topic->mutex);
	if (!paws_place_before(at, l->front) || !add_ready(topic, level, at))
		note(l, at);
	SpinLockRelease(&topic->mutex);
}

void
paws_front_lower(int slot, int place, int level, PawsJobPlace at)
{
	Topic *topic = topic_at(slot, place);

	SpinLockAcquire(&topic->mutex);
	note(&topic->level[level], at);
	SpinLockRelease(&topic->mutex);
}
