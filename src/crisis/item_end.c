/*
 * crisis/item_end.c - what becomes of items: completed, given back, put off, cancelled, escalated.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "crisis/attention.h"
#include "crisis/item_private.h"
#include "crisis/signal_audit.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#define CLAIMED                                                                                              \
	" WHERE id OPERATOR(pg_catalog.=) $1 AND fence OPERATOR(pg_catalog.=) $2 "                               \
	"AND state OPERATOR(pg_catalog.=) 2 AND claimed_until IS NOT NULL"

/* For the log. */
#define TOLD " RETURNING id, class, coalesce(subject_no, 0), attempts"

/* What is over holds nothing any more but how it ended. */
#define ENDED                                                                                                \
	"available_at = NULL, deadline = NULL, claimed_at = NULL, claimed_until = NULL, "                        \
	"escalated_at = NULL, seal = NULL, envelope = NULL"

static PawsStatement complete = {
	.sql = "UPDATE paws_crisis.item SET state = 4, ended_at = $3, " ENDED CLAIMED TOLD,
	.nargs = 3,
	.types = {INT8OID, INT8OID, TIMESTAMPTZOID},
};

/* $5: as many attempts more; its deadline is now if they are too many. */
static PawsStatement give_back = {
	.sql = "UPDATE paws_crisis.item SET claimed_at = NULL, claimed_until = NULL, available_at = $3, "
		   "reason = CASE WHEN $5 OPERATOR(pg_catalog.=) 0 THEN reason ELSE $4 END, "
		   "deadline = CASE WHEN attempts OPERATOR(pg_catalog.+) $5 OPERATOR(pg_catalog.>=) $6 "
		   "THEN LEAST(deadline, $7) ELSE deadline END, "
		   "attempts = LEAST(attempts OPERATOR(pg_catalog.+) $5, 32767)::pg_catalog.int2" CLAIMED TOLD,
	.nargs = 7,
	.types = {INT8OID, INT8OID, TIMESTAMPTZOID, INT2OID, INT4OID, INT4OID, TIMESTAMPTZOID},
};

static PawsStatement extend = {
	.sql = "UPDATE paws_crisis.item SET claimed_at = $3, claimed_until = $4" CLAIMED,
	.nargs = 4,
	.types = {INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID},
};

static PawsStatement cancel = {
	.sql = "UPDATE paws_crisis.item SET state = 5, ended_at = $2, " ENDED
		   " WHERE id OPERATOR(pg_catalog.=) $1 AND state OPERATOR(pg_catalog.=) 2" TOLD,
	.nargs = 2,
	.types = {INT8OID, TIMESTAMPTZOID},
};

/* Whoever has one, or is just claiming it, will say what became of it. */
static PawsStatement cancel_signal = {
	.sql = "UPDATE paws_crisis.item SET state = 5, ended_at = $4, " ENDED
		   " WHERE id OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT id FROM paws_crisis.item "
		   "WHERE signal_id OPERATOR(pg_catalog.=) $3 AND state OPERATOR(pg_catalog.=) 2 AND " PAWS_ITEM_FREE
		   " FOR UPDATE SKIP LOCKED))",
	.nargs = 4,
	.types = {TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, TIMESTAMPTZOID},
};

static PawsStatement status = {
	.sql =
		"SELECT topic::pg_catalog.text, state, level, class, attempts, reason, submitted_at, available_at, "
		"claimed_until, ended_at FROM paws_crisis.item WHERE id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement escalate = {
	.sql =
		"UPDATE paws_crisis.item SET level = 10, escalated_at = $4 WHERE id OPERATOR(pg_catalog.=) ANY (ARRAY("
		"SELECT id FROM paws_crisis.item WHERE state OPERATOR(pg_catalog.=) 2 AND escalated_at IS NULL "
		"AND deadline OPERATOR(pg_catalog.<=) $1 AND " PAWS_ITEM_FREE
		" ORDER BY id DESC LIMIT $3 FOR UPDATE SKIP LOCKED))" TOLD,
	.nargs = 4,
	.types = {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID},
};

/* A claim that lasts beyond the deadline is looked at when it ends. */
static PawsStatement next_deadline = {
	.sql = "SELECT pg_catalog.count(*), pg_catalog.min(GREATEST(deadline, claimed_until)) "
		   "FILTER (WHERE escalated_at IS NULL) FROM paws_crisis.item WHERE state OPERATOR(pg_catalog.=) 2",
};

static PawsStatement uses_key = {
	.sql = "SELECT 1 FROM paws_crisis.item WHERE envelope IS NOT NULL "
		   "AND coalesce(subject_no, 0) OPERATOR(pg_catalog.=) $1 "
		   "AND pg_catalog.substring(envelope, 17, 16) OPERATOR(pg_catalog.=) $2 LIMIT 1",
	.nargs = 2,
	.types = {INT8OID, BYTEAOID},
};

static Datum
coarse_now(void)
{
	return TimestampTzGetDatum(paws_item_time(GetCurrentTimestamp()));
}

/* One row of what the last run changed. */
typedef struct Changed
{
	int64 id;
	PawsClass klass;
	int64 subject_no;
	int16 attempts;
} Changed;

static Changed
read_changed(int row)
{
	return (Changed){paws_spi_int64(row, 1), (PawsClass) paws_spi_int16(row, 2), paws_spi_int64(row, 3),
					 paws_spi_int16(row, 4)};
}

static void
note(int slot, PawsAuditOperation operation, const Changed *changed, int16 result, int64 number)
{
	paws_item_audit(slot, operation, changed->id, changed->klass, changed->subject_no, result, number);
}

/* False if the statement found nothing to end. */
static bool
end(int slot, PawsStatement *statement, const Datum *args, PawsJobOutcome outcome)
{
	Changed changed;

	if (paws_spi_run(statement, args, NULL, 1) == 0)
		return false;
	paws_commit_of_crisis();
	changed = read_changed(0);
	note(slot, PAWS_AUDIT_FINISHED, &changed, (int16) outcome, changed.attempts);
	return true;
}

PawsJobOutcome
paws_item_complete(int slot, int64 id, int64 fence)
{
	Datum args[3] = {Int64GetDatum(id), Int64GetDatum(fence), coarse_now()};

	PreventCommandIfReadOnly("complete()");
	return end(slot, &complete, args, PAWS_JOB_WAS_COMPLETED) ? PAWS_JOB_WAS_COMPLETED : PAWS_JOB_WAS_LOST;
}

/* Back after `delay` microseconds, at once with 0; False if the claim is lost. */
static bool
give(int slot, int64 id, int64 fence, int64 delay, PawsJobReason reason)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum args[7] = {Int64GetDatum(id),       Int64GetDatum(fence),       TimestampTzGetDatum(now + delay),
					 Int16GetDatum(reason),   Int32GetDatum(reason != 0), Int32GetDatum(PAWS_ITEM_ATTEMPTS),
					 TimestampTzGetDatum(now)};
	char nulls[7] = "       ";
	Changed changed;

	if (delay == 0)
		nulls[2] = 'n';
	PreventCommandIfReadOnly("fail()");
	if (paws_spi_run(&give_back, args, nulls, 1) == 0)
		return false;
	changed = read_changed(0);
	if (reason != 0)
		note(slot, PAWS_AUDIT_FAILED, &changed, (int16) reason, changed.attempts);
	paws_items_at_commit(slot);
	return true;
}

PawsJobOutcome
paws_item_fail(int slot, int64 id, int64 fence, int64 retry_after, PawsJobReason reason)
{
	int64 delay = retry_after < 0 ? PAWS_ITEM_BACKOFF : retry_after;

	return give(slot, id, fence, delay, reason) ? PAWS_JOB_WAS_RETRIED : PAWS_JOB_WAS_LOST;
}

PawsJobOutcome
paws_item_release(int slot, int64 id, int64 fence)
{
	return give(slot, id, fence, 0, 0) ? PAWS_JOB_WAS_RELEASED : PAWS_JOB_WAS_LOST;
}

PawsJobOutcome
paws_item_snooze(int slot, int64 id, int64 fence, int64 delay)
{
	return give(slot, id, fence, delay, 0) ? PAWS_JOB_WAS_SNOOZED : PAWS_JOB_WAS_LOST;
}

PawsJobOutcome
paws_item_extend(int64 id, int64 fence, int64 lease, TimestampTz *until)
{
	Datum args[4] = {Int64GetDatum(id), Int64GetDatum(fence), coarse_now()};

	PreventCommandIfReadOnly("extend()");
	*until = paws_item_end(GetCurrentTimestamp() + (lease > 0 ? lease : PAWS_ITEM_LEASE));
	args[3] = TimestampTzGetDatum(*until);
	if (paws_spi_run(&extend, args, NULL, 0) == 0)
		return PAWS_JOB_WAS_LOST;
	paws_commit_of_crisis();
	return PAWS_JOB_WAS_EXTENDED;
}

PawsJobOutcome
paws_item_cancel(int slot, int64 id)
{
	Datum args[2] = {Int64GetDatum(id), coarse_now()};

	PreventCommandIfReadOnly("cancel()");
	if (!end(slot, &cancel, args, PAWS_JOB_WAS_CANCELLED))
		return PAWS_JOB_WAS_NOT_FOUND;
	paws_items_at_abort(slot);
	return PAWS_JOB_WAS_CANCELLED;
}

void
paws_items_cancel_signal(const pg_uuid_t *signal)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum args[4] = {TimestampTzGetDatum(now), TimestampTzGetDatum(now + PAWS_ITEM_CLOCK_TOLERANCE),
					 UUIDPGetDatum(signal), coarse_now()};

	paws_spi_run(&cancel_signal, args, NULL, 0);
}

/* Of one that is not over: what it does now. */
static PawsJobState
state_now(PawsJobState stored, TimestampTz claimed_until, TimestampTz available_at)
{
	TimestampTz now = GetCurrentTimestamp();

	if (stored != PAWS_JOB_AVAILABLE)
		return stored;
	if (claimed_until > now)
		return PAWS_JOB_RUNNING;
	return available_at > now ? PAWS_JOB_SCHEDULED : PAWS_JOB_AVAILABLE;
}

bool
paws_item_status(int64 id, PawsItemStatus *item)
{
	Datum args[1] = {Int64GetDatum(id)};

	if (paws_spi_run(&status, args, NULL, 1) == 0)
		return false;
	paws_item_copy_topic(item->topic, 0, 1);
	item->level = paws_spi_int16(0, 3);
	item->klass = (PawsClass) paws_spi_int16(0, 4);
	item->attempts = paws_spi_int16(0, 5);
	item->reason = (PawsJobReason) paws_spi_int16(0, 6);
	item->submitted_at = paws_spi_int64(0, 7);
	item->not_before = paws_spi_int64(0, 8);
	item->claimed_until = paws_spi_int64(0, 9);
	item->ended_at = paws_spi_int64(0, 10);
	item->state = state_now((PawsJobState) paws_spi_int16(0, 2), item->claimed_until, item->not_before);
	return true;
}

int
paws_items_escalate(int slot, int max)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum args[4] = {TimestampTzGetDatum(now), TimestampTzGetDatum(now + PAWS_ITEM_CLOCK_TOLERANCE),
					 Int64GetDatum(max), coarse_now()};
	int count = (int) paws_spi_run(&escalate, args, NULL, 0);
	Changed *changed = palloc(Max(count, 1) * sizeof(Changed));

	for (int i = 0; i < count; i++)
		changed[i] = read_changed(i);
	for (int i = 0; i < count; i++)
		note(slot, PAWS_AUDIT_ESCALATED, &changed[i], 0, PAWS_LEVEL_MAX);
	if (count > 0)
	{
		paws_items_at_commit(slot);
		paws_items_untold_at_commit(slot);
	}
	return count;
}

TimestampTz
paws_items_next_deadline(int slot)
{
	uint64 seen;
	bool maybe = paws_items_maybe(slot, &seen);

	paws_spi_run(&next_deadline, NULL, NULL, 1);
	if (paws_spi_int64(0, 1) == 0)
	{
		paws_items_none(slot, seen);
		return DT_NOEND;
	}
	if (!maybe)
		paws_items_found(slot);
	return paws_spi_isnull(0, 2) ? DT_NOEND : paws_spi_int64(0, 2);
}

bool
paws_items_use_key(int64 subject_no, const pg_uuid_t *key)
{
	bytea *bytes = palloc(VARHDRSZ + UUID_LEN);
	Datum args[2] = {Int64GetDatum(subject_no), PointerGetDatum(bytes)};

	SET_VARSIZE(bytes, VARHDRSZ + UUID_LEN);
	memcpy(VARDATA(bytes), key->data, UUID_LEN);
	return paws_spi_run(&uses_key, args, NULL, 1) > 0;
}
