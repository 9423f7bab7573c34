/*
 * crisis/budget.c - time for a crisis operation, whatever statement_timeout its caller has.
 */
#include "postgres.h"

#include "base/guarded.h"
#include "base/reserve.h"
#include "crisis/budget.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* What others wait for in the lane's name keeps to its parts. */
StaticAssertDecl(PAWS_GUARDED_ROW_WAIT_MS <= PAWS_CRISIS_LOCK_WAIT_MS,
				 "a crisis push waits too long for its lock");
StaticAssertDecl(PAWS_BATCH_NS <= PAWS_CRISIS_ORDINARY_BATCH_MS * INT64CONST(1000000),
				 "the reserve is lent for longer than a batch of ordinary work");

void
paws_crisis_take_time(void)
{
	TimestampTz end;

	if (!get_timeout_active(STATEMENT_TIMEOUT))
		return;
	end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PAWS_CRISIS_BUDGET_MS);
	if (get_timeout_finish_time(STATEMENT_TIMEOUT) < end)
		enable_timeout_at(STATEMENT_TIMEOUT, end);
}
