/*
 * queue/narrow.c - few subjects for each batch.
 */
#include "queue/narrow.h"

#include <stdlib.h>

static int
compare_subjects(const void *a, const void *b)
{
	const PawsNarrowShare *x = a;
	const PawsNarrowShare *y = b;

	if (x->subject != y->subject)
		return (x->subject > y->subject) - (x->subject < y->subject);
	return x->first - y->first;
}

static int
compare_firsts(const void *a, const void *b)
{
	return ((const PawsNarrowShare *) a)->first - ((const PawsNarrowShare *) b)->first;
}

/* What each subject has among the rows, in the order of their first ones; returns how many subjects. */
static int
share_out(const PawsNarrow *rows, int count, PawsNarrowShare *shares)
{
	int n = 0;

	for (int i = 0; i < count; i++)
		shares[i] = (PawsNarrowShare){rows[i].subject, i, 1};
	qsort(shares, count, sizeof(PawsNarrowShare), compare_subjects);
	for (int i = 0; i < count; i++)
	{
		if (n > 0 && shares[n - 1].subject == shares[i].subject)
			shares[n - 1].count++;
		else
			shares[n++] = shares[i];
	}
	qsort(shares, n, sizeof(PawsNarrowShare), compare_firsts);
	return n;
}

/* Shares ascend by subject. */
static bool
has_share(const PawsNarrowShare *shares, int count, int64_t subject)
{
	int low = 0;
	int high = count;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (shares[middle].subject < subject)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && shares[low].subject == subject;
}

static int
keep_first_subjects(PawsNarrow *rows, int count, int room, PawsNarrowShare *shares)
{
	int subjects = share_out(rows, count, shares);
	int enough = 0;
	int kept = 0;

	for (int covered = 0; enough < subjects && covered < room; enough++)
		covered += shares[enough].count;
	qsort(shares, enough, sizeof(PawsNarrowShare), compare_subjects);
	for (int i = 0; i < count; i++)
	{
		rows[i].kept = has_share(shares, enough, rows[i].subject);
		kept += rows[i].kept;
	}
	return kept;
}

int
paws_narrow(PawsNarrow *rows, int count, int limit, PawsNarrowShare *shares)
{
	int kept = 0;
	int next = 0;

	for (int i = 0; i < count; i++)
		rows[i].kept = false;
	for (int first = 0; first < count && kept < limit; first = next)
	{
		while (next < count && rows[next].level == rows[first].level)
			next++;
		kept += keep_first_subjects(rows + first, next - first, limit - kept, shares);
	}
	return kept;
}
