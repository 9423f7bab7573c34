/*
 * crisis/budget.h - how the 200 ms between the call of a crisis operation and its being with a waiting
 * consumer are divided, in milliseconds.
 *
 * The parts are bounds of what paws_sync itself waits for. The disk's part is what is left: nobody can bound
 * it, so it is given the largest share.
 */
#ifndef PAWS_CRISIS_BUDGET_H
#define PAWS_CRISIS_BUDGET_H

#include "postgres.h"
#include "base/settings.h"

/* From the call to the consumer. */
#define PAWS_CRISIS_BUDGET_MS 200

/* Another transaction holds the subject's counter; after that the operation goes to the queue. */
#define PAWS_CRISIS_LOCK_WAIT_MS 50

/* A batch of ordinary work ends before its worker yields; the largest paws_sync.batch_time. */
#define PAWS_CRISIS_ORDINARY_BATCH_MS PAWS_BATCH_TIME_MAX

/* Latch, scheduling of the woken process, reading and opening what it was woken for. */
#define PAWS_CRISIS_WAKE_MS 20

/* The flush of the commit, with whatever else writes WAL. */
#define PAWS_CRISIS_FLUSH_MS 100

StaticAssertDecl(PAWS_CRISIS_LOCK_WAIT_MS + PAWS_CRISIS_ORDINARY_BATCH_MS + PAWS_CRISIS_WAKE_MS +
						 PAWS_CRISIS_FLUSH_MS <
					 PAWS_CRISIS_BUDGET_MS,
				 "the parts of the crisis lane's time exceed the whole");

/* What waits in the lane's queue is with consumers already, so this is not on their way: a worker that found
 * a subject's counter held looks again after so long, at first and at last. */
#define PAWS_CRISIS_RETRY_MS     5
#define PAWS_CRISIS_RETRY_SHIFTS 5

/* An idle crisis worker looks by itself after so long, whatever paws_sync.poll_interval says. */
#define PAWS_CRISIS_POLL_MS 1000

StaticAssertDecl((PAWS_CRISIS_RETRY_MS << PAWS_CRISIS_RETRY_SHIFTS) < PAWS_CRISIS_BUDGET_MS,
				 "a crisis worker comes back too late to what was held");

/*
 * Gives the running statement its time: one that statement_timeout would end sooner goes on for the whole
 * budget from now on. So a timeout that somebody set for ordinary statements, even one of a millisecond, does
 * not refuse a crisis operation that got here. Cheap; needs nothing.
 */
extern void paws_crisis_take_time(void);

#endif
