/*
 * base/wake.h - who is woken when a transaction commits.
 *
 * Two kinds of sleepers: the workers of a database, woken by one flag for each lane, and sessions that wait
 * for changes of one key (a subject), found through a small hash. Wakes are set by latch from the commit
 * callback: no NOTIFY, no lock that commits share.
 */
#ifndef PAWS_BASE_WAKE_H
#define PAWS_BASE_WAKE_H

#include "postgres.h"

/* The lanes of work that workers of a database sleep for. */
typedef enum PawsWakeLane
{
	PAWS_WAKE_POOL,
	PAWS_WAKE_SCHEDULER,
	PAWS_WAKE_TIMER, /* what the queue of jobs does by the clock */
	PAWS_WAKE_CRISIS,
	PAWS_WAKE_LANES
} PawsWakeLane;

extern void paws_wake_init(void);

/* Wakes one sleeper of the lane at commit, once however often it is asked for. */
extern void paws_wake_at_commit(int slot, PawsWakeLane lane);

/* Wakes one sleeper of the lane now. Called when the work is already committed. */
extern void paws_wake_now(int slot, PawsWakeLane lane);

/* Takes the flag down before looking for work; what is committed later raises it again. True if it was up. */
extern bool paws_wake_take(int slot, PawsWakeLane lane);

/*
 * Declares that this process is about to sleep for the lane: false, and nothing declared, if the flag is up.
 * The sleeper waits on MyLatch and calls paws_wake_awake after it.
 */
extern bool paws_wake_sleep(int slot, PawsWakeLane lane);
extern void paws_wake_awake(int slot, PawsWakeLane lane);

/* Sessions waiting for a key: raised at commit, and waiters' latches set. */
extern void paws_wake_key_at_commit(int slot, int64 key);

/* The same if the current (sub)transaction, or one around it, aborts: for those who passed over what it held.
 */
extern void paws_wake_key_at_abort(int slot, int64 key);

/*
 * Tells the key's waiters just before the commit is flushed that it is near, so that they get ready while the
 * disk is waited for: the commit may fail, and what it wrote is not visible yet. With it goes a hint, which
 * is no secret; of two at once a waiter may see a mixture. Returns the hint's zeroed bytes for the caller to
 * fill.
 */
#define PAWS_WAKE_HINT_BYTES 48

extern void *paws_wake_key_before_commit(int slot, int64 key);

/* True once after the key that this process watches was told of by the above; the hint is copied. */
extern bool paws_wake_key_is_near(void *hint);

/* The count of wakes of the key's bucket; read before looking, compared before sleeping. */
extern uint64 paws_wake_key_count(int slot, int64 key);

/* Between these two calls this process's latch is set when the key is raised. One key at a time. */
extern void paws_wake_key_watch(int slot, int64 key);
extern void paws_wake_key_unwatch(void);

#endif
