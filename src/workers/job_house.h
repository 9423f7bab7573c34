/*
 * workers/job_house.h - what the queue of jobs keeps no longer: keys, dead letters, tables of history; and
 * the tables of the next day.
 */
#ifndef PAWS_WORKERS_JOB_HOUSE_H
#define PAWS_WORKERS_JOB_HOUSE_H

#include "postgres.h"

#define PAWS_JOB_HOUSE_IDLE (-1)

/*
 * One turn, called by the scheduler outside a transaction: a slice of each part that is due, each in a
 * transaction of its own, so that none is long and a lock that one waits for costs no other. Returns the ms
 * until more is to be done, or PAWS_JOB_HOUSE_IDLE.
 */
extern long paws_job_house_turn(void);

#endif
