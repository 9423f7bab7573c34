/*
 * queue/unblock.c - operations that wait for an earlier one of their document.
 */
#include "postgres.h"

#include "base/spi.h"
#include "base/stored.h"
#include "catalog/pg_type.h"
#include "queue/depth.h"
#include "queue/mark.h"
#include "queue/queue.h"
#include "utils/timestamp.h"

/* The first waiting operation of a document, and the most urgent of those that it holds up here. */
typedef struct Front
{
	int64 subject_no;
	pg_uuid_t doc_id;
	int16 level;
	int64 id; /* 0: it is gone by now */
	int64 rank;
	TimestampTz not_before;
	int16 wanted;
	int64 wanted_rank;
} Front;

/* LIMIT keeps the planner from joining in another order. */
static PawsStatement find_fronts = {
	.sql =
		"SELECT c.n, f.level, f.id, f.not_before, f.rank "
		"FROM ROWS FROM (" PAWS_SETS_2 ") WITH ORDINALITY AS c (subject_no, doc_id, n) CROSS JOIN LATERAL "
		"(SELECT o.level, o.id, o.not_before, o.rank FROM paws_queue.operation o "
		"WHERE o.subject_no OPERATOR(pg_catalog.=) c.subject_no AND o.doc_id OPERATOR(pg_catalog.=) c.doc_id "
		"ORDER BY o.id LIMIT 1) f",
	.nargs = 2,
	.types = {INT8ARRAYOID, UUIDARRAYOID},
};

static PawsStatement put_off = {
	.sql = "UPDATE paws_queue.operation SET not_before = $4 WHERE level OPERATOR(pg_catalog.=) $1 "
		   "AND rank OPERATOR(pg_catalog.=) $2 AND id OPERATOR(pg_catalog.=) $3",
	.nargs = 4,
	.types = {INT2OID, INT8OID, INT8OID, TIMESTAMPTZOID},
};

/* One that another worker is at needs no lifting. */
static PawsStatement lift = {
	.sql = "UPDATE paws_queue.operation SET level = $4, rank = $5 WHERE level OPERATOR(pg_catalog.=) $1 "
		   "AND rank OPERATOR(pg_catalog.=) $2 AND id OPERATOR(pg_catalog.=) "
		   "(SELECT id FROM paws_queue.operation WHERE level OPERATOR(pg_catalog.=) $1 "
		   "AND rank OPERATOR(pg_catalog.=) $2 AND id OPERATOR(pg_catalog.=) $3 FOR UPDATE SKIP LOCKED)",
	.nargs = 5,
	.types = {INT2OID, INT8OID, INT8OID, INT2OID, INT8OID},
};

static PawsStatement move_back = {
	.sql =
		"UPDATE paws_queue.operation o SET rank = e.rank FROM ROWS FROM (" PAWS_SETS_5
		") AS c (level, rank, id, subject_no, doc_id) CROSS JOIN LATERAL "
		"(SELECT pg_catalog.max(e.rank) AS rank FROM paws_queue.operation e "
		"WHERE e.subject_no OPERATOR(pg_catalog.=) c.subject_no AND e.doc_id OPERATOR(pg_catalog.=) c.doc_id "
		"AND e.level OPERATOR(pg_catalog.=) c.level AND e.id OPERATOR(pg_catalog.<) c.id) e "
		"WHERE o.level OPERATOR(pg_catalog.=) c.level AND o.rank OPERATOR(pg_catalog.=) c.rank "
		"AND o.id OPERATOR(pg_catalog.=) c.id AND e.rank OPERATOR(pg_catalog.>) c.rank",
	.nargs = 5,
	.types = {INT2ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, UUIDARRAYOID},
};

static Front *
front_of(Front *fronts, int nfronts, const PawsOperation *operation)
{
	for (int i = 0; i < nfronts; i++)
		if (fronts[i].subject_no == operation->subject_no &&
			memcmp(&fronts[i].doc_id, &operation->doc_id, UUID_LEN) == 0)
			return &fronts[i];
	return NULL;
}

/* One for each document that has blocked operations here. */
static int
collect_documents(const PawsOperation *operations, int count, Front *fronts)
{
	int nfronts = 0;

	for (int i = 0; i < count; i++)
	{
		Front *front;

		if (!operations[i].blocked)
			continue;
		front = front_of(fronts, nfronts, &operations[i]);
		if (front == NULL)
		{
			front = &fronts[nfronts++];
			*front = (Front){.subject_no = operations[i].subject_no, .doc_id = operations[i].doc_id};
		}
		if (operations[i].level > front->wanted)
		{
			front->wanted = operations[i].level;
			front->wanted_rank = operations[i].rank;
		}
	}
	return nfronts;
}

static void
look_up_fronts(Front *fronts, int nfronts)
{
	Datum *subjects = palloc(nfronts * sizeof(Datum));
	Datum *doc_ids = palloc(nfronts * sizeof(Datum));
	Datum args[2];
	int rows;

	for (int i = 0; i < nfronts; i++)
	{
		subjects[i] = Int64GetDatum(fronts[i].subject_no);
		doc_ids[i] = UUIDPGetDatum(&fronts[i].doc_id);
	}
	args[0] = paws_spi_array(subjects, NULL, nfronts, INT8OID);
	args[1] = paws_spi_array(doc_ids, NULL, nfronts, UUIDOID);
	rows = (int) paws_spi_run(&find_fronts, args, NULL, 0);
	for (int row = 0; row < rows; row++)
	{
		Front *front = &fronts[paws_spi_int64(row, 1) - 1];

		front->level = paws_stored_code(paws_spi_int16(row, 2), PAWS_LEVEL_ORDINARY_MAX);
		front->id = paws_spi_int64(row, 3);
		front->not_before = paws_spi_int64(row, 4);
		front->rank = paws_spi_int64(row, 5);
	}
}

static void
put_off_until(const PawsOperation *operation, TimestampTz not_before)
{
	Datum args[4] = {Int16GetDatum(operation->level), Int64GetDatum(operation->rank),
					 Int64GetDatum(operation->id), TimestampTzGetDatum(not_before)};

	paws_spi_run(&put_off, args, NULL, 0);
}

/* To the rank of what it holds up, so right before that: both are of one flow, which has its turn there. */
static void
lift_front(int slot, const Front *front)
{
	Datum args[5] = {Int16GetDatum(front->level), Int64GetDatum(front->rank), Int64GetDatum(front->id),
					 Int16GetDatum(front->wanted), Int64GetDatum(front->wanted_rank)};

	if (paws_spi_run(&lift, args, NULL, 0) == 0)
		return;
	paws_depth_at_commit(slot, front->level, -1);
	paws_depth_at_commit(slot, front->wanted, 1);
	paws_mark_lower_at_commit(slot, front->wanted, (PawsPlace){front->wanted_rank, front->id});
}

/*
 * A flow that was forgotten (a start, a full table) begins at the head, so before its own older operations.
 * Those that have to wait for such ones are ranked after them: else they would fill batch after batch.
 */
static void
move_behind(const PawsOperation *operations, int count, Front *fronts, int nfronts)
{
	static const Oid types[5] = {INT2OID, INT8OID, INT8OID, INT8OID, UUIDOID};
	Datum *columns[5];
	Datum args[5];
	int n = 0;

	for (int c = 0; c < 5; c++)
		columns[c] = palloc(count * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		Front *front = operations[i].blocked ? front_of(fronts, nfronts, &operations[i]) : NULL;

		if (front == NULL || front->level != operations[i].level || front->rank <= operations[i].rank)
			continue;
		columns[0][n] = Int16GetDatum(operations[i].level);
		columns[1][n] = Int64GetDatum(operations[i].rank);
		columns[2][n] = Int64GetDatum(operations[i].id);
		columns[3][n] = Int64GetDatum(operations[i].subject_no);
		columns[4][n++] = UUIDPGetDatum(&operations[i].doc_id);
	}
	if (n == 0)
		return;
	for (int c = 0; c < 5; c++)
		args[c] = paws_spi_array(columns[c], NULL, n, types[c]);
	paws_spi_run(&move_back, args, NULL, 0);
}

/* Whether it is put off now; not by a clock that was set back since. */
static bool
is_put_off(const Front *front, TimestampTz now)
{
	return front->not_before > now && front->not_before <= now + PAWS_BACKOFF_MAX_MS * INT64CONST(1000);
}

void
paws_queue_unblock(int slot, const PawsOperation *operations, int count)
{
	Front *fronts = palloc(Max(count, 1) * sizeof(Front));
	int nfronts = collect_documents(operations, count, fronts);
	TimestampTz now = GetCurrentTimestamp();

	if (nfronts == 0)
		return;
	look_up_fronts(fronts, nfronts);
	for (int i = 0; i < count; i++)
	{
		Front *front = operations[i].blocked ? front_of(fronts, nfronts, &operations[i]) : NULL;

		if (front && is_put_off(front, now) && front->id != operations[i].id)
			put_off_until(&operations[i], front->not_before);
	}
	for (int i = 0; i < nfronts; i++)
		if (fronts[i].id != 0 && fronts[i].level < fronts[i].wanted && !is_put_off(&fronts[i], now))
			lift_front(slot, &fronts[i]);
	move_behind(operations, count, fronts, nfronts);
}
