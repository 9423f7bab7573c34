/*
 * queue/job_private.h - what the files of the queue of jobs share.
 */
#ifndef PAWS_QUEUE_JOB_PRIVATE_H
#define PAWS_QUEUE_JOB_PRIVATE_H

#include "postgres.h"
#include "base/table.h"
#include "queue/job.h"
#include "queue/job_front.h"
#include "queue/lease.h"
#include "utils/uuid.h"

/* ---- rows of paws_queue.job ---- */

/* Columns, in their order. */
enum PawsJobColumn
{
	PAWS_JOB_ID = 1,
	PAWS_JOB_RANK,
	PAWS_JOB_SUBMITTED_AT,
	PAWS_JOB_TOPIC_NO,
	PAWS_JOB_LEVEL,
	PAWS_JOB_BASE_LEVEL,
	PAWS_JOB_CLASS,
	PAWS_JOB_TIER,
	PAWS_JOB_ATTEMPTS,
	PAWS_JOB_REASON,
	PAWS_JOB_IS_AVAILABLE,
	PAWS_JOB_SUBJECT_NO,
	PAWS_JOB_RUN_AT,
	PAWS_JOB_DELAY,
	PAWS_JOB_EXPIRES_AT,
	PAWS_JOB_ORDERING_KEY,
	PAWS_JOB_KEY,
	PAWS_JOB_ENVELOPE
};

#define PAWS_JOB_COLUMNS PAWS_JOB_ENVELOPE

typedef struct PawsJobRow
{
	int64 id;
	int64 rank;
	TimestampTz submitted_at;
	int16 topic_no;
	int16 level;
	int16 base_level;
	int16 klass;
	int16 tier;
	int16 attempts;
	int16 reason;
	bool available;
	bool ordered;       /* has an ordering key */
	bool keyed;         /* has an idempotency key */
	int64 subject_no;   /* 0: none */
	TimestampTz run_at; /* 0: none, as below */
	int64 delay;        /* -1: none */
	TimestampTz expires_at;
	pg_uuid_t ordering_key;
	pg_uuid_t key;
	bytea *envelope;
	ItemPointerData tid; /* where it was read; not written */
} PawsJobRow;

/* Numbers into .indexes of the table. */
#define PAWS_JOB_PKEY          0
#define PAWS_JOB_AVAILABLE_IDX 1
#define PAWS_JOB_ORDERING_IDX  2
#define PAWS_JOB_SUBJECT_IDX   3

extern PawsTable paws_job_table;

/* From a slot; the envelope points into it. */
extern void paws_job_read_row(TupleTableSlot *slot, PawsJobRow *row);

/* Into columns; both have PAWS_JOB_COLUMNS elements. */
extern void paws_job_form_row(PawsJobRow *row, Datum *values, bool *nulls);

/* Of which so many may run at once; 0: it is of none. */
extern uint64 paws_job_flow(const PawsJobRow *row);

/* How many of its flow may run: 1 with an ordering key; 0: any number. */
extern int paws_job_flow_cap(const PawsJobRow *row, const PawsTopic *topic);

/* One row at a time, found by number or by place, and ended or changed. */
typedef struct PawsJobCursor
{
	Relation table;
	TupleTableSlot *slot;
	Snapshot snapshot;
	int database_slot;
	bool plain; /* nobody put a trigger on the table */
	bool waits; /* for whoever is at a row; else that row is left alone */
} PawsJobCursor;

extern void paws_job_open(PawsJobCursor *cursor, int slot);
extern void paws_job_close(PawsJobCursor *cursor);

/* What was committed since, and what this transaction wrote, is seen from here on. */
extern void paws_job_refresh(PawsJobCursor *cursor);

/* Finds a job; `hint` (may be NULL or not valid): where it was. False if there is none. */
extern bool paws_job_find(PawsJobCursor *cursor, int64 id, ItemPointer hint, PawsJobRow *row);

/* False if the row is gone, was changed since, or somebody is at it who is not waited for. */
extern bool paws_job_delete(PawsJobCursor *cursor, const PawsJobRow *row);
extern bool paws_job_update(PawsJobCursor *cursor, PawsJobRow *row);

/* The next job of its flow after one that ends, which no lease is on: level 0 if there is none. Of an
 * ordering key, or of a subject in a topic that has a bound for these. */
extern void
paws_job_follower(const PawsJobRow *row, const PawsTopic *topic, int slot, int16 *level, PawsJobPlace *at);

/*
 * The lowest id of an ordering key that may not be finished, as far as is known (job_order.c): so that the
 * finished ones are not walked, however long their dead rows stay. Lowered when a lower one commits.
 */
extern void paws_order_init(void);
extern int64 paws_order_low(int slot, uint64 flow);
extern void paws_order_raise(int slot, uint64 flow, int64 id);
extern void paws_order_lower(int slot, uint64 flow, int64 id);

typedef enum PawsJobSequence
{
	PAWS_SEQUENCE_ID,
	PAWS_SEQUENCE_EPOCH
} PawsJobSequence;

extern Oid paws_job_sequence(PawsJobSequence which);

/* The topic of a stored number; errors XX001 if it is not there. */
extern const PawsTopic *paws_job_topic(int16 topic_no);

/* Makes what shared memory knows of a topic that of this one. Not under a lock. */
extern void paws_job_topic_ready(int slot, const PawsTopic *topic);

/* The lease that a row would have. */
extern PawsLease paws_job_lease_of(const PawsJobRow *row, const PawsTopic *topic);

/* ---- what is sealed ---- */

typedef enum PawsJobPart
{
	PAWS_JOB_PAYLOAD = 2, /* written into contexts: never given anew */
	PAWS_JOB_RESULT = 3
} PawsJobPart;

/* What an envelope is bound to. subject: 16 bytes, NULL: none. */
typedef struct PawsJobSeal
{
	int16 topic_no;
	int64 job;
	int64 subject_no;
	const uint8 *subject;
	PawsJobPart part;
} PawsJobSeal;

extern bytea *paws_job_seal(const PawsJobSeal *seal, const uint8 *bytes, Size length);
extern bytea *paws_job_unseal(const PawsJobSeal *seal, const bytea *envelope); /* NULL if it does not open */
extern bytea *paws_job_seal_anew(const PawsJobSeal *seal, const bytea *envelope);

/* Keyed digests; bytes of any length. */
extern void paws_job_key_digest(int16 topic_no, const char *key, Size length, pg_uuid_t *digest);
extern void paws_job_ordering_digest(int16 topic_no, const char *key, Size length, pg_uuid_t *digest);

/* ---- idempotency keys ---- */

/* Uses the key of a row for its job; false if it is another job's already: then the answer is filled in. */
extern bool paws_job_key_use(int slot, const PawsTopic *topic, const PawsJobRow *row, PawsSubmission *answer);

/* The job of a key has ended. The result may be NULL. */
extern void
paws_job_key_end(const PawsTopic *topic, const PawsJobRow *row, PawsJobState state, const bytea *result);

/* Where a job stands: available, scheduled, running or dead; 0 if it is not there. */
extern PawsJobState paws_job_stands(int slot, int64 id);

/* ---- history and dead letters ---- */

typedef struct PawsEnded
{
	PawsJobRow row;
	PawsJobState state;
	PawsJobReason reason;
} PawsEnded;

/* Writes how jobs of a topic ended; nothing for a topic without history. */
extern void paws_job_remember(const PawsTopic *topic, const PawsEnded *ended, int count);

/* Looks for a job in the history, the latest day first. */
extern bool paws_job_recall(int64 id, PawsJobStatus *status);

/* Moves a job to the dead letters; false if its row is gone, or changed since. */
extern bool
paws_job_bury(PawsJobCursor *cursor, const PawsTopic *topic, PawsJobRow *row, PawsJobReason reason);

/* Drops up to `max` dead letters of a topic that have been dead since before a time, the oldest first.
 * Returns how many. */
extern int64 paws_job_drop_dead(int slot, const PawsTopic *topic, TimestampTz before, int max);

/* Puts a row back after a failed attempt: retried or dead, as the topic says; `delay` -1: its backoff. False
 * if the row is gone, or changed since. */
extern bool paws_job_retry(PawsJobCursor *cursor, const PawsTopic *topic, PawsJobRow *row, int64 delay,
						   PawsJobReason reason, PawsLeaseEnd *end);

/* Puts it off by `delay`, or, if that is 0, back where it was. False as above. */
extern bool paws_job_put_off(PawsJobCursor *cursor, PawsJobRow *row, int64 delay, PawsLeaseEnd *end);

/* Begins the end of a job, whether somebody has a lease on it or not. */
extern PawsLeaseEnd *paws_job_end_any(int slot, const PawsTopic *topic, const PawsJobRow *row);

/* Removes a job that is cancelled or expired, with all that follows. False if its row is gone, or changed
 * since. */
extern bool paws_job_remove(int slot, PawsJobCursor *cursor, PawsJobRow *row, PawsJobState state);

/* Adds rows to the table, and no more. */
extern void paws_job_add(PawsJobRow *rows, int count);

/* Adds rows; at commit they are counted and told of. */
extern void paws_job_insert(int slot, const PawsTopic *topic, PawsJobRow *rows, int count);

/* So many dead letters fewer at commit; they were not submitted anew. */
extern void paws_job_count_redriven(int slot, const PawsTopic *topic, int count);
extern void paws_job_count_dropped(int slot, const PawsTopic *topic, int count);

/* ---- commits that do not wait for the disk (job_commit.c) ---- */

/* To be called before this transaction writes for a job, and after. */
extern void paws_job_before_write(bool durable);
extern void paws_job_after_write(int slot);

/* ---- who is woken (job_wake.c) ---- */

extern void paws_wake_jobs_init(void);

/* So many jobs of a topic are available. */
extern void paws_job_wake(int slot, int place, int count);

/* Counts a claim, from 1: a session may make few, and some must be guaranteed to each level. */
extern uint64 paws_job_count_claim(int slot);

/* The timer is to look no later than at this time of paws_lease_clock. */
extern void paws_job_alarm(int slot, int64 at);
extern void paws_job_alarm_quietly(int slot, int64 at);

/* A row is due in so many microseconds: to be available, or to expire. */
extern void paws_job_delayed(int slot, int64 delay);

/* True if the machine's clock was set back since something was scheduled; until it is accepted. */
extern bool paws_job_clock_is_back(int slot);
extern void paws_job_accept_clock(int slot);

/* What is known of when the first row is due, by the machine's clock: PG_INT64_MAX none; 0: nothing is known.
 */
extern int64 paws_job_first_due(int slot);
extern void paws_job_set_first_due(int slot, int64 seen, int64 at);

extern void paws_job_set_counted(int slot);

/* A commit up to here waits to be flushed. */
extern void paws_job_flush_later(int slot, uint64 lsn);

#endif
