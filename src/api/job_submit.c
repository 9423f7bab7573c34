/*
 * api/job_submit.c - submit and submit_many: what is given, and what is answered.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "api/item.h"
#include "api/job_admit.h"
#include "api/job_arguments.h"
#include "base/database.h"
#include "base/spi.h"
#include "control/rows.h"
#include "funcapi.h"
#include "guard/mint.h"
#include "queue/job.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

#define ANSWER_COLUMNS 7

PG_FUNCTION_INFO_V1(paws_submit);
PG_FUNCTION_INFO_V1(paws_submit_many);

typedef struct Submit
{
	int slot;
	PawsBytes topic;
	int count;
	PawsSubmission *submissions;
	PawsJobItem *items;
} Submit;

static void
carry_out(Submit *submit)
{
	PawsTopic topic;

	paws_vault_require_usable(PAWS_ROOT_CARE);
	topic = *paws_topic((const char *) submit->topic.data, submit->topic.length);
	paws_job_admit(submit->slot, &topic, submit->submissions, submit->items, submit->count);
	paws_job_put(submit->slot, &topic, submit->submissions, submit->count);
}

static void
read_payload(PawsSubmission *submission, Datum value)
{
	PawsBytes payload = paws_job_bytes(value);

	submission->payload = payload.data;
	submission->payload_length = payload.length;
}

static void
read_key(PawsSubmission *submission, Datum value)
{
	PawsBytes key = paws_job_key(value, "key");

	submission->key = (const char *) key.data;
	submission->key_length = key.length;
}

static void
read_ordering_key(PawsSubmission *submission, Datum value)
{
	PawsBytes key = paws_job_key(value, "ordering_key");

	submission->ordering_key = (const char *) key.data;
	submission->ordering_key_length = key.length;
}

/* A job that could never run is a mistake. One whose time is over already is expired at once, as a late one
 * is. */
static void
check_times(const PawsSubmission *submission)
{
	if (submission->expires_at != 0 && submission->not_before >= submission->expires_at)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("expires_at is not after not_before")));
}

/* `known` was checked before; NULL: none was. */
static const PawsToken *
checked_token(Datum value, const PawsToken *known)
{
	const PawsToken *token = paws_datum_token(value);

	if (known == NULL || memcmp(token, known, sizeof(*token)) != 0)
		paws_token_check(token, PAWS_TOKEN_SUBJECT);
	return token;
}

static void
read_one(FunctionCallInfo fcinfo, PawsSubmission *submission, PawsJobItem *item)
{
	submission->klass = paws_job_class(fcinfo, 2);
	read_payload(submission, PG_GETARG_DATUM(1));
	if (!PG_ARGISNULL(3))
		item->subject = checked_token(PG_GETARG_DATUM(3), NULL);
	if (!PG_ARGISNULL(4))
		read_key(submission, PG_GETARG_DATUM(4));
	if (!PG_ARGISNULL(5))
		submission->not_before = paws_job_begin(PG_GETARG_DATUM(5), "not_before");
	if (!PG_ARGISNULL(6))
		read_ordering_key(submission, PG_GETARG_DATUM(6));
	if (!PG_ARGISNULL(7))
		submission->expires_at = paws_job_end(PG_GETARG_DATUM(7));
	check_times(submission);
}

/* What submit returns, found once: the row of a function does not change while the function is the same. */
static TupleDesc
answer_row(FunctionCallInfo fcinfo)
{
	static TupleDesc row = NULL;
	static Oid function = InvalidOid;
	TupleDesc found;
	MemoryContext old;

	if (row != NULL && function == fcinfo->flinfo->fn_oid)
		return row;
	if (get_call_result_type(fcinfo, NULL, &found) != TYPEFUNC_COMPOSITE || found->natts != ANSWER_COLUMNS)
		elog(ERROR, "row of submit has other columns");
	old = MemoryContextSwitchTo(TopMemoryContext);
	row = BlessTupleDesc(CreateTupleDescCopy(found));
	function = fcinfo->flinfo->fn_oid;
	MemoryContextSwitchTo(old);
	return row;
}

static Datum
answer_one(FunctionCallInfo fcinfo, const PawsSubmission *submission, const PawsJobItem *item)
{
	TupleDesc row = answer_row(fcinfo);
	Datum values[ANSWER_COLUMNS] = {0};
	bool nulls[ANSWER_COLUMNS];
	Interval interval = {.time = item->retry_after};

	memset(nulls, true, sizeof(nulls));
	nulls[1] = false;
	values[1] = paws_enum_datum(TupleDescAttr(row, 1)->atttypid, paws_job_outcome_name(submission->outcome));
	if (item->reason == PAWS_REASON_NONE)
	{
		nulls[0] = nulls[2] = false;
		values[0] = Int64GetDatum(submission->id);
		values[2] = paws_enum_datum(TupleDescAttr(row, 2)->atttypid, paws_job_state_name(submission->state));
		nulls[4] = submission->outcome != PAWS_JOB_WAS_SUBMITTED;
		values[4] = Int16GetDatum(submission->level);
	}
	else
	{
		nulls[6] = false;
		values[6] = CStringGetTextDatum(paws_reason_name(item->reason));
	}
	nulls[3] = submission->result == NULL;
	values[3] = PointerGetDatum(submission->result);
	nulls[5] = item->retry_after == 0;
	values[5] = IntervalPGetDatum(&interval);
	return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
}

Datum
paws_submit(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	PawsSubmission submission = {0};
	PawsJobItem item = {0};
	Submit submit = {.count = 1, .submissions = &submission, .items = &item};
	Datum answer;

	paws_job_not_null(fcinfo, 0, "topic");
	paws_job_not_null(fcinfo, 1, "payload");
	if (paws_item_is_asked(fcinfo, 2))
		return paws_item_submit_one(fcinfo);
	paws_vault_require(PAWS_ROOT_CARE);
	submit.slot = paws_database_slot();
	submit.topic = paws_job_bytes(PG_GETARG_DATUM(0));
	read_one(fcinfo, &submission, &item);
	paws_spi_begin();
	carry_out(&submit);
	MemoryContextSwitchTo(caller);
	answer = answer_one(fcinfo, &submission, &item);
	paws_spi_end();
	return answer;
}

/* The arrays of submit_many. */
typedef struct Columns
{
	PawsJobColumn payloads;
	PawsJobColumn subjects;
	PawsJobColumn keys;
	PawsJobColumn not_before;
	PawsJobColumn ordering_keys;
	PawsJobColumn expires_at;
	const PawsToken *subject; /* that was read last */
} Columns;

/* An item without a payload is malformed, and answered so; it costs the others nothing. */
static void
read_item(Columns *columns, int i, PawsSubmission *submission, PawsJobItem *item)
{
	if (paws_job_missing(&columns->payloads, i))
	{
		paws_job_refuse(submission, item, PAWS_JOB_WAS_REJECTED, PAWS_REASON_MALFORMED);
		return;
	}
	read_payload(submission, columns->payloads.values[i]);
	if (!paws_job_missing(&columns->subjects, i))
		item->subject = columns->subject = checked_token(columns->subjects.values[i], columns->subject);
	if (!paws_job_missing(&columns->keys, i))
		read_key(submission, columns->keys.values[i]);
	if (!paws_job_missing(&columns->not_before, i))
		submission->not_before = paws_job_begin(columns->not_before.values[i], "not_before");
	if (!paws_job_missing(&columns->ordering_keys, i))
		read_ordering_key(submission, columns->ordering_keys.values[i]);
	if (!paws_job_missing(&columns->expires_at, i))
		submission->expires_at = paws_job_end(columns->expires_at.values[i]);
	check_times(submission);
}

static void
read_many(FunctionCallInfo fcinfo, Submit *submit)
{
	PawsClass klass = paws_job_class(fcinfo, 2);
	Columns columns = {0};

	submit->count = -1;
	columns.payloads = paws_job_column(fcinfo, 1, -1, false, TYPALIGN_INT, &submit->count);
	columns.subjects = paws_job_column(fcinfo, 3, PAWS_TOKEN_BYTES, false, TYPALIGN_CHAR, &submit->count);
	columns.keys = paws_job_column(fcinfo, 4, -1, false, TYPALIGN_INT, &submit->count);
	columns.not_before =
		paws_job_column(fcinfo, 5, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &submit->count);
	columns.ordering_keys = paws_job_column(fcinfo, 6, -1, false, TYPALIGN_INT, &submit->count);
	columns.expires_at =
		paws_job_column(fcinfo, 7, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &submit->count);
	submit->submissions = palloc0(Max(submit->count, 1) * sizeof(PawsSubmission));
	submit->items = palloc0(Max(submit->count, 1) * sizeof(PawsJobItem));
	for (int i = 0; i < submit->count; i++)
	{
		submit->submissions[i].klass = klass;
		read_item(&columns, i, &submit->submissions[i], &submit->items[i]);
	}
}

static void
put_answer(PawsRows *rows, const PawsSubmission *submission, const PawsJobItem *item, int number)
{
	bool known = item->reason == PAWS_REASON_NONE;

	if (known)
		paws_row_datum(rows, Int64GetDatum(submission->id));
	else
		paws_row_null(rows);
	paws_row_label(rows, paws_job_outcome_name(submission->outcome));
	paws_row_label(rows, known ? paws_job_state_name(submission->state) : NULL);
	paws_row_bytea(rows, submission->result);
	if (submission->outcome == PAWS_JOB_WAS_SUBMITTED)
		paws_row_datum(rows, Int16GetDatum(submission->level));
	else
		paws_row_null(rows);
	if (item->retry_after > 0)
		paws_row_interval(rows, item->retry_after);
	else
		paws_row_null(rows);
	paws_row_text(rows, paws_reason_name(item->reason));
	paws_row_datum(rows, Int32GetDatum(number));
	paws_row_end(rows);
}

Datum
paws_submit_many(PG_FUNCTION_ARGS)
{
	Submit submit = {0};
	PawsRows rows;

	paws_job_not_null(fcinfo, 0, "topic");
	paws_job_not_null(fcinfo, 1, "payloads");
	if (paws_item_is_asked(fcinfo, 2))
		return paws_item_submit_many(fcinfo);
	paws_vault_require(PAWS_ROOT_CARE);
	submit.slot = paws_database_slot();
	submit.topic = paws_job_bytes(PG_GETARG_DATUM(0));
	read_many(fcinfo, &submit);
	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	carry_out(&submit);
	for (int i = 0; i < submit.count; i++)
		put_answer(&rows, &submit.submissions[i], &submit.items[i], i + 1);
	paws_spi_end();
	return (Datum) 0;
}
