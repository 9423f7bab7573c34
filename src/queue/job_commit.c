/*
 * queue/job_commit.c - commits of completes that need not wait for the disk.
 *
 * Only if the transaction wrote nothing but that: no transaction id before the first, and not a byte of WAL
 * by anybody else since. Whatever else it wrote is as durable as it would be without us.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/commit.h"
#include "queue/job_private.h"

typedef enum Durability
{
	DURABILITY_UNTOUCHED,
	DURABILITY_RELAXED, /* all that was written so far may be flushed later */
	DURABILITY_FULL
} Durability;

static Durability durability = DURABILITY_UNTOUCHED;
static XLogRecPtr written_to = InvalidXLogRecPtr; /* where our last write ended */
static int written_slot = -1;
static int mode_before = -1;

static bool
is_alone(void)
{
	return durability == DURABILITY_RELAXED && XactLastRecEnd == written_to;
}

static void
at_transaction_event(XactEvent event, void *arg)
{
	if (durability == DURABILITY_UNTOUCHED)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (is_alone() && synchronous_commit != SYNCHRONOUS_COMMIT_OFF)
			{
				mode_before = synchronous_commit;
				synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
			}
			break;
		case XACT_EVENT_COMMIT:
			if (mode_before >= 0)
				paws_job_flush_later(written_slot, (uint64) XactLastCommitEnd);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PRE_PREPARE:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			break;
	}
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)
		return;
	if (mode_before >= 0)
		synchronous_commit = mode_before;
	mode_before = -1;
	durability = DURABILITY_UNTOUCHED;
}

static void
nothing(void *arg)
{
}

/* What must be durable says so to base/commit.c, which raises the commit. */
void
paws_job_before_write(bool durable)
{
	static bool installed = false;

	if (!installed)
		RegisterXactCallback(at_transaction_event, NULL);
	installed = true;
	if (durable)
	{
		if (paws_at_commit_find(nothing) == NULL)
			(void) paws_at_commit(nothing, 0);
		durability = DURABILITY_FULL;
	}
	else if (durability == DURABILITY_UNTOUCHED)
		durability = TransactionIdIsValid(GetTopTransactionIdIfAny()) ? DURABILITY_FULL : DURABILITY_RELAXED;
	else if (!is_alone())
		durability = DURABILITY_FULL;
}

void
paws_job_after_write(int slot)
{
	written_to = XactLastRecEnd;
	written_slot = slot;
}
