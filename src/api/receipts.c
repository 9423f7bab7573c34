/*
 * api/receipts.c - what became of a device's operations.
 */
#include "postgres.h"

#include "api/items_limit.h"
#include "base/database.h"
#include "base/spi.h"
#include "care/care.h"
#include "catalog/pg_type.h"
#include "control/rows.h"
#include "crisis/crisis.h"
#include "guard/mint.h"
#include "registry/registry.h"
#include "utils/array.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(paws_receipts);

static int
read_op_ids(ArrayType *array, PawsReceipt **receipts)
{
	Datum *values;
	bool *nulls;
	int count;
	int n = 0;

	deconstruct_array(array, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &values, &nulls, &count);
	paws_items_limit(count);
	*receipts = palloc0(Max(count, 1) * sizeof(PawsReceipt));
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			(*receipts)[n++].op_id = *DatumGetUUIDP(values[i]);
	return n;
}

/* An operation without a receipt still waits, or was never pushed by this device, or is older than the feed.
 */
Datum
paws_receipts(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument(fcinfo, 0, PAWS_TOKEN_DEVICE);
	PawsDevice device;
	PawsReceipt *receipts;
	PawsRows rows;
	int count;

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("op_ids must not be null")));
	count = read_op_ids(PG_GETARG_ARRAYTYPE_P(1), &receipts);
	(void) paws_database_slot();
	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	paws_registry_device(token, &device);
	paws_store_receipts(&paws_crisis_store, device.device_no, receipts, count);
	paws_store_receipts(&paws_care_store, device.device_no, receipts, count);
	for (int i = 0; i < count; i++)
	{
		PawsReceipt *receipt = &receipts[i];

		paws_row_datum(&rows, UUIDPGetDatum(&receipt->op_id));
		paws_row_label(&rows, receipt->outcome ? paws_outcome_name(receipt->outcome) : NULL);
		if (receipt->outcome)
			paws_row_datum(&rows, Int64GetDatum(receipt->revision));
		else
			paws_row_null(&rows);
		paws_row_text(&rows, paws_reason_name(receipt->reason));
		paws_row_timestamp(&rows, receipt->finished_at);
		paws_row_end(&rows);
	}
	paws_spi_end();
	return (Datum) 0;
}
