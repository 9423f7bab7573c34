/*
 * api/job_claim.c - claim and claim_wait.
 */
#include "postgres.h"

#include "access/xact.h"
#include "api/job_arguments.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/spi.h"
#include "control/rows.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "queue/job.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(paws_claim);
PG_FUNCTION_INFO_V1(paws_claim_wait);

typedef struct Claim
{
	int slot;
	int max;
	int64 lease; /* 0: each topic's */
	int ntopics;
	int16 *topics;
	PawsJobColumn names;
	MemoryContext caller;
	PawsRows rows;
} Claim;

static void
refuse_names(const char *message)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message),
					errhint("Name one or more topics, as define_topic was given them.")));
}

static void
read_names(FunctionCallInfo fcinfo, Claim *claim)
{
	int count = -1;

	paws_job_not_null(fcinfo, 0, "topics");
	claim->names = paws_job_column(fcinfo, 0, -1, false, TYPALIGN_INT, &count);
	if (count == 0)
		refuse_names("topics is empty");
	for (int i = 0; i < count; i++)
		if (claim->names.nulls[i])
			refuse_names("a topic is null");
}

static void
add_topic(Claim *claim, int16 no)
{
	for (int i = 0; i < claim->ntopics; i++)
		if (claim->topics[i] == no)
			return;
	claim->topics[claim->ntopics++] = no;
}

static void
find_topics(Claim *claim)
{
	claim->topics = MemoryContextAlloc(claim->caller, claim->names.count * sizeof(int16));
	for (int i = 0; i < claim->names.count; i++)
	{
		PawsBytes name = paws_job_bytes(claim->names.values[i]);

		add_topic(claim, paws_topic((const char *) name.data, name.length)->no);
	}
}

static const char *
topic_name(const PawsClaimedJob *job)
{
	const PawsTopic *topic = paws_topic_no(job->topic_no);

	return topic ? topic->name : NULL;
}

static void
put_job(PawsRows *rows, const PawsClaimedJob *job)
{
	paws_row_datum(rows, Int64GetDatum(job->id));
	paws_row_datum(rows, Int64GetDatum(job->fence));
	paws_row_text(rows, topic_name(job));
	paws_row_datum(rows, Int16GetDatum(job->level));
	paws_row_label(rows, paws_class_name(job->klass));
	paws_row_datum(rows, Int32GetDatum(job->attempt));
	paws_row_bytea(rows, job->payload);
	if (job->has_subject)
		paws_row_datum(rows, PointerGetDatum(&job->subject));
	else
		paws_row_null(rows);
	paws_row_timestamp(rows, job->submitted_at);
	paws_row_timestamp(rows, job->leased_until);
	paws_row_end(rows);
}

static void
begin_claim(Claim *claim, FunctionCallInfo fcinfo)
{
	memset(claim, 0, offsetof(Claim, rows));
	read_names(fcinfo, claim);
	claim->max = paws_job_count(fcinfo, 1, PAWS_CLAIM_MAX, "max");
	if (!PG_ARGISNULL(2))
		claim->lease = paws_job_interval(fcinfo, 2, PAWS_LEASE_MIN, PAWS_LEASE_MAX, "lease");
	paws_vault_require(PAWS_ROOT_CARE);
	claim->slot = paws_database_slot();
	claim->caller = CurrentMemoryContext;
	paws_rows_begin(&claim->rows, fcinfo);
	paws_spi_begin();
	paws_vault_require_usable(PAWS_ROOT_CARE);
	find_topics(claim);
	paws_spi_end();
}

/* True if there was anything. */
static bool
look(Claim *claim)
{
	PawsClaimedJob *jobs;
	int count;

	paws_spi_begin();
	jobs = palloc(claim->max * sizeof(PawsClaimedJob));
	count = paws_job_claim(claim->slot, claim->topics, claim->ntopics, claim->max, claim->lease, jobs);
	for (int i = 0; i < count; i++)
		put_job(&claim->rows, &jobs[i]);
	paws_spi_end();
	return count > 0;
}

Datum
paws_claim(PG_FUNCTION_ARGS)
{
	Claim claim;

	begin_claim(&claim, fcinfo);
	(void) look(&claim);
	return (Datum) 0;
}

/* In microseconds; a clock that is set back must not make the wait longer. */
static int64
monotonic_now(void)
{
	instr_time clock;

	INSTR_TIME_SET_CURRENT(clock);
	return (int64) INSTR_TIME_GET_MICROSEC(clock);
}

/* The latch is reset before each look, so what becomes available after the look sets it again. */
static void
wait_for_jobs(Claim *claim, long timeout)
{
	int64 deadline = monotonic_now() + timeout * 1000;

	for (;;)
	{
		long left;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		paws_job_wait_again();
		if (look(claim))
			return;
		left = (long) ((deadline - monotonic_now() + 999) / 1000);
		if (left <= 0)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(left, paws_poll_interval), PG_WAIT_EXTENSION);
	}
}

static void
require_read_committed(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("claim_wait needs transaction isolation level read committed"),
						errhint("In a transaction with one snapshot nothing new can appear; use READ "
								"COMMITTED, or claim.")));
}

Datum
paws_claim_wait(PG_FUNCTION_ARGS)
{
	int64 timeout = paws_job_interval(fcinfo, 3, 0, PG_INT64_MAX, "timeout");
	Claim claim;

	require_read_committed();
	begin_claim(&claim, fcinfo);
	paws_spi_begin();
	paws_job_wait_begin(claim.slot, claim.topics, claim.ntopics);
	paws_spi_end();
	PG_TRY();
	{
		wait_for_jobs(&claim, (long) Min(timeout / 1000, (int64) paws_max_wait_with_snapshot));
	}
	PG_FINALLY();
	{
		paws_job_wait_end();
	}
	PG_END_TRY();
	return (Datum) 0;
}
