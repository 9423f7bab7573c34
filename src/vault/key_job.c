/*
 * vault/key_job.c - the rows of paws_vault.key_job.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"

#include "vault/key_job.h"

#define REQUEST_TRIES 3

#define WAITING "kind OPERATOR(pg_catalog.=) $1 AND phase OPERATOR(pg_catalog.=) 1"

static PawsStatement find_waiting = {
	.sql = "SELECT job_id FROM paws_vault.key_job WHERE " WAITING,
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement find_pending = {
	.sql =
		"SELECT 1 FROM paws_vault.key_job WHERE kind OPERATOR(pg_catalog.=) $1 AND finished_at IS NULL LIMIT 1",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement find_last = {
	.sql = "SELECT finished_at, left_over FROM paws_vault.key_job WHERE kind OPERATOR(pg_catalog.=) $1 "
		   "AND finished_at IS NOT NULL ORDER BY job_id DESC LIMIT 1",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement insert_job = {
	.sql = "INSERT INTO paws_vault.key_job (kind) VALUES ($1) "
		   "ON CONFLICT (kind) WHERE phase OPERATOR(pg_catalog.=) 1 DO NOTHING RETURNING job_id",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement load_job = {
	.sql = "SELECT job_id, kind, phase, home, done, total, left_over, walk_key, walk_position, walk_subject, "
		   "care_epoch, crisis_epoch, entered, bound FROM paws_vault.key_job WHERE finished_at IS NULL "
		   "ORDER BY job_id LIMIT 1 FOR UPDATE",
};

static PawsStatement save_job = {
	.sql = "UPDATE paws_vault.key_job SET phase = $2, home = $3, done = $4, total = $5, left_over = $6, "
		   "walk_key = $7, walk_position = $8, walk_subject = $9, care_epoch = $10, crisis_epoch = $11, "
		   "entered = $12, bound = $13, "
		   "started_at = coalesce(started_at, pg_catalog.clock_timestamp()), "
		   "finished_at = CASE WHEN $14 THEN pg_catalog.clock_timestamp() END "
		   "WHERE job_id OPERATOR(pg_catalog.=) $1",
	.nargs = 14,
	.types = {INT8OID, INT2OID, INT2OID, INT8OID, INT8OID, INT8OID, UUIDOID, INT8OID, INT8OID, INT4OID,
			  INT4OID, INT8OID, INT8OID, BOOLOID},
};

/*
 * Another session's request is waited for, and then it is ours too; unless the scheduler has begun it
 * meanwhile, for what is asked for now may come too late for that.
 */
int64
paws_key_job_request(PawsKeyJobKind kind)
{
	Datum args[1] = {Int16GetDatum(kind)};

	for (int i = 0; i < REQUEST_TRIES; i++)
		if (paws_spi_run(&find_waiting, args, NULL, 1) > 0 || paws_spi_run(&insert_job, args, NULL, 1) > 0)
			return paws_spi_int64(0, 1);
	ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					errmsg("could not ask for keys because of a concurrent request"),
					errhint("The transaction might succeed if retried.")));
	return 0; /* keep compiler quiet */
}

bool
paws_key_job_pending(PawsKeyJobKind kind)
{
	Datum args[1] = {Int16GetDatum(kind)};

	return paws_spi_run(&find_pending, args, NULL, 1) > 0;
}

TimestampTz
paws_key_job_left_over_at(PawsKeyJobKind kind)
{
	Datum args[1] = {Int16GetDatum(kind)};

	if (paws_spi_run(&find_last, args, NULL, 1) == 0 || paws_spi_int64(0, 2) == 0)
		return 0;
	return paws_spi_int64(0, 1);
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
	job->walk_position = paws_spi_int64(0, 9);
	job->walk_subject = paws_spi_int64(0, 10);
	job->care_epoch = (uint32) paws_spi_int32(0, 11);
	job->crisis_epoch = (uint32) paws_spi_int32(0, 12);
	job->entered = FullTransactionIdFromU64((uint64) paws_spi_int64(0, 13));
	job->bound = paws_spi_int64(0, 14);
	return true;
}

/* Keys and subjects come and go while a job runs, so what was counted at its start is a guess. */
static void
keep_total_true(PawsKeyJob *job)
{
	bool finished = job->phase == PAWS_KEY_PHASE_FINISHED;

	if (job->kind == PAWS_KEY_JOB_DATA_KEYS) /* what is left are keys and documents, not subjects */
		job->total = finished ? job->done : Max(job->total, job->done);
	else
		job->total = finished ? job->done + job->left : Max(job->total, job->done);
}

void
paws_key_job_save(PawsKeyJob *job)
{
	Datum args[14];

	keep_total_true(job);
	args[0] = Int64GetDatum(job->id);
	args[1] = Int16GetDatum(job->phase);
	args[2] = Int16GetDatum(job->home);
	args[3] = Int64GetDatum(job->done);
	args[4] = Int64GetDatum(job->total);
	args[5] = Int64GetDatum(job->left);
	args[6] = UUIDPGetDatum(&job->walk_key);
	args[7] = Int64GetDatum(job->walk_position);
	args[8] = Int64GetDatum(job->walk_subject);
	args[9] = Int32GetDatum((int32) job->care_epoch);
	args[10] = Int32GetDatum((int32) job->crisis_epoch);
	args[11] = Int64GetDatum((int64) U64FromFullTransactionId(job->entered));
	args[12] = Int64GetDatum(job->bound);
	args[13] = BoolGetDatum(job->phase == PAWS_KEY_PHASE_FINISHED);
	paws_spi_run(&save_job, args, NULL, 0);
}

void
paws_key_job_enter(PawsKeyJob *job, PawsKeyPhase phase)
{
	job->phase = phase;
	job->home = PAWS_KEYS_CARE;
	memset(&job->walk_key, 0, sizeof(job->walk_key));
	job->walk_position = PAWS_WALK_START;
	job->walk_subject = 0;
	job->entered = GetTopFullTransactionId();
}
