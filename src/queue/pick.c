/*
 * queue/pick.c - walking along the order of the queue.
 *
 * A place is a rank and an id in it. Many operations may have the same rank, so a walk from a place on is
 * two: one along its rank, and one along those above.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "queue/avoid.h"
#include "queue/operation.h"
#include "queue/pick.h"
#include "queue/queue.h"
#include "utils/timestamp.h"

/* Rows of subjects that are left for now that a walk passes at a level, before it goes on with the next
 * level. Others have their rows early in the order, so these are not missed. */
#define PASSED_MAX 1000

void
paws_pick_begin(PawsPick *pick)
{
	PawsKey same[3] = {{1, BTEqualStrategyNumber, Int16GetDatum(0)},
					   {2, BTEqualStrategyNumber, Int64GetDatum(0)},
					   {3, BTGreaterEqualStrategyNumber, Int64GetDatum(0)}};
	PawsKey later[2] = {{1, BTEqualStrategyNumber, Int16GetDatum(0)},
						{2, BTGreaterStrategyNumber, Int64GetDatum(0)}};

	pick->snapshot = paws_table_snap(false);
	pick->now = GetCurrentTimestamp();
	paws_scan_begin(&pick->same, &paws_queue_operations, OPERATION_BY_ORDER, pick->snapshot, same, 3);
	paws_scan_begin(&pick->later, &paws_queue_operations, OPERATION_BY_ORDER, pick->snapshot, later, 2);
}

void
paws_pick_end(PawsPick *pick)
{
	paws_scan_end(&pick->later);
	paws_scan_end(&pick->same);
	paws_table_unsnap(pick->snapshot);
}

static void
go_to(PawsPick *pick, int level, PawsPlace from)
{
	Datum values[3] = {Int16GetDatum(level), Int64GetDatum(from.rank), Int64GetDatum(from.id)};

	paws_scan_again(&pick->same, values);
	pick->at = &pick->same;
	pick->level = level;
	pick->rank = from.rank;
}

static bool
step(PawsPick *pick)
{
	Datum values[2] = {Int16GetDatum(pick->level), Int64GetDatum(pick->rank)};

	if (paws_scan_next(pick->at))
		return true;
	if (pick->at == &pick->later)
		return false;
	paws_scan_again(&pick->later, values);
	pick->at = &pick->later;
	return paws_scan_next(pick->at);
}

/* A clock that was set back makes nothing wait longer than the longest that it can have been put off. */
static bool
is_ready(const PawsPick *pick)
{
	bool isnull;
	Datum column = paws_scan_column(pick->at, OPERATION_NOT_BEFORE, &isnull);
	TimestampTz not_before = DatumGetTimestampTz(column);

	return isnull || not_before <= pick->now ||
		   not_before > pick->now + PAWS_BACKOFF_MAX_MS * INT64CONST(1000);
}

bool
paws_pick_head(PawsPick *pick, int level, PawsPlace from, PawsHeadOf *head)
{
	bool any = false;

	head->ready = false;
	go_to(pick, level, from);
	while (!head->ready && step(pick))
	{
		head->ready = is_ready(pick);
		if (any && !head->ready)
			continue;
		head->rank = paws_scan_int64(pick->at, OPERATION_RANK);
		head->due_at = paws_scan_int64(pick->at, OPERATION_DUE_AT);
		head->enqueued_at = paws_scan_int64(pick->at, OPERATION_ENQUEUED_AT);
		if (!any)
			head->first = (PawsPlace){head->rank, paws_scan_int64(pick->at, OPERATION_ID)};
		any = true;
	}
	return any;
}

static int32
stored_bytes(PawsScan *scan)
{
	bool isnull;
	Datum envelope = paws_scan_column(scan, OPERATION_ENVELOPE, &isnull);

	return isnull ? 0 : (int32) toast_datum_size(envelope);
}

static void
add(PawsPick *pick, int level, PawsCandidates *candidates)
{
	candidates->rows[candidates->count++] =
		(PawsCandidate){.id = paws_scan_int64(pick->at, OPERATION_ID),
						.rank = paws_scan_int64(pick->at, OPERATION_RANK),
						.subject_no = paws_scan_int64(pick->at, OPERATION_SUBJECT_NO),
						.bytes = stored_bytes(pick->at),
						.level = level,
						.attempts = paws_scan_int16(pick->at, OPERATION_ATTEMPTS),
						.place = *paws_scan_place(pick->at)};
}

int
paws_pick_level(PawsPick *pick, int level, PawsPlace from, PawsCandidates *candidates)
{
	int before = candidates->count;
	int passed = 0;

	go_to(pick, level, from);
	while (candidates->count < candidates->room && passed < PASSED_MAX && step(pick))
	{
		if (!is_ready(pick))
			continue;
		if (paws_avoided(paws_scan_int64(pick->at, OPERATION_SUBJECT_NO)))
			passed++;
		else
			add(pick, level, candidates);
	}
	return candidates->count - before;
}
