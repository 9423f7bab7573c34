/*
 * store/store_private.h - between the files of the store.
 */
#ifndef PAWS_STORE_PRIVATE_H
#define PAWS_STORE_PRIVATE_H

#include "store/store.h"

typedef enum PawsStoreStatement
{
	PAWS_STORE_ENSURE_COUNTER,
	PAWS_STORE_LOCK_WAIT,
	PAWS_STORE_LOCK_SKIP,
	PAWS_STORE_FIND_REPEATS,
	PAWS_STORE_READ_HEADS,
	PAWS_STORE_INSERT_HEADS,
	PAWS_STORE_UPDATE_HEADS,
	PAWS_STORE_INSERT_BRANCHES,
	PAWS_STORE_INSERT_FEED,
	PAWS_STORE_ADVANCE,
	PAWS_STORE_RECEIPTS,
	PAWS_STORE_BOUNDS,
	PAWS_STORE_ENTRY,
	PAWS_STORE_FEED,
	PAWS_STORE_DOCUMENTS,
	PAWS_STORE_EXPIRE_FEED,
	PAWS_STORE_EXPIRE_TOMBSTONES,
	PAWS_STORE_ACKNOWLEDGE,
	PAWS_STORE_WALK,
	PAWS_STORE_FIND_OLD_DOCUMENT,
	PAWS_STORE_FIND_OLD_BRANCH,
	PAWS_STORE_FIND_UNSEALED,
	PAWS_STORE_SEAL_LATE,
	PAWS_STORE_RESEAL_DOCUMENT,
	PAWS_STORE_RESEAL_BRANCH,
	PAWS_STORE_USES_KEY,
	PAWS_STORE_HAS_SUBJECT,
	PAWS_STORE_FORGET_DOCUMENTS,
	PAWS_STORE_FORGET_BRANCHES,
	PAWS_STORE_FORGET_FEED,
	PAWS_STORE_FORGET_COUNTER,
	PAWS_STORE_FORGET_ACKNOWLEDGED,
	PAWS_STORE_LAST_STATEMENT = PAWS_STORE_FORGET_ACKNOWLEDGED
} PawsStoreStatement;

/* A locked counter: the position before and as it will be. */
typedef struct PawsCounter
{
	int64 subject_no; /* first: sorted and searched by it */
	int64 position;
	int64 before;
} PawsCounter;

/* The head of a document, as stored and then as the batch changes it. */
typedef struct PawsHead
{
	int64 subject_no;
	pg_uuid_t doc_id;
	int64 revision;
	int16 collection;
	bool deleted;
	bool stored;
	PawsChange *change; /* the last one applied to it in this batch, or NULL */
} PawsHead;

typedef struct PawsBatch
{
	PawsChange *changes;
	int count;
	PawsCounter *counters;
	int ncounters;
	PawsHead *heads;
	int nheads;
} PawsBatch;

/* Runs one of the store's statements against its schema. */
extern uint64
paws_store_run(PawsStore *store, PawsStoreStatement which, const Datum *args, const char *nulls);

/* Writes what a batch decided. */
extern void paws_store_write(PawsStore *store, PawsBatch *batch);

#endif
