/*
 * api/job_finish.c - what a worker says of the jobs that it claimed: complete, fail, release, snooze, extend;
 * and cancel, which anybody may.
 */
#include "postgres.h"

#include "api/job_arguments.h"
#include "base/database.h"
#include "base/spi.h"
#include "control/rows.h"
#include "crisis/budget.h"
#include "crisis/item.h"
#include "queue/job.h"
#include "queue/policy.h"
#include "utils/lsyscache.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(paws_complete);
PG_FUNCTION_INFO_V1(paws_complete_many);
PG_FUNCTION_INFO_V1(paws_fail);
PG_FUNCTION_INFO_V1(paws_release);
PG_FUNCTION_INFO_V1(paws_snooze);
PG_FUNCTION_INFO_V1(paws_extend);
PG_FUNCTION_INFO_V1(paws_cancel);

static Datum
outcome_datum(FunctionCallInfo fcinfo, PawsJobOutcome outcome)
{
	static Oid function = InvalidOid;
	static Oid type = InvalidOid;

	if (function != fcinfo->flinfo->fn_oid)
	{
		type = get_func_rettype(fcinfo->flinfo->fn_oid);
		function = fcinfo->flinfo->fn_oid;
	}
	return paws_enum_datum(type, paws_job_outcome_name(outcome));
}

/* Items of the crisis lane have negative numbers. */
static bool
is_item(int64 job)
{
	return job < 0;
}

static PawsCrisisTime
time_for(int64 job)
{
	return is_item(job) ? paws_crisis_take_time() : (PawsCrisisTime){0};
}

static bool
durable_argument(FunctionCallInfo fcinfo, int argument)
{
	paws_job_not_null(fcinfo, argument, "durable");
	return PG_GETARG_BOOL(argument);
}

/* The largest payload of a job without a subject is the largest result. */
static void
check_results(const PawsFinish *finishes, int count)
{
	int32 limit = paws_tier_policy(PAWS_TIER_PREMIUM)->max_payload;

	for (int i = 0; i < count; i++)
		if (finishes[i].result != NULL && VARSIZE(finishes[i].result) - VARHDRSZ > (Size) limit)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("result is too large"),
							errdetail("It may have at most %d bytes.", limit)));
}

/* A result is sealed, so it takes keys. */
static void
finish(int slot, PawsFinish *finishes, int count, bool results, bool durable)
{
	paws_spi_begin();
	if (results)
	{
		paws_vault_require_usable(PAWS_ROOT_CARE);
		check_results(finishes, count);
	}
	paws_job_complete(slot, finishes, count, durable);
	paws_spi_end();
}

static void
refuse_result(const PawsFinish *finish)
{
	if (finish->result != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("items of the crisis lane keep no result"),
				 errhint("Complete the item without one; push_crisis tells the person's devices.")));
}

/* Always durable. */
static void
finish_item(PawsFinish *finish)
{
	PawsCrisisTime time = paws_crisis_take_time();

	refuse_result(finish);
	paws_spi_begin();
	finish->outcome = paws_item_complete(paws_database_slot(), finish->id, finish->fence);
	paws_spi_end();
	paws_crisis_end_time(&time);
}

/* Items by themselves, so that nothing ordinary has to answer for them. */
static void
finish_all(int slot, PawsFinish *finishes, int count, bool durable)
{
	PawsFinish *jobs = palloc(Max(count, 1) * sizeof(PawsFinish));
	bool results = false;
	int njobs = 0;

	for (int i = 0; i < count; i++)
	{
		if (is_item(finishes[i].id))
			finish_item(&finishes[i]);
		else
		{
			results = results || finishes[i].result != NULL;
			jobs[njobs++] = finishes[i];
		}
	}
	if (njobs == 0)
		return;
	finish(slot, jobs, njobs, results, durable);
	for (int i = count - 1; i >= 0; i--)
		if (!is_item(finishes[i].id))
			finishes[i].outcome = jobs[--njobs].outcome;
}

Datum
paws_complete(PG_FUNCTION_ARGS)
{
	PawsFinish one = {
		.id = paws_job_number(fcinfo, 0, "job"),
		.fence = paws_job_number(fcinfo, 1, "fence"),
		.result = PG_ARGISNULL(2) ? NULL : PG_GETARG_BYTEA_P(2),
	};
	bool durable = durable_argument(fcinfo, 3);

	finish_all(paws_database_slot(), &one, 1, durable);
	if (one.outcome != PAWS_JOB_WAS_COMPLETED)
		paws_job_lost();
	return outcome_datum(fcinfo, one.outcome);
}

static int64
number_at(const PawsJobColumn *column, int i, const char *what)
{
	if (column->nulls[i])
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("an element of %s is null", what)));
	return DatumGetInt64(column->values[i]);
}

/* The jobs, fences and results of complete_many. */
static PawsFinish *
read_finishes(FunctionCallInfo fcinfo, int *count)
{
	PawsJobColumn jobs;
	PawsJobColumn fences;
	PawsJobColumn results;
	PawsFinish *finishes;

	*count = -1;
	jobs = paws_job_column(fcinfo, 0, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, count);
	fences = paws_job_column(fcinfo, 1, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, count);
	results = paws_job_column(fcinfo, 2, -1, false, TYPALIGN_INT, count);
	finishes = palloc0(Max(*count, 1) * sizeof(PawsFinish));
	for (int i = 0; i < *count; i++)
	{
		finishes[i].id = number_at(&jobs, i, "jobs");
		finishes[i].fence = number_at(&fences, i, "fences");
		if (paws_job_missing(&results, i))
			continue;
		finishes[i].result = DatumGetByteaP(results.values[i]);
	}
	return finishes;
}

Datum
paws_complete_many(PG_FUNCTION_ARGS)
{
	PawsFinish *finishes;
	bool durable;
	int count;
	PawsRows rows;

	paws_job_not_null(fcinfo, 0, "jobs");
	paws_job_not_null(fcinfo, 1, "fences");
	durable = durable_argument(fcinfo, 3);
	finishes = read_finishes(fcinfo, &count);
	paws_rows_begin(&rows, fcinfo);
	finish_all(paws_database_slot(), finishes, count, durable);
	for (int i = 0; i < count; i++)
	{
		paws_row_datum(&rows, Int64GetDatum(finishes[i].id));
		paws_row_label(&rows, paws_job_outcome_name(finishes[i].outcome));
		paws_row_end(&rows);
	}
	return (Datum) 0;
}

Datum
paws_fail(PG_FUNCTION_ARGS)
{
	int64 job = paws_job_number(fcinfo, 0, "job");
	PawsCrisisTime time = time_for(job);
	int64 fence = paws_job_number(fcinfo, 1, "fence");
	int64 retry_after = PG_ARGISNULL(2) ? -1 : paws_job_interval(fcinfo, 2, 0, PAWS_PAUSE_MAX, "retry_after");
	PawsJobReason reason;
	PawsJobOutcome outcome;
	int slot = paws_database_slot();

	paws_job_not_null(fcinfo, 3, "reason");
	reason = paws_job_reason_from_datum(PG_GETARG_DATUM(3));
	paws_spi_begin();
	outcome = is_item(job) ? paws_item_fail(slot, job, fence, retry_after, reason)
						   : paws_job_fail(slot, job, fence, retry_after, reason);
	paws_spi_end();
	paws_crisis_end_time(&time);
	return outcome_datum(fcinfo, outcome);
}

Datum
paws_release(PG_FUNCTION_ARGS)
{
	int64 job = paws_job_number(fcinfo, 0, "job");
	PawsCrisisTime time = time_for(job);
	int64 fence = paws_job_number(fcinfo, 1, "fence");
	int slot = paws_database_slot();
	PawsJobOutcome outcome;

	paws_spi_begin();
	outcome = is_item(job) ? paws_item_release(slot, job, fence) : paws_job_release(slot, job, fence);
	paws_spi_end();
	paws_crisis_end_time(&time);
	return outcome_datum(fcinfo, outcome);
}

Datum
paws_snooze(PG_FUNCTION_ARGS)
{
	int64 job = paws_job_number(fcinfo, 0, "job");
	PawsCrisisTime time = time_for(job);
	int64 fence = paws_job_number(fcinfo, 1, "fence");
	int64 delay = paws_job_interval(fcinfo, 2, 0, PAWS_PAUSE_MAX, "delay");
	int slot = paws_database_slot();
	PawsJobOutcome outcome;

	paws_spi_begin();
	outcome =
		is_item(job) ? paws_item_snooze(slot, job, fence, delay) : paws_job_snooze(slot, job, fence, delay);
	paws_spi_end();
	paws_crisis_end_time(&time);
	return outcome_datum(fcinfo, outcome);
}

Datum
paws_extend(PG_FUNCTION_ARGS)
{
	int64 job = paws_job_number(fcinfo, 0, "job");
	PawsCrisisTime time = time_for(job);
	int64 fence = paws_job_number(fcinfo, 1, "fence");
	int64 lease = PG_ARGISNULL(2) ? 0 : paws_job_interval(fcinfo, 2, PAWS_LEASE_MIN, PAWS_LEASE_MAX, "lease");
	int slot = paws_database_slot();
	PawsJobOutcome outcome;
	TimestampTz until;

	paws_spi_begin();
	outcome = is_item(job) ? paws_item_extend(job, fence, lease, &until)
						   : paws_job_extend(slot, job, fence, lease, &until);
	paws_spi_end();
	paws_crisis_end_time(&time);
	return outcome_datum(fcinfo, outcome);
}

Datum
paws_cancel(PG_FUNCTION_ARGS)
{
	int64 job = paws_job_number(fcinfo, 0, "job");
	PawsCrisisTime time = time_for(job);
	int slot = paws_database_slot();
	PawsJobOutcome outcome;

	paws_spi_begin();
	outcome = is_item(job) ? paws_item_cancel(slot, job) : paws_job_cancel(slot, job);
	paws_spi_end();
	paws_crisis_end_time(&time);
	return outcome_datum(fcinfo, outcome);
}
