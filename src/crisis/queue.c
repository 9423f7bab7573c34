/*
 * crisis/queue.c - adding to the lane's own queue, and applying what waits there.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/spi.h"
#include "base/table.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "crisis/audit.h"
#include "crisis/crisis.h"
#include "crisis/queue.h"
#include "crisis/queue_private.h"
#include "crisis/room.h"
#include "registry/registry.h"
#include "utils/timestamp.h"

static PawsTable operations = {.schema = "paws_crisis",
							   .name = "operation",
							   .indexes = {"operation_subject_no_idx"}};

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

static PawsStatement read_subject = {
	.sql =
		"SELECT id, device_no, base_revision, received_at, op_id, doc_id, collection, mark, deleted, attempts, "
		"seal, envelope FROM paws_crisis.operation WHERE subject_no OPERATOR(pg_catalog.=) $1 "
		"AND (attempts OPERATOR(pg_catalog.<) $2) ORDER BY id LIMIT $3",
	.nargs = 3,
	.types = {INT8OID, INT2OID, INT8OID},
};

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

static void
read_uuid(int row, int column, pg_uuid_t *uuid)
{
	bool isnull;

	memcpy(uuid, DatumGetUUIDP(paws_spi_column(row, column, &isnull)), UUID_LEN);
}

int
paws_crisis_queue_read(int64 subject_no, int max_attempts, int limit, PawsQueued *queued)
{
	Datum args[3] = {Int64GetDatum(subject_no), Int16GetDatum(max_attempts), Int64GetDatum(limit)};
	int found = (int) paws_spi_run(&read_subject, args, NULL, 0);
	int64 bytes = 0;
	int count = 0;

	for (; count < found && bytes < PAWS_QUEUED_BYTES; count++)
	{
		PawsQueued *q = &queued[count];
		bytea *seal = paws_spi_bytea(count, 11);

		memset(q, 0, sizeof(*q));
		q->id = paws_spi_int64(count, 1);
		q->change.subject_no = subject_no;
		q->change.device_no = paws_spi_int64(count, 2);
		q->change.base_revision = paws_spi_int64(count, 3);
		q->received_at = paws_spi_int64(count, 4);
		read_uuid(count, 5, &q->change.op_id);
		read_uuid(count, 6, &q->change.doc_id);
		q->change.collection = paws_spi_int16(count, 7);
		q->change.mark = (PawsReason) paws_spi_int16(count, 8);
		q->change.deleted = paws_spi_bool(count, 9);
		q->sealed = seal != NULL;
		if (seal)
			memcpy(q->seal, VARDATA(seal), PAWS_SEAL_BYTES);
		q->change.envelope = paws_spi_bytea(count, 12);
		bytes += q->change.envelope ? VARSIZE(q->change.envelope) : 0;
	}
	return count;
}

PawsGenuine
paws_crisis_queue_genuine(const PawsQueued *queued)
{
	const PawsChange *change = &queued->change;

	if (change->envelope == NULL)
		return PAWS_GENUINE;
	if (queued->sealed && !paws_vault_usable(PAWS_ROOT_CRISIS))
		return PAWS_GENUINE_UNKNOWN;
	return paws_vault_revision_check(PAWS_KEYS_CRISIS, change->envelope, change->subject_no,
									 change->doc_id.data, PAWS_QUEUED_REVISION,
									 queued->sealed ? queued->seal : NULL)
			   ? PAWS_GENUINE
			   : PAWS_GENUINE_NOT;
}

/* An index scan without SPI: each crisis push asks. */
bool
paws_crisis_queue_waits(int64 subject_no)
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = Int64GetDatum(subject_no)};
	Snapshot snapshot = paws_table_snap(false);
	PawsScan scan;
	bool waits;

	paws_scan_begin(&scan, &operations, 0, snapshot, &key, 1);
	waits = paws_scan_next(&scan);
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
	return waits;
}

/* Those that are seen to wait already are repeats. */
static void
mark_waiting(PawsChange *changes, int count)
{
	PawsQueued *queued = palloc(PAWS_QUEUED_MAX * sizeof(PawsQueued));
	int waiting = paws_crisis_queue_read(changes[0].subject_no, PG_INT16_MAX, PAWS_QUEUED_MAX, queued);

	for (int i = 0; i < count; i++)
		for (int j = 0; j < waiting && !changes[i].repeated; j++)
			changes[i].repeated = queued[j].change.device_no == changes[i].device_no &&
								  memcmp(&queued[j].change.op_id, &changes[i].op_id, UUID_LEN) == 0;
	pfree(queued);
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

static void
remove_done(int64 subject_no, const PawsQueued *queued, int count)
{
	Datum *ids = palloc(count * sizeof(Datum));
	Datum args[2] = {Int64GetDatum(subject_no)};

	for (int i = 0; i < count; i++)
		ids[i] = Int64GetDatum(queued[i].id);
	args[1] = paws_spi_array(ids, NULL, count, INT8OID);
	paws_spi_run(&remove_rows, args, NULL, 0);
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
paws_crisis_queue_drain(int slot, int64 subject_no, int limit, bool wait, bool *more)
{
	int room = Min(limit, PAWS_QUEUED_MAX);
	PawsQueued *queued = palloc(room * sizeof(PawsQueued));
	PawsChange *changes = palloc(room * sizeof(PawsChange));
	int count = paws_crisis_queue_read(subject_no, PAWS_CRISIS_ATTEMPTS, room, queued);
	PawsGenuine next;
	int good = take_genuine(queued, count, changes, &next);

	*more = count == room || good < count;
	if (good == 0)
		return cannot_apply(next);
	paws_store_apply(&paws_crisis_store, changes, good, wait);
	if (changes[0].skipped)
		return false;
	remove_done(subject_no, queued, good);
	paws_room_at_commit(slot, -good);
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
