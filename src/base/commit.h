/*
 * base/commit.h - what must happen when, and only when, the current transaction commits.
 *
 * Counters, wakes and latencies in shared memory follow durable state; they must not run ahead of it, nor
 * survive a rolled-back savepoint.
 */
#ifndef PAWS_BASE_COMMIT_H
#define PAWS_BASE_COMMIT_H

#include "postgres.h"

/*
 * Runs after the commit is durable and visible. Must not fail, allocate or wait for more than an LWLock: an
 * error here would come after the fact.
 */
typedef void (*PawsCommitAction)(void *arg);

/*
 * Schedules `action` for the commit of the current (sub)transaction's top; returns zeroed memory of `size`
 * bytes for the caller to fill, handed to the action. From then on PREPARE TRANSACTION is refused (0A000): no
 * callback runs at COMMIT PREPARED. Also raises the commit to synchronous_commit = on, at least: what we
 * acknowledge, the disk has heard.
 */
extern void *paws_at_commit(PawsCommitAction action, Size size);

/*
 * The current transaction does something of the crisis lane: unless paws_sync.crisis_standby_wait is on, its
 * commit waits for no synchronous standby; for the disk as it would have. Until its end, also if the
 * savepoint that said so is rolled back.
 */
extern void paws_commit_of_crisis(void);

/*
 * The same just before the commit is flushed: for a hint, since the commit may still fail. Raises no
 * durability of its own.
 */
extern void *paws_before_commit(PawsCommitAction action, Size size);

/* An action already scheduled at this nesting level, to add to its argument instead of scheduling it again;
 * else NULL. */
extern void *paws_at_commit_find(PawsCommitAction action);

/*
 * The same for the abort of the current (sub)transaction, or of one around it: gives back what was taken in
 * shared memory before it was certain. Raises no durability; PREPARE TRANSACTION is refused as well.
 */
extern void *paws_at_abort(PawsCommitAction action, Size size);

#endif
