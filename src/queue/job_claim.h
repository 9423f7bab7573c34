/*
 * queue/job_claim.h - one claim under way: for job_claim.c and job_take.c alone.
 */
#ifndef PAWS_QUEUE_JOB_CLAIM_H
#define PAWS_QUEUE_JOB_CLAIM_H

#include "queue/job_private.h"

/* What was taken; the envelope is a copy, but what is stored out of line is still there. */
typedef struct PawsJobTaken
{
	PawsJobRow row;
	int64 fence;
	int64 duration; /* of the lease */
} PawsJobTaken;

typedef struct PawsJobClaim
{
	int database_slot;
	int max;
	int64 lease; /* 0: each topic's */
	TimestampTz now;
	PawsTopic *topics;
	int ntopics;
	Relation table;
	Relation index;
	Relation pkey;     /* NULL: not opened */
	Relation ordering; /* NULL: not opened */
	bool wants_ordering;
	TupleTableSlot *slot;
	PawsJobTaken *taken; /* [max] */
	int ntaken;
	bool full;           /* the table of leases is */
	bool again;          /* something is to be looked at with a newer snapshot */
	Snapshot *snapshots; /* kept until all is opened */
	int nsnapshots;
	int snapshots_room;
	void (*opener)(struct PawsJobClaim *claim, int place); /* opens what was found wanting, before a lock */
} PawsJobClaim;

/* Takes what may be taken at a level of a topic. */
extern void paws_job_take(PawsJobClaim *claim, const PawsTopic *topic, int level);

/* The first one in line; *age: how long the round of the level lasts. False if nothing waits. */
extern bool
paws_job_peek(PawsJobClaim *claim, const PawsTopic *topic, int level, PawsJobRow *row, int64 *age);

#endif
