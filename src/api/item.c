/*
 * api/item.c - submitting items of the crisis lane.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "api/item.h"
#include "api/job_arguments.h"
#include "base/database.h"
#include "base/errors.h"
#include "base/settings.h"
#include "base/spi.h"
#include "control/rows.h"
#include "crisis/budget.h"
#include "crisis/item.h"
#include "funcapi.h"
#include "guard/mint.h"
#include "registry/registry.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

#define ANSWER_COLUMNS 7

/* One item to submit, and its answer. */
typedef struct Asked
{
	PawsItemSubmission submission;
	PawsJobOutcome outcome; /* 0: to be put */
	PawsReason reason;
} Asked;

bool
paws_item_is_asked(FunctionCallInfo fcinfo, int argument)
{
	return !PG_ARGISNULL(argument) &&
		   paws_class_lane(paws_class_from_datum(PG_GETARG_DATUM(argument))) == PAWS_LANE_CRISIS;
}

int64
paws_crisis_subject(const PawsToken *token)
{
	int64 subject_no = paws_registry_subject(token);

	if (subject_no != 0)
		return subject_no;
	paws_token_check(token, PAWS_TOKEN_SUBJECT);
	return paws_registry_ensure_subject_soon(token);
}

/* Without a mint key only who is known is served, by all bytes of the token. */
static const PawsToken *
checked_token(Datum value)
{
	const PawsToken *token = paws_datum_token(value);

	if (paws_mint_ready())
		paws_token_check(token, PAWS_TOKEN_SUBJECT);
	return token;
}

static void
read_topic(FunctionCallInfo fcinfo, Asked *item)
{
	PawsBytes topic = paws_job_bytes(PG_GETARG_DATUM(0));

	item->submission.topic = (const char *) topic.data;
	item->submission.topic_length = topic.length;
	item->submission.klass = paws_class_from_datum(PG_GETARG_DATUM(2));
}

/* Too large is an answer; nothing else limits it. */
static void
read_payload(Asked *item, Datum value)
{
	PawsBytes payload = paws_job_bytes(value);

	item->submission.payload = payload.data;
	item->submission.payload_length = payload.length;
	if (payload.length <= (Size) paws_crisis_max_payload * 1024)
		return;
	item->outcome = PAWS_JOB_WAS_REJECTED;
	item->reason = PAWS_REASON_TOO_LARGE;
}

static void
read_key(Asked *item, Datum value)
{
	PawsBytes key = paws_job_key(value, "key");

	item->submission.key = (const char *) key.data;
	item->submission.key_length = key.length;
}

/* What is for a crisis neither waits for its turn nor expires. */
static void
refuse_argument(FunctionCallInfo fcinfo, int argument, const char *message)
{
	if (!PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message),
						errhint("An item waits until it is completed or cancelled; use a class of the "
								"ordinary lane for what may wait for others, or go.")));
}

static void
refuse_arguments(FunctionCallInfo fcinfo)
{
	refuse_argument(fcinfo, 6, "items of the crisis lane have no ordering key");
	refuse_argument(fcinfo, 7, "items of the crisis lane do not expire");
}

/* The key that it is sealed to, made if it is not there. */
static void
find_subject(PawsItemSubmission *submission)
{
	if (submission->subject != NULL)
		submission->subject_no = paws_crisis_subject(submission->subject);
	if (paws_vault_usable(PAWS_ROOT_CRISIS))
		paws_vault_ensure_data_key(PAWS_KEYS_CRISIS, submission->subject_no);
}

static void
submit(int slot, Asked *item)
{
	PawsItemSubmission *submission = &item->submission;

	if (item->outcome != 0)
		return;
	find_subject(submission);
	paws_item_submit(slot, submission);
	item->outcome = submission->duplicate ? PAWS_JOB_WAS_DUPLICATE : PAWS_JOB_WAS_SUBMITTED;
}

static void
require_topic(const Asked *item)
{
	if (!paws_item_topic(item->submission.topic, item->submission.topic_length))
		ereport(ERROR,
				(errcode(PAWS_ERRCODE_UNKNOWN_TOPIC), errmsg("unknown topic"),
				 errhint(
					 "Define it with paws_sync.define_topic; paws_sync.topics() lists those there are.")));
}

static Datum
answer_one(FunctionCallInfo fcinfo, const Asked *item)
{
	Datum values[ANSWER_COLUMNS] = {0};
	bool nulls[ANSWER_COLUMNS] = {true, false, true, true, true, true, true};
	TupleDesc row;

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE || row->natts != ANSWER_COLUMNS)
		elog(ERROR, "row of submit has other columns");
	values[1] = paws_enum_datum(TupleDescAttr(row, 1)->atttypid, paws_job_outcome_name(item->outcome));
	if (item->reason == PAWS_REASON_NONE)
	{
		nulls[0] = nulls[2] = false;
		values[0] = Int64GetDatum(item->submission.id);
		values[2] =
			paws_enum_datum(TupleDescAttr(row, 2)->atttypid, paws_job_state_name(item->submission.state));
		nulls[4] = item->outcome != PAWS_JOB_WAS_SUBMITTED;
		values[4] = Int16GetDatum(paws_item_level(item->submission.klass));
	}
	else
	{
		nulls[6] = false;
		values[6] = CStringGetTextDatum(paws_reason_name(item->reason));
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls));
}

Datum
paws_item_submit_one(FunctionCallInfo fcinfo)
{
	PawsCrisisTime time = paws_crisis_take_time();
	MemoryContext caller = CurrentMemoryContext;
	int slot = paws_database_slot();
	Asked item = {0};
	Datum answer;

	read_topic(fcinfo, &item);
	read_payload(&item, PG_GETARG_DATUM(1));
	refuse_arguments(fcinfo);
	if (!PG_ARGISNULL(3))
		item.submission.subject = checked_token(PG_GETARG_DATUM(3));
	if (!PG_ARGISNULL(4))
		read_key(&item, PG_GETARG_DATUM(4));
	if (!PG_ARGISNULL(5))
		item.submission.not_before = paws_job_begin(PG_GETARG_DATUM(5), "not_before");
	paws_spi_begin();
	require_topic(&item);
	submit(slot, &item);
	MemoryContextSwitchTo(caller);
	answer = answer_one(fcinfo, &item);
	paws_spi_end();
	paws_crisis_end_time(&time);
	return answer;
}

/* The arrays of submit_many. */
typedef struct Columns
{
	PawsJobColumn payloads;
	PawsJobColumn subjects;
	PawsJobColumn keys;
	PawsJobColumn not_before;
} Columns;

static void
read_columns(FunctionCallInfo fcinfo, Columns *columns, int *count)
{
	*count = -1;
	columns->payloads = paws_job_column(fcinfo, 1, -1, false, TYPALIGN_INT, count);
	columns->subjects = paws_job_column(fcinfo, 3, PAWS_TOKEN_BYTES, false, TYPALIGN_CHAR, count);
	columns->keys = paws_job_column(fcinfo, 4, -1, false, TYPALIGN_INT, count);
	columns->not_before = paws_job_column(fcinfo, 5, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, count);
}

static void
read_item(const Columns *columns, int i, Asked *item)
{
	if (paws_job_missing(&columns->payloads, i))
	{
		item->outcome = PAWS_JOB_WAS_REJECTED;
		item->reason = PAWS_REASON_MALFORMED;
		return;
	}
	read_payload(item, columns->payloads.values[i]);
	if (!paws_job_missing(&columns->subjects, i))
		item->submission.subject = checked_token(columns->subjects.values[i]);
	if (!paws_job_missing(&columns->keys, i))
		read_key(item, columns->keys.values[i]);
	if (!paws_job_missing(&columns->not_before, i))
		item->submission.not_before = paws_job_begin(columns->not_before.values[i], "not_before");
}

static void
put_answer(PawsRows *rows, const Asked *item, int number)
{
	bool known = item->reason == PAWS_REASON_NONE;

	if (known)
		paws_row_datum(rows, Int64GetDatum(item->submission.id));
	else
		paws_row_null(rows);
	paws_row_label(rows, paws_job_outcome_name(item->outcome));
	paws_row_label(rows, known ? paws_job_state_name(item->submission.state) : NULL);
	paws_row_null(rows);
	if (item->outcome == PAWS_JOB_WAS_SUBMITTED)
		paws_row_datum(rows, Int16GetDatum(paws_item_level(item->submission.klass)));
	else
		paws_row_null(rows);
	paws_row_null(rows);
	paws_row_text(rows, paws_reason_name(item->reason));
	paws_row_datum(rows, Int32GetDatum(number));
	paws_row_end(rows);
}

Datum
paws_item_submit_many(FunctionCallInfo fcinfo)
{
	PawsCrisisTime time = paws_crisis_take_time();
	int slot = paws_database_slot();
	Columns columns;
	PawsRows rows;
	Asked *items;
	int count;

	refuse_arguments(fcinfo);
	read_columns(fcinfo, &columns, &count);
	items = palloc0(Max(count, 1) * sizeof(Asked));
	for (int i = 0; i < count; i++)
	{
		read_topic(fcinfo, &items[i]);
		read_item(&columns, i, &items[i]);
	}
	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	if (count > 0)
		require_topic(&items[0]);
	for (int i = 0; i < count; i++)
		submit(slot, &items[i]);
	for (int i = 0; i < count; i++)
		put_answer(&rows, &items[i], i + 1);
	paws_spi_end();
	paws_crisis_end_time(&time);
	return (Datum) 0;
}
