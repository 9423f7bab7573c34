/*
 * queue/flow.h - the ranks of waiting work: start-time fair queueing over flows, in shared memory.
 *
 * A flow is whose turn it is: the subject of an operation, the ordering key or the subject of a job. What
 * waits at a level is served in the order of (rank, id); queue/flow_rule.h says how ranks are given.
 * Each database has levels 1 to 8 in each *domain*: PAWS_FLOW_OPERATIONS, or the number of a
 * topic, up to paws_sync.max_topics. A number that is given to another topic later on keeps its virtual
 * times, which does no harm.
 *
 * Which flows are ahead is kept in a table of paws_sync.max_flows entries, by sets. When a set is full, the
 * flow that has had least is forgotten, and counted. Nothing of it is stored: after a start each level goes
 * on at the rank of what waits first there, and flows begin anew.
 *
 * None of these needs SPI, fails, or waits for more than a spinlock, unless it says so.
 */
#ifndef PAWS_QUEUE_FLOW_H
#define PAWS_QUEUE_FLOW_H

#include "postgres.h"
#include "queue/flow_rule.h"

/* The domain of operations; the others are numbers of topics. */
#define PAWS_FLOW_OPERATIONS 0

extern void paws_flow_init(void);

/*
 * The first rank of `count` (at least 1) new rows of a flow, the next ones follow by 1; flow 0: no flow, all
 * get the same. If the (sub)transaction aborts, the flow is given back what it took. May run out of memory.
 */
extern int64 paws_flow_rank(int slot, int domain, int level, uint64 flow, int count);

/* A row with this rank is served (chosen, claimed): newcomers come no earlier. */
extern void paws_flow_served(int slot, int domain, int level, int64 rank);

/* At commit: of the rows that this transaction took ranks for, `count` are not put after all. May run out of
 * memory.
 */
extern void paws_flow_unused(int slot, int domain, int level, uint64 flow, int count);

/*
 * A search found the first row of the level that may be served now; PAWS_FLOW_NONE: none. Returns how long
 * the oldest at the level may have waited, in us by the monotonic clock: PawsRuleLevel.age.
 */
extern int64 paws_flow_seen(int slot, int domain, int level, int64 head_rank);

/* A search that began at `when` (paws_clock) found this to be the largest rank that waits at the level.
 */
extern void paws_flow_trim(int slot, int domain, int level, int64 last_rank, int64 when);

/* After a start: the first and the largest rank that wait at the level. Not called where nothing waits. */
extern void paws_flow_restart(int slot, int domain, int level, int64 head_rank, int64 last_rank);

/* Flows that were forgotten while they were ahead, for want of room, since the server started. */
extern uint64 paws_flow_displaced(int slot);

#endif
