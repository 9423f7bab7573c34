/*
 * workers/signals.c - escalation of items and expiry of signals.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/log_safe.h"
#include "base/spi.h"
#include "base/worker.h"
#include "commands/async.h"
#include "crisis/attention.h"
#include "crisis/item.h"
#include "crisis/signal.h"
#include "utils/timestamp.h"
#include "workers/signals.h"

#define SLICE     100
#define AGAIN_US  (60 * USECS_PER_SEC) /* backstop: for rows that nobody told of, and clocks that were set */
#define FAILED_US USECS_PER_SEC
#define RETELL_US (5 * USECS_PER_SEC)

/* Where alarms are told; stable words for programs. */
#define CHANNEL   "paws_sync_alarm"
#define UNCLAIMED "crisis_item_unclaimed"

/* What the last look was made with. */
static uint64 signals_seen = 0;
static uint64 items_seen = 0;
static int64 next_at = 0; /* by paws_clock */
static int64 tell_at = 0; /* the same: when telling may be tried again */

/* Told apart from the marks: whatever ails the queue of notifications, these are written. What could not be
 * told is tried again, by whichever worker comes first. */
static void
notify(int slot)
{
	tell_at = paws_clock() + RETELL_US;
	if (!paws_worker_begin("paws_sync: tell of an item that nobody claimed"))
		return;
	PG_TRY();
	{
		if (paws_items_take_untold(slot))
			Async_Notify(CHANNEL, UNCLAIMED);
		paws_worker_commit();
		tell_at = 0;
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
}

static void
complain(void)
{
	ereport_domain(WARNING, PAWS_LOG_SAFE,
				   (errcode(ERRCODE_WARNING),
					errmsg(UNCLAIMED ": nobody claimed an item of the crisis lane in time"),
					errhint("See paws_sync.crisis_items, and whether responders call claim for its topic.")));
}

/* Microseconds from now; none is far away. */
static int64
until(TimestampTz when)
{
	int64 wait = when == DT_NOEND ? AGAIN_US : when - GetCurrentTimestamp();

	return Max(Min(wait, AGAIN_US), 0);
}

/* When the next signal expires. One that nobody told of, as after a restore, is told of here. */
static TimestampTz
next_expiry(int slot)
{
	TimestampTz expiry = paws_signals_next_expiry();
	uint64 seen;

	if (expiry != DT_NOEND && !paws_signals_maybe(slot, &seen))
		paws_signals_found(slot);
	return expiry;
}

/* Returns the microseconds until the next thing is due; *escalated: how many were. */
static int64
work(int slot, int *escalated)
{
	int64 wait;
	bool more;

	paws_spi_begin();
	*escalated = paws_items_escalate(slot, SLICE);
	more = paws_signals_expire(slot, SLICE) == SLICE || *escalated == SLICE;
	wait = Min(until(paws_items_next_deadline(slot)), until(next_expiry(slot)));
	paws_spi_end();
	/* what is due, and was passed over, somebody else is at */
	return more ? 0 : Max(wait, FAILED_US / 10);
}

static int64
try_work(int slot)
{
	volatile int64 wait = FAILED_US;
	volatile int escalated = 0;

	if (!paws_worker_begin("paws_sync: look after crisis signals"))
		return FAILED_US;
	PG_TRY();
	{
		int marked;
		int64 next = work(slot, &marked);

		paws_worker_commit();
		escalated = marked;
		wait = next;
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
	if (escalated > 0)
		complain();
	return wait;
}

/* Returns when the next turn is to be, by paws_clock. */
static int64
tell(int slot)
{
	if (paws_items_untold(slot) && paws_clock() >= tell_at)
		notify(slot);
	return paws_items_untold(slot) ? Min(next_at, tell_at) : next_at;
}

long
paws_signals_turn(int slot)
{
	uint64 signals = paws_signals_version(slot);
	uint64 items;
	int64 now = paws_clock();

	(void) paws_items_maybe(slot, &items);
	if (signals != signals_seen || items != items_seen || now >= next_at)
	{
		int64 wait = try_work(slot);

		now = paws_clock();
		next_at = now + wait;
		signals_seen = signals;
		items_seen = items;
	}
	return (long) (Max(tell(slot) - now + 999, 0) / 1000);
}
