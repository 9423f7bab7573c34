/*
 * queue/mark.h - where the waiting operations of each level begin.
 *
 * Finished operations leave dead rows behind, and while any old snapshot is open neither vacuum nor the index
 * can drop them: a search from the beginning walks them all, each time. So each level has a mark in shared
 * memory, a place in its order: all waiting operations of the level have this place or a later one. Searches
 * begin at the mark.
 *
 * The mark is raised to the first place that a claim saw, when the claim's transaction commits; and lowered
 * to the place of whatever is put at the level, when that commits. What is put at an early place and commits
 * between a claim's snapshot and its raise must not be passed over: each search opens a tick, each put notes
 * its place in the tick of its commit, and a raise goes no further than the first place noted since its own
 * tick. After a crash all marks are at the beginning.
 *
 * Rows that come in by other ways (a restore) raise nobody's attention; so every so often a search begins at
 * the beginning all the same.
 */
#ifndef PAWS_QUEUE_MARK_H
#define PAWS_QUEUE_MARK_H

#include "postgres.h"
#include "guard/codes.h"

#define PAWS_MARKS (PAWS_LEVEL_ORDINARY_MAX + 1)

/* A place in the order of a level. */
typedef struct PawsPlace
{
	int64 rank;
	int64 id;
} PawsPlace;

/* No operation waits at the level. */
#define PAWS_PLACE_NONE ((PawsPlace){PG_INT64_MAX, PG_INT64_MAX})

static inline bool
paws_place_before(PawsPlace a, PawsPlace b)
{
	return a.rank != b.rank ? a.rank < b.rank : a.id < b.id;
}

/* A search: where it begins at each level, and since when places are to be noted for it. */
typedef struct PawsSearch
{
	uint64 tick;
	PawsPlace from[PAWS_MARKS];
} PawsSearch;

extern void paws_mark_init(void);

/* Begins a search. Called before the snapshot that it reads with is taken. */
extern void paws_mark_begin(int slot, PawsSearch *search);

/* Reads the marks without beginning a search that will raise them. */
extern void paws_mark_read(int slot, PawsPlace from[PAWS_MARKS]);

/* At commit: the first places that the search saw, PAWS_PLACE_NONE for an empty level, are the marks. */
extern void paws_mark_raise_at_commit(int slot, const PawsSearch *search, const PawsPlace seen[PAWS_MARKS]);

/* At commit: an operation waits at this place of the level. */
extern void paws_mark_lower_at_commit(int slot, int level, PawsPlace place);

#endif
