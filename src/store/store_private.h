/*
 * store/store_private.h - between the files of the store.
 */
#ifndef PAWS_STORE_PRIVATE_H
#define PAWS_STORE_PRIVATE_H

#include "store/store.h"

typedef enum PawsStoreStatement
{
	PAWS_STORE_ENSURE_COUNTER,
	PAWS_STORE_LOCK_SKIP,
	PAWS_STORE_INSERT_BRANCHES,
	PAWS_STORE_ADVANCE,
	PAWS_STORE_RECEIPTS,
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

/* Columns of the tables, in the order of tables.sql. */
enum
{
	COUNTER_SUBJECT_NO = 1,
	COUNTER_POSITION,
	COUNTER_EXPIRED,
	COUNTER_COLUMNS = COUNTER_EXPIRED
};

enum
{
	DOCUMENT_SUBJECT_NO = 1,
	DOCUMENT_REVISION,
	DOCUMENT_POSITION,
	DOCUMENT_BASE_REVISION,
	DOCUMENT_CHANGED_AT,
	DOCUMENT_DOC_ID,
	DOCUMENT_OP_ID,
	DOCUMENT_COLLECTION,
	DOCUMENT_DELETED,
	DOCUMENT_SEAL,
	DOCUMENT_ENVELOPE,
	DOCUMENT_COLUMNS = DOCUMENT_ENVELOPE
};

enum
{
	FEED_SUBJECT_NO = 1,
	FEED_POSITION,
	FEED_DEVICE_NO,
	FEED_REVISION,
	FEED_FINISHED_AT,
	FEED_OP_ID,
	FEED_DOC_ID,
	FEED_COLLECTION,
	FEED_OUTCOME,
	FEED_REASON,
	FEED_DELETED,
	FEED_COLUMNS = FEED_DELETED
};

enum
{
	EPOCH_EPOCH = 1,
	EPOCH_COLUMNS = 2
};

/* A counter that was moved on, which locks it until the commit. */
typedef struct PawsCounter
{
	int64 subject_no; /* first: sorted and searched by it */
	int64 position;   /* the last that was given out */
	int64 reserved;   /* what the counter says */
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
	ItemPointerData place; /* of the stored row */
	PawsChange *change;    /* the last one applied to it in this batch, or NULL */
} PawsHead;

typedef struct PawsBatch
{
	PawsChange *changes;
	int count;
	PawsCounter *counters;
	int ncounters;
	PawsHead *heads;
	int nheads;
	Snapshot snapshot; /* taken under the locks; that the heads were read with */
} PawsBatch;

/* Runs one of the store's statements against its schema. */
extern uint64
paws_store_run(PawsStore *store, PawsStoreStatement which, const Datum *args, const char *nulls);

/* One of the store's tables. */
extern PawsTable *paws_store_table(PawsStore *store, PawsStoreTable which);

/*
 * Moves the counters of the changes' subjects on by as many positions as each has changes, and so locks them;
 * fills in the counters, ascending by subject, and returns how many. Those that others hold are left out
 * unless wait, and so are those that are not there.
 */
extern int
paws_store_reserve(PawsStore *store, const PawsChange *changes, int count, bool wait, PawsCounter *counters);

/* Takes back what was reserved and not given out. */
extern void paws_store_unreserve(PawsStore *store, const PawsCounter *counters, int count);

/* By subject: what PawsCounter and int64 begin with. */
extern int paws_store_compare_subjects(const void *a, const void *b);

/*
 * Writes a batch of which all most likely make their documents, without a look at what is there: the unique
 * indexes tell. False if it is not such a batch, or something was there; then nothing is written, and no
 * position given out.
 */
extern bool paws_store_write_new(PawsStore *store, PawsBatch *batch, TimestampTz now);

/* The counter of a subject in the batch; NULL if it could not be had. */
extern PawsCounter *paws_store_counter(const PawsBatch *batch, int64 subject_no);

/* Writes what a batch decided. */
extern void paws_store_write(PawsStore *store, PawsBatch *batch);

#endif
