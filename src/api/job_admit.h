/*
 * api/job_admit.h - who jobs are for, and whether they are taken: tier, level, limits.
 */
#ifndef PAWS_API_JOB_ADMIT_H
#define PAWS_API_JOB_ADMIT_H

#include "postgres.h"
#include "queue/job.h"

/* One job to submit, and its answer beside what the queue says. */
typedef struct PawsJobItem
{
	const PawsToken *subject; /* NULL: none */
	int64 retry_after;
	PawsReason reason;
} PawsJobItem;

/* The answer to a job that is not taken. */
extern void
paws_job_refuse(PawsSubmission *submission, PawsJobItem *item, PawsJobOutcome outcome, PawsReason reason);

/*
 * Fills in tier, level and subject of each submission of a call whose outcome is not set, and answers those
 * that are known, too large or over a limit. All are of one class. A subject that was never seen is made
 * known. Needs SPI connected. Errors 55000 without keys.
 */
extern void
paws_job_admit(int slot, const PawsTopic *topic, PawsSubmission *submissions, PawsJobItem *items, int count);

#endif
