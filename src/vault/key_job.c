/*
 * vault/key_job.c - the rows of paws_vault.key_job.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type_d.h"
#include "nodes/makefuncs.h"
#include "storage/procarray.h"
#include "utils/rel.h"

#include "vault/key_job.h"

static PawsStatement find_waiting = {
	.sql = "SELECT job_id FROM paws_vault.key_job WHERE kind OPERATOR(pg_catalog.=) $1 "
		   "AND phase OPERATOR(pg_catalog.=) 1 ORDER BY job_id LIMIT 1",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement find_pending = {
	.sql =
		"SELECT 1 FROM paws_vault.key_job WHERE kind OPERATOR(pg_catalog.=) $1 AND finished_at IS NULL LIMIT 1",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement insert_job = {
	.sql = "INSERT INTO paws_vault.key_job (kind) VALUES ($1) RETURNING job_id",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement load_job = {
	.sql = "SELECT job_id, kind, phase, home, done, total, left_over, walk_key, walk_subject, care_epoch, "
		   "crisis_epoch, horizon FROM paws_vault.key_job WHERE finished_at IS NULL ORDER BY job_id LIMIT 1 "
		   "FOR UPDATE",
};

static PawsStatement save_job = {
	.sql = "UPDATE paws_vault.key_job SET phase = $2, home = $3, done = $4, total = $5, left_over = $6, "
		   "walk_key = $7, walk_subject = $8, care_epoch = $9, crisis_epoch = $10, horizon = $11, "
		   "started_at = coalesce(started_at, pg_catalog.clock_timestamp()), "
		   "finished_at = CASE WHEN $12 THEN pg_catalog.clock_timestamp() END "
		   "WHERE job_id OPERATOR(pg_catalog.=) $1",
	.nargs = 12,
	.types = {INT8OID, INT2OID, INT2OID, INT8OID, INT8OID, INT8OID, UUIDOID, INT8OID, INT4OID, INT4OID,
			  INT8OID, BOOLOID},
};

int64
paws_key_job_request(PawsKeyJobKind kind)
{
	Datum args[1] = {Int16GetDatum(kind)};

	if (paws_spi_run(&find_waiting, args, NULL, 1) == 0)
		paws_spi_run(&insert_job, args, NULL, 1);
	return paws_spi_int64(0, 1);
}

bool
paws_key_job_pending(PawsKeyJobKind kind)
{
	Datum args[1] = {Int16GetDatum(kind)};

	return paws_spi_run(&find_pending, args, NULL, 1) > 0;
}

bool
paws_key_job_load(PawsKeyJob *job)
{
	bool isnull;

	if (paws_spi_run(&load_job, NULL, NULL, 1) == 0)
		return false;
	memset(job, 0, sizeof(*job));
	job->id = paws_spi_int64(0, 1);
	job->kind = (PawsKeyJobKind) paws_spi_int16(0, 2);
	job->phase = (PawsKeyPhase) paws_spi_int16(0, 3);
	job->home = (PawsKeyHome) paws_spi_int16(0, 4);
	job->done = paws_spi_int64(0, 5);
	job->total = paws_spi_int64(0, 6);
	job->left = paws_spi_int64(0, 7);
	memcpy(job->walk_key.data, DatumGetUUIDP(paws_spi_column(0, 8, &isnull))->data, UUID_LEN);
	job->walk_subject = paws_spi_int64(0, 9);
	job->care_epoch = (uint32) paws_spi_int32(0, 10);
	job->crisis_epoch = (uint32) paws_spi_int32(0, 11);
	job->horizon = FullTransactionIdFromU64((uint64) paws_spi_int64(0, 12));
	return true;
}

void
paws_key_job_save(const PawsKeyJob *job)
{
	Datum args[12] = {
		Int64GetDatum(job->id),
		Int16GetDatum(job->phase),
		Int16GetDatum(job->home),
		Int64GetDatum(job->done),
		Int64GetDatum(job->total),
		Int64GetDatum(job->left),
		UUIDPGetDatum(&job->walk_key),
		Int64GetDatum(job->walk_subject),
		Int32GetDatum((int32) job->care_epoch),
		Int32GetDatum((int32) job->crisis_epoch),
		Int64GetDatum((int64) U64FromFullTransactionId(job->horizon)),
		BoolGetDatum(job->phase == PAWS_KEY_PHASE_FINISHED),
	};

	paws_spi_run(&save_job, args, NULL, 0);
}

void
paws_key_job_enter(PawsKeyJob *job, PawsKeyPhase phase)
{
	job->phase = phase;
	job->home = PAWS_KEYS_CARE;
	memset(&job->walk_key, 0, sizeof(job->walk_key));
	job->walk_subject = 0;
	job->horizon = ReadNextFullTransactionId();
}

/* A transaction's number of 32 bits, which is not in the future, in full. */
static FullTransactionId
widen(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32 epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return FullTransactionIdFromEpochAndXid(epoch, xid);
}

bool
paws_key_settled(FullTransactionId horizon)
{
	Relation relation = table_openrv(makeRangeVar("paws_vault", "key_job", -1), AccessShareLock);
	TransactionId oldest = GetOldestNonRemovableTransactionId(relation);

	table_close(relation, NoLock);
	return FullTransactionIdFollowsOrEquals(widen(oldest), horizon);
}
