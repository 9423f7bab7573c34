/*
 * queue/job_put.c - submitting: numbers, keys, ranks, envelopes, rows; and what is told at commit.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "base/commit.h"
#include "base/database.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "queue/flow.h"
#include "queue/job_private.h"
#include "queue/raise.h"
#include "utils/timestamp.h"

static PawsStatement find_ranks = {
	.sql = "SELECT l.level, h.rank, t.rank FROM ROWS FROM (pg_catalog.generate_series(1, $2)) AS l (level) "
		   "CROSS JOIN LATERAL (SELECT rank FROM paws_queue.job WHERE available "
		   "AND topic_no OPERATOR(pg_catalog.=) $1 AND level OPERATOR(pg_catalog.=) l.level::pg_catalog.int2 "
		   "ORDER BY rank, id LIMIT 1) h "
		   "CROSS JOIN LATERAL (SELECT rank FROM paws_queue.job WHERE available "
		   "AND topic_no OPERATOR(pg_catalog.=) $1 AND level OPERATOR(pg_catalog.=) l.level::pg_catalog.int2 "
		   "ORDER BY rank DESC, id DESC LIMIT 1) t",
	.nargs = 2,
	.types = {INT2OID, INT4OID},
};

/* Virtual times go on where they were before the start, before anybody is given a rank. */
void
paws_job_topic_ready(int slot, const PawsTopic *topic)
{
	Datum args[2] = {Int16GetDatum(topic->no), Int32GetDatum(PAWS_LEVEL_ORDINARY_MAX)};
	int levels;

	if (paws_front_owned(slot, topic))
		return;
	levels = (int) paws_spi_run(&find_ranks, args, NULL, 0);
	LWLockAcquire(paws_front_lock(slot, topic->place), LW_EXCLUSIVE);
	if (!paws_front_owned(slot, topic))
	{
		for (int i = 0; i < levels; i++)
			paws_flow_restart(slot, topic->place, paws_spi_int32(i, 1), paws_spi_int64(i, 2),
							  paws_spi_int64(i, 3));
		paws_front_adopt(slot, topic);
	}
	LWLockRelease(paws_front_lock(slot, topic->place));
}

/* ---- at commit ---- */

typedef struct Told
{
	PawsJobPlace at;
	uint64 order; /* its ordering key; 0: none */
	int16 level;  /* 0: it is scheduled */
} Told;

typedef struct Put
{
	int slot;
	Oid identity;
	int16 place;
	int count;
	int64 first_due; /* by paws_lease_clock; PG_INT64_MAX: none */
	Told told[FLEXIBLE_ARRAY_MEMBER];
} Put;

static void
tell(void *arg)
{
	Put *put = arg;
	PawsJobCounts *counts = paws_front_counts(put->slot, put->place);
	int available = 0;

	if (paws_database_identity(put->slot) != put->identity)
		return;
	for (int i = 0; i < put->count; i++)
	{
		const Told *told = &put->told[i];

		if (told->order != 0)
			paws_order_lower(put->slot, told->order, told->at.id);
		if (told->level == 0)
		{
			pg_atomic_fetch_add_u64(&counts->delayed, 1);
			continue;
		}
		pg_atomic_fetch_add_u64(&counts->waiting[told->level], 1);
		paws_front_tell(put->slot, put->place, told->level, told->at);
		available++;
	}
	pg_atomic_fetch_add_u64(&counts->submitted, put->count);
	if (put->first_due != PG_INT64_MAX)
		paws_job_delayed(put->slot, put->first_due - paws_lease_clock());
	if (available > 0)
		paws_job_wake(put->slot, put->place, available);
}

static void
tell_at_commit(int slot, const PawsTopic *topic, const PawsJobRow *rows, int count)
{
	Put *put = paws_at_commit(tell, add_size(offsetof(Put, told), mul_size(count, sizeof(Told))));
	TimestampTz now = GetCurrentTimestamp();
	int64 clock = paws_lease_clock();

	put->slot = slot;
	put->identity = paws_database_identity(slot);
	put->place = topic->place;
	put->count = count;
	put->first_due = PG_INT64_MAX;
	for (int i = 0; i < count; i++)
	{
		put->told[i].at = (PawsJobPlace){rows[i].rank, rows[i].id};
		put->told[i].level = rows[i].available ? rows[i].level : 0;
		put->told[i].order = rows[i].ordered ? paws_job_flow(&rows[i]) : 0;
		if (!rows[i].available)
			put->first_due = Min(put->first_due, clock + rows[i].run_at - now);
		if (rows[i].expires_at != 0)
			put->first_due = Min(put->first_due, clock + rows[i].expires_at - now);
	}
}

typedef struct Redriven
{
	int slot;
	Oid identity;
	int16 place;
	int count;
	bool again; /* they wait again */
} Redriven;

static void
count_redriven(void *arg)
{
	Redriven *redriven = arg;
	PawsJobCounts *counts = paws_front_counts(redriven->slot, redriven->place);

	if (paws_database_identity(redriven->slot) != redriven->identity)
		return;
	pg_atomic_fetch_sub_u64(&counts->dead, redriven->count);
	if (redriven->again)
		pg_atomic_fetch_sub_u64(&counts->submitted, redriven->count);
}

static void
fewer_dead(int slot, const PawsTopic *topic, int count, bool again)
{
	Redriven *redriven;

	if (count == 0)
		return;
	redriven = paws_at_commit(count_redriven, sizeof(Redriven));
	redriven->slot = slot;
	redriven->identity = paws_database_identity(slot);
	redriven->place = topic->place;
	redriven->count = count;
	redriven->again = again;
}

void
paws_job_count_redriven(int slot, const PawsTopic *topic, int count)
{
	fewer_dead(slot, topic, count, true);
}

void
paws_job_count_dropped(int slot, const PawsTopic *topic, int count)
{
	fewer_dead(slot, topic, count, false);
}

/* ---- rows ---- */

void
paws_job_insert(int slot, const PawsTopic *topic, PawsJobRow *rows, int count)
{
	if (count == 0)
		return;
	paws_job_add(rows, count);
	tell_at_commit(slot, topic, rows, count);
	for (int i = 0; i < count; i++)
		paws_raise_touch_at_commit(slot, rows[i].subject_no);
}

static void
form_row(int slot, const PawsTopic *topic, const PawsSubmission *submission, TimestampTz now, PawsJobRow *row)
{
	row->id = submission->id;
	row->submitted_at = now;
	row->topic_no = topic->no;
	row->level = row->base_level = submission->level;
	row->klass = (int16) submission->klass;
	row->tier = (int16) submission->tier;
	row->attempts = row->reason = 0;
	row->available = submission->not_before <= now;
	row->subject_no = submission->subject_no;
	row->run_at = row->available ? 0 : submission->not_before;
	row->delay = -1;
	row->expires_at = submission->expires_at;
	row->ordered = submission->ordering_key != NULL;
	if (row->ordered)
		paws_job_ordering_digest(topic->no, submission->ordering_key, submission->ordering_key_length,
								 &row->ordering_key);
	row->keyed = submission->key != NULL;
	if (row->keyed)
		paws_job_key_digest(topic->no, submission->key, submission->key_length, &row->key);
	row->rank = 0;
}

/* Ranks of jobs that follow one another in one flow are asked for at once. What is scheduled gets its rank
 * when its time has come. */
static void
give_ranks(int slot, const PawsTopic *topic, PawsJobRow *rows, int count)
{
	int end;

	for (int first = 0; first < count; first = end)
	{
		uint64 flow = paws_job_flow(&rows[first]);
		int64 rank;

		end = first + 1;
		if (!rows[first].available)
			continue;
		while (flow != 0 && end < count && rows[end].available && rows[end].level == rows[first].level &&
			   paws_job_flow(&rows[end]) == flow)
			end++;
		rank = paws_flow_rank(slot, topic->place, rows[first].level, flow, end - first);
		for (int i = first; i < end; i++)
			rows[i].rank = rank + i - first;
	}
}

static void
seal(const PawsTopic *topic, const PawsSubmission *submission, PawsJobRow *row)
{
	PawsJobSeal seal = {.topic_no = topic->no,
						.job = row->id,
						.subject_no = row->subject_no,
						.subject = submission->subject != NULL ? submission->subject->id : NULL,
						.part = PAWS_JOB_PAYLOAD};

	row->envelope = paws_job_seal(&seal, submission->payload, submission->payload_length);
}

static void
answer(PawsSubmission *submission, const PawsJobRow *row)
{
	submission->outcome = PAWS_JOB_WAS_SUBMITTED;
	submission->state = row->available ? PAWS_JOB_AVAILABLE : PAWS_JOB_SCHEDULED;
	submission->result = NULL;
}

/* The topic may have been dropped while this waited for the lock on the table. */
static void
lock_and_check(int slot, const PawsTopic *topic)
{
	table_close(paws_table_open(&paws_job_table, RowExclusiveLock), NoLock);
	(void) paws_job_topic(topic->no);
	paws_job_topic_ready(slot, topic);
}

void
paws_job_put(int slot, const PawsTopic *given, PawsSubmission *submissions, int count)
{
	PawsTopic topic = *given;
	PawsJobRow *rows = palloc(Max(count, 1) * sizeof(PawsJobRow));
	TimestampTz now = GetCurrentTimestamp();
	int n = 0;

	PreventCommandIfReadOnly("submit()");
	lock_and_check(slot, &topic);
	for (int i = 0; i < count; i++)
	{
		PawsSubmission *submission = &submissions[i];

		if (submission->outcome != 0)
			continue;
		submission->id = nextval_internal(paws_job_sequence(PAWS_SEQUENCE_ID), false);
		form_row(slot, &topic, submission, now, &rows[n]);
		if (rows[n].keyed && !paws_job_key_use(slot, &topic, &rows[n], submission))
			continue;
		seal(&topic, submission, &rows[n]);
		answer(submission, &rows[n++]);
	}
	give_ranks(slot, &topic, rows, n);
	paws_job_insert(slot, &topic, rows, n);
	for (int i = 0; i < n; i++)
		pfree(rows[i].envelope);
	pfree(rows);
}
