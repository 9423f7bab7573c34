/*
 * control/rows.c - a tuplestore, filled column by column.
 */
#include "postgres.h"

#include "control/rows.h"
#include "guard/codes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

/* What the caller expects is what the function returns; where it says nothing the catalog is asked. */
static TupleDesc
row_of(FunctionCallInfo fcinfo, const ReturnSetInfo *result)
{
	TupleDesc row = result->expectedDesc;

	if (row == NULL && get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "function does not return rows");
	if (row->natts > PAWS_ROW_COLUMNS_MAX)
		elog(ERROR, "too many columns");
	return CreateTupleDescCopy(row);
}

/*
 * Rows may hold payloads in the clear. The tuplestore that the server would make goes to a temporary file
 * above work_mem; ours does not, and it is the caller's limits that bound it. Nor does it look the function
 * up in the catalogs for each call.
 */
void
paws_rows_begin(PawsRows *rows, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	bool random;

	if (result == NULL || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("set of rows is returned where none can be taken")));
	random = (result->allowedModes & SFRM_Materialize_Random) != 0;
	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	result->returnMode = SFRM_Materialize;
	result->setResult = tuplestore_begin_heap(random, false, MAX_KILOBYTES);
	result->setDesc = row_of(fcinfo, result);
	MemoryContextSwitchTo(old);
	rows->result = result;
	rows->next = 0;
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
