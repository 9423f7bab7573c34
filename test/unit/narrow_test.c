/*
 * narrow_test.c - few subjects for each batch, whatever waits.
 */
#include <sodium.h>
#include <string.h>

#include "queue/narrow.h"
#include "tap.h"

#define ROWS   300
#define ROUNDS 2000

typedef struct Found
{
	bool told;   /* the answer is the number of rows that are kept */
	bool full;   /* a batch is filled if there is enough for one */
	bool strict; /* nothing is kept of a run while one before it has something left */
	bool whole;  /* a subject of a run is kept whole or not at all */
	bool first;  /* no subject is kept that begins after one that is not */
	bool few;    /* without the last subject the batch would not be full */
} Found;

static int
random_rows(PawsNarrow *rows)
{
	int count = (int) randombytes_uniform(ROWS + 1);
	int subjects = 1 + (int) randombytes_uniform(randombytes_uniform(2) ? 5 : ROWS);
	int level = 8;

	for (int i = 0; i < count; i++)
	{
		if (level > 1 && randombytes_uniform(60) == 0)
			level--;
		rows[i] = (PawsNarrow){(int64_t) randombytes_uniform((uint32_t) subjects) - 2, level,
							   randombytes_uniform(2) == 1};
	}
	return count;
}

static int
first_of(const PawsNarrow *rows, int i)
{
	for (int j = 0; j < i; j++)
		if (rows[j].level == rows[i].level && rows[j].subject == rows[i].subject)
			return j;
	return i;
}

static void
look(const PawsNarrow *rows, int count, int limit, int answer, Found *found)
{
	int kept = 0;
	int last = -1; /* the first row of the last subject that is kept */
	int of_last = 0;

	for (int i = 0; i < count; i++)
	{
		int first = first_of(rows, i);

		kept += rows[i].kept;
		found->whole = found->whole && rows[i].kept == rows[first].kept;
		if (rows[i].kept && first == i)
		{
			for (int j = 0; j < i; j++)
			{
				found->strict = found->strict && (rows[j].level == rows[i].level || rows[j].kept);
				found->first = found->first && (rows[j].level != rows[i].level || rows[j].kept);
			}
			last = i;
		}
	}
	for (int i = 0; i < count; i++)
		of_last += last >= 0 && first_of(rows, i) == last;
	found->told = found->told && kept == answer;
	found->full = found->full && kept >= (count < limit ? count : limit);
	found->few = found->few && (last < 0 || kept - of_last < limit);
}

void
test_narrowing(void)
{
	static PawsNarrow rows[ROWS];
	static PawsNarrowShare shares[ROWS];
	Found found = {true, true, true, true, true, true};

	for (int round = 0; round < ROUNDS; round++)
	{
		int count = random_rows(rows);
		int limit = 1 + (int) randombytes_uniform(ROWS);

		look(rows, count, limit, paws_narrow(rows, count, limit, shares), &found);
	}
	tap_ok(found.told, "narrowing says how much it keeps");
	tap_ok(found.full, "it fills a batch if there is enough for one");
	tap_ok(found.strict, "it keeps nothing of a level while a higher one has something left");
	tap_ok(found.whole, "it keeps all that there is of a subject at a level, or nothing");
	tap_ok(found.first, "subjects that come first are kept before others");
	tap_ok(found.few, "and as few as fill the batch");
}
