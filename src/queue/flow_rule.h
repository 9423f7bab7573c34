/*
 * queue/flow_rule.h - start-time fair queueing: the arithmetic, without PostgreSQL.
 *
 * What waits at a level is served in the order of (rank, id). A rank is a virtual time of the level, without
 * a clock: each flow gets one unit for each row (Goyal, Vin, Cheng, "Start-time Fair Queuing", 1996, with
 * units for lengths and equal weights). So a flow that puts a million rows takes turns with everybody else,
 * and a newcomer is at the head.
 *
 *   rank of a flow that is known and not served up to its finish    its finish
 *   rank of another one, a newcomer                                 the floor: the virtual time, or more
 *   finish                                                          rank + 1
 *
 * A turn (one value of the floor) takes PAWS_FLOW_TURN newcomers, then the floor rises by itself: else an
 * endless stream of newcomers would hold up for ever those that have had their turn.
 *
 * A *milestone* remembers a moment and the end of the ranks that were put until then: while the head is below
 * that end, something that was put before the moment may wait. So the oldest milestone tells the age of old
 * rows behind a head that is new. There are few of them, the further apart the older they are.
 *
 * Pure C, never calls the server, is linked into the unit tests. The caller holds the lock of all that it
 * hands over.
 */
#ifndef PAWS_QUEUE_FLOW_RULE_H
#define PAWS_QUEUE_FLOW_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* Newcomers that share one rank. */
#define PAWS_FLOW_TURN 256

/* Entries of a set, the places in which one flow may stand. */
#define PAWS_FLOW_WAYS 16

/* Milestones of a level, and how far apart they are: this, or a quarter of the age of the oldest. */
#define PAWS_FLOW_MILESTONES   8
#define PAWS_FLOW_MILESTONE_US 250000

/* No row waits at the level. */
#define PAWS_FLOW_NONE INT64_MAX

/* What was put (committed) before `since` has a rank below `end`. */
typedef struct PawsFlowMilestone
{
	int64_t since;
	int64_t end;
} PawsFlowMilestone;

/* Zeroes are a level at which nothing ever waited. */
typedef struct PawsFlowLevel
{
	int64_t served;    /* virtual time: the largest rank that was served, or seen at the head */
	int64_t floor;     /* the rank of newcomers, if above that */
	int64_t end;       /* above all ranks that were put */
	int32_t newcomers; /* that were given the floor */
	int32_t count;     /* of milestones, the oldest first */
	PawsFlowMilestone milestone[PAWS_FLOW_MILESTONES];
} PawsFlowLevel;

/* A flow at a level. As good as none once the level's virtual time is at its finish. */
typedef struct PawsFlowEntry
{
	uint64_t flow; /* 0: never used */
	int64_t finish;
	uint32_t place; /* which of the levels */
} PawsFlowEntry;

/* After a start: the first and the largest rank that wait at the level. */
extern void paws_flow_rule_start(PawsFlowLevel *level, int64_t head, int64_t last, int64_t now);

/*
 * The first rank of `count` (at least 1) new rows of a flow at levels[place]; the next ones follow by 1. Flow
 * 0: no flow; each row is a newcomer, and all get the same rank. If the flow is new and all entries of its
 * set are in use, it takes over the one that is ahead of its level's virtual time by least, and so gains
 * least by being forgotten; *displaced is then set to true.
 */
extern int64_t paws_flow_rule_rank(PawsFlowLevel *levels, PawsFlowEntry set[PAWS_FLOW_WAYS], uint32_t place,
								   uint64_t flow, int count, bool *displaced);

/* Rows with ranks below `end` are put: what was given is committed. */
extern void paws_flow_rule_put(PawsFlowLevel *level, int64_t end);

/* `count` rows of the flow are not put after all. */
extern void
paws_flow_rule_return(PawsFlowEntry set[PAWS_FLOW_WAYS], uint32_t place, uint64_t flow, int count);

/* A row with this rank is served. */
extern void paws_flow_rule_served(PawsFlowLevel *level, int64_t rank);

/*
 * A search found the first row that may be served now, PAWS_FLOW_NONE: none. Returns the age of the oldest
 * milestone that the head is still below: from the first search on that is PAWS_FLOW_MILESTONE_US, or a
 * quarter of the age, after a row was put, and until it is served, the age is no less than the time since
 * that search.
 */
extern int64_t paws_flow_rule_seen(PawsFlowLevel *level, int64_t head, int64_t now);

/* A search that began at `when` found `last` to be the largest rank that waits: what was above it is gone. */
extern void paws_flow_rule_trim(PawsFlowLevel *level, int64_t last, int64_t when);

#endif
