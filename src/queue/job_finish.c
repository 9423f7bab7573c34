/*
 * queue/job_finish.c - completing, failing, giving back, extending, cancelling.
 */
#include "postgres.h"

#include "base/errors.h"
#include "miscadmin.h"
#include "queue/job_private.h"
#include "registry/registry.h"
#include "utils/timestamp.h"

#define ENDED_MAX 128

/* Ended jobs of one topic, whose history is written together. */
typedef struct Batch
{
	PawsTopic topic; /* no 0: none yet */
	int count;
	PawsEnded ended[ENDED_MAX];
} Batch;

void
paws_job_lost(void)
{
	ereport(ERROR,
			(errcode(PAWS_ERRCODE_LEASE_LOST), errmsg("the lease of the job is lost"),
			 errdetail(
				 "Its time was over, the job was ended or given back already, or the server was restarted."),
			 errhint(
				 "Roll back what was done for it and go on with another claim: if the job is not done, "
				 "somebody will have it, and paws_sync.job_status says where it stands. If it was the time, "
				 "claim with a longer lease or call paws_sync.extend while the work goes on.")));
	pg_unreachable();
}

static void
remember(Batch *batch)
{
	paws_job_remember(&batch->topic, batch->ended, batch->count);
	batch->count = 0;
}

static PawsEnded *
add(Batch *batch, int16 topic_no)
{
	if (batch->count == ENDED_MAX || (batch->topic.no != topic_no && batch->count > 0))
		remember(batch);
	if (batch->topic.no != topic_no)
		batch->topic = *paws_job_topic(topic_no);
	return &batch->ended[batch->count++];
}

static bytea *
seal_result(const PawsJobRow *row, const bytea *result)
{
	PawsToken subject;
	PawsJobSeal seal = {.topic_no = row->topic_no,
						.job = row->id,
						.subject_no = row->subject_no,
						.part = PAWS_JOB_RESULT};

	if (result == NULL)
		return NULL;
	if (row->subject_no != 0)
	{
		/* of somebody who was just forgotten nothing is kept */
		if (!paws_registry_subject_token(row->subject_no, &subject))
			return NULL;
		seal.subject = subject.id;
	}
	return paws_job_seal(&seal, (const uint8 *) VARDATA_ANY(result), VARSIZE_ANY_EXHDR(result));
}

/* Everything that follows from a job being over, but its lease. */
static void
end_job(int slot, const PawsTopic *topic, PawsEnded *ended, const bytea *result, PawsLeaseEnd *end)
{
	end->state = ended->state;
	end->was_delayed = !ended->row.available;
	if (ended->row.keyed)
		paws_job_key_end(topic, &ended->row, ended->state, seal_result(&ended->row, result));
	paws_job_follower(&ended->row, topic, slot, &end->next_level, &end->next);
}

/* Deletes the row wherever it is by now; false if it is gone. */
static bool
delete_row(PawsJobCursor *cursor, int64 id, ItemPointer hint, PawsJobRow *row)
{
	while (paws_job_find(cursor, id, hint, row))
	{
		CHECK_FOR_INTERRUPTS();
		if (paws_job_delete(cursor, row))
			return true;
		paws_job_refresh(cursor);
		hint = NULL;
	}
	return false;
}

/* Begins to end what is held under a fence; false if that is lost. If another transaction is at it, what it
 * does decides. */
static bool
begin_end(int slot, int64 id, int64 fence, PawsLease *lease, PawsLeaseEnd **end)
{
	PawsLeaseBegun begun = PAWS_LEASE_LOST;

	if (fence == 0)
		return false;
	while ((begun = paws_lease_begin_end(slot, id, fence, lease, end)) == PAWS_LEASE_BUSY)
	{
		CHECK_FOR_INTERRUPTS();
		paws_lease_await_end(slot, id);
	}
	return begun == PAWS_LEASE_BEGUN;
}

static void
complete_one(int slot, PawsJobCursor *cursor, Batch *batch, PawsFinish *finish)
{
	PawsLease lease;
	PawsLeaseEnd *end;
	PawsJobRow row;
	PawsEnded *ended;

	finish->outcome = PAWS_JOB_WAS_LOST;
	if (!begin_end(slot, finish->id, finish->fence, &lease, &end))
		return;
	if (!delete_row(cursor, finish->id, &lease.tid, &row))
	{
		paws_lease_forget(slot, finish->id);
		return;
	}
	ended = add(batch, row.topic_no);
	*ended = (PawsEnded){.row = row, .state = PAWS_JOB_COMPLETED, .reason = (PawsJobReason) row.reason};
	end_job(slot, &batch->topic, ended, finish->result, end);
	finish->outcome = PAWS_JOB_WAS_COMPLETED;
}

void
paws_job_complete(int slot, PawsFinish *finishes, int count, bool durable)
{
	PawsJobCursor cursor;
	Batch *batch = palloc(offsetof(Batch, ended) + sizeof(PawsEnded) * Min(Max(count, 1), ENDED_MAX));

	batch->topic.no = 0;
	batch->count = 0;
	paws_job_before_write(durable);
	paws_job_open(&cursor, slot);
	for (int i = 0; i < count; i++)
		complete_one(slot, &cursor, batch, &finishes[i]);
	remember(batch);
	paws_job_close(&cursor);
	paws_job_after_write(slot);
	pfree(batch);
}

/* Finds the row of a lease that is held; answers false, and the lease is undone, if it is lost. */
static bool
begin(int slot, PawsJobCursor *cursor, int64 id, int64 fence, PawsJobRow *row, PawsLeaseEnd **end)
{
	PawsLease lease;

	if (!begin_end(slot, id, fence, &lease, end))
		return false;
	if (paws_job_find(cursor, id, &lease.tid, row))
		return true;
	paws_lease_forget(slot, id);
	return false;
}

PawsJobOutcome
paws_job_fail(int slot, int64 id, int64 fence, int64 retry_after, PawsJobReason reason)
{
	PawsJobOutcome outcome = PAWS_JOB_WAS_LOST;
	PawsJobCursor cursor;
	PawsLeaseEnd *end;
	PawsJobRow row;
	PawsTopic topic;

	if (reason == PAWS_JOB_LEASE_EXPIRED || reason == PAWS_JOB_UNREADABLE)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("this reason is the engine's own"),
						errhint("Give the reason that is nearest, or none.")));
	paws_job_before_write(true);
	paws_job_open(&cursor, slot);
	while (outcome == PAWS_JOB_WAS_LOST && begin(slot, &cursor, id, fence, &row, &end))
	{
		topic = *paws_job_topic(row.topic_no);
		if (paws_job_retry(&cursor, &topic, &row, retry_after, reason, end))
			outcome = end->state == PAWS_JOB_DEAD ? PAWS_JOB_WAS_DEAD : PAWS_JOB_WAS_RETRIED;
		else
		{
			paws_lease_undo_end(slot, id);
			paws_job_refresh(&cursor);
		}
	}
	paws_job_close(&cursor);
	return outcome;
}

PawsJobOutcome
paws_job_release(int slot, int64 id, int64 fence)
{
	PawsLease lease;
	PawsLeaseEnd *end;

	PreventCommandIfReadOnly("release()");
	if (!begin_end(slot, id, fence, &lease, &end))
		return PAWS_JOB_WAS_LOST;
	end->state = PAWS_JOB_AVAILABLE;
	end->level = lease.level;
	end->at = (PawsJobPlace){lease.rank, lease.id};
	return PAWS_JOB_WAS_RELEASED;
}

PawsJobOutcome
paws_job_snooze(int slot, int64 id, int64 fence, int64 delay)
{
	PawsJobOutcome outcome = PAWS_JOB_WAS_LOST;
	PawsJobCursor cursor;
	PawsLeaseEnd *end;
	PawsJobRow row;

	if (delay <= 0)
		return paws_job_release(slot, id, fence) == PAWS_JOB_WAS_RELEASED ? PAWS_JOB_WAS_SNOOZED
																		  : PAWS_JOB_WAS_LOST;
	paws_job_before_write(true);
	paws_job_open(&cursor, slot);
	while (outcome == PAWS_JOB_WAS_LOST && begin(slot, &cursor, id, fence, &row, &end))
	{
		if (paws_job_put_off(&cursor, &row, delay, end))
			outcome = PAWS_JOB_WAS_SNOOZED;
		else
		{
			paws_lease_undo_end(slot, id);
			paws_job_refresh(&cursor);
		}
	}
	paws_job_close(&cursor);
	return outcome;
}

/* The lease that the topic of a running job gives; 0 if it does not run. */
static int64
topic_lease(int slot, int64 id)
{
	const PawsTopic *topics;
	int count = paws_topics(&topics);
	int64 left;
	int16 place;

	if (!paws_lease_find(slot, id, &left, &place))
		return 0;
	for (int i = 0; i < count; i++)
		if (topics[i].place == place)
			return topics[i].lease;
	return 0;
}

PawsJobOutcome
paws_job_extend(int slot, int64 id, int64 fence, int64 lease, TimestampTz *until)
{
	PreventCommandDuringRecovery("extend()");
	if (lease == 0)
		lease = topic_lease(slot, id);
	if (fence == 0 || lease <= 0 || !paws_lease_extend(slot, id, fence, lease))
		return PAWS_JOB_WAS_LOST;
	*until = GetCurrentTimestamp() + lease;
	return PAWS_JOB_WAS_EXTENDED;
}

PawsLeaseEnd *
paws_job_end_any(int slot, const PawsTopic *topic, const PawsJobRow *row)
{
	PawsLease lease = paws_job_lease_of(row, topic);
	PawsLeaseEnd *end;

	paws_lease_ready(slot);
	if (paws_lease_begin_end(slot, row->id, 0, &lease, &end) == PAWS_LEASE_BEGUN)
		return end;
	lease = paws_job_lease_of(row, topic);
	return paws_lease_end_unleased(slot, &lease);
}

/* Its lease is taken first, so that what a claim passes over for its sake is noted. */
bool
paws_job_remove(int slot, PawsJobCursor *cursor, PawsJobRow *row, PawsJobState state)
{
	PawsTopic topic = *paws_job_topic(row->topic_no);
	PawsLeaseEnd *end = paws_job_end_any(slot, &topic, row);
	PawsEnded ended;

	if (!paws_job_delete(cursor, row))
	{
		paws_lease_undo_end(slot, row->id);
		return false;
	}
	ended = (PawsEnded){.row = *row, .state = state, .reason = (PawsJobReason) row->reason};
	end_job(slot, &topic, &ended, NULL, end);
	paws_job_remember(&topic, &ended, 1);
	return true;
}

PawsJobOutcome
paws_job_cancel(int slot, int64 id)
{
	PawsJobOutcome outcome = PAWS_JOB_WAS_NOT_FOUND;
	PawsJobCursor cursor;
	PawsJobRow row;

	paws_job_before_write(true);
	paws_job_open(&cursor, slot);
	while (outcome == PAWS_JOB_WAS_NOT_FOUND && paws_job_find(&cursor, id, NULL, &row))
	{
		CHECK_FOR_INTERRUPTS();
		if (paws_job_remove(slot, &cursor, &row, PAWS_JOB_CANCELLED))
			outcome = PAWS_JOB_WAS_CANCELLED;
		else
			paws_job_refresh(&cursor);
	}
	paws_job_close(&cursor);
	return outcome;
}
