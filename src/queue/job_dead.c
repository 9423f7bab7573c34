/*
 * queue/job_dead.c - attempts that failed: another try later on, or the dead letters; and back from there.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "guard/manifest.h"
#include "queue/flow.h"
#include "queue/job_private.h"
#include "utils/timestamp.h"

#define DEAD_COLUMNS 14

static PawsTable dead_table = {
	.schema = "paws_queue",
	.name = "dead_letter",
	.indexes = {"dead_letter_pkey"},
	.columns = DEAD_COLUMNS,
};

static PawsStatement list_dead = {
	.sql =
		"SELECT id, class, base_level, attempts, reason, submitted_at, dead_at FROM paws_queue.dead_letter "
		"WHERE topic_no OPERATOR(pg_catalog.=) $1 ORDER BY dead_at DESC, id DESC LIMIT $2",
	.nargs = 2,
	.types = {INT2OID, INT8OID},
};

#define TAKEN                                                                                                \
	"RETURNING id, submitted_at, base_level, class, tier, subject_no, expires_at, ordering_key, key, envelope"

static PawsStatement take_oldest = {
	.sql = "DELETE FROM paws_queue.dead_letter WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
		   "SELECT ctid FROM paws_queue.dead_letter WHERE topic_no OPERATOR(pg_catalog.=) $1 "
		   "ORDER BY dead_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)) " TAKEN,
	.nargs = 2,
	.types = {INT2OID, INT8OID},
};

static PawsStatement take_named = {
	.sql = "DELETE FROM paws_queue.dead_letter WHERE id OPERATOR(pg_catalog.=) ANY ($3) "
		   "AND topic_no OPERATOR(pg_catalog.=) $1 AND $2 OPERATOR(pg_catalog.>=) 0 " TAKEN,
	.nargs = 3,
	.types = {INT2OID, INT8OID, INT8ARRAYOID},
};

#define DROPPED "RETURNING id, submitted_at, base_level, class, tier, attempts, reason, key"

static PawsStatement drop_old = {
	.sql =
		"DELETE FROM paws_queue.dead_letter WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
		"SELECT ctid FROM paws_queue.dead_letter WHERE topic_no OPERATOR(pg_catalog.=) $1 "
		"AND dead_at OPERATOR(pg_catalog.<=) $3 ORDER BY dead_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)) " DROPPED,
	.nargs = 3,
	.types = {INT2OID, INT8OID, TIMESTAMPTZOID},
};

static PawsStatement drop_named = {
	.sql = "DELETE FROM paws_queue.dead_letter WHERE id OPERATOR(pg_catalog.=) ANY ($3) "
		   "AND topic_no OPERATOR(pg_catalog.=) $1 AND $2 OPERATOR(pg_catalog.>=) 0 " DROPPED,
	.nargs = 3,
	.types = {INT2OID, INT8OID, INT8ARRAYOID},
};

static void
form_dead(PawsJobRow *row, PawsJobReason reason, Datum *values, bool *nulls)
{
	TimestampTz now = GetCurrentTimestamp();
	PawsTier tier = (PawsTier) row->tier;

	memset(nulls, 0, DEAD_COLUMNS * sizeof(bool));
	values[0] = Int64GetDatum(row->id);
	values[1] = TimestampTzGetDatum(paws_manifest_time(PAWS_CLOCK_ORDINARY, tier, row->submitted_at));
	values[2] = TimestampTzGetDatum(paws_manifest_time(PAWS_CLOCK_ORDINARY, tier, now));
	values[3] = Int16GetDatum(row->topic_no);
	values[4] = Int16GetDatum(row->base_level);
	values[5] = Int16GetDatum(row->klass);
	values[6] = Int16GetDatum(row->tier);
	values[7] = Int16GetDatum(row->attempts);
	values[8] = Int16GetDatum(reason);
	values[9] = Int64GetDatum(row->subject_no);
	nulls[9] = row->subject_no == 0;
	values[10] = TimestampTzGetDatum(row->expires_at);
	nulls[10] = row->expires_at == 0;
	values[11] = UUIDPGetDatum(&row->ordering_key);
	nulls[11] = !row->ordered;
	values[12] = UUIDPGetDatum(&row->key);
	nulls[12] = !row->keyed;
	values[13] = PointerGetDatum(row->envelope);
}

bool
paws_job_bury(PawsJobCursor *cursor, const PawsTopic *topic, PawsJobRow *row, PawsJobReason reason)
{
	Datum values[DEAD_COLUMNS];
	bool nulls[DEAD_COLUMNS];
	PawsWriter writer;

	row->envelope = (bytea *) PG_DETOAST_DATUM_COPY(PointerGetDatum(row->envelope));
	if (!paws_job_delete(cursor, row))
		return false;
	row->attempts = (int16) Min(row->attempts + 1, PG_INT16_MAX);
	form_dead(row, reason, values, nulls);
	paws_writer_begin(&writer, &dead_table, false);
	paws_writer_insert(&writer, values, nulls);
	paws_writer_end(&writer);
	return true;
}

/* Doubled with each attempt, up to the topic's bound; then by chance between half of it and all of it. */
static int64
backoff(const PawsTopic *topic, int attempts)
{
	double delay = (double) topic->backoff;

	for (int i = 1; i < attempts && delay < (double) topic->max_backoff; i++)
		delay *= 2;
	delay = Min(delay, (double) topic->max_backoff);
	return (int64) (delay * (0.5 + pg_prng_double(&pg_global_prng_state) / 2));
}

static void
end_dead(int slot, const PawsTopic *topic, const PawsJobRow *row, PawsLeaseEnd *end)
{
	end->state = PAWS_JOB_DEAD;
	paws_job_follower(row, topic, slot, &end->next_level, &end->next);
}

/* Without a delay the row stays where it is in the order. */
bool
paws_job_retry(PawsJobCursor *cursor, const PawsTopic *topic, PawsJobRow *row, int64 delay,
			   PawsJobReason reason, PawsLeaseEnd *end)
{
	end->reason = reason;
	if (row->attempts + 1 >= topic->max_attempts || reason == PAWS_JOB_UNREADABLE)
	{
		if (!paws_job_bury(cursor, topic, row, reason))
			return false;
		end_dead(cursor->database_slot, topic, row, end);
		return true;
	}
	row->attempts++;
	row->reason = (int16) reason;
	return paws_job_put_off(cursor, row, delay < 0 ? backoff(topic, row->attempts) : delay, end);
}

bool
paws_job_put_off(PawsJobCursor *cursor, PawsJobRow *row, int64 delay, PawsLeaseEnd *end)
{
	row->available = delay == 0;
	row->run_at = delay == 0 ? row->run_at : GetCurrentTimestamp() + delay;
	row->delay = delay == 0 ? row->delay : delay;
	end->state = delay == 0 ? PAWS_JOB_AVAILABLE : PAWS_JOB_SCHEDULED;
	end->delay = delay;
	end->level = row->level;
	end->at = (PawsJobPlace){row->rank, row->id};
	return paws_job_update(cursor, row);
}

int
paws_job_dead_letters(const PawsTopic *topic, int max, PawsDeadLetter **letters)
{
	Datum args[2] = {Int16GetDatum(topic->no), Int64GetDatum(max)};
	int count = (int) paws_spi_run(&list_dead, args, NULL, 0);

	*letters = paws_spi_alloc(Max(count, 1) * sizeof(PawsDeadLetter));
	for (int i = 0; i < count; i++)
		(*letters)[i] = (PawsDeadLetter){
			.id = paws_spi_int64(i, 1),
			.klass = (PawsClass) paws_spi_int16(i, 2),
			.level = paws_spi_int16(i, 3),
			.attempts = paws_spi_int16(i, 4),
			.reason = (PawsJobReason) paws_spi_int16(i, 5),
			.submitted_at = paws_spi_int64(i, 6),
			.dead_at = paws_spi_int64(i, 7),
		};
	return count;
}

static bool
read_digest(int row, int column, pg_uuid_t *digest)
{
	bool isnull;
	Datum value = paws_spi_column(row, column, &isnull);

	if (!isnull)
		memcpy(digest, DatumGetUUIDP(value), UUID_LEN);
	return !isnull;
}

/* As it was submitted, but for its attempts and its place in the order. */
static void
read_dead(int i, int slot, const PawsTopic *topic, PawsJobRow *row)
{
	memset(row, 0, sizeof(*row));
	row->id = paws_spi_int64(i, 1);
	row->submitted_at = paws_spi_int64(i, 2);
	row->topic_no = topic->no;
	row->level = row->base_level = paws_spi_int16(i, 3);
	row->klass = paws_spi_int16(i, 4);
	row->tier = paws_spi_int16(i, 5);
	row->available = true;
	row->subject_no = paws_spi_int64(i, 6);
	row->delay = -1;
	row->expires_at = paws_spi_int64(i, 7);
	row->ordered = read_digest(i, 8, &row->ordering_key);
	row->keyed = read_digest(i, 9, &row->key);
	row->envelope = paws_spi_bytea(i, 10);
	row->rank = paws_flow_rank(slot, topic->place, row->level, paws_job_flow(row), 1);
}

static Datum
array_of(const int64 *ids, int count)
{
	Datum *named = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		named[i] = Int64GetDatum(ids[i]);
	return paws_spi_array(named, NULL, count, INT8OID);
}

/* An expiry that has passed meanwhile is taken off: whoever redrives wants it done. */
int64
paws_job_redrive(int slot, const PawsTopic *topic, const int64 *ids, int count, int max)
{
	Datum args[3] = {Int16GetDatum(topic->no), Int64GetDatum(max), array_of(ids, count)};
	PawsJobRow *rows;
	int taken;

	paws_job_topic_ready(slot, topic);
	taken = (int) paws_spi_run(ids != NULL ? &take_named : &take_oldest, args, NULL, 0);
	rows = palloc(Max(taken, 1) * sizeof(PawsJobRow));
	for (int i = 0; i < taken; i++)
	{
		read_dead(i, slot, topic, &rows[i]);
		if (rows[i].expires_at != 0 && rows[i].expires_at <= GetCurrentTimestamp())
			rows[i].expires_at = 0;
	}
	paws_job_insert(slot, topic, rows, taken);
	paws_job_count_redriven(slot, topic, taken);
	return taken;
}

static PawsEnded
read_dropped(int i, const PawsTopic *topic)
{
	PawsEnded ended = {.state = PAWS_JOB_DEAD};

	ended.row.id = paws_spi_int64(i, 1);
	ended.row.submitted_at = paws_spi_int64(i, 2);
	ended.row.topic_no = topic->no;
	ended.row.level = paws_spi_int16(i, 3);
	ended.row.klass = paws_spi_int16(i, 4);
	ended.row.tier = paws_spi_int16(i, 5);
	ended.row.attempts = paws_spi_int16(i, 6);
	ended.reason = (PawsJobReason) paws_spi_int16(i, 7);
	ended.row.keyed = read_digest(i, 8, &ended.row.key);
	return ended;
}

/* What a statement deleted: their keys may be used anew after a while, and the history tells of them. */
static int64
drop(int slot, const PawsTopic *topic, PawsStatement *statement, Datum *args)
{
	int count = (int) paws_spi_run(statement, args, NULL, 0);
	PawsEnded *ended = palloc(Max(count, 1) * sizeof(PawsEnded));

	for (int i = 0; i < count; i++)
		ended[i] = read_dropped(i, topic);
	for (int i = 0; i < count; i++)
		if (ended[i].row.keyed)
			paws_job_key_end(topic, &ended[i].row, PAWS_JOB_DEAD, NULL);
	paws_job_remember(topic, ended, count);
	paws_job_count_dropped(slot, topic, count);
	pfree(ended);
	return count;
}

int64
paws_job_drop_dead(int slot, const PawsTopic *topic, TimestampTz before, int max)
{
	Datum args[3] = {Int16GetDatum(topic->no), Int64GetDatum(max), TimestampTzGetDatum(before)};

	return drop(slot, topic, &drop_old, args);
}

int64
paws_job_discard(int slot, const PawsTopic *topic, const int64 *ids, int count, int max)
{
	Datum args[3] = {Int16GetDatum(topic->no), Int64GetDatum(max), array_of(ids, count)};

	if (ids == NULL)
		return paws_job_drop_dead(slot, topic, DT_NOEND, max);
	return drop(slot, topic, &drop_named, args);
}
