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
#include "queue/mark.h"
#include "queue/raise.h"

/* What may be chosen. */
typedef struct PawsCandidate
{
	int64 id;
	int64 rank;
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
	int raised;          /* of the first rows: they come before their level */
	PawsCandidate *rows; /* in order */
} PawsCandidates;

/* A walk over the levels with one snapshot, taken when it begins. */
typedef struct PawsPick
{
	PawsScan same;  /* of one rank, from an id on */
	PawsScan later; /* of higher ranks */
	PawsScan *at;   /* the one of the two that has the current row */
	int level;
	int64 rank;
	Snapshot snapshot;
	TimestampTz now;
} PawsPick;

extern void paws_pick_begin(PawsPick *pick);
extern void paws_pick_end(PawsPick *pick);

/* What is first at a level. */
typedef struct PawsHeadOf
{
	PawsPlace first; /* put off or not */
	bool ready; /* there is one that is not put off; the rest is of the first of these, else of `first` */
	int64 rank;
	TimestampTz due_at;
	TimestampTz enqueued_at;
} PawsHeadOf;

/* The head of a level from a place on; false if there is none. */
extern bool paws_pick_head(PawsPick *pick, int level, PawsPlace from, PawsHeadOf *head);

/*
 * Adds what may be served now of subjects that are raised (queue/raise.h), up to `max`, as paws_raise_looks
 * said before the walk began: of each the documents
 * of which nothing is put off, in the order of arrival. Levels that are `paused` ([level]) are left out.
 * Returns how many.
 */
extern int paws_pick_raised(int slot, const PawsPick *pick, const PawsRaisedLook *looks, int nlooks,
							const bool *paused, int max, PawsCandidates *candidates);

/* Adds what is not put off, from a place of the level on, as far as there is room; returns how many. */
extern int paws_pick_level(PawsPick *pick, int level, PawsPlace from, PawsCandidates *candidates);

#endif
