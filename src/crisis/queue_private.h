/*
 * crisis/queue_private.h - a waiting operation, between the files that read the lane's queue.
 */
#ifndef PAWS_CRISIS_QUEUE_PRIVATE_H
#define PAWS_CRISIS_QUEUE_PRIVATE_H

#include "postgres.h"
#include "store/store.h"

/* Read at once. */
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

/* What waits of a subject and failed less often than this, in the order in which it came; bounded by
 * PAWS_QUEUED_BYTES but for the first. Envelopes are palloc'd. */
extern int paws_crisis_queue_read(int64 subject_no, int max_attempts, int limit, PawsQueued *queued);

/* Whether it was written by this lane. One that has a seal waits for the keys that tell. */
typedef enum PawsGenuine
{
	PAWS_GENUINE,
	PAWS_GENUINE_UNKNOWN,
	PAWS_GENUINE_NOT
} PawsGenuine;

extern PawsGenuine paws_crisis_queue_genuine(const PawsQueued *queued);

#endif
