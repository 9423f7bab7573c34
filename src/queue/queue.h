/*
 * queue/queue.h - the ordinary queue: put, choose, fetch, finish.
 *
 * A pool worker's cycle has two transactions at first and one in steady flow:
 *   choose   pick the next operations, take them in memory (so that no other worker picks them), record them
 * in the worker's inflight row; commit. From here on a crash counts an attempt for these and no others. fetch
 * read the rows; apply; finish (delete them); choose the next; commit. An operation that an earlier one of
 * the same document still precedes is fetched as blocked and left for later.
 *
 * All functions need SPI connected unless they say otherwise.
 */
#ifndef PAWS_QUEUE_H
#define PAWS_QUEUE_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"
#include "storage/itemptr.h"
#include "utils/uuid.h"

/* The largest paws_sync.batch_size. */
#define PAWS_BATCH_MAX 1000

/* The longest that an operation is put off. */
#define PAWS_BACKOFF_MAX_MS 51200

typedef struct PawsOperation
{
	int64 id;   /* given by put */
	int64 rank; /* the same; queue/flow.h */
	int16 level;
	PawsClass klass;
	PawsTier tier;
	int64 subject_no;
	int64 device_no;
	int16 collection;
	pg_uuid_t op_id;
	pg_uuid_t doc_id;
	int64 base_revision;
	bool deleted;
	int16 attempts;
	TimestampTz enqueued_at;
	int32 target_ms;
	bytea *envelope;       /* NULL for a deletion */
	bool blocked;          /* fetch: an earlier operation on the document waits */
	ItemPointerData place; /* fetch: where its row is */
} PawsOperation;

extern void paws_queue_init(void);

/* Adds operations in order; id stays 0 for one that waits already (same device, document and op_id). Wakes
 * the pool at commit. */
extern void paws_queue_put(int slot, PawsOperation *operations, int count);

/* Which of a device's operations wait; sets found[i]. */
extern void paws_queue_find(int64 subject_no, int64 device_no, const pg_uuid_t *doc_ids,
							const pg_uuid_t *op_ids, int count, bool *found);

/* A worker's row of paws_queue.inflight: where it is, and how many operations are in it. */
typedef struct PawsRecord
{
	ItemPointerData place; /* not valid: none was put yet */
	int count;
} PawsRecord;

/* What a worker holds: ids and the database slot, in shared memory. */
typedef struct PawsClaim
{
	PawsRecord record; /* as the transaction left it; to be put back when that aborts */
	int count;
	bool full; /* there may be more than these */
	bool owed; /* others held what was late, so the guaranteed claim is still to be made */
	int64 ids[PAWS_BATCH_MAX];
	int64 subjects[PAWS_BATCH_MAX];
	int64 ranks[PAWS_BATCH_MAX];
	int16 levels[PAWS_BATCH_MAX];
	ItemPointerData places[PAWS_BATCH_MAX]; /* where their rows were when they were chosen */
} PawsClaim;

/*
 * Chooses up to `limit` operations for a worker (its index), records them and returns them; guaranteed: first
 * from the level that is late by most, then from the most urgent ones (queue/rule.h). A repeated operation
 * (attempts > 0) comes alone, and so does one whose payload fills a batch by its size.
 */
extern void paws_queue_choose(int slot, int worker, int limit, bool guaranteed, PawsClaim *claim);

/* The same for a worker that leaves what waits to others. */
extern void paws_queue_choose_none(int slot, int worker, PawsClaim *claim);

/* Records what is claimed for a worker, in place of what was. */
extern void paws_queue_record(int worker, PawsClaim *claim);

/* After the commit that finished the batch before the one chosen last: lets that go. Without SPI. */
extern void paws_queue_settle(int worker);

/* Gives back what the worker holds in memory. Without SPI; also runs when the worker exits. */
extern void paws_queue_release(int worker);

/* Reads what was chosen, in the order of levels and, in each, of arrival; palloc'd. Rows that are gone or
 * moved are left out. */
extern int paws_queue_fetch(const PawsClaim *claim, PawsOperation **operations);

/* For operations that are not put yet: sets `blocked` of those whose document has some that wait. Without
 * SPI. */
extern void paws_queue_find_blocked(PawsOperation *operations, int count);

/* Removes finished operations that this transaction has fetched. Errors 40001 if somebody else has one of
 * them, so that nothing is applied twice. */
extern void paws_queue_finish(int slot, const PawsOperation *operations, int count);

/* Counts an attempt and puts the operation off. */
extern void paws_queue_postpone(const PawsOperation *operation, int64 delay_ms);

/*
 * For the blocked ones among these, so that they are not chosen again and again while what is less urgent
 * never is: if their document waits for an operation that is put off, they are put off as long; if it waits
 * for one of a lower level, that one is lifted to theirs.
 */
extern void paws_queue_unblock(int slot, const PawsOperation *operations, int count);

/* Counts an attempt for what a worker (-1: every worker) had recorded and not finished; for use after a
 * crash. */
extern void paws_queue_recover(int worker);

/* True if an operation of the subject waits that is sealed under this key. */
extern bool paws_queue_uses_key(int64 subject_no, const pg_uuid_t *key);

/* Drops up to `limit` waiting operations of a subject that is forgotten, and adds to *removed how many; true
 * when none is left. Those that are locked are left for another call. */
extern bool paws_queue_drop_subject(int slot, int64 subject_no, int limit, int64 *removed);

/* The last id that was given to an operation; and whether one with this id or a lower one waits. Mostly looks
 * at one that it found before; else walks over what waits, so not to be called often. */
extern int64 paws_queue_last_id(void);
extern bool paws_queue_waits_since(int64 id);

/* Forgets what an earlier worker with this index had recorded; it ended without a crash. */
extern void paws_queue_forget(int worker);

#endif
