/*
 * queue/subject.c - what waits of one subject, as far as its keys are concerned.
 */
#include "postgres.h"

#include "base/spi.h"
#include "base/stored.h"
#include "catalog/pg_type.h"
#include "queue/depth.h"
#include "queue/queue.h"

static PawsStatement find_key = {
	.sql = "SELECT 1 FROM paws_queue.operation WHERE subject_no OPERATOR(pg_catalog.=) $1 "
		   "AND pg_catalog.substring(envelope, 17, 16) OPERATOR(pg_catalog.=) $2 LIMIT 1",
	.nargs = 2,
	.types = {INT8OID, BYTEAOID},
};

static PawsStatement drop_subject = {
	.sql = "DELETE FROM paws_queue.operation WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
		   "SELECT ctid FROM paws_queue.operation WHERE subject_no OPERATOR(pg_catalog.=) $1 LIMIT $2 "
		   "FOR UPDATE SKIP LOCKED)) RETURNING level",
	.nargs = 2,
	.types = {INT8OID, INT8OID},
};

static PawsStatement find_subject = {
	.sql = "SELECT 1 FROM paws_queue.operation WHERE subject_no OPERATOR(pg_catalog.=) $1 LIMIT 1",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement find_last_id = {
	.sql = "SELECT last_value FROM paws_queue.operation_id",
};

/* The one that is served last of those, so that it is a witness for long. */
static PawsStatement find_before = {
	.sql = "SELECT level, rank, id FROM paws_queue.operation WHERE id OPERATOR(pg_catalog.<=) $1 "
		   "ORDER BY level, rank DESC, id DESC LIMIT 1",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement find_witness = {
	.sql = "SELECT 1 FROM paws_queue.operation WHERE level OPERATOR(pg_catalog.=) $1 "
		   "AND rank OPERATOR(pg_catalog.=) $2 AND id OPERATOR(pg_catalog.=) $3 LIMIT 1",
	.nargs = 3,
	.types = {INT2OID, INT8OID, INT8OID},
};

bool
paws_queue_uses_key(int64 subject_no, const pg_uuid_t *key)
{
	bytea *bytes = palloc(VARHDRSZ + UUID_LEN);
	Datum args[2] = {Int64GetDatum(subject_no), PointerGetDatum(bytes)};

	SET_VARSIZE(bytes, VARHDRSZ + UUID_LEN);
	memcpy(VARDATA(bytes), key->data, UUID_LEN);
	return paws_spi_run(&find_key, args, NULL, 1) > 0;
}

bool
paws_queue_drop_subject(int slot, int64 subject_no, int limit, int64 *removed)
{
	Datum args[2] = {Int64GetDatum(subject_no), Int64GetDatum(limit)};
	int dropped = (int) paws_spi_run(&drop_subject, args, NULL, 0);

	for (int i = 0; i < dropped; i++)
		paws_depth_at_commit(slot, paws_stored_code(paws_spi_int16(i, 1), PAWS_LEVEL_ORDINARY_MAX), -1);
	*removed += dropped;
	return paws_spi_run(&find_subject, args, NULL, 1) == 0;
}

int64
paws_queue_last_id(void)
{
	paws_spi_run(&find_last_id, NULL, NULL, 1);
	return paws_spi_int64(0, 1);
}

bool
paws_queue_waits_since(int64 id)
{
	static int64 rank, witness = 0;
	static int16 level;
	Datum place[3] = {Int16GetDatum(level), Int64GetDatum(rank), Int64GetDatum(witness)};
	Datum args[1] = {Int64GetDatum(id)};

	if (witness > 0 && witness <= id && paws_spi_run(&find_witness, place, NULL, 1) > 0)
		return true;
	witness = 0;
	if (paws_spi_run(&find_before, args, NULL, 1) == 0)
		return false;
	level = paws_spi_int16(0, 1);
	rank = paws_spi_int64(0, 2);
	witness = paws_spi_int64(0, 3);
	return true;
}
