/*
 * queue/narrow.h - which of what may be chosen makes a batch, when there is more than one batch of it.
 *
 * Ranks spread the work of a level over all subjects, so the first hundred operations may be of a hundred
 * subjects, each of which has to be locked, and the next worker finds the same hundred held. So a batch goes
 * deep rather than wide: it takes what there is of the subjects that come first, and leaves the others to
 * whoever chooses next. Levels stay strict, and nobody waits longer than for the batch that is chosen.
 *
 * Pure C, never calls the server, is linked into the unit tests.
 */
#ifndef PAWS_QUEUE_NARROW_H
#define PAWS_QUEUE_NARROW_H

#include <stdbool.h>
#include <stdint.h>

/* What may be chosen, in order. */
typedef struct PawsNarrow
{
	int64_t subject;
	int level;
	bool kept; /* the answer */
} PawsNarrow;

/* A subject within a level, while it is worked out. */
typedef struct PawsNarrowShare
{
	int64_t subject;
	int first; /* number of its first row */
	int count;
} PawsNarrowShare;

/*
 * Keeps rows for a batch of `limit` (at least 1): of each run of one level all, while they fit, and of the
 * first run that does not fit what there is of the subjects that come first, until that is enough; nothing
 * after it. It may keep more of these than fit; the caller stops at the limit. `shares` has room for as many
 * as there are rows. Returns how many are kept.
 */
extern int paws_narrow(PawsNarrow *rows, int count, int limit, PawsNarrowShare *shares);

#endif
