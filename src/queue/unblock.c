/*
 * queue/unblock.c - operations that wait for an earlier one of their document.
 */
#include "postgres.h"

#include "base/spi.h"
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
	TimestampTz not_before;
	int16 wanted;
} Front;

/* LIMIT keeps the planner from joining in another order. */
static PawsStatement find_fronts = {
	.sql =
		"SELECT c.n, f.level, f.id, f.not_before "
		"FROM ROWS FROM (" PAWS_SETS_2 ") WITH ORDINALITY AS c (subject_no, doc_id, n) CROSS JOIN LATERAL "
		"(SELECT o.level, o.id, o.not_before FROM paws_queue.operation o "
		"WHERE o.subject_no OPERATOR(pg_catalog.=) c.subject_no AND o.doc_id OPERATOR(pg_catalog.=) c.doc_id "
		"ORDER BY o.id LIMIT 1) f",
	.nargs = 2,
	.types = {INT8ARRAYOID, UUIDARRAYOID},
};

static PawsStatement put_off = {
	.sql = "UPDATE paws_queue.operation SET not_before = $3 "
		   "WHERE level OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	.nargs = 3,
	.types = {INT2OID, INT8OID, TIMESTAMPTZOID},
};

/* One that another worker is at needs no lifting. */
static PawsStatement lift = {
	.sql =
		"UPDATE paws_queue.operation SET level = $3 WHERE level OPERATOR(pg_catalog.=) $1 "
		"AND id OPERATOR(pg_catalog.=) (SELECT id FROM paws_queue.operation WHERE level OPERATOR(pg_catalog.=) $1 "
		"AND id OPERATOR(pg_catalog.=) $2 FOR UPDATE SKIP LOCKED)",
	.nargs = 3,
	.types = {INT2OID, INT8OID, INT2OID},
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
		front->wanted = Max(front->wanted, operations[i].level);
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

		front->level = paws_spi_int16(row, 2);
		front->id = paws_spi_int64(row, 3);
		front->not_before = paws_spi_int64(row, 4);
	}
}

static void
put_off_until(const PawsOperation *operation, TimestampTz not_before)
{
	Datum args[3] = {Int16GetDatum(operation->level), Int64GetDatum(operation->id),
					 TimestampTzGetDatum(not_before)};

	paws_spi_run(&put_off, args, NULL, 0);
}

static void
lift_front(int slot, const Front *front)
{
	Datum args[3] = {Int16GetDatum(front->level), Int64GetDatum(front->id), Int16GetDatum(front->wanted)};

	if (paws_spi_run(&lift, args, NULL, 0) == 0)
		return;
	paws_depth_at_commit(slot, front->level, -1);
	paws_depth_at_commit(slot, front->wanted, 1);
	paws_mark_lower_at_commit(slot, front->wanted, front->id);
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

		if (front && front->not_before > now && front->id != operations[i].id)
			put_off_until(&operations[i], front->not_before);
	}
	for (int i = 0; i < nfronts; i++)
		if (fronts[i].id != 0 && fronts[i].level < fronts[i].wanted && fronts[i].not_before <= now)
			lift_front(slot, &fronts[i]);
}
