/*
 * crisis/queue.c - adding to the lane's own queue, and applying what waits there.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/spi.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "crisis/audit.h"
#include "crisis/crisis.h"
#include "crisis/queue.h"
#include "crisis/queue_private.h"
#include "crisis/room.h"
#include "registry/registry.h"
#include "utils/timestamp.h"

#define NCOLUMNS 11

static PawsStatement put = {
	.sql =
		"INSERT INTO paws_crisis.operation (subject_no, device_no, base_revision, received_at, op_id, doc_id, "
		"collection, mark, deleted, seal, envelope) SELECT * FROM ROWS FROM (" PAWS_SETS_11 ") AS c",
	.nargs = NCOLUMNS,
	.types = {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, UUIDARRAYOID, UUIDARRAYOID,
			  INT2ARRAYOID, INT2ARRAYOID, BOOLARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID},
};

static const Oid types[NCOLUMNS] = {INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, UUIDOID, UUIDOID,
									INT2OID, INT2OID, BOOLOID, BYTEAOID,       BYTEAOID};

static PawsStatement remove_rows = {
	.sql = "DELETE FROM paws_crisis.operation WHERE subject_no OPERATOR(pg_catalog.=) $1 "
		   "AND id OPERATOR(pg_catalog.=) ANY ($2)",
	.nargs = 2,
	.types = {INT8OID, INT8ARRAYOID},
};

/* One look at the index for each subject, not one for each row. */
static PawsStatement next_subject = {
	.sql = "SELECT subject_no FROM paws_crisis.operation WHERE subject_no OPERATOR(pg_catalog.>) $1 "
		   "AND (attempts OPERATOR(pg_catalog.<) $2) ORDER BY subject_no LIMIT 1",
	.nargs = 2,
	.types = {INT8OID, INT2OID},
};

static PawsStatement count_attempt = {
	.sql =
		"UPDATE paws_crisis.operation SET attempts = attempts OPERATOR(pg_catalog.+) 1::pg_catalog.int2 "
		"WHERE subject_no OPERATOR(pg_catalog.=) $1 AND (attempts OPERATOR(pg_catalog.<) $2) AND id OPERATOR(pg_catalog.=) (SELECT id FROM paws_crisis.operation "
		"WHERE subject_no OPERATOR(pg_catalog.=) $1 AND (attempts OPERATOR(pg_catalog.<) $2) ORDER BY id LIMIT 1)",
	.nargs = 2,
	.types = {INT8OID, INT2OID},
};

static int
by_op_id(const void *a, const void *b)
{
	return memcmp(&(*(PawsChange *const *) a)->op_id, &(*(PawsChange *const *) b)->op_id, UUID_LEN);
}

/* Those that are seen to wait already are repeats, however much waits. */
static void
mark_waiting(PawsChange *changes, int count)
{
	PawsChange **sorted = palloc(count * sizeof(PawsChange *));
	PawsChange waiting = {0};
	PawsChange *key = &waiting;
	PawsQueueWalk walk;

	for (int i = 0; i < count; i++)
		sorted[i] = &changes[i];
	qsort(sorted, count, sizeof(PawsChange *), by_op_id);
	paws_queue_walk_begin(&walk, changes[0].subject_no);
	while (paws_queue_walk_next(&walk))
	{
		PawsChange **same;

		paws_queue_walk_op_id(&walk, &waiting.op_id);
		same = bsearch(&key, sorted, count, sizeof(PawsChange *), by_op_id);
		if (same && (*same)->device_no == paws_queue_walk_device_no(&walk))
			(*same)->repeated = true;
	}
	paws_queue_walk_end(&walk);
	pfree(sorted);
}

static Datum
seal_datum(const PawsChange *change, bool *isnull)
{
	bytea *seal = palloc(VARHDRSZ + PAWS_SEAL_BYTES);

	SET_VARSIZE(seal, VARHDRSZ + PAWS_SEAL_BYTES);
	*isnull = change->envelope == NULL ||
			  !paws_vault_revision_seal(PAWS_KEYS_CRISIS, change->envelope, change->subject_no,
										change->doc_id.data, PAWS_QUEUED_REVISION, (uint8_t *) VARDATA(seal));
	return PointerGetDatum(seal);
}

static void
insert(const PawsChange *const *changes, int count)
{
	Datum args[NCOLUMNS];
	Datum *columns[NCOLUMNS];
	bool *no_seal = palloc(count * sizeof(bool));
	bool *no_envelope = palloc(count * sizeof(bool));
	TimestampTz now = paws_manifest_time(PAWS_CLOCK_EXACT, PAWS_TIER_NONE, GetCurrentTimestamp());

	for (int c = 0; c < NCOLUMNS; c++)
		columns[c] = palloc(count * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		const PawsChange *change = changes[i];

		columns[0][i] = Int64GetDatum(change->subject_no);
		columns[1][i] = Int64GetDatum(change->device_no);
		columns[2][i] = Int64GetDatum(change->base_revision);
		columns[3][i] = TimestampTzGetDatum(now);
		columns[4][i] = UUIDPGetDatum(&change->op_id);
		columns[5][i] = UUIDPGetDatum(&change->doc_id);
		columns[6][i] = Int16GetDatum(change->collection);
		columns[7][i] = Int16GetDatum(change->mark);
		columns[8][i] = BoolGetDatum(change->deleted);
		columns[9][i] = seal_datum(change, &no_seal[i]);
		no_envelope[i] = change->envelope == NULL;
		columns[10][i] = PointerGetDatum(change->envelope);
	}
	for (int c = 0; c < NCOLUMNS; c++)
		args[c] = paws_spi_array(columns[c],
								 c == 9    ? no_seal
								 : c == 10 ? no_envelope
										   : NULL,
								 count, types[c]);
	paws_spi_run(&put, args, NULL, 0);
}

void
paws_crisis_queue_put(int slot, PawsChange *changes, int count)
{
	const PawsChange **fresh = palloc(Max(count, 1) * sizeof(PawsChange *));
	int n = 0;

	if (count == 0)
		return;
	mark_waiting(changes, count);
	for (int i = 0; i < count; i++)
	{
		changes[i].queued = true;
		if (!changes[i].repeated)
			fresh[n++] = &changes[i];
	}
	if (n > 0)
	{
		paws_room_require(slot, n);
		insert(fresh, n);
		paws_room_at_commit(slot, n);
	}
	paws_wake_at_commit(slot, PAWS_WAKE_CRISIS);
}

/* How many: some may be gone, removed by whoever held the counter before. */
static int
remove_done(int64 subject_no, const PawsQueued *queued, int count)
{
	Datum *ids = palloc(count * sizeof(Datum));
	Datum args[2] = {Int64GetDatum(subject_no)};

	for (int i = 0; i < count; i++)
		ids[i] = Int64GetDatum(queued[i].id);
	args[1] = paws_spi_array(ids, NULL, count, INT8OID);
	return (int) paws_spi_run(&remove_rows, args, NULL, 0);
}

static void
set_conflict_policy(PawsChange *change)
{
	const PawsCollection *collection = paws_registry_collection_no(change->collection);

	if (collection)
		change->on_conflict = collection->on_conflict;
	else
		change->refused = PAWS_REASON_UNKNOWN_COLLECTION;
}

/* What somebody else put into the table is not taken for a device's word. Those at the front that are good,
 * and what the next one is. */
static int
take_genuine(PawsQueued *queued, int count, PawsChange *changes, PawsGenuine *next)
{
	int n = 0;

	*next = PAWS_GENUINE;
	for (; n < count; n++)
	{
		*next = paws_crisis_queue_genuine(&queued[n]);
		if (*next != PAWS_GENUINE)
			break;
		changes[n] = queued[n].change;
		set_conflict_policy(&changes[n]);
	}
	return n;
}

/* Nothing at the front can be applied. True if there is nothing. */
static bool
cannot_apply(PawsGenuine first)
{
	if (first == PAWS_GENUINE_NOT)
		ereport(ERROR,
				(errcode(PAWS_ERRCODE_ENVELOPE), errmsg("a waiting crisis operation is not genuine"),
				 errhint("It was not written by paws_sync, or under other keys; it stays in the queue.")));
	return first == PAWS_GENUINE;
}

bool
paws_crisis_queue_drain(int slot, int64 subject_no, int limit, bool whole, bool *more)
{
	int room = Min(limit, PAWS_QUEUED_MAX);
	PawsQueued *queued = palloc(room * sizeof(PawsQueued));
	PawsChange *changes = palloc(room * sizeof(PawsChange));
	int count = paws_crisis_queue_read(subject_no, room, queued, more);
	PawsGenuine next;
	int good = take_genuine(queued, count, changes, &next);

	*more = *more || good < count;
	if (good == 0)
		return cannot_apply(next);
	if (whole && *more)
		return false;
	paws_store_apply(&paws_crisis_store, changes, good, whole);
	if (changes[0].skipped)
		return false;
	paws_room_at_commit(slot, -remove_done(subject_no, queued, good));
	paws_crisis_audit_changes(slot, PAWS_AUDIT_DRAINED, changes, good);
	paws_wake_key_at_commit(slot, subject_no);
	return true;
}

int
paws_crisis_queue_subjects(int64 after, int64 *subjects, int max)
{
	int count = 0;

	for (; count < max; count++)
	{
		Datum args[2] = {Int64GetDatum(count ? subjects[count - 1] : after),
						 Int16GetDatum(PAWS_CRISIS_ATTEMPTS)};

		if (paws_spi_run(&next_subject, args, NULL, 1) == 0)
			break;
		subjects[count] = paws_spi_int64(0, 1);
	}
	return count;
}

void
paws_crisis_queue_failed(int64 subject_no)
{
	Datum args[2] = {Int64GetDatum(subject_no), Int16GetDatum(PAWS_CRISIS_ATTEMPTS)};

	paws_spi_run(&count_attempt, args, NULL, 0);
}
