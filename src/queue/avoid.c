/*
 * queue/avoid.c - a few subjects, each with a time.
 */
#include "postgres.h"

#include "base/clock.h"
#include "queue/avoid.h"

#define ROOM        64
#define SHORTEST_US 1000
#define SHIFT_MAX   6

/* After so long it is no longer the same holder. */
#define FORGET_US INT64CONST(1000000)

typedef struct Avoided
{
	int64 subject_no;
	int64 until; /* by paws_clock */
	int times;
} Avoided;

static Avoided avoided[ROOM];
static int count = 0;
static bool passed = false; /* somebody was passed over since it was asked how long to wait */

static Avoided *
find(int64 subject_no)
{
	for (int i = 0; i < count; i++)
		if (avoided[i].subject_no == subject_no)
			return &avoided[i];
	return NULL;
}

static void
forget_old(int64 now)
{
	int left = 0;

	for (int i = 0; i < count; i++)
		if (now < avoided[i].until + FORGET_US)
			avoided[left++] = avoided[i];
	count = left;
}

bool
paws_avoid(int64 subject_no)
{
	int64 now = paws_clock();
	Avoided *known;

	forget_old(now);
	known = find(subject_no);
	if (known == NULL)
	{
		if (count == ROOM)
			return false;
		known = &avoided[count++];
		*known = (Avoided){.subject_no = subject_no};
	}
	known->until = now + ((int64) SHORTEST_US << Min(known->times, SHIFT_MAX));
	known->times++;
	return true;
}

bool
paws_avoided(int64 subject_no)
{
	const Avoided *known = count > 0 ? find(subject_no) : NULL;

	if (known == NULL || paws_clock() >= known->until)
		return false;
	passed = true;
	return true;
}

long
paws_avoid_wait(void)
{
	int64 now = paws_clock();
	int64 first = 0;
	bool was_passed = passed;

	passed = false;
	for (int i = 0; i < count; i++)
		if (now < avoided[i].until && (first == 0 || avoided[i].until < first))
			first = avoided[i].until;
	/* its time may have ended since it was passed over */
	if (first == 0)
		return was_passed ? 1 : 0;
	return (long) ((first - now) / 1000 + 1);
}
