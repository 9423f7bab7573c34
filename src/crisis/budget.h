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
#include "datatype/timestamp.h"

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

/* What the caller's timeouts were. */
typedef struct PawsCrisisTime
{
	int nest;           /* of settings, if lock_timeout is another one meanwhile; else 0 */
	TimestampTz end_at; /* when statement_timeout would have ended the statement; 0: it still would */
} PawsCrisisTime;

/*
 * Gives the running statement its time: one that statement_timeout would end sooner goes on for the whole
 * budget from now on, and locks that nobody bounds otherwise are waited for as long. So timeouts that
 * somebody set for ordinary statements, even of a millisecond, do not refuse a crisis operation that got
 * here. Called before anything that may wait. Cheap; needs nothing.
 */
extern PawsCrisisTime paws_crisis_take_time(void);

/* The operation is done: lock_timeout is the caller's again. An error does the same. */
extern void paws_crisis_end_time(PawsCrisisTime *time);

/* It was none of the crisis lane: both are the caller's again, and a statement that is late is cancelled. */
extern void paws_crisis_give_back_time(PawsCrisisTime *time);

#endif
