/*
 * queue/finish.c - what becomes of an operation that was not applied.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "queue/queue.h"

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
	paws_queue_forget(worker);
}
