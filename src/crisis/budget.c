/*
 * crisis/budget.c - time for a crisis operation, whatever timeouts its caller has.
 */
#include "postgres.h"

#include "base/guarded.h"
#include "base/reserve.h"
#include "crisis/budget.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* What others wait for in the lane's name keeps to its parts. */
StaticAssertDecl(PAWS_GUARDED_ROW_WAIT_MS <= PAWS_CRISIS_LOCK_WAIT_MS,
				 "a crisis push waits too long for its lock");
StaticAssertDecl(PAWS_BATCH_NS <= PAWS_CRISIS_ORDINARY_BATCH_MS * INT64CONST(1000000),
				 "the reserve is lent for longer than a batch of ordinary work");

PawsCrisisTime
paws_crisis_take_time(void)
{
	PawsCrisisTime time = {0};
	TimestampTz end;

	if (LockTimeout > 0 && LockTimeout < PAWS_CRISIS_BUDGET_MS)
	{
		time.nest = NewGUCNestLevel();
		(void) set_config_option("lock_timeout", CppAsString2(PAWS_CRISIS_BUDGET_MS), PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	}
	if (!get_timeout_active(STATEMENT_TIMEOUT))
		return time;
	end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PAWS_CRISIS_BUDGET_MS);
	if (get_timeout_finish_time(STATEMENT_TIMEOUT) >= end)
		return time;
	time.end_at = get_timeout_finish_time(STATEMENT_TIMEOUT);
	enable_timeout_at(STATEMENT_TIMEOUT, end);
	return time;
}

void
paws_crisis_end_time(PawsCrisisTime *time)
{
	if (time->nest > 0)
		AtEOXact_GUC(true, time->nest);
	time->nest = 0;
}

void
paws_crisis_give_back_time(PawsCrisisTime *time)
{
	paws_crisis_end_time(time);
	if (time->end_at != 0)
		enable_timeout_at(STATEMENT_TIMEOUT, time->end_at);
	time->end_at = 0;
}
