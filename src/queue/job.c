/*
 * queue/job.c - the shared memory of the queue of jobs.
 */
#include "postgres.h"

#include "queue/job_private.h"

void
paws_job_init(void)
{
	paws_front_init();
	paws_lease_init();
	paws_wake_jobs_init();
	paws_order_init();
}
