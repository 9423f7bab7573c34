/*
 * care/look_up.c - what each push needs to know of its subject and its operations.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/table.h"
#include "care/care.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Columns of the tables. */
#define ENTITLEMENT_TIER  2
#define ENTITLEMENT_UNTIL 3
#define FEED_REVISION     4
#define FEED_FINISHED_AT  5
#define FEED_OUTCOME      9
#define FEED_REASON       10

static PawsTable entitlement = {.schema = "paws_care",
								.name = "entitlement",
								.indexes = {"entitlement_pkey"}};
static PawsTable feed = {.schema = "paws_care", .name = "feed", .indexes = {"feed_receipt_idx"}};

static PawsTier
read_tier(int64 subject_no, Snapshot snapshot)
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = Int64GetDatum(subject_no)};
	PawsTier tier = PAWS_TIER_TRIAL;
	PawsScan scan;

	paws_scan_begin(&scan, &entitlement, 0, snapshot, &key, 1);
	if (paws_scan_next(&scan))
	{
		bool forever;
		Datum until = paws_scan_column(&scan, ENTITLEMENT_UNTIL, &forever);

		if (forever || DatumGetTimestampTz(until) > GetCurrentTransactionStartTimestamp())
			tier = (PawsTier) paws_scan_int16(&scan, ENTITLEMENT_TIER);
	}
	paws_scan_end(&scan);
	return tier;
}

static void
read_receipt(PawsScan *scan, PawsReceipt *receipt)
{
	receipt->outcome = (PawsOutcome) paws_scan_int16(scan, FEED_OUTCOME);
	receipt->reason = (PawsReason) paws_scan_int16(scan, FEED_REASON);
	receipt->revision = paws_scan_int64(scan, FEED_REVISION);
	receipt->finished_at = paws_scan_int64(scan, FEED_FINISHED_AT);
}

static void
read_receipts(int64 device_no, Snapshot snapshot, PawsReceipt *receipts, int count)
{
	PawsKey keys[2] = {
		{.column = 1, .strategy = BTEqualStrategyNumber, .value = Int64GetDatum(device_no)},
		{.column = 2, .strategy = BTEqualStrategyNumber},
	};
	Datum values[2] = {Int64GetDatum(device_no)};
	PawsScan scan;

	if (count == 0)
		return;
	keys[1].value = UUIDPGetDatum(&receipts[0].op_id);
	paws_scan_begin(&scan, &feed, 0, snapshot, keys, 2);
	for (int i = 0; i < count; i++)
	{
		values[1] = UUIDPGetDatum(&receipts[i].op_id);
		if (i > 0)
			paws_scan_again(&scan, values);
		if (paws_scan_next(&scan))
			read_receipt(&scan, &receipts[i]);
	}
	paws_scan_end(&scan);
}

PawsTier
paws_care_look_up(int64 subject_no, int64 device_no, PawsReceipt *receipts, int count)
{
	Snapshot snapshot = paws_table_snap(false);
	PawsTier tier = read_tier(subject_no, snapshot);

	read_receipts(device_no, snapshot, receipts, count);
	paws_table_unsnap(snapshot);
	return tier;
}
