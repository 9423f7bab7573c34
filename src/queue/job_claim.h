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
	bool full;  /* the table of leases is */
	bool again; /* something is to be looked at with a newer snapshot */
	bool more;  /* a key's finished jobs were walked for long enough under the lock: to be gone on with */
	uint64 walked_flow;  /* of that key */
	int64 walked_to;     /* its jobs below are finished */
	Snapshot *snapshots; /* kept until all is opened */
	int nsnapshots;
	int snapshots_room;
	void (*opener)(struct PawsJobClaim *claim, int place); /* opens what was found wanting, before a lock */
} PawsJobClaim;

/* Takes what may be taken at a level of a topic. */
extern void paws_job_take(PawsJobClaim *claim, const PawsTopic *topic, int level);

/*
 * False if somebody deleted or changed the row since the snapshot that it was read by, or is at it: a lease
 * that was ended is gone only after that is in the row. Whoever it is tells of the job again if it is still
 * there. Nor is a row to be had that this very transaction put or changed: it may be rolled back, and is told
 * of when it is not.
 */
extern bool paws_job_still_there(TupleTableSlot *slot);

/* How far the first job of an ordering key that is not finished was looked for. */
typedef enum PawsKeyWalk
{
	PAWS_KEY_FOUND,
	PAWS_KEY_ENDED, /* found, and it is finished by now, or will be soon */
	PAWS_KEY_MORE   /* not found so far: the claim remembers where to go on */
} PawsKeyWalk;

/*
 * Looks for the first job of the row's ordering key that is not finished: *first. So many entries of finished
 * ones at most are passed over in one call, for the caller holds the topic's lock; an old snapshot may keep
 * any number of them. The index of ordering keys is open.
 */
extern PawsKeyWalk
paws_job_first_of_key(PawsJobClaim *claim, const PawsJobRow *row, Snapshot snapshot, int64 *first);

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
