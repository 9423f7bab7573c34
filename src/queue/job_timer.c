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

/* A walk over rows in the order of a time and their ids, a slice in each call, so that rows that cannot be
 * changed now keep nobody from those behind them. */
typedef struct Walk
{
	PawsStatement statement; /* now, limit, and the place to go on from: ids and times */
	TimestampTz at;
	int64 id;
	bool begun;     /* still so at the next call if a slice failed: then from the beginning */
	bool left;      /* somebody was at a row */
	bool under_way; /* set to it once */
} Walk;

static Walk due = {
	.statement =
		{
			.sql =
				"SELECT id, run_at FROM paws_queue.job WHERE NOT available "
				"AND run_at OPERATOR(pg_catalog.<=) $1 AND ROW(run_at, id) OPERATOR(pg_catalog.>) ROW($3, $4) "
				"ORDER BY run_at, id LIMIT $2",
			.nargs = 4,
			.types = {TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, INT8OID},
		},
};

static Walk expired = {
	.statement =
		{
			.sql = "SELECT id, expires_at FROM paws_queue.job WHERE expires_at IS NOT NULL "
				   "AND expires_at OPERATOR(pg_catalog.<=) $1 "
				   "AND ROW(expires_at, id) OPERATOR(pg_catalog.>) ROW($3, $4) "
				   "ORDER BY expires_at, id LIMIT $2",
			.nargs = 4,
			.types = {TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, INT8OID},
		},
};

static Walk too_late = {
	.statement =
		{
			.sql =
				"SELECT id, run_at FROM paws_queue.job WHERE NOT available AND delay_us IS NOT NULL "
				"AND run_at OPERATOR(pg_catalog.>) ($1 OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => "
				"delay_us::pg_catalog.float8 OPERATOR(pg_catalog./) 1000000::pg_catalog.float8)) "
				"AND ROW(run_at, id) OPERATOR(pg_catalog.>) ROW($3, $4) ORDER BY run_at, id LIMIT $2",
			.nargs = 4,
			.types = {TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, INT8OID},
		},
};

/* Of each kind the first that is to come. */
static PawsStatement find_next = {
	.sql = "SELECT (SELECT run_at FROM paws_queue.job WHERE NOT available ORDER BY run_at LIMIT 1), "
		   "(SELECT expires_at FROM paws_queue.job WHERE expires_at IS NOT NULL "
		   "AND expires_at OPERATOR(pg_catalog.>) $1 ORDER BY expires_at LIMIT 1)",
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
};

static void
start_over(Walk *walk)
{
	walk->at = DT_NOBEGIN;
	walk->id = 0;
	walk->left = false;
	walk->under_way = true;
}

/* The next slice; the numbers are palloc'd. */
static int
find_slice(Walk *walk, TimestampTz now, int limit, int64 **ids)
{
	Datum args[4];
	int count;

	if (!walk->under_way || walk->begun)
		start_over(walk);
	walk->begun = true;
	args[0] = TimestampTzGetDatum(now);
	args[1] = Int64GetDatum(limit);
	args[2] = TimestampTzGetDatum(walk->at);
	args[3] = Int64GetDatum(walk->id);
	count = (int) paws_spi_run(&walk->statement, args, NULL, 0);
	*ids = paws_spi_alloc(Max(count, 1) * sizeof(int64));
	for (int i = 0; i < count; i++)
		(*ids)[i] = paws_spi_int64(i, 1);
	if (count > 0)
	{
		walk->id = (*ids)[count - 1];
		walk->at = paws_spi_int64(count - 1, 2);
	}
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

/* What came of a row that a walk found. */
typedef enum Acted
{
	ACT_DONE,
	ACT_NONE, /* it is not as it was found, or its time is not this */
	ACT_BUSY  /* somebody is at it */
} Acted;

static Acted
promote(int slot, PawsJobCursor *cursor, PawsJobRow *row)
{
	PawsTopic topic = *paws_job_topic(row->topic_no);
	PawsLease lease = paws_job_lease_of(row, &topic);
	PawsLeaseEnd *end;

	paws_job_topic_ready(slot, &topic);
	row->available = true;
	row->rank = paws_flow_rank(slot, topic.place, row->level, paws_job_flow(row), 1);
	if (!paws_job_update(cursor, row))
		return ACT_BUSY;
	end = paws_lease_end_unleased(slot, &lease);
	end->state = PAWS_JOB_AVAILABLE;
	end->was_delayed = true;
	end->level = row->level;
	end->at = (PawsJobPlace){row->rank, row->id};
	return ACT_DONE;
}

typedef Acted (*Act)(int slot, PawsJobCursor *cursor, PawsJobRow *row, TimestampTz now);

/* How a slice went. */
typedef struct Slice
{
	int done;
	bool more; /* the walk goes on */
	bool left; /* it is at its end, and somebody was at a row */
} Slice;

/* Acts on a slice of a walk. Waits for nobody. */
static Slice
act_on(Walk *walk, int slot, TimestampTz now, int limit, Act act)
{
	PawsJobCursor cursor;
	PawsJobRow row;
	int64 *ids;
	int found = find_slice(walk, now, limit, &ids);
	Slice slice = {.more = found == limit};

	if (found > 0)
	{
		paws_job_before_write(true);
		paws_job_open(&cursor, slot);
		cursor.waits = false;
		for (int i = 0; i < found; i++)
		{
			Acted acted =
				paws_job_find(&cursor, ids[i], NULL, &row) ? act(slot, &cursor, &row, now) : ACT_NONE;

			slice.done += acted == ACT_DONE;
			walk->left |= acted == ACT_BUSY;
		}
		paws_job_close(&cursor);
	}
	slice.left = walk->left && !slice.more;
	walk->begun = false;
	if (!slice.more)
		start_over(walk);
	return slice;
}

static Acted
put_off_anew(int slot, PawsJobCursor *cursor, PawsJobRow *row, TimestampTz now)
{
	if (row->available || row->delay < 0)
		return ACT_NONE;
	row->run_at = now + row->delay;
	return paws_job_update(cursor, row) ? ACT_DONE : ACT_BUSY;
}

bool
paws_job_clock_moved(int slot, int limit)
{
	/* what is due by the new clock is not what was due by the old one */
	paws_job_delayed(slot, 0);
	return act_on(&too_late, slot, GetCurrentTimestamp(), limit, put_off_anew).more;
}

static Acted
promote_due(int slot, PawsJobCursor *cursor, PawsJobRow *row, TimestampTz now)
{
	return !row->available && row->run_at <= now ? promote(slot, cursor, row) : ACT_NONE;
}

/* Somebody was at a row that is due. */
static void
look_again(int slot)
{
	paws_job_set_first_due(slot, paws_job_first_due(slot), GetCurrentTimestamp() + AGAIN_US);
	paws_job_delayed(slot, AGAIN_US);
}

bool
paws_job_promote(int slot, int limit)
{
	TimestampTz now = GetCurrentTimestamp();
	Slice slice;

	if (paws_job_clock_is_back(slot) && !paws_job_clock_moved(slot, limit))
		paws_job_accept_clock(slot);
	if (paws_job_first_due(slot) > now)
		return false;
	look_ahead(slot);
	slice = act_on(&due, slot, now, limit, promote_due);
	if (slice.more)
		paws_job_delayed(slot, 0);
	else if (slice.left)
		look_again(slot);
	return slice.more;
}

/* One that runs may be completed; it expires if it comes back. */
static Acted
expire(int slot, PawsJobCursor *cursor, PawsJobRow *row, TimestampTz now)
{
	if (paws_lease_exists(slot, row->id) || row->expires_at == 0 || row->expires_at > now)
		return ACT_NONE;
	return paws_job_remove(slot, cursor, row, PAWS_JOB_EXPIRED) ? ACT_DONE : ACT_BUSY;
}

bool
paws_job_expire(int slot, int limit)
{
	Slice slice = act_on(&expired, slot, GetCurrentTimestamp(), limit, expire);

	if (slice.more || slice.left)
		paws_job_delayed(slot, slice.more ? 0 : AGAIN_US);
	return slice.more;
}

/* An attempt that nobody answered for. If somebody is at the row, the lease is found again. */
static void
expire_lease(int slot, PawsJobCursor *cursor, PawsLease *lease, bool unreadable)
{
	PawsLeaseEnd *end;
	PawsJobRow row;
	PawsTopic topic;

	if (paws_lease_begin_end(slot, lease->id, unreadable ? 0 : lease->fence, lease, &end) != PAWS_LEASE_BEGUN)
		return;
	if (!paws_job_find(cursor, lease->id, &lease->tid, &row))
	{
		paws_lease_forget(slot, lease->id);
		return;
	}
	topic = *paws_job_topic(row.topic_no);
	if (!paws_job_retry(cursor, &topic, &row, 0, unreadable ? PAWS_JOB_UNREADABLE : PAWS_JOB_LEASE_EXPIRED,
						end))
		paws_lease_undo_end(slot, lease->id);
}

bool
paws_job_expire_leases(int slot, int limit)
{
	static int from = 0;
	PawsLease *leases = palloc(limit * sizeof(PawsLease));
	bool *unreadable = palloc(limit * sizeof(bool));
	PawsJobCursor cursor;
	bool more;
	int found = paws_lease_over(slot, leases, unreadable, limit, &from, &more);

	if (found == 0)
		return false;
	paws_job_before_write(true);
	paws_job_open(&cursor, slot);
	cursor.waits = false;
	for (int i = 0; i < found; i++)
		expire_lease(slot, &cursor, &leases[i], unreadable[i]);
	paws_job_close(&cursor);
	return more;
}
