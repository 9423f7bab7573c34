/*
 * table_calls.c - base/table as SQL functions over one table of a test's own, rows.item (k bigint, v text, payload
 * bytea) with a unique index on k and another one on v. The library paws_sync is preloaded, which resolves the names.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

#define COLUMNS 3

PG_FUNCTION_INFO_V1(put);
PG_FUNCTION_INFO_V1(put_new);
PG_FUNCTION_INFO_V1(put_many);
PG_FUNCTION_INFO_V1(add);
PG_FUNCTION_INFO_V1(add_many);
PG_FUNCTION_INFO_V1(find);
PG_FUNCTION_INFO_V1(find_payload);
PG_FUNCTION_INFO_V1(walk);
PG_FUNCTION_INFO_V1(walk_and_put);
PG_FUNCTION_INFO_V1(place);
PG_FUNCTION_INFO_V1(remove_at);
PG_FUNCTION_INFO_V1(remove_all);
PG_FUNCTION_INFO_V1(change);
PG_FUNCTION_INFO_V1(fail_between);

static PawsTable item = {
	.schema = "rows", .name = "item", .indexes = {"item_k", "item_v"}, .columns = COLUMNS};

static void
to_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	for (int i = 0; i < COLUMNS; i++)
	{
		nulls[i] = PG_ARGISNULL(i);
		values[i] = nulls[i] ? (Datum) 0 : PG_GETARG_DATUM(i);
	}
}

static bool
put_one(FunctionCallInfo fcinfo, bool look_first)
{
	Datum values[COLUMNS];
	bool nulls[COLUMNS];
	PawsWriter writer;
	bool added;

	to_row(fcinfo, values, nulls);
	paws_writer_begin(&writer, &item, true);
	added = look_first ? paws_writer_insert_once(&writer, &item, 0, values, nulls)
					   : paws_writer_insert_new(&writer, &item, 0, values, nulls);
	paws_writer_end(&writer);
	return added;
}

/* put(k, v, payload): whether it was added; put_new is the other way to do it */
Datum
put(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(put_one(fcinfo, true));
}

Datum
put_new(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(put_one(fcinfo, false));
}

/* add(k, v, payload) */
Datum
add(PG_FUNCTION_ARGS)
{
	Datum values[COLUMNS];
	bool nulls[COLUMNS];
	PawsWriter writer;

	to_row(fcinfo, values, nulls);
	paws_writer_begin(&writer, &item, false);
	paws_writer_insert(&writer, values, nulls);
	paws_writer_end(&writer);
	PG_RETURN_VOID();
}

/* Rows of the keys in an array: v is "v" and the key, no payload. */
static int
many_rows(ArrayType *keys, Datum **values, bool **nulls)
{
	Datum *elements;
	int count;

	deconstruct_array(keys, INT8OID, 8, true, TYPALIGN_DOUBLE, &elements, NULL, &count);
	*values = palloc(Max(count, 1) * COLUMNS * sizeof(Datum));
	*nulls = palloc(Max(count, 1) * COLUMNS * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		(*values)[i * COLUMNS] = elements[i];
		(*values)[i * COLUMNS + 1] = CStringGetTextDatum(psprintf("v" INT64_FORMAT, DatumGetInt64(elements[i])));
		(*nulls)[i * COLUMNS] = (*nulls)[i * COLUMNS + 1] = false;
		(*nulls)[i * COLUMNS + 2] = true;
	}
	return count;
}

/* put_many(keys): whether each was added */
Datum
put_many(PG_FUNCTION_ARGS)
{
	Datum *values;
	bool *nulls;
	int count = many_rows(PG_GETARG_ARRAYTYPE_P(0), &values, &nulls);
	bool *added = palloc(Max(count, 1));
	Datum *answers = palloc(Max(count, 1) * sizeof(Datum));
	PawsWriter writer;

	paws_writer_begin(&writer, &item, true);
	paws_writer_insert_many_once(&writer, &item, 0, values, nulls, COLUMNS, count, added);
	paws_writer_end(&writer);
	for (int i = 0; i < count; i++)
		answers[i] = BoolGetDatum(added[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(answers, count, BOOLOID, 1, true, TYPALIGN_CHAR));
}

/* add_many(keys) */
Datum
add_many(PG_FUNCTION_ARGS)
{
	Datum *values;
	bool *nulls;
	int count = many_rows(PG_GETARG_ARRAYTYPE_P(0), &values, &nulls);
	PawsWriter writer;

	paws_writer_begin(&writer, &item, false);
	paws_writer_insert_many(&writer, values, nulls, COLUMNS, count);
	paws_writer_end(&writer);
	PG_RETURN_VOID();
}

/* The row of a key, as a snapshot has it: what the function makes of it. */
static Datum
look_up(int64 k, bool latest, Datum (*make)(PawsScan *scan))
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = Int64GetDatum(k)};
	Snapshot snapshot = paws_table_snap(latest);
	PawsScan scan;
	Datum found = (Datum) 0;

	paws_scan_begin(&scan, &item, 0, snapshot, &key, 1);
	if (paws_scan_next(&scan))
		found = make(&scan);
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
	return found;
}

static Datum
copy_v(PawsScan *scan)
{
	bool isnull;
	Datum value = paws_scan_column(scan, 2, &isnull);

	return isnull ? CStringGetTextDatum("NULL") : PointerGetDatum(DatumGetTextPCopy(value));
}

static Datum
copy_payload(PawsScan *scan)
{
	return PointerGetDatum(paws_scan_bytea(scan, 3));
}

static Datum
copy_place(PawsScan *scan)
{
	ItemPointer copy = palloc(sizeof(ItemPointerData));

	*copy = *paws_scan_place(scan);
	return PointerGetDatum(copy);
}

static Datum
or_null(FunctionCallInfo fcinfo, Datum value)
{
	if (value == (Datum) 0)
		PG_RETURN_NULL();
	return value;
}

/* find(k, latest): v of the row */
Datum
find(PG_FUNCTION_ARGS)
{
	return or_null(fcinfo, look_up(PG_GETARG_INT64(0), PG_GETARG_BOOL(1), copy_v));
}

Datum
find_payload(PG_FUNCTION_ARGS)
{
	return or_null(fcinfo, look_up(PG_GETARG_INT64(0), false, copy_payload));
}

/* place(k): where the row is */
Datum
place(PG_FUNCTION_ARGS)
{
	return or_null(fcinfo, look_up(PG_GETARG_INT64(0), false, copy_place));
}

/* walk(from, to): the keys, and once more from the start */
Datum
walk(PG_FUNCTION_ARGS)
{
	PawsKey range[2] = {
		{.column = 1, .strategy = BTGreaterEqualStrategyNumber, .value = PG_GETARG_DATUM(0)},
		{.column = 1, .strategy = BTLessEqualStrategyNumber, .value = PG_GETARG_DATUM(1)},
	};
	Datum again[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	Datum keys[1000];
	int count = 0;
	Snapshot snapshot = paws_table_snap(false);
	PawsScan scan;

	paws_scan_begin(&scan, &item, 0, snapshot, range, 2);
	(void) paws_scan_next(&scan);
	paws_scan_again(&scan, again);
	while (count < 1000 && paws_scan_next(&scan))
		keys[count++] = Int64GetDatum(paws_scan_int64(&scan, 1));
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
	PG_RETURN_ARRAYTYPE_P(construct_array(keys, count, INT8OID, 8, true, TYPALIGN_DOUBLE));
}

/* walk_and_put(from): walks and puts key + 1 for each key that it meets; how many it met */
Datum
walk_and_put(PG_FUNCTION_ARGS)
{
	PawsKey range = {.column = 1, .strategy = BTGreaterEqualStrategyNumber, .value = PG_GETARG_DATUM(0)};
	Snapshot snapshot = paws_table_snap(false);
	PawsWriter writer;
	PawsScan scan;
	int count = 0;

	paws_scan_begin(&scan, &item, 0, snapshot, &range, 1);
	while (count < 1000 && paws_scan_next(&scan))
	{
		Datum values[COLUMNS] = {Int64GetDatum(paws_scan_int64(&scan, 1) + 1)};
		bool nulls[COLUMNS] = {false, true, true};

		count++;
		paws_writer_begin(&writer, &item, true);
		(void) paws_writer_insert_once(&writer, &item, 0, values, nulls);
		paws_writer_end(&writer);
		paws_table_unsnap(paws_table_snap(false));
	}
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
	PG_RETURN_INT32(count);
}

static const char *
name_of(PawsWritten written)
{
	switch (written)
	{
		case PAWS_WRITTEN:
			return "written";
		case PAWS_WRITTEN_LOCKED:
			return "locked";
		case PAWS_WRITTEN_GONE:
			return "gone";
	}
	return "?";
}

/* remove_at(place, k, wait): looks whether it is the row of this key, and deletes it */
Datum
remove_at(PG_FUNCTION_ARGS)
{
	Snapshot snapshot = paws_table_snap(false);
	PawsWriter writer;
	const char *answer = "not there";
	bool isnull;

	paws_writer_begin(&writer, &item, false);
	if (paws_writer_fetch(&writer, (ItemPointer) PG_GETARG_POINTER(0), snapshot))
		answer = DatumGetInt64(slot_getattr(writer.slot, 1, &isnull)) == PG_GETARG_INT64(1)
					 ? name_of(paws_writer_delete(&writer, (ItemPointer) PG_GETARG_POINTER(0), snapshot,
												  PG_GETARG_BOOL(2)))
					 : "another";
	paws_writer_end(&writer);
	paws_table_unsnap(snapshot);
	PG_RETURN_TEXT_P(cstring_to_text(answer));
}

/* Deletes (change NULL) or changes the row of a key that a snapshot has. */
static const char *
write_found(int64 k, bool wait, const Datum *values, const bool *nulls)
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = Int64GetDatum(k)};
	Snapshot snapshot = paws_table_snap(false);
	PawsWriter writer;
	PawsScan scan;
	const char *answer = "not there";

	paws_writer_begin(&writer, &item, false);
	paws_scan_begin(&scan, &item, 0, snapshot, &key, 1);
	if (paws_scan_next(&scan))
		answer = name_of(values ? paws_writer_update(&writer, paws_scan_place(&scan), snapshot, values, nulls, wait)
								: paws_writer_delete(&writer, paws_scan_place(&scan), snapshot, wait));
	paws_scan_end(&scan);
	paws_writer_end(&writer);
	paws_table_unsnap(snapshot);
	return answer;
}

/* remove_all(keys, wait): the answers */
Datum
remove_all(PG_FUNCTION_ARGS)
{
	Datum *keys;
	int count;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, 8, true, TYPALIGN_DOUBLE, &keys, NULL, &count);
	for (int i = 0; i < count; i++)
		keys[i] = CStringGetTextDatum(write_found(DatumGetInt64(keys[i]), PG_GETARG_BOOL(1), NULL, NULL));
	PG_RETURN_ARRAYTYPE_P(construct_array(keys, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* change(k, v, payload, wait) */
Datum
change(PG_FUNCTION_ARGS)
{
	Datum values[COLUMNS];
	bool nulls[COLUMNS];

	to_row(fcinfo, values, nulls);
	PG_RETURN_TEXT_P(cstring_to_text(write_found(PG_GETARG_INT64(0), PG_GETARG_BOOL(3), values, nulls)));
}

/* fail_between(k): an error with a walk, a writer and two snapshots open, and a row put */
Datum
fail_between(PG_FUNCTION_ARGS)
{
	PawsKey range = {.column = 1, .strategy = BTGreaterEqualStrategyNumber, .value = Int64GetDatum(0)};
	Datum values[COLUMNS] = {PG_GETARG_DATUM(0)};
	bool nulls[COLUMNS] = {false, true, true};
	PawsWriter writer;
	PawsScan scan;

	paws_writer_begin(&writer, &item, true);
	(void) paws_writer_insert_once(&writer, &item, 0, values, nulls);
	(void) paws_table_snap(true);
	paws_scan_begin(&scan, &item, 0, paws_table_snap(false), &range, 1);
	(void) paws_scan_next(&scan);
	ereport(ERROR, (errcode(ERRCODE_RAISE_EXCEPTION), errmsg("in between")));
}
