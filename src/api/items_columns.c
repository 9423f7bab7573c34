/*
 * api/items_columns.c - reading operations from arrays, and what both readers share.
 */
#include "postgres.h"

#include "api/items.h"
#include "api/items_limit.h"
#include "base/settings.h"
#include "catalog/pg_type.h"

void
paws_item_reject(PawsItem *item, PawsReason reason)
{
	item->outcome = PAWS_OUTCOME_REJECTED;
	item->reason = reason;
}

void
paws_items_limit(int count)
{
	if (count > paws_max_operations)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many operations in one call"),
				 errdetail("One call takes at most %d.", paws_max_operations),
				 errhint("Push them in several calls, or raise \"paws_sync.max_operations_per_call\".")));
}

typedef struct Column
{
	Datum *values;
	bool *nulls;
} Column;

static Column
open_column(ArrayType *array, Oid type, int length, bool by_value, char align, int *count)
{
	Column column = {NULL, NULL};
	int n = 0;

	if (array == NULL)
		return column;
	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("arrays of operations must have one dimension")));
	deconstruct_array(array, type, length, by_value, align, &column.values, &column.nulls, &n);
	if (*count < 0)
		*count = n;
	if (*count != n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("arrays of operations differ in length"),
				 errhint("Give each operation one element in every array.")));
	return column;
}

static bool
missing(const Column *column, int i)
{
	return column->values == NULL || column->nulls[i];
}

static void
read_item(PawsItem *item, int i, const Column *op_ids, const Column *collections, const Column *doc_ids,
		  const Column *base_revisions, const Column *payloads, const Column *deleted)
{
	item->deleted = !missing(deleted, i) && DatumGetBool(deleted->values[i]);
	item->has_op_id = !missing(op_ids, i);
	if (item->has_op_id)
		item->op_id = *DatumGetUUIDP(op_ids->values[i]);
	if (!missing(payloads, i))
	{
		bytea *payload = DatumGetByteaPP(payloads->values[i]);

		item->payload = (const uint8 *) VARDATA_ANY(payload);
		item->payload_length = VARSIZE_ANY_EXHDR(payload);
	}
	if (!item->has_op_id || missing(collections, i) || missing(doc_ids, i) || missing(base_revisions, i) ||
		DatumGetInt64(base_revisions->values[i]) < 0 ||
		(item->deleted ? item->payload_length > 0 : missing(payloads, i)))
	{
		paws_item_reject(item, PAWS_REASON_MALFORMED);
		return;
	}
	item->collection_name = VARDATA_ANY(DatumGetPointer(collections->values[i]));
	item->collection_length = VARSIZE_ANY_EXHDR(DatumGetPointer(collections->values[i]));
	item->doc_id = *DatumGetUUIDP(doc_ids->values[i]);
	item->base_revision = DatumGetInt64(base_revisions->values[i]);
}

PawsItem *
paws_items_from_columns(const PawsItemColumns *columns, int *count)
{
	Column op_ids;
	Column collections;
	Column doc_ids;
	Column base_revisions;
	Column payloads;
	Column deleted;
	PawsItem *items;

	*count = -1;
	op_ids = open_column(columns->op_ids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, count);
	paws_items_limit(*count);
	collections = open_column(columns->collections, TEXTOID, -1, false, TYPALIGN_INT, count);
	doc_ids = open_column(columns->doc_ids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, count);
	base_revisions =
		open_column(columns->base_revisions, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, count);
	payloads = open_column(columns->payloads, BYTEAOID, -1, false, TYPALIGN_INT, count);
	deleted = open_column(columns->deleted, BOOLOID, sizeof(bool), true, TYPALIGN_CHAR, count);
	items = palloc0(Max(*count, 1) * sizeof(PawsItem));
	for (int i = 0; i < *count; i++)
		read_item(&items[i], i, &op_ids, &collections, &doc_ids, &base_revisions, &payloads, &deleted);
	return items;
}
