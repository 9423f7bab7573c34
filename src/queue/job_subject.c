/*
 * queue/job_subject.c - what is here of one subject, or of none: its keys, sealing anew, dropping.
 *
 * Three tables hold envelopes: jobs, dead letters, results. Without a subject they are walked by the numbers
 * of jobs.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/database.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "queue/job_private.h"

/* Of the table job_key the envelope is the result, and the number that of the job. */
#define OTHER_KEY(column) "pg_catalog.substring(" column ", 17, 16) OPERATOR(pg_catalog.<>) $2"
#define SAME_KEY(column)  "pg_catalog.substring(" column ", 17, 16) OPERATOR(pg_catalog.=) $2"
#define OF_SUBJECT        "subject_no OPERATOR(pg_catalog.=) $1"
#define OF_NONE           "subject_no IS NULL AND $1 OPERATOR(pg_catalog.=) 0"

#define USES(table, column, whose)                                                                           \
	{                                                                                                        \
		.sql = "SELECT 1 FROM paws_queue." table " WHERE " column " IS NOT NULL AND " whose                  \
			   " AND " SAME_KEY(column) " LIMIT 1",                                                          \
		.nargs = 2, .types = {                                                                               \
			INT8OID,                                                                                         \
			BYTEAOID                                                                                         \
		}                                                                                                    \
	}

static PawsStatement uses[2][3] = {
	{USES("job", "envelope", OF_NONE), USES("dead_letter", "envelope", OF_NONE),
	 USES("job_key", "result", OF_NONE)},
	{USES("job", "envelope", OF_SUBJECT), USES("dead_letter", "envelope", OF_SUBJECT),
	 USES("job_key", "result", OF_SUBJECT)},
};

#define FIND(table, id, column, level, whose)                                                                \
	{                                                                                                        \
		.sql = "SELECT " id ", topic_no, " column ", " level " FROM paws_queue." table " WHERE " column      \
			   " IS NOT NULL AND " whose " AND " id                                                          \
			   " OPERATOR(pg_catalog.>) $3 AND " OTHER_KEY(column) " ORDER BY " id " LIMIT $4",              \
		.nargs = 4, .types = {                                                                               \
			INT8OID,                                                                                         \
			BYTEAOID,                                                                                        \
			INT8OID,                                                                                         \
			INT8OID                                                                                          \
		}                                                                                                    \
	}

#define JOB_PLACE "level, rank"
#define NO_PLACE  "0::pg_catalog.int2, 0::pg_catalog.int8"

static PawsStatement find[2][3] = {
	{FIND("job", "id", "envelope", JOB_PLACE, OF_NONE),
	 FIND("dead_letter", "id", "envelope", NO_PLACE, OF_NONE),
	 FIND("job_key", "job", "result", NO_PLACE, OF_NONE)},
	{FIND("job", "id", "envelope", JOB_PLACE, OF_SUBJECT),
	 FIND("dead_letter", "id", "envelope", NO_PLACE, OF_SUBJECT),
	 FIND("job_key", "job", "result", NO_PLACE, OF_SUBJECT)},
};

#define REPLACE(table, id, column, whose)                                                                    \
	{                                                                                                        \
		.sql = "UPDATE paws_queue." table " SET " column " = $3 WHERE " id                                   \
			   " OPERATOR(pg_catalog.=) $2 AND " whose " AND " column " OPERATOR(pg_catalog.=) $4",          \
		.nargs = 4, .types = {                                                                               \
			INT8OID,                                                                                         \
			INT8OID,                                                                                         \
			BYTEAOID,                                                                                        \
			BYTEAOID                                                                                         \
		}                                                                                                    \
	}

static PawsStatement replace[2][3] = {
	{REPLACE("job", "id", "envelope", OF_NONE), REPLACE("dead_letter", "id", "envelope", OF_NONE),
	 REPLACE("job_key", "job", "result", OF_NONE)},
	{REPLACE("job", "id", "envelope", OF_SUBJECT), REPLACE("dead_letter", "id", "envelope", OF_SUBJECT),
	 REPLACE("job_key", "job", "result", OF_SUBJECT)},
};

#define TABLES 3

static bytea *
key_bytes(const pg_uuid_t *key)
{
	bytea *bytes = palloc(VARHDRSZ + UUID_LEN);

	SET_VARSIZE(bytes, VARHDRSZ + UUID_LEN);
	memcpy(VARDATA(bytes), key->data, UUID_LEN);
	return bytes;
}

bool
paws_job_uses_key(int64 subject_no, const pg_uuid_t *key)
{
	Datum args[2] = {Int64GetDatum(subject_no), PointerGetDatum(key_bytes(key))};

	for (int table = 0; table < TABLES; table++)
		if (paws_spi_run(&uses[subject_no != 0][table], args, NULL, 1) > 0)
			return true;
	return false;
}

/* ---- sealing anew ---- */

typedef struct Found
{
	int64 id;
	int16 topic_no;
	int16 level;
	int64 rank;
	bytea *envelope;
} Found;

/* A claim may have passed over a row that was just changed. */
typedef struct Retell
{
	int slot;
	Oid identity;
	int16 place;
	int16 level;
	PawsJobPlace at;
} Retell;

static void
retell(void *arg)
{
	Retell *job = arg;

	if (paws_database_identity(job->slot) != job->identity)
		return;
	paws_front_tell(job->slot, job->place, job->level, job->at);
	paws_job_wake(job->slot, job->place, 1);
}

static void
tell_again(const Found *found)
{
	Retell job = {.slot = paws_database_slot(), .level = found->level, .at = {found->rank, found->id}};

	job.identity = paws_database_identity(job.slot);
	job.place = paws_job_topic(found->topic_no)->place;
	*(Retell *) paws_at_commit(retell, sizeof(Retell)) = job;
	*(Retell *) paws_at_abort(retell, sizeof(Retell)) = job;
}

static int
read_found(int table, Found *found, int64 subject_no, const pg_uuid_t *key, int64 after, int limit)
{
	Datum args[4] = {Int64GetDatum(subject_no), PointerGetDatum(key_bytes(key)), Int64GetDatum(after),
					 Int64GetDatum(limit)};
	int count = (int) paws_spi_run(&find[subject_no != 0][table], args, NULL, 0);

	for (int i = 0; i < count; i++)
		found[i] = (Found){.id = paws_spi_int64(i, 1),
						   .topic_no = paws_spi_int16(i, 2),
						   .envelope = paws_spi_bytea(i, 3),
						   .level = paws_spi_int16(i, 4),
						   .rank = paws_spi_int64(i, 5)};
	return count;
}

/* What changed meanwhile has left the table, or is under the new key. */
static void
seal_anew(int table, const Found *found, const PawsJobSeal *seal, int64 *bytes, int64 *broken)
{
	bytea *envelope = paws_job_seal_anew(seal, found->envelope);
	Datum args[4];

	if (envelope == NULL)
	{
		(*broken)++;
		return;
	}
	args[0] = Int64GetDatum(seal->subject_no);
	args[1] = Int64GetDatum(found->id);
	args[2] = PointerGetDatum(envelope);
	args[3] = PointerGetDatum(found->envelope);
	if (paws_spi_run(&replace[seal->subject_no != 0][table], args, NULL, 0) == 0)
		return;
	*bytes += VARSIZE(envelope);
	if (table == 0)
		tell_again(found);
}

/*
 * The walk goes over the tables in turn: which one stands in its lowest digit. What does not open is passed
 * over, and counted.
 */
bool
paws_job_reseal(int64 subject_no, const uint8 subject[16], const pg_uuid_t *key, int64 *walk, int limit,
				int64 *bytes, int64 *broken)
{
	int table = (int) (*walk % 4);
	int64 after = *walk / 4;
	Found *found = palloc(limit * sizeof(Found));
	int count;

	if (table >= TABLES)
		return true;
	count = read_found(table, found, subject_no, key, after, limit);
	for (int i = 0; i < count; i++)
	{
		PawsJobSeal seal = {.topic_no = found[i].topic_no,
							.job = found[i].id,
							.subject_no = subject_no,
							.subject = subject_no != 0 ? subject : NULL,
							.part = table == TABLES - 1 ? PAWS_JOB_RESULT : PAWS_JOB_PAYLOAD};

		seal_anew(table, &found[i], &seal, bytes, broken);
	}
	*walk = count < limit ? table + 1 : found[count - 1].id * 4 + table;
	return *walk == TABLES;
}

/* ---- dropping ---- */

#define DROP(table, what)                                                                                    \
	{                                                                                                        \
		.sql = "DELETE FROM paws_queue." table " WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("              \
			   "SELECT ctid FROM paws_queue." table " WHERE " OF_SUBJECT " LIMIT $2 FOR UPDATE SKIP "        \
			   "LOCKED)) RETURNING topic_no" what,                                                           \
		.nargs = 2, .types = {                                                                               \
			INT8OID,                                                                                         \
			INT8OID                                                                                          \
		}                                                                                                    \
	}

static PawsStatement drop_jobs = DROP("job", ", level, rank, id, available, ordering_key");
static PawsStatement drop_dead = DROP("dead_letter", "");
static PawsStatement drop_keys = DROP("job_key", "");

static PawsStatement find_any = {
	.sql = "SELECT 1 FROM paws_queue.job WHERE " OF_SUBJECT " UNION ALL SELECT 1 FROM paws_queue.dead_letter "
		   "WHERE " OF_SUBJECT " UNION ALL SELECT 1 FROM paws_queue.job_key WHERE " OF_SUBJECT " LIMIT 1",
	.nargs = 1,
	.types = {INT8OID},
};

/* Others may have waited for the sake of its ordering key. */
static void
note_dropped(int slot, int row)
{
	bool isnull;
	Datum ordering_key = paws_spi_column(row, 6, &isnull);
	PawsJobRow dropped = {.topic_no = paws_spi_int16(row, 1),
						  .level = paws_spi_int16(row, 2),
						  .rank = paws_spi_int64(row, 3),
						  .id = paws_spi_int64(row, 4),
						  .available = paws_spi_bool(row, 5)};
	const PawsTopic *topic = paws_topic_no(dropped.topic_no);
	PawsLease lease;
	PawsLeaseEnd *end;

	if (topic == NULL)
		return;
	dropped.ordered = !isnull;
	if (!isnull)
		memcpy(&dropped.ordering_key, DatumGetUUIDP(ordering_key), UUID_LEN);
	lease = paws_job_lease_of(&dropped, topic);
	end = paws_lease_end_unleased(slot, &lease);
	end->state = PAWS_JOB_CANCELLED;
	end->was_delayed = !dropped.available;
	paws_job_follower(&dropped, topic, slot, &end->next_level, &end->next);
}

bool
paws_job_drop_subject(int slot, int64 subject_no, int limit, int64 *removed)
{
	Datum args[2] = {Int64GetDatum(subject_no), Int64GetDatum(limit)};
	const PawsTopic *topics;
	int jobs;

	(void) paws_topics(&topics); /* while the last run's rows are not needed */
	jobs = (int) paws_spi_run(&drop_jobs, args, NULL, 0);
	for (int i = 0; i < jobs; i++)
		note_dropped(slot, i);
	*removed += jobs + (int64) paws_spi_run(&drop_dead, args, NULL, 0) +
				(int64) paws_spi_run(&drop_keys, args, NULL, 0);
	return paws_spi_run(&find_any, args, NULL, 1) == 0;
}
