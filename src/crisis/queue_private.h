/*
 * crisis/queue_private.h - a waiting operation, between the files that read the lane's queue.
 */
#ifndef PAWS_CRISIS_QUEUE_PRIVATE_H
#define PAWS_CRISIS_QUEUE_PRIVATE_H

#include "postgres.h"
#include "base/table.h"
#include "store/store.h"

/* Applied at once. */
#define PAWS_QUEUED_MAX   100
#define PAWS_QUEUED_BYTES (16 * 1024 * 1024)

/* No document has this revision: the seal of a waiting operation is of no use on a document. */
#define PAWS_QUEUED_REVISION 0

typedef struct PawsQueued
{
	int64 id;
	TimestampTz received_at;
	bool sealed; /* false: written without keys */
	uint8 seal[PAWS_SEAL_BYTES];
	PawsChange change;
} PawsQueued;

/* Over all that waits of a subject, in the order of its ids, by one snapshot and without statements. */
typedef struct PawsQueueWalk
{
	int64 subject_no;
	Snapshot snapshot;
	PawsScan scan;
} PawsQueueWalk;

/* Begin and end; an error in between cleans up by itself. */
extern void paws_queue_walk_begin(PawsQueueWalk *walk, int64 subject_no);
extern void paws_queue_walk_end(PawsQueueWalk *walk);

/* From the start, over the same rows. */
extern void paws_queue_walk_again(PawsQueueWalk *walk);

/* The next one; false at the end. */
extern bool paws_queue_walk_next(PawsQueueWalk *walk);

/* Of the current one. Not its envelope, so they are cheap. */
extern int64 paws_queue_walk_id(PawsQueueWalk *walk);
extern int64 paws_queue_walk_device_no(PawsQueueWalk *walk);
extern void paws_queue_walk_op_id(PawsQueueWalk *walk, pg_uuid_t *op_id);

/* All of the current one; the envelope is palloc'd. */
extern void paws_queue_walk_read(PawsQueueWalk *walk, PawsQueued *queued);

/*
 * What waits of a subject and failed less often than PAWS_CRISIS_ATTEMPTS, in the order in which it came: at
 * most `limit`, and PAWS_QUEUED_BYTES but for the last. *more: whether that is not all. Envelopes are
 * palloc'd.
 */
extern int paws_crisis_queue_read(int64 subject_no, int limit, PawsQueued *queued, bool *more);

/* Whether it was written by this lane. One that has a seal waits for the keys that tell. */
typedef enum PawsGenuine
{
	PAWS_GENUINE,
	PAWS_GENUINE_UNKNOWN,
	PAWS_GENUINE_NOT
} PawsGenuine;

extern PawsGenuine paws_crisis_queue_genuine(const PawsQueued *queued);

#endif
