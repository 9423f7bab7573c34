/*
 * store/store.h - versioned documents, the counter that orders a subject's changes, the feed, the receipts.
 *
 * A store is a set of tables of one shape in a schema of its own; each lane has one. The feed is gap-free for
 * each subject and in commit order: a position is given out under the subject's counter row, which is locked
 * until the commit. Each finished operation is one entry of the feed and that entry is its receipt, so it is
 * written once and never changes.
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_STORE_H
#define PAWS_STORE_H

#include "postgres.h"
#include "base/spi.h"
#include "base/table.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"
#include "guard/manifest.h"
#include "utils/uuid.h"
#include "vault/vault.h"

#define PAWS_STORE_STATEMENTS 34

/* What is read and written without SQL. */
typedef enum PawsStoreTable
{
	PAWS_TABLE_COUNTER,
	PAWS_TABLE_DOCUMENT,
	PAWS_TABLE_FEED,
	PAWS_TABLE_BRANCH,
	PAWS_TABLE_EPOCH,
	PAWS_STORE_TABLES
} PawsStoreTable;

typedef struct PawsStore
{
	const char *schema; /* "paws_care", "paws_crisis" */
	PawsLane lane;
	PawsKeyHome keys;
	PawsClock done;                                 /* of what was applied */
	PawsClock acknowledged;                         /* of acknowledgements */
	PawsStatement statement[PAWS_STORE_STATEMENTS]; /* prepared at first use */
	PawsTable table[PAWS_STORE_TABLES];             /* likewise */
} PawsStore;

/* One change on its way into the store: the operation, and what became of it. */
typedef struct PawsChange
{
	int64 device_no;
	int64 subject_no;
	PawsTier tier; /* that it was pushed under: how fine its time may be; the crisis lane has none */
	pg_uuid_t op_id;
	pg_uuid_t doc_id;
	int16 collection;
	PawsConflictPolicy on_conflict;
	int64 base_revision;
	bool deleted;
	bytea *envelope;    /* NULL for a deletion */
	PawsReason refused; /* not NONE: only write the receipt, rejected with this reason */
	PawsReason mark;    /* told in the receipt if it is applied */
	bool makes;         /* most likely it has no receipt yet, and makes its document */

	/* answers */
	bool skipped;  /* not done: the subject is locked by someone else */
	bool queued;   /* crisis lane: not done yet, but waits there; repeated if it did before */
	bool repeated; /* had a receipt already, which is in the fields below */
	PawsOutcome outcome;
	PawsReason reason;
	int64 revision; /* of the document after it */
	int64 position; /* in the feed */
	TimestampTz finished_at;
} PawsChange;

/*
 * Applies changes in their order and writes a receipt for each; everything becomes visible with the caller's
 * commit. wait: wait for a subject that is locked, and error 40001 if it was forgotten; else mark its changes
 * as skipped in both cases.
 */
extern void paws_store_apply(PawsStore *store, PawsChange *changes, int count, bool wait);

/* Locks what applying writes to, branches only if wanted, as applying would. False if somebody is in the way
 * of one of them, or has put a trigger on it. */
extern bool paws_store_try_lock(PawsStore *store, bool branches);

/* Errors 40001 if the subject is forgotten by now, whatever snapshot the transaction has. Waits for nobody.
 */
extern void paws_store_require_subject(PawsStore *store, int64 subject_no);

/* Makes the counter of a new subject. */
extern void paws_store_ensure_counter(PawsStore *store, int64 subject_no);

/* A receipt; outcome 0 if the operation has none. */
typedef struct PawsReceipt
{
	pg_uuid_t op_id;
	PawsOutcome outcome;
	PawsReason reason;
	int64 revision;
	TimestampTz finished_at;
} PawsReceipt;

/* Fills in the receipts of a device's operations; op_id is given. */
extern void paws_store_receipts(PawsStore *store, int64 device_no, PawsReceipt *receipts, int count);

/* One entry of a page of the feed or of a seed. */
typedef struct PawsFeedEntry
{
	int64 position; /* of the entry; in a seed, of the one that made the document what it is */
	int64 device_no;
	pg_uuid_t op_id; /* of the entry */
	pg_uuid_t doc_id;
	int16 collection;
	int64 revision; /* that this entry made */
	PawsOutcome outcome;
	PawsReason reason;
	bool deleted;
	TimestampTz finished_at;
	bool current; /* the document is still as this entry left it; the rest is of the document then */
	pg_uuid_t document_op_id;
	int64 base_revision;
	bytea
		*envelope; /* NULL for a deletion; of a seed still toasted, and in SPI's memory until the next run */
	bool sealed;   /* false: written in the crisis lane without keys */
	uint8 seal[PAWS_SEAL_BYTES];
} PawsFeedEntry;

/* Where a subject's feed ends, up to where it has expired, and the epoch of cursors into it. */
typedef struct PawsBounds
{
	int64 last;
	int64 expired;
	int64 epoch;
} PawsBounds;

/* False for a subject without a counter. The snapshot is registered. */
extern bool paws_store_bounds(PawsStore *store, Snapshot snapshot, int64 subject_no, PawsBounds *bounds);

/* The digest of the entry at a position, 0 if there is none. A cursor carries it, so that a foreign or lost
 * history is noticed. */
extern uint64 paws_store_digest(PawsStore *store, Snapshot snapshot, int64 subject_no, int64 position);
extern uint64 paws_store_entry_digest(int64 subject_no, const PawsFeedEntry *entry);

/* Notes how far a device has come; never goes back. tier: of its subject; the crisis lane has none. */
extern void paws_store_acknowledge(PawsStore *store, int64 device_no, int64 position, PawsTier tier);

/*
 * The next subjects of a walk over all: fills in subject_no and passed for up to `count` subjects after
 * `after`; a device that was silent for paws_sync.device_expiry holds back nothing. Returns how many.
 */
struct PawsExpiry;
extern int paws_store_walk(PawsStore *store, int64 after, struct PawsExpiry *expiries, int count);

/* Up to `limit` documents after a document id (a seed). Returns how many; entry reads one of them. The feed
 * is walked over (store/feed.h). */
extern int paws_store_read_documents(PawsStore *store, int64 subject_no, const pg_uuid_t *after, int limit);
extern void paws_store_document_entry(int row, PawsFeedEntry *entry);

/* What the envelope of an entry's document is bound to; points into the entry. */
extern PawsEnvelopeContext
paws_store_context(const PawsStore *store, const uint8 *subject_id, const PawsFeedEntry *entry);

/* Opens the payload of an entry for a subject (16 id bytes); NULL if envelope, context or revision seal do
 * not fit. */
extern bytea *
paws_store_open(PawsStore *store, int64 subject_no, const uint8 *subject_id, const PawsFeedEntry *entry);

/*
 * What a device is handed of an entry: the payload, palloc'd, with *code NULL. Without the keys of the store,
 * the envelope itself with "sealed", so that whoever has them elsewhere can open it. NULL with
 * "envelope_rejected" if it does not open; the log is told.
 */
extern bytea *paws_store_hand_out(PawsStore *store, int64 subject_no, const uint8 *subject_id,
								  const PawsFeedEntry *entry, const char **code);

/*
 * Housekeeping for some subjects: drops feed entries that finished before the subject's cutoff, oldest first,
 * raising what counts as expired, and tombstones at positions up to `passed`, which every live device has
 * acknowledged. At most PAWS_STORE_EXPIRE_MAX entries of a subject at a time; false if one may have more.
 */
#define PAWS_STORE_EXPIRE_MAX 500

typedef struct PawsExpiry
{
	int64 subject_no;
	TimestampTz cutoff;
	int64 passed;
} PawsExpiry;

extern bool paws_store_expire(PawsStore *store, const PawsExpiry *expiries, int count);

#endif
