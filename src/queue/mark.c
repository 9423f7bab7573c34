/*
 * queue/mark.c - the marks, under one spinlock for each database.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "queue/mark.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

/* A raise whose search began longer ago than this many others is let go. */
#define TICKS 32

/* How often a search begins at the beginning. */
#define WHOLE_SEARCH_MS 10000

typedef struct Marks
{
	slock_t mutex; /* all below */
	uint64 tick;
	PawsPlace mark[PAWS_MARKS];
	PawsPlace noted[TICKS][PAWS_MARKS]; /* first place put at in the tick */
	TimestampTz whole_at;
} Marks;

static Marks *marks = NULL; /* [max_databases] */

static const PawsPlace the_beginning = {PG_INT64_MIN, PG_INT64_MIN};

static PawsPlace
first_of(PawsPlace a, PawsPlace b)
{
	return paws_place_before(a, b) ? a : b;
}

static Size
size(void)
{
	return mul_size(paws_max_databases, sizeof(Marks));
}

static void
clear(Marks *m)
{
	m->tick = 0;
	m->whole_at = 0;
	for (int level = 0; level < PAWS_MARKS; level++)
	{
		m->mark[level] = the_beginning;
		for (int i = 0; i < TICKS; i++)
			m->noted[i][level] = PAWS_PLACE_NONE;
	}
}

static void
reset(int slot)
{
	SpinLockAcquire(&marks[slot].mutex);
	clear(&marks[slot]);
	SpinLockRelease(&marks[slot].mutex);
}

static void
attach(void *memory, bool found)
{
	marks = memory;
	for (int slot = 0; !found && slot < paws_max_databases; slot++)
	{
		SpinLockInit(&marks[slot].mutex);
		clear(&marks[slot]);
	}
}

void
paws_mark_init(void)
{
	static const PawsSharedPart part = {"paws_sync marks", size, attach, reset};

	paws_shmem_offer(&part);
}

void
paws_mark_begin(int slot, PawsSearch *search)
{
	Marks *m = &marks[slot];
	TimestampTz now = GetCurrentTimestamp();
	bool whole;

	SpinLockAcquire(&m->mutex);
	search->tick = ++m->tick;
	whole = now < m->whole_at || now - m->whole_at > WHOLE_SEARCH_MS * INT64CONST(1000);
	if (whole)
		m->whole_at = now;
	for (int level = 0; level < PAWS_MARKS; level++)
	{
		m->noted[search->tick % TICKS][level] = PAWS_PLACE_NONE;
		search->from[level] = whole ? the_beginning : m->mark[level];
	}
	SpinLockRelease(&m->mutex);
}

void
paws_mark_read(int slot, PawsPlace from[PAWS_MARKS])
{
	Marks *m = &marks[slot];

	SpinLockAcquire(&m->mutex);
	for (int level = 0; level < PAWS_MARKS; level++)
		from[level] = m->mark[level];
	SpinLockRelease(&m->mutex);
}

typedef struct Raise
{
	int slot;
	Oid identity;
	PawsSearch search;
	PawsPlace seen[PAWS_MARKS];
} Raise;

/* Of two searches at once the later raise wins: if it saw less, its mark is lower than it might be, which is
 * only slower. */
static void
raise_marks(void *arg)
{
	Raise *raise = arg;
	Marks *m = &marks[raise->slot];

	if (paws_database_identity(raise->slot) != raise->identity)
		return;
	SpinLockAcquire(&m->mutex);
	if (m->tick - raise->search.tick < TICKS)
		for (int level = 0; level < PAWS_MARKS; level++)
		{
			PawsPlace mark = raise->seen[level];
			PawsPlace *noted = &m->noted[m->tick % TICKS][level];

			for (uint64 tick = raise->search.tick; tick <= m->tick; tick++)
				mark = first_of(mark, m->noted[tick % TICKS][level]);
			/* lower than it was: found by a whole search, and told to those that began before this */
			if (paws_place_before(mark, m->mark[level]))
				*noted = first_of(*noted, mark);
			m->mark[level] = mark;
		}
	SpinLockRelease(&m->mutex);
}

void
paws_mark_raise_at_commit(int slot, const PawsSearch *search, const PawsPlace seen[PAWS_MARKS])
{
	Raise *raise = paws_at_commit(raise_marks, sizeof(Raise));

	raise->slot = slot;
	raise->identity = paws_database_identity(slot);
	raise->search = *search;
	memcpy(raise->seen, seen, sizeof(raise->seen));
}

typedef struct Lower
{
	int slot;
	Oid identity;
	PawsPlace place[PAWS_MARKS]; /* PAWS_PLACE_NONE where nothing was put */
} Lower;

static void
lower_marks(void *arg)
{
	Lower *lower = arg;
	Marks *m = &marks[lower->slot];

	if (paws_database_identity(lower->slot) != lower->identity)
		return;
	SpinLockAcquire(&m->mutex);
	for (int level = 0; level < PAWS_MARKS; level++)
	{
		PawsPlace *noted = &m->noted[m->tick % TICKS][level];

		m->mark[level] = first_of(m->mark[level], lower->place[level]);
		*noted = first_of(*noted, lower->place[level]);
	}
	SpinLockRelease(&m->mutex);
}

void
paws_mark_lower_at_commit(int slot, int level, PawsPlace place)
{
	Lower *lower = paws_at_commit_find(lower_marks);

	if (lower == NULL)
	{
		lower = paws_at_commit(lower_marks, sizeof(Lower));
		lower->slot = slot;
		lower->identity = paws_database_identity(slot);
		for (int i = 0; i < PAWS_MARKS; i++)
			lower->place[i] = PAWS_PLACE_NONE;
	}
	lower->place[level] = first_of(lower->place[level], place);
}
