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
		"WHERE level OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
	.nargs = 3,
	.types = {INT2OID, INT8OID, INT8OID},
};

static PawsStatement count_attempts = {
	.sql =
		"UPDATE paws_queue.operation o SET attempts = attempts OPERATOR(pg_catalog.+) 1::pg_catalog.int2 "
		"FROM paws_queue.inflight i WHERE ($1 OPERATOR(pg_catalog.<) 0 OR i.worker OPERATOR(pg_catalog.=) $1) "
		"AND o.level OPERATOR(pg_catalog.=) ANY ('{1,2,3,4,5,6,7,8}'::pg_catalog.int2[]) AND o.id OPERATOR(pg_catalog.=) ANY (i.ids)",
	.nargs = 1,
	.types = {INT2OID},
};

void
paws_queue_postpone(const PawsOperation *operation, int64 delay_ms)
{
	Datum args[3] = {Int16GetDatum(operation->level), Int64GetDatum(operation->id), Int64GetDatum(delay_ms)};

	paws_spi_run(&postpone, args, NULL, 0);
}

void
paws_queue_recover(int worker)
{
	Datum args[1] = {Int16GetDatum(worker)};

	paws_spi_run(&count_attempts, args, NULL, 0);
	paws_queue_forget(worker);
}
