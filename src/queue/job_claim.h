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
	Relation subjects; /* NULL: not opened */
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

/* Takes jobs of raised subjects (queue/raise.h), up to half of what the claim may have, but for levels that
 * are `paused` ([level]). */
extern void paws_job_take_raised(PawsJobClaim *claim, const bool *paused);

/* What a walk does with a row. */
typedef enum PawsJobVerdict
{
	PAWS_JOB_TAKEN,
	PAWS_JOB_PASSED,
	PAWS_JOB_STOP /* not without something that must be opened first, or for want of room */
} PawsJobVerdict;

/* Looks at the row in a slot, and takes it if it may be taken. Under the topic's lock. */
extern PawsJobVerdict paws_job_consider(PawsJobClaim *claim, const PawsTopic *topic, int level,
										TupleTableSlot *slot, Snapshot snapshot);

/* A snapshot of now, kept until all that was read by it is opened. There is room for it after the first. */
extern void paws_job_reserve_snapshot(PawsJobClaim *claim);
extern Snapshot paws_job_take_snapshot(PawsJobClaim *claim);

/* The first one in line; *age: how long the round of the level lasts. False if nothing waits. */
extern bool
paws_job_peek(PawsJobClaim *claim, const PawsTopic *topic, int level, PawsJobRow *row, int64 *age);

#endif
