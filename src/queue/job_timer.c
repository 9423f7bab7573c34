/*
 * queue/job_timer.c - what happens to jobs by the clock: a slice in each call.
 *
 * Times of rows go by the clock of the machine, which may be set; a retry knows its delay, and waits no
 * longer than that whatever happens to the clock. Leases go by a clock that nobody sets (lease.h).
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "queue/flow.h"
#include "queue/job_private.h"
#include "utils/timestamp.h"

/* For a row that somebody is at. */
#define AGAIN_US 100000

static PawsStatement find_due = {
	.sql = "SELECT id FROM paws_queue.job WHERE NOT available "
		   "AND run_at OPERATOR(pg_catalog.<=) $1 ORDER BY run_at LIMIT $2",
	.nargs = 2,
	.types = {TIMESTAMPTZOID, INT8OID},
};

static PawsStatement find_expired = {
	.sql = "SELECT id FROM paws_queue.job WHERE expires_at IS NOT NULL "
		   "AND expires_at OPERATOR(pg_catalog.<=) $1 ORDER BY expires_at LIMIT $2",
	.nargs = 2,
	.types = {TIMESTAMPTZOID, INT8OID},
};

/* Of each kind the first that is to come. */
static PawsStatement find_next = {
	.sql = "SELECT (SELECT run_at FROM paws_queue.job WHERE NOT available ORDER BY run_at LIMIT 1), "
		   "(SELECT expires_at FROM paws_queue.job WHERE expires_at IS NOT NULL "
		   "AND expires_at OPERATOR(pg_catalog.>) $1 ORDER BY expires_at LIMIT 1)",
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
};

static PawsStatement find_too_late = {
	.sql = "SELECT id FROM paws_queue.job WHERE NOT available AND delay_us IS NOT NULL "
		   "AND run_at OPERATOR(pg_catalog.>) ($1 OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => "
		   "delay_us::pg_catalog.float8 OPERATOR(pg_catalog./) 1000000::pg_catalog.float8)) LIMIT $2",
	.nargs = 2,
	.types = {TIMESTAMPTZOID, INT8OID},
};

/* The numbers of the last run; palloc'd. */
static int64 *
ids_of(int count)
{
	int64 *ids = paws_spi_alloc(Max(count, 1) * sizeof(int64));

	for (int i = 0; i < count; i++)
		ids[i] = paws_spi_int64(i, 1);
	return ids;
}

static int
find_ids(PawsStatement *statement, TimestampTz now, int limit, int64 **ids)
{
	Datum args[2] = {TimestampTzGetDatum(now), Int64GetDatum(limit)};
	int count = (int) paws_spi_run(statement, args, NULL, 0);

	*ids = ids_of(count);
	return count;
}

/* Looks when the next row is due; what was told of since wins. */
static void
look_ahead(int slot)
{
	int64 seen = paws_job_first_due(slot);
	TimestampTz now = GetCurrentTimestamp();
	Datum args[1] = {TimestampTzGetDatum(now)};
	TimestampTz first = DT_NOEND;

	paws_spi_run(&find_next, args, NULL, 1);
	for (int column = 1; column <= 2; column++)
		if (!paws_spi_isnull(0, column))
			first = Min(first, paws_spi_int64(0, column));
	paws_job_set_first_due(slot, seen, first);
}

static bool
promote(int slot, PawsJobCursor *cursor, PawsJobRow *row)
{
	PawsTopic topic = *paws_job_topic(row->topic_no);
	PawsLease lease = paws_job_lease_of(row, &topic);
	PawsLeaseEnd *end;

	paws_job_topic_ready(slot, &topic);
	row->available = true;
	row->rank = paws_flow_rank(slot, topic.place, row->level, paws_job_flow(row), 1);
	if (!paws_job_update(cursor, row))
		return false;
	end = paws_lease_end_unleased(slot, &lease);
	end->state = PAWS_JOB_AVAILABLE;
	end->was_delayed = true;
	end->level = row->level;
	end->at = (PawsJobPlace){row->rank, row->id};
	return true;
}

/* What is done with a row that a statement found; false if it is not as it was found, or somebody is at it.
 */
typedef bool (*Act)(int slot, PawsJobCursor *cursor, PawsJobRow *row, TimestampTz now);

/* Returns how many were found; *done: with how many of them it was done. Waits for nobody. */
static int
act_on(PawsStatement *statement, int slot, TimestampTz now, int limit, Act act, int *done)
{
	PawsJobCursor cursor;
	PawsJobRow row;
	int64 *ids;
	int found = find_ids(statement, now, limit, &ids);

	*done = 0;
	if (found == 0)
		return 0;
	paws_job_before_write(true);
	paws_job_open(&cursor, slot);
	cursor.waits = false;
	for (int i = 0; i < found; i++)
		*done += paws_job_find(&cursor, ids[i], NULL, &row) && act(slot, &cursor, &row, now);
	paws_job_close(&cursor);
	return found;
}

static bool
put_off_anew(int slot, PawsJobCursor *cursor, PawsJobRow *row, TimestampTz now)
{
	if (row->available || row->delay < 0)
		return false;
	row->run_at = now + row->delay;
	return paws_job_update(cursor, row);
}

int
paws_job_clock_moved(int slot, int limit)
{
	int done;

	/* what is due by the new clock is not what was due by the old one */
	paws_job_delayed(slot, 0);
	(void) act_on(&find_too_late, slot, GetCurrentTimestamp(), limit, put_off_anew, &done);
	return done;
}

/* Somebody was at a row that is due. */
static void
look_again(int slot)
{
	paws_job_set_first_due(slot, paws_job_first_due(slot), GetCurrentTimestamp() + AGAIN_US);
	paws_job_delayed(slot, AGAIN_US);
}

static bool
promote_due(int slot, PawsJobCursor *cursor, PawsJobRow *row, TimestampTz now)
{
	return !row->available && row->run_at <= now && promote(slot, cursor, row);
}

int
paws_job_promote(int slot, int limit)
{
	TimestampTz now = GetCurrentTimestamp();
	int found;
	int done;

	if (paws_job_clock_is_back(slot) && paws_job_clock_moved(slot, limit) < limit)
		paws_job_accept_clock(slot);
	if (paws_job_first_due(slot) > now)
		return 0;
	look_ahead(slot);
	found = act_on(&find_due, slot, now, limit, promote_due, &done);
	if (found > 0 && found == limit)
		paws_job_delayed(slot, 0);
	else if (done < found)
		look_again(slot);
	return done;
}

/* One that runs may be completed; it expires if it comes back. */
static bool
expire(int slot, PawsJobCursor *cursor, PawsJobRow *row, TimestampTz now)
{
	return !paws_lease_exists(slot, row->id) && row->expires_at != 0 && row->expires_at <= now &&
		   paws_job_remove(slot, cursor, row, PAWS_JOB_EXPIRED);
}

int
paws_job_expire(int slot, int limit)
{
	int done;
	int found = act_on(&find_expired, slot, GetCurrentTimestamp(), limit, expire, &done);

	if (done > 0 && found == limit)
		paws_job_delayed(slot, 0);
	return done;
}

/* An attempt that nobody answered for. */
static bool
expire_lease(int slot, PawsJobCursor *cursor, PawsLease *lease, bool unreadable)
{
	PawsLeaseEnd *end;
	PawsJobRow row;
	PawsTopic topic;

	if (paws_lease_begin_end(slot, lease->id, unreadable ? 0 : lease->fence, lease, &end) != PAWS_LEASE_BEGUN)
		return false;
	if (!paws_job_find(cursor, lease->id, &lease->tid, &row))
	{
		paws_lease_forget(slot, lease->id);
		return false;
	}
	topic = *paws_job_topic(row.topic_no);
	if (paws_job_retry(cursor, &topic, &row, 0, unreadable ? PAWS_JOB_UNREADABLE : PAWS_JOB_LEASE_EXPIRED,
					   end))
		return true;
	paws_lease_undo_end(slot, lease->id);
	return false;
}

int
paws_job_expire_leases(int slot, int limit)
{
	PawsLease *leases = palloc(limit * sizeof(PawsLease));
	bool *unreadable = palloc(limit * sizeof(bool));
	PawsJobCursor cursor;
	int found = paws_lease_over(slot, leases, unreadable, limit);
	int done = 0;

	if (found == 0)
		return 0;
	paws_job_before_write(true);
	paws_job_open(&cursor, slot);
	cursor.waits = false;
	for (int i = 0; i < found; i++)
		done += expire_lease(slot, &cursor, &leases[i], unreadable[i]);
	paws_job_close(&cursor);
	return done;
}
