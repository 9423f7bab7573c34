/*
 * queue/job_front.h - where claims of a topic begin.
 *
 * What is available at a level of a topic lies in the index in the order of (rank, id). Each level has a
 * *front* in shared memory: whatever may be claimed lies at it or behind it, or is told by name in the list
 * of what is *ready*. So a claim walks no row that was claimed or finished before, however long dead rows
 * stay.
 *
 * A claim holds the topic's lock, begins a search, takes its snapshot, walks, and says how far it came. What
 * becomes available is told when its transaction has committed, and so is visible: behind the front it is
 * noted, and the front does not pass it; before the front it goes to the list, or lowers the front if that is
 * full. A row that committed after the snapshot was taken is told after the search began, so the end of the
 * search sees the note.
 *
 * Locks: paws_front_lock, then the lease table's (lease.h), then a spinlock in here. No SQL runs under any of
 * them; the walk along the index runs under the first.
 */
#ifndef PAWS_QUEUE_JOB_FRONT_H
#define PAWS_QUEUE_JOB_FRONT_H

#include "postgres.h"
#include "guard/codes.h"
#include "port/atomics.h"
#include "queue/topic.h"
#include "storage/lwlock.h"

#define PAWS_JOB_LEVELS (PAWS_LEVEL_ORDINARY_MAX + 1) /* index 0 is not used */

/* Jobs that are known to be ready, for all levels of a topic together. */
#define PAWS_READY_MAX 128

/* A place in the order of a level. */
typedef struct PawsJobPlace
{
	int64 rank;
	int64 id;
} PawsJobPlace;

/* What is counted of a topic. */
typedef struct PawsJobCounts
{
	pg_atomic_uint64 waiting[PAWS_JOB_LEVELS]; /* signed: available or running */
	pg_atomic_uint64 delayed;
	pg_atomic_uint64 dead;
	pg_atomic_uint64 submitted;
	pg_atomic_uint64 completed;
	pg_atomic_uint64 ended;
	pg_atomic_uint64 failed;
	pg_atomic_uint64 dead_ever;
	pg_atomic_uint64 expired_leases;
	pg_atomic_uint64 unreadable;
	pg_atomic_uint64 refused; /* claims that got less since the table of leases was full */
} PawsJobCounts;

extern void paws_front_init(void);

/* The lock that serialises the claims of a topic. */
extern LWLock *paws_front_lock(int slot, int place);

/* True if the place knows this topic; else paws_front_adopt is to be called, under the lock: all levels from
 * their beginning. */
extern bool paws_front_owned(int slot, const PawsTopic *topic);
extern void paws_front_adopt(int slot, const PawsTopic *topic);

extern PawsJobCounts *paws_front_counts(int slot, int place);

/* True if something may be claimed at a level, as far as is known. Without the lock a hint. */
extern bool paws_front_waits(int slot, int place, int level);

/* True if some job is ready; a hint. */
extern bool paws_front_any_ready(int slot, int place);

/* Begins a search of a level: *from is where. Under the lock, before the snapshot is taken. */
extern void paws_front_begin(int slot, int place, int level, PawsJobPlace *from);

/*
 * Ends it: nothing that may be claimed lies before `reached`, nothing at all at or behind it if `end`. A
 * search that is not ended changed nothing.
 */
extern void paws_front_end(int slot, int place, int level, PawsJobPlace reached, bool end);

/* Takes what is ready at a level out of the list, lowest first, up to `max`. Under the lock. What is not
 * claimed and may be later is told anew. */
extern int paws_front_take_ready(int slot, int place, int level, PawsJobPlace *places, int max);

/* The first one in it, which stays there; false if there is none. */
extern bool paws_front_first_ready(int slot, int place, int level, PawsJobPlace *at);

/* Tells of a job that may be claimed. Its row is committed. */
extern void paws_front_tell(int slot, int place, int level, PawsJobPlace at);

/* Tells of many at once, of which this is the first in order. */
extern void paws_front_lower(int slot, int place, int level, PawsJobPlace at);


/* Spreads numbers that lie together (the finalizer of MurmurHash3, Austin Appleby, public domain). */
static inline uint64
paws_spread(uint64 number)
{
	number ^= number >> 33;
	number *= UINT64CONST(0xff51afd7ed558ccd);
	number ^= number >> 33;
	number *= UINT64CONST(0xc4ceb9fe1a85ec53);
	return number ^ (number >> 33);
}

static inline bool
paws_place_before(PawsJobPlace a, PawsJobPlace b)
{
	return a.rank < b.rank || (a.rank == b.rank && a.id < b.id);
}

#endif
