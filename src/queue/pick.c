/*
 * queue/pick.c - walking along the order of the queue.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "queue/operation.h"
#include "queue/pick.h"
#include "utils/timestamp.h"

void
paws_pick_begin(PawsPick *pick)
{
	PawsKey keys[2] = {{1, BTEqualStrategyNumber, Int16GetDatum(0)},
					   {2, BTGreaterEqualStrategyNumber, Int64GetDatum(0)}};

	pick->snapshot = paws_table_snap(false);
	pick->now = GetCurrentTimestamp();
	paws_scan_begin(&pick->scan, &paws_queue_operations, OPERATION_BY_ORDER, pick->snapshot, keys, 2);
	if (RelationGetNumberOfAttributes(pick->scan.table) != OPERATION_COLUMNS)
		paws_queue_refuse_version();
}

void
paws_pick_end(PawsPick *pick)
{
	paws_scan_end(&pick->scan);
	paws_table_unsnap(pick->snapshot);
}

static void
go_to(PawsPick *pick, int level, int64 from)
{
	Datum values[2] = {Int16GetDatum(level), Int64GetDatum(from)};

	paws_scan_again(&pick->scan, values);
}

static bool
ready(PawsPick *pick)
{
	bool isnull;
	Datum not_before = paws_scan_column(&pick->scan, OPERATION_NOT_BEFORE, &isnull);

	return isnull || DatumGetTimestampTz(not_before) <= pick->now;
}

bool
paws_pick_head(PawsPick *pick, int level, int64 from, PawsHeadOf *head)
{
	go_to(pick, level, from);
	if (!paws_scan_next(&pick->scan))
		return false;
	head->id = paws_scan_int64(&pick->scan, OPERATION_ID);
	head->ready = ready(pick);
	head->due_at = paws_scan_int64(&pick->scan, OPERATION_DUE_AT);
	return true;
}

static int32
stored_bytes(PawsScan *scan)
{
	bool isnull;
	Datum envelope = paws_scan_column(scan, OPERATION_ENVELOPE, &isnull);

	return isnull ? 0 : (int32) toast_datum_size(envelope);
}

int
paws_pick_level(PawsPick *pick, int level, int64 from, PawsCandidates *candidates)
{
	PawsScan *scan = &pick->scan;
	int before = candidates->count;

	go_to(pick, level, from);
	while (candidates->count < candidates->room && paws_scan_next(scan))
		if (ready(pick))
			candidates->rows[candidates->count++] =
				(PawsCandidate){.id = paws_scan_int64(scan, OPERATION_ID),
								.subject_no = paws_scan_int64(scan, OPERATION_SUBJECT_NO),
								.bytes = stored_bytes(scan),
								.level = level,
								.attempts = paws_scan_int16(scan, OPERATION_ATTEMPTS),
								.place = *paws_scan_place(scan)};
	return candidates->count - before;
}
