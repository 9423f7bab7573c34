/*
 * care/look_up.c - what each push needs to know of its subject and its operations.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/database.h"
#include "base/fresh.h"
#include "base/stored.h"
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

/* What this process remembers, by number of the subject. */
#define PLACES 256

typedef struct KnownTier
{
	PawsFresh fresh;
	int64 subject_no;
	TimestampTz until; /* DT_NOEND: for good */
	PawsTier tier;     /* until then; trial if nothing was set */
} KnownTier;

static KnownTier known[PLACES];

/* False if it is not to be remembered. */
static bool
read_entitlement(int64 subject_no, Snapshot snapshot, KnownTier *read)
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = Int64GetDatum(subject_no)};
	bool lasting = true;
	PawsScan scan;

	read->subject_no = subject_no;
	read->tier = PAWS_TIER_TRIAL;
	read->until = DT_NOEND;
	paws_scan_begin(&scan, &entitlement, 0, snapshot, &key, 1);
	if (paws_scan_next(&scan))
	{
		bool forever;
		Datum until = paws_scan_column(&scan, ENTITLEMENT_UNTIL, &forever);

		read->tier = (PawsTier) paws_stored_code(paws_scan_int16(&scan, ENTITLEMENT_TIER), PAWS_TIER_LAST);
		read->until = forever ? DT_NOEND : DatumGetTimestampTz(until);
		lasting = !paws_scan_is_own(&scan);
	}
	paws_scan_end(&scan);
	return lasting;
}

static PawsTier
tier_now(const KnownTier *entitled)
{
	return entitled->until > GetCurrentTransactionStartTimestamp() ? entitled->tier : PAWS_TIER_TRIAL;
}

PawsTier
paws_care_tier(int64 subject_no)
{
	int slot = paws_database_slot();
	uint64 begun = paws_fresh_begin(slot);
	KnownTier *place = &known[(uint64) subject_no % PLACES];
	KnownTier read = {0};
	Snapshot snapshot;

	if (begun != 0 && place->subject_no == subject_no && paws_fresh_is(slot, &place->fresh))
		return tier_now(place);
	snapshot = paws_table_snap(false);
	if (read_entitlement(subject_no, snapshot, &read) &&
		paws_fresh_note(slot, begun, subject_no, &read.fresh))
		*place = read;
	paws_table_unsnap(snapshot);
	return tier_now(&read);
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

void
paws_care_receipts(int64 device_no, PawsReceipt *receipts, int count)
{
	Snapshot snapshot;

	if (count == 0)
		return;
	snapshot = paws_table_snap(false);
	read_receipts(device_no, snapshot, receipts, count);
	paws_table_unsnap(snapshot);
}
