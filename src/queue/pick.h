/*
 * queue/pick.h - what waits at a level, in its order, without SQL.
 *
 * Finished operations that no snapshot sees are passed over by the index; those that an old one may still see
 * are looked at one by one, which is what marks are for (queue/mark.h).
 */
#ifndef PAWS_QUEUE_PICK_H
#define PAWS_QUEUE_PICK_H

#include "postgres.h"
#include "base/table.h"
#include "datatype/timestamp.h"

/* What may be chosen. */
typedef struct PawsCandidate
{
	int64 id;
	int64 subject_no;
	int32 bytes; /* of the envelope as it is stored */
	int16 level;
	int16 attempts;
	ItemPointerData place;
} PawsCandidate;

typedef struct PawsCandidates
{
	int count;
	int room;
	PawsCandidate *rows; /* in order */
} PawsCandidates;

/* A walk over the levels with one snapshot, taken when it begins. */
typedef struct PawsPick
{
	PawsScan scan;
	Snapshot snapshot;
	TimestampTz now;
} PawsPick;

extern void paws_pick_begin(PawsPick *pick);
extern void paws_pick_end(PawsPick *pick);

/* The first operation of a level from an id on. */
typedef struct PawsHeadOf
{
	int64 id;
	bool ready; /* not put off */
	TimestampTz due_at;
} PawsHeadOf;

/* False if there is none. */
extern bool paws_pick_head(PawsPick *pick, int level, int64 from, PawsHeadOf *head);

/* Adds what is not put off, from an id of the level on, as far as there is room; returns how many. */
extern int paws_pick_level(PawsPick *pick, int level, int64 from, PawsCandidates *candidates);

#endif
