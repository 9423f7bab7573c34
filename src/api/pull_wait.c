/*
 * api/pull_wait.c - what pull_wait and pull_crisis_wait share: a page as soon as there is one.
 */
#include "postgres.h"

#include <sched.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "api/pull.h"
#include "base/clock.h"
#include "base/database.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/wake.h"
#include "guard/mint.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

/* On a standby nobody wakes us: commits happen elsewhere. */
#define STANDBY_POLL_MS 50

/* In milliseconds, at most paws_sync.max_wait_with_snapshot: the caller's snapshot holds back vacuum for that
 * long. */
static long
wait_argument(FunctionCallInfo fcinfo, int argument)
{
	Interval *interval;
	double ms;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("timeout must not be null")));
	interval = PG_GETARG_INTERVAL_P(argument);
	ms = (double) interval->time / 1000.0 +
		 (interval->day + interval->month * 30.0) * (double) SECS_PER_DAY * 1000.0;
	if (ms < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("timeout is negative")));
	return (long) Min(ms, (double) paws_max_wait_with_snapshot);
}

/* A subject that is forgotten while its device waits has no keys any more; nor is there a device then. */
static void
notice_forgotten(PawsPull *pull, const PawsToken *token, uint64 *keys)
{
	uint64 now = paws_database_version_latest(paws_database_slot(), PAWS_CACHED_KEYS);

	if (now != *keys || RecoveryInProgress())
		paws_pull_find_device(token, &pull->device);
	*keys = now;
}

/* True if a crisis commit is being flushed; then what opens it is at hand. */
static bool
is_near(const PawsPull *pull)
{
	union
	{
		PawsVaultHint vault;
		char bytes[PAWS_WAKE_HINT_BYTES];
	} hint;

	if (!paws_wake_key_is_near(&hint))
		return false;
	paws_spi_begin();
	paws_vault_expect(pull->device.subject_no, &hint.vault);
	paws_spi_end();
	return true;
}

/*
 * A crisis commit is being flushed: what it will show was just looked for in vain, so that all of it is at
 * hand, and giving up the processor now would cost more than keeping it until the disk has answered. True if
 * the count moved on.
 */
static bool
spin(const PawsPull *pull, uint64 count)
{
	int64 end = paws_clock() + paws_crisis_spin;

	while (paws_wake_key_count(pull->slot, pull->device.subject_no) == count)
	{
		if (InterruptPending || paws_clock() >= end)
			return false;
		(void) sched_yield();
	}
	return true;
}

/* The latch is reset before each look, so what is committed after the look sets it again. */
static void
wait_for_page(PawsPull *pull, PawsPullRead read, long timeout, const PawsToken *token, uint64 keys)
{
	int64 deadline = paws_clock() + timeout * 1000;

	for (;;)
	{
		uint64 count = paws_wake_key_count(pull->slot, pull->device.subject_no);
		long left;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		notice_forgotten(pull, token, &keys);
		if (read(pull))
			return;
		left = (long) ((deadline - paws_clock() + 999) / 1000);
		if (left <= 0)
			return;
		if (is_near(pull) && spin(pull, count))
			continue;
		if (RecoveryInProgress())
			left = Min(left, STANDBY_POLL_MS);
		if (pull->retry_after > 0)
			left = Min(left, pull->retry_after / 1000 + 1);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION);
	}
}

static void
require_fresh_snapshots(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(
			ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("pull_wait needs transaction isolation level read committed"),
			 errhint(
				 "In a transaction with one snapshot nothing new can appear; use READ COMMITTED, or pull.")));
}

void
paws_pull_wait_and_read(PawsPull *pull, FunctionCallInfo fcinfo, const PawsToken *token, int timeout_at,
						PawsPullRead read)
{
	uint64 keys;
	long timeout;

	require_fresh_snapshots();
	timeout = wait_argument(fcinfo, timeout_at);
	keys = paws_database_version_latest(paws_database_slot(), PAWS_CACHED_KEYS);
	paws_pull_begin(pull, fcinfo, token, timeout_at + 1);
	paws_wake_key_watch(pull->slot, pull->device.subject_no);
	PG_TRY();
	{
		wait_for_page(pull, read, timeout, token, keys);
	}
	PG_FINALLY();
	{
		paws_wake_key_unwatch();
		paws_vault_expect(0, NULL);
	}
	PG_END_TRY();
}
