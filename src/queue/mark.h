/*
 * queue/mark.h - where the waiting operations of each level begin.
 *
 * Finished operations leave dead rows behind, and while any old snapshot is open neither vacuum nor the index
 * can drop them: a search from the beginning walks them all, each time. So each level has a mark in shared
 * memory: all waiting operations of the level have this id or a higher one. Searches begin at the mark.
 *
 * The mark is raised to the lowest id that a claim saw, when the claim's transaction commits; and lowered to
 * the id of whatever is put at the level, when that commits. What is put with a low id and commits between a
 * claim's snapshot and its raise must not be passed over: each search opens a tick, each put notes its id in
 * the tick of its commit, and a raise goes no further than the lowest id noted since its own tick. After a
 * crash all marks are at the beginning.
 *
 * Rows that come in by other ways (a restore) raise nobody's attention; so every so often a search begins at
 * the beginning all the same.
 */
#ifndef PAWS_QUEUE_MARK_H
#define PAWS_QUEUE_MARK_H

#include "postgres.h"
#include "guard/codes.h"

#define PAWS_MARKS (PAWS_LEVEL_ORDINARY_MAX + 1)

/* No operation waits at the level. */
#define PAWS_MARK_NONE PG_INT64_MAX

/* A search: where it begins at each level, and since when ids are to be noted for it. */
typedef struct PawsSearch
{
	uint64 tick;
	int64 from[PAWS_MARKS];
} PawsSearch;

extern void paws_mark_init(void);

/* Begins a search. Called before the snapshot that it reads with is taken. */
extern void paws_mark_begin(int slot, PawsSearch *search);

/* Reads the marks without beginning a search that will raise them. */
extern void paws_mark_read(int slot, int64 from[PAWS_MARKS]);

/* At commit: the lowest waiting ids that the search saw, PAWS_MARK_NONE for an empty level, are the marks. */
extern void paws_mark_raise_at_commit(int slot, const PawsSearch *search, const int64 seen[PAWS_MARKS]);

/* At commit: an operation with this id waits at the level. */
extern void paws_mark_lower_at_commit(int slot, int level, int64 id);

#endif
