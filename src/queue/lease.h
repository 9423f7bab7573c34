/*
 * queue/lease.h - who runs which job: in shared memory only.
 *
 * A lease is taken by a claim and ends by its time (of a clock that nobody sets), by whoever holds its fence,
 * or with the server. A fence is a number that no other lease ever had: the upper half is drawn from a
 * sequence once after each start, the lower half counts from a random number.
 *
 * What the current transaction does to leases is remembered along savepoints. Taken ones are given back when
 * it aborts, or the savepoint is rolled back to; ended ones are held again then, and gone when it commits.
 * From then on what they blocked is told to the front (job_front.h). PREPARE TRANSACTION is refused (0A000).
 *
 * Nothing here needs SPI; everything takes the lease table's lock of the database for a moment by itself.
 */
#ifndef PAWS_QUEUE_LEASE_H
#define PAWS_QUEUE_LEASE_H

#include "postgres.h"
#include "guard/codes.h"
#include "queue/job_front.h"
#include "storage/itemptr.h"

extern void paws_lease_init(void);

/* Microseconds of a clock that only ever goes forward, and means nothing beyond this start of the machine. */
extern int64 paws_lease_clock(void);

/*
 * Makes sure that fences of this start can be given out. Draws from the sequence if need be, once after a
 * start, and waits for the disk to know. Errors 25006 in a read-only transaction then.
 */
extern void paws_lease_ready(int slot);

typedef enum PawsLeaseState
{
	PAWS_LEASE_FREE = 0,
	PAWS_LEASE_HELD,
	PAWS_LEASE_ENDING,    /* a transaction is at it */
	PAWS_LEASE_UNREADABLE /* what it is about does not open; the timer's */
} PawsLeaseState;

typedef struct PawsLease
{
	int64 id;
	int64 fence;
	int64 until; /* paws_lease_clock */
	int64 rank;
	uint64 flow; /* of which only so many may run; 0: none */
	ItemPointerData tid;
	int16 place;
	int16 level;
} PawsLease;

typedef enum PawsLeased
{
	PAWS_LEASED,
	PAWS_LEASED_ALREADY, /* by somebody */
	PAWS_LEASED_FLOW,    /* as many of the flow run as may; told to the front when one ends */
	PAWS_LEASED_FULL     /* there is no room for another lease */
} PawsLeased;

/* Takes a lease for `duration` unless `cap` (0: any number) of its flow are taken; sets fence and until. */
extern PawsLeased paws_lease_take(int slot, PawsLease *lease, int64 duration, int cap);

/* Gives back what was just taken, and is not to be had after all. */
extern void paws_lease_untake(int slot, int64 id);

/* True if one more of the flow may run, of `cap`. */
extern bool paws_lease_flow_has_room(int slot, int place, uint64 flow, int cap);

/* False if no claim ever passed over a job of the flow because as many of it ran as may: then nothing waits
 * for the end of one. */
extern bool paws_lease_kept(int slot, int place, uint64 flow);

/* True if some process has a lease on the job, or is ending it. */
extern bool paws_lease_exists(int slot, int64 id);

/* What becomes of a job when the transaction that ends its lease commits. */
typedef struct PawsLeaseEnd
{
	PawsJobState state;   /* completed, cancelled, expired, dead; available or scheduled: it is not over */
	PawsJobReason reason; /* of an attempt that failed; 0: none did */
	bool was_delayed;     /* it was scheduled until now */
	int16 level;          /* available: where */
	PawsJobPlace at;
	int64 delay;      /* scheduled: for so long, in microseconds */
	int16 next_level; /* what follows in the flow, if it is not 0 */
	PawsJobPlace next;
} PawsLeaseEnd;

typedef enum PawsLeaseBegun
{
	PAWS_LEASE_BEGUN,
	PAWS_LEASE_LOST, /* no lease with this fence, or this transaction ended it */
	PAWS_LEASE_BUSY, /* another transaction is ending it */
	PAWS_LEASE_NO_ROOM
} PawsLeaseBegun;

/*
 * Begins to end a job: until the transaction is over nobody takes, ends or extends the lease. *lease: as it
 * is. With fence 0 whoever holds it; if nobody does, one is made so that nobody takes it, of what *lease
 * says. What becomes of the job is filled in at *end, until the transaction ends.
 */
extern PawsLeaseBegun
paws_lease_begin_end(int slot, int64 id, int64 fence, PawsLease *lease, PawsLeaseEnd **end);

/*
 * A job ends, or changes, that nobody has a lease on; or somebody may, and loses it at the commit. What
 * becomes of it is filled in as above. *lease says what the job is: id, rank, place, level.
 */
extern PawsLeaseEnd *paws_lease_end_unleased(int slot, const PawsLease *lease);

/* Holds it again: what paws_lease_begin_end began, last, is not to be. */
extern void paws_lease_undo_end(int slot, int64 id);

/* The same, but the lease goes: its job is not there any more. */
extern void paws_lease_forget(int slot, int64 id);

/*
 * Waits for the transaction that is just ending a job, if one is: then what became of it is known. Not longer
 * than for 5 s, or lock_timeout if that is less; then errors 55P03. A deadlock is found as with any lock.
 */
extern void paws_lease_await_end(int slot, int64 id);

/* Moves the end of a lease, also while another transaction is ending the job, which may be rolled back; false
 * if it is not held under this fence. */
extern bool paws_lease_extend(int slot, int64 id, int64 fence, int64 duration);

/* True if a lease is held; *left: how long from now on, in microseconds; *place: of its topic. */
extern bool paws_lease_find(int slot, int64 id, int64 *left, int16 *place);

/* What was just claimed does not open: nobody takes it, and the timer sees to it. */
extern void paws_lease_spoil(int slot, int64 id);

/*
 * Up to `max` leases that are over, or whose jobs do not open. *from, at first 0, is kept by the caller: each
 * look begins where the last one ended, so that leases that cannot be ended now keep nobody from the others.
 * *more: there are others in this round.
 */
extern int paws_lease_over(int slot, PawsLease *leases, bool *unreadable, int max, int *from, bool *more);

/* For when no timer runs: lets go of leases that are over for a second, without counting an attempt; beside a
 * timer only of such as it did not get to for ten. Cheap if there are none. */
extern void paws_lease_reap(int slot);

/* Us until the first lease is over; 0: now; -1: there is none. */
extern int64 paws_lease_next_over(int slot);

/* Leases of a topic. */
extern int64 paws_lease_count(int slot, int place);


#endif
