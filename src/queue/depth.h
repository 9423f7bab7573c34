/*
 * queue/depth.h - how many operations wait at each level, how old the oldest is, how many come and go: O(1)
 * from shared memory.
 *
 * Exactness. Whoever puts or finishes operations changes the depth when its transaction commits. What was in
 * the table before this server start is counted once, by the scheduler before any pool worker runs
 * (paws_depth_recount): rows below the first id given out since the start. Ids never fall below older ones,
 * not even after a crash, so each row is counted exactly once.
 */
#ifndef PAWS_QUEUE_DEPTH_H
#define PAWS_QUEUE_DEPTH_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"

extern void paws_depth_init(void);

/* At commit: `count` more (or fewer, if negative) at a level. */
extern void paws_depth_at_commit(int slot, int level, int count);

/* At commit: `count` came to a level and left it in one transaction. */
extern void paws_depth_passed_at_commit(int slot, int level, int count);

/* Before the commit of a transaction that put operations: the lowest id it was given. */
extern void paws_depth_note_id(int slot, int64 id);

/* False until the scheduler has counted what was there at the start; workers claim nothing before. */
extern bool paws_depth_counted(int slot);

/* Counts what was there at the start, and goes on with its ranks. Needs SPI connected; called by the
 * scheduler alone while no pool worker runs. */
extern void paws_depth_recount(int slot);

/* Called by the scheduler about once a second: finds the oldest operation of each level, among the next to be
 * served, and keeps rates. Needs SPI connected. */
extern void paws_depth_observe(int slot);

/* True if some level has a waiting operation, as far as the counters know. */
extern bool paws_depth_any(int slot);

/* How many wait at a level and above it. */
extern int64 paws_depth_from(int slot, int level);

typedef struct PawsDepth
{
	int64 depth;
	TimestampTz oldest; /* 0 if nothing waits */
	double in_rate;     /* a second, over the last ten or so */
	double out_rate;
} PawsDepth;

extern void paws_depth_read(int slot, int level, PawsDepth *depth);

#endif
