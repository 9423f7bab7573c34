/*
 * control/rows.c - a tuplestore, filled column by column.
 */
#include "postgres.h"

#include "control/rows.h"
#include "guard/codes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

/* What the caller expects is what the function is declared to return. */
static TupleDesc
describe(FunctionCallInfo fcinfo, const ReturnSetInfo *result)
{
	TupleDesc descriptor = NULL;

	if (result->expectedDesc == NULL && get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return CreateTupleDescCopy(result->expectedDesc ? result->expectedDesc : descriptor);
}

/* Rows may hold payloads in the clear. The tuplestore that the server offers goes to a temporary file above
 * work_mem; ours does not, and it is the caller's limits that bound it. */
void
paws_rows_begin(PawsRows *rows, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (result == NULL || !IsA(result, ReturnSetInfo) || !(result->allowedModes & SFRM_Materialize))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("a set of rows was called for where none can be taken")));
	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	result->returnMode = SFRM_Materialize;
	result->setDesc = describe(fcinfo, result);
	result->setResult =
		tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, MAX_KILOBYTES);
	MemoryContextSwitchTo(old);
	rows->result = result;
	rows->next = 0;
	if (result->setDesc->natts > PAWS_ROW_COLUMNS_MAX)
		elog(ERROR, "too many columns");
}

void
paws_row_datum(PawsRows *rows, Datum value)
{
	rows->nulls[rows->next] = false;
	rows->values[rows->next++] = value;
}

void
paws_row_null(PawsRows *rows)
{
	rows->nulls[rows->next++] = true;
}

void
paws_row_text(PawsRows *rows, const char *text)
{
	if (text)
		paws_row_datum(rows, CStringGetTextDatum(text));
	else
		paws_row_null(rows);
}

void
paws_row_label(PawsRows *rows, const char *label)
{
	if (label)
		paws_row_datum(rows,
					   paws_enum_datum(TupleDescAttr(rows->result->setDesc, rows->next)->atttypid, label));
	else
		paws_row_null(rows);
}

void
paws_row_interval(PawsRows *rows, int64 microseconds)
{
	Interval *interval = palloc0(sizeof(Interval));

	interval->time = microseconds;
	paws_row_datum(rows, IntervalPGetDatum(interval));
}

void
paws_row_timestamp(PawsRows *rows, TimestampTz time)
{
	if (time)
		paws_row_datum(rows, TimestampTzGetDatum(time));
	else
		paws_row_null(rows);
}

void
paws_row_bytea(PawsRows *rows, bytea *value)
{
	if (value)
		paws_row_datum(rows, PointerGetDatum(value));
	else
		paws_row_null(rows);
}

void
paws_row_end(PawsRows *rows)
{
	if (rows->next != rows->result->setDesc->natts)
		elog(ERROR, "row has %d columns, not %d", rows->next, rows->result->setDesc->natts);
	tuplestore_putvalues(rows->result->setResult, rows->result->setDesc, rows->values, rows->nulls);
	rows->next = 0;
}
