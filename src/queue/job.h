/*
 * queue/job.h - the application's own work: jobs are submitted, claimed, completed.
 *
 *   submit --> available --claim--> running --complete--> completed (history)
 *              ^   ^                  |  |
 *   scheduled -'   '--release, expiry-'  '--fail--> scheduled, or dead (dead letter, redrive: available)
 *
 * A row of paws_queue.job is a job that waits or runs. That it runs says only a lease in shared memory
 * (lease.h): claim writes nothing. Whatever ends a job deletes the row in the transaction that says so, so
 * that it happened exactly once whatever else that transaction wrote. A crash drops all leases: the jobs are
 * available again.
 *
 * All functions need SPI connected, and paws_vault_require_usable(PAWS_ROOT_CARE) before those that seal or
 * open (put, claim, complete with results). Those that write error 25006 on a standby and in a read-only
 * transaction. Times are microseconds, or TimestampTz. What is returned is allocated in the memory context
 * that is current; results of submissions in the one before SPI was connected.
 */
#ifndef PAWS_QUEUE_JOB_H
#define PAWS_QUEUE_JOB_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"
#include "guard/token.h"
#include "queue/topic.h"
#include "utils/uuid.h"

/* Called from _PG_init: offers the shared memory of topics and leases. */
extern void paws_job_init(void);

/* ---- submitting ---- */

typedef struct PawsSubmission
{
	/* what is asked for */
	PawsClass klass;
	PawsTier tier; /* of the subject; premium without one */
	int16 level;
	int64 subject_no;         /* 0: none; one that is there has a data key */
	const PawsToken *subject; /* NULL: none */
	const uint8 *payload;     /* PAWS_PAYLOAD_MAX is the caller's to look after */
	Size payload_length;
	const char *key; /* idempotency key; NULL: none. Only its digest is kept. */
	Size key_length;
	const char *ordering_key; /* NULL: none. Only its digest is kept. */
	Size ordering_key_length;
	TimestampTz not_before; /* 0: at once */
	TimestampTz expires_at; /* 0: never */

	/* the answer */
	int64 id;
	PawsJobOutcome outcome; /* submitted, or duplicate; set to anything else before: it is passed over */
	PawsJobState state;     /* of the job, or of the first one with the key */
	bytea *result;          /* duplicate and completed with a result: that; else NULL */
} PawsSubmission;

/* True if the key of a submission is seen to be in use: it is answered as a duplicate then, whatever limits
 * would say. Subject and key are set. Needs SPI connected. */
extern bool paws_job_known(int slot, const PawsTopic *topic, PawsSubmission *submission);

/*
 * Submits in order. Waits for a transaction that is just using the same key. Workers are woken at commit.
 * Only those whose outcome is 0 are looked at.
 */
extern void paws_job_put(int slot, const PawsTopic *topic, PawsSubmission *submissions, int count);

/* ---- claiming ---- */

typedef struct PawsClaimedJob
{
	int64 id;
	int64 fence;
	int16 topic_no;
	int16 level;
	PawsClass klass;
	int32 attempt; /* from 1 */
	bytea *payload;
	bool has_subject;
	PawsToken subject;
	TimestampTz submitted_at;
	TimestampTz leased_until; /* by the clock of the database now; the lease itself does not follow it */
} PawsClaimedJob;

/*
 * Claims up to `max` jobs of any of the topics for `lease` microseconds (0: each topic's), most urgent first.
 * Paused topics and levels are left out. The leases are given back if the current (sub)transaction aborts.
 * Returns how many, into `jobs`, which has room for `max`. What does not open is left to the timer, and costs
 * nobody else. Errors 25006 on a standby. Needs READ access only: no transaction id is taken.
 */
extern int
paws_job_claim(int slot, const int16 *topics, int ntopics, int max, int64 lease, PawsClaimedJob *jobs);

/* True if a claim will not wait for a lock on the table of jobs, since it has one now, and need not read
 * topics, pauses and policy, which may be locked. A hint: false in a process that claims for the first time,
 * or for the first time since one of these changed. */
extern bool paws_job_unlocked(int slot);

/*
 * Waiting for jobs: declare, look (claim), sleep on MyLatch, and look again. Between the two calls the
 * process's latch is set by whoever makes a job of one of the topics available: as many waiters as jobs.
 */
extern void paws_job_wait_begin(int slot, const int16 *topics, int ntopics);
extern void paws_job_wait_end(void);

/* To be called before each look of a waiter: declares it anew. */
extern void paws_job_wait_again(void);

/* ---- ending, or giving back, what was claimed ---- */

typedef struct PawsFinish
{
	int64 id;
	int64 fence;
	const bytea *result;    /* NULL: none; kept, sealed, if the job has an idempotency key */
	PawsJobOutcome outcome; /* completed, or lost */
} PawsFinish;

/*
 * Completes jobs: each one's lease must be held under its fence, and stays until the transaction ends. Not
 * durable: if the transaction writes nothing else, its commit does not wait for the disk, and the timer sees
 * to that (paws_job_flush). Nothing errors for being lost; paws_job_lost does.
 */
extern void paws_job_complete(int slot, PawsFinish *finishes, int count, bool durable);

/* Errors PW011 with a hint: so that all that the transaction wrote for the job is rolled back. */
extern void paws_job_lost(void) pg_attribute_noreturn();

/*
 * An attempt failed: retried after `retry_after` microseconds (-1: the topic's backoff, doubled each time,
 * with jitter), or dead. Answers retried, dead or lost. Reasons of the engine's own error 22023.
 */
extern PawsJobOutcome paws_job_fail(int slot, int64 id, int64 fence, int64 retry_after, PawsJobReason reason);

/* Gives a job back: released or lost. At commit it is available to others. */
extern PawsJobOutcome paws_job_release(int slot, int64 id, int64 fence);

/* Gives it back for a while (microseconds), without counting an attempt: snoozed or lost. */
extern PawsJobOutcome paws_job_snooze(int slot, int64 id, int64 fence, int64 delay);

/*
 * Holds a job `lease` microseconds from now on (0: the topic's): extended, or lost. At once, whatever becomes
 * of the transaction. *until: as in a claim.
 */
extern PawsJobOutcome paws_job_extend(int slot, int64 id, int64 fence, int64 lease, TimestampTz *until);

/* Removes a job that waits or runs: cancelled or not_found. Who runs it loses its lease at the commit. Waits
 * for a transaction that is just ending it. */
extern PawsJobOutcome paws_job_cancel(int slot, int64 id);

/* ---- looking ---- */

typedef struct PawsJobStatus
{
	int16 topic_no;
	PawsJobState state;
	int16 level;
	PawsClass klass;
	int32 attempts;       /* that failed */
	PawsJobReason reason; /* of the last failure that is known; 0: none */
	TimestampTz submitted_at;
	TimestampTz not_before;   /* scheduled: when it will be available; else 0 */
	TimestampTz leased_until; /* running; else 0 */
	TimestampTz ended_at;     /* finished or dead, as coarse as the tier has it; else 0 */
} PawsJobStatus;

/* False if it is unknown, or its history is gone. */
extern bool paws_job_status(int slot, int64 id, PawsJobStatus *status);

typedef struct PawsDeadLetter
{
	int64 id;
	PawsClass klass;
	int16 level;
	int32 attempts;
	PawsJobReason reason;
	TimestampTz submitted_at;
	TimestampTz dead_at;
} PawsDeadLetter;

/* Up to `max` dead letters of a topic, the latest first; palloc'd. */
extern int paws_job_dead_letters(const PawsTopic *topic, int max, PawsDeadLetter **letters);

/* Makes dead letters available again, with all attempts: those of `ids`, or if that is NULL the oldest `max`.
 * Returns how many. */
extern int64 paws_job_redrive(int slot, const PawsTopic *topic, const int64 *ids, int count, int max);

/* Drops dead letters for good: those of `ids`, or if that is NULL the oldest `max`. Returns how many. */
extern int64 paws_job_discard(int slot, const PawsTopic *topic, const int64 *ids, int count, int max);

/* What shared memory knows of a topic. */
typedef struct PawsTopicStats
{
	bool counted;                                  /* what was there at the start is in these numbers */
	int64 waiting[PAWS_LEVEL_ORDINARY_MAX + 1];    /* available or running, by level; 0 is not used */
	int64 delayed;                                 /* scheduled */
	int64 running;                                 /* leases */
	int64 dead;                                    /* dead letters */
	int64 submitted, completed, failed, dead_ever; /* since the start */
	int64 ended;                                   /* left the table since the start, in whatever way */
	int64 expired_leases, unreadable, refused_by_full_table;
} PawsTopicStats;

/* With number 0: of whatever topic has the place. */
extern void paws_job_stats(int slot, const PawsTopic *topic, PawsTopicStats *stats);

/* The sums over all topics; needs SPI connected. */
extern void paws_job_totals(int slot, PawsTopicStats *totals);

/* Leases that are taken, of all that there is room for (paws_max_leases). */
extern int64 paws_job_leases(int slot);

/* ---- the timer's verbs: each looks at a slice of up to `limit` rows, in the caller's transaction, and says
 * whether there is more. The next slice begins behind it. Rows that somebody is at are left, and looked at
 * again 0.1 s after the last slice; nobody is waited for. ---- */

/* Counts what was there at the start; once, at any time, and by the scheduler, for it reads the whole table.
 * Until then stats say so. */
extern bool paws_job_counted(int slot);
extern void paws_job_recount(int slot);

/* Makes scheduled jobs available whose time has come. */
extern bool paws_job_promote(int slot, int limit);

/*
 * For after a start, and when the clock was set back: a retry waits its delay and no longer, counted from
 * now.
 */
extern bool paws_job_clock_moved(int slot, int limit);

/* Counts an attempt for each lease that is over (reason lease_expired), and moves what does not open to the
 * dead letters. */
extern bool paws_job_expire_leases(int slot, int limit);

/* Removes jobs that wait and whose expires_at has passed. */
extern bool paws_job_expire(int slot, int limit);

/* Removes idempotency keys, and dead letters, that were kept for long enough. Up to `limit` of each. */
extern int paws_job_sweep(int slot, int limit);

/* Makes the history tables of today and tomorrow; each in the caller's transaction, needing no lock but on
 * the schema. Returns how many were made. */
extern int paws_job_history_ahead(void);

/* Drops one history table that no topic needs any more; waits for locks as lock_timeout says, so the caller
 * sets that. True if one was dropped. */
extern bool paws_job_history_drop(void);

/* True if a commit waits to be flushed; flushes all of them. Needs no transaction. */
extern bool paws_job_flush_wanted(int slot);
extern void paws_job_flush(int slot);

/*
 * Ms until one of promote, expire_leases, expire has something to do: 0 now, -1 nothing is known that will.
 * From shared memory; after a start a table is read once. The timer is woken (PAWS_WAKE_TIMER) when that
 * becomes earlier, and when the first commit waits to be flushed.
 */
extern long paws_job_next_due(int slot);

/* ---- for keys and erasure ---- */

/* True if a job, a dead letter or a result of the subject (0: of none) is sealed under this key. */
extern bool paws_job_uses_key(int64 subject_no, const pg_uuid_t *key);

/* One slice of sealing anew what a subject (0: none) has here and is not under `key`; moves *walk along. True
 * at the end. *bytes: what was written; *broken: what does not open. */
extern bool paws_job_reseal(int64 subject_no, const uint8 subject[16], const pg_uuid_t *key, int64 *walk,
							int limit, int64 *bytes, int64 *broken);

/* Drops up to `limit` jobs, dead letters and results of a subject that is forgotten; true when none is left.
 */
extern bool paws_job_drop_subject(int slot, int64 subject_no, int limit, int64 *removed);

#endif
