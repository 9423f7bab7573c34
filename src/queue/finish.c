/*
 * queue/finish.c - reading what was chosen, and what becomes of it.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "queue/depth.h"
#include "queue/policy.h"
#include "queue/queue.h"
#include "utils/timestamp.h"

#define CHOSEN                                                                                               \
	"ROWS FROM (" PAWS_SETS_3 ") AS c (level, id, rank) "                                                    \
	"JOIN paws_queue.operation o ON o.level OPERATOR(pg_catalog.=) c.level "                                 \
	"AND o.rank OPERATOR(pg_catalog.=) c.rank AND o.id OPERATOR(pg_catalog.=) c.id"

static PawsStatement fetch = {
	.sql =
		"SELECT o.id, o.level, o.class, o.tier, o.subject_no, o.device_no, o.collection, o.op_id, o.doc_id, "
		"o.base_revision, o.deleted, o.attempts, o.enqueued_at, o.envelope, o.rank, EXISTS (SELECT 1 FROM paws_queue.operation e "
		"WHERE e.subject_no OPERATOR(pg_catalog.=) o.subject_no AND e.doc_id OPERATOR(pg_catalog.=) o.doc_id "
		"AND e.id OPERATOR(pg_catalog.<) o.id AND e.id OPERATOR(pg_catalog.<>) ALL ($2)) "
		"FROM " CHOSEN " FOR UPDATE OF o SKIP LOCKED",
	.nargs = 3,
	.types = {INT2ARRAYOID, INT8ARRAYOID, INT8ARRAYOID},
};

static PawsStatement finish = {
	.sql = "DELETE FROM paws_queue.operation o USING ROWS FROM (" PAWS_SETS_3 ") AS c (level, id, rank) "
		   "WHERE o.level OPERATOR(pg_catalog.=) c.level AND o.rank OPERATOR(pg_catalog.=) c.rank "
		   "AND o.id OPERATOR(pg_catalog.=) c.id",
	.nargs = 3,
	.types = {INT2ARRAYOID, INT8ARRAYOID, INT8ARRAYOID},
};

static PawsStatement postpone = {
	.sql =
		"UPDATE paws_queue.operation SET attempts = attempts OPERATOR(pg_catalog.+) 1::pg_catalog.int2, "
		"not_before = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) "
		"pg_catalog.make_interval(secs => $3::pg_catalog.float8 OPERATOR(pg_catalog./) 1000::pg_catalog.float8) "
		"WHERE level OPERATOR(pg_catalog.=) $1 AND rank OPERATOR(pg_catalog.=) $4 AND id OPERATOR(pg_catalog.=) $2",
	.nargs = 4,
	.types = {INT2OID, INT8OID, INT8OID, INT8OID},
};

/* One pass over what waits, with what was recorded in a hash: IS TRUE keeps it from becoming a join. */
static PawsStatement count_attempts = {
	.sql = "UPDATE paws_queue.operation SET attempts = attempts OPERATOR(pg_catalog.+) 1::pg_catalog.int2 "
		   "WHERE (id OPERATOR(pg_catalog.=) ANY (SELECT pg_catalog.unnest(i.ids) FROM paws_queue.inflight i "
		   "WHERE $1 OPERATOR(pg_catalog.<) 0 OR i.worker OPERATOR(pg_catalog.=) $1)) IS TRUE",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement clear_inflight = {
	.sql =
		"DELETE FROM paws_queue.inflight WHERE $1 OPERATOR(pg_catalog.<) 0 OR worker OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT2OID},
};

static void
place_arrays(const int16 *levels, const int64 *ids, const int64 *ranks, int count, Datum *args)
{
	Datum *a = palloc(Max(count, 1) * sizeof(Datum));
	Datum *b = palloc(Max(count, 1) * sizeof(Datum));
	Datum *c = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
	{
		a[i] = Int16GetDatum(levels[i]);
		b[i] = Int64GetDatum(ids[i]);
		c[i] = Int64GetDatum(ranks[i]);
	}
	args[0] = paws_spi_array(a, NULL, count, INT2OID);
	args[1] = paws_spi_array(b, NULL, count, INT8OID);
	args[2] = paws_spi_array(c, NULL, count, INT8OID);
}

static void
read_uuid(int row, int column, pg_uuid_t *uuid)
{
	bool isnull;

	memcpy(uuid, DatumGetUUIDP(paws_spi_column(row, column, &isnull)), UUID_LEN);
}

static void
read_operation(int row, PawsOperation *o)
{
	memset(o, 0, sizeof(*o));
	o->id = paws_spi_int64(row, 1);
	o->level = paws_spi_int16(row, 2);
	o->klass = (PawsClass) paws_spi_int16(row, 3);
	o->tier = (PawsTier) paws_spi_int16(row, 4);
	o->subject_no = paws_spi_int64(row, 5);
	o->device_no = paws_spi_int64(row, 6);
	o->collection = paws_spi_int16(row, 7);
	read_uuid(row, 8, &o->op_id);
	read_uuid(row, 9, &o->doc_id);
	o->base_revision = paws_spi_int64(row, 10);
	o->deleted = paws_spi_bool(row, 11);
	o->attempts = paws_spi_int16(row, 12);
	o->enqueued_at = paws_spi_int64(row, 13);
	o->envelope = paws_spi_bytea(row, 14);
	o->rank = paws_spi_int64(row, 15);
	o->blocked = paws_spi_bool(row, 16);
}

/* Most urgent first, then by arrival. */
static int
compare_operations(const void *a, const void *b)
{
	const PawsOperation *x = a;
	const PawsOperation *y = b;

	if (x->level != y->level)
		return y->level - x->level;
	return (x->id > y->id) - (x->id < y->id);
}

/* Within a document the order of arrival wins over the level: its operations trade places so that their ids
 * ascend. */
static void
keep_document_order(PawsOperation *operations, int count)
{
	for (int i = 1; i < count; i++)
		for (int j = 0; j < i; j++)
			if (operations[j].id > operations[i].id && operations[j].subject_no == operations[i].subject_no &&
				memcmp(&operations[j].doc_id, &operations[i].doc_id, UUID_LEN) == 0)
			{
				PawsOperation swap = operations[i];

				operations[i] = operations[j];
				operations[j] = swap;
			}
}

static bool
mixed_levels(const PawsOperation *operations, int count)
{
	return count > 1 && operations[0].level != operations[count - 1].level;
}

int
paws_queue_fetch(const PawsClaim *claim, PawsOperation **operations)
{
	Datum args[3];
	int count;

	place_arrays(claim->levels, claim->ids, claim->ranks, claim->count, args);
	count = (int) paws_spi_run(&fetch, args, NULL, 0);
	*operations = palloc(Max(count, 1) * sizeof(PawsOperation));
	for (int row = 0; row < count; row++)
		read_operation(row, &(*operations)[row]);
	qsort(*operations, count, sizeof(PawsOperation), compare_operations);
	if (mixed_levels(*operations, count))
		keep_document_order(*operations, count);
	for (int i = 0; i < count; i++)
		(*operations)[i].target_ms = paws_policy((*operations)[i].klass, (*operations)[i].tier)->target_ms;
	return count;
}

void
paws_queue_finish(int slot, const PawsOperation *operations, int count)
{
	int16 *levels = palloc(Max(count, 1) * sizeof(int16));
	int64 *ids = palloc(Max(count, 1) * sizeof(int64));
	int64 *ranks = palloc(Max(count, 1) * sizeof(int64));
	Datum args[3];

	for (int i = 0; i < count; i++)
	{
		levels[i] = operations[i].level;
		ids[i] = operations[i].id;
		ranks[i] = operations[i].rank;
		paws_depth_at_commit(slot, operations[i].level, -1);
	}
	place_arrays(levels, ids, ranks, count, args);
	paws_spi_run(&finish, args, NULL, 0);
}

void
paws_queue_postpone(const PawsOperation *operation, int64 delay_ms)
{
	Datum args[4] = {Int16GetDatum(operation->level), Int64GetDatum(operation->id), Int64GetDatum(delay_ms),
					 Int64GetDatum(operation->rank)};

	Assert(delay_ms <= PAWS_BACKOFF_MAX_MS);
	paws_spi_run(&postpone, args, NULL, 0);
}

void
paws_queue_recover(int worker)
{
	Datum args[1] = {Int16GetDatum(worker)};

	paws_spi_run(&count_attempts, args, NULL, 0);
	paws_spi_run(&clear_inflight, args, NULL, 0);
}

void
paws_queue_forget(int worker)
{
	Datum args[1] = {Int16GetDatum(worker)};

	paws_spi_run(&clear_inflight, args, NULL, 0);
}
