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

#endif
