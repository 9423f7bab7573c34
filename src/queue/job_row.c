/*
 * queue/job_row.c - rows of paws_queue.job: read, formed, found, ended, changed.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/spi.h"
#include "base/stored.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "queue/job_private.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

PawsTable paws_job_table = {
	.schema = "paws_queue",
	.name = "job",
	.indexes = {"job_pkey", "job_available_idx", "job_ordering_idx", "job_subject_idx", "job_run_at_idx",
				"job_expires_at_idx"},
	.columns = PAWS_JOB_COLUMNS,
};

static int64
int64_or(TupleTableSlot *slot, int column, int64 none)
{
	bool isnull;
	Datum value = slot_getattr(slot, column, &isnull);

	return isnull ? none : DatumGetInt64(value);
}

static int16
int16_of(TupleTableSlot *slot, int column)
{
	return DatumGetInt16(slot->tts_values[column - 1]);
}

static bool
read_digest(TupleTableSlot *slot, int column, pg_uuid_t *digest)
{
	bool isnull;
	Datum value = slot_getattr(slot, column, &isnull);

	if (!isnull)
		memcpy(digest, DatumGetUUIDP(value), UUID_LEN);
	return !isnull;
}

void
paws_job_read_row(TupleTableSlot *slot, PawsJobRow *row)
{
	slot_getsomeattrs(slot, PAWS_JOB_COLUMNS);
	row->id = int64_or(slot, PAWS_JOB_ID, 0);
	row->rank = int64_or(slot, PAWS_JOB_RANK, 0);
	row->submitted_at = int64_or(slot, PAWS_JOB_SUBMITTED_AT, 0);
	row->topic_no = int16_of(slot, PAWS_JOB_TOPIC_NO);
	row->level = paws_stored_code(int16_of(slot, PAWS_JOB_LEVEL), PAWS_LEVEL_ORDINARY_MAX);
	row->base_level = paws_stored_code(int16_of(slot, PAWS_JOB_BASE_LEVEL), PAWS_LEVEL_ORDINARY_MAX);
	row->klass = paws_stored_code(int16_of(slot, PAWS_JOB_CLASS), PAWS_CLASS_LAST);
	row->tier = int16_of(slot, PAWS_JOB_TIER);
	row->attempts = int16_of(slot, PAWS_JOB_ATTEMPTS);
	row->reason = int16_of(slot, PAWS_JOB_REASON);
	row->available = DatumGetBool(slot->tts_values[PAWS_JOB_IS_AVAILABLE - 1]);
	row->subject_no = int64_or(slot, PAWS_JOB_SUBJECT_NO, 0);
	row->run_at = int64_or(slot, PAWS_JOB_RUN_AT, 0);
	row->delay = int64_or(slot, PAWS_JOB_DELAY, -1);
	row->expires_at = int64_or(slot, PAWS_JOB_EXPIRES_AT, 0);
	row->ordered = read_digest(slot, PAWS_JOB_ORDERING_KEY, &row->ordering_key);
	row->keyed = read_digest(slot, PAWS_JOB_KEY, &row->key);
	row->envelope = (bytea *) DatumGetPointer(slot->tts_values[PAWS_JOB_ENVELOPE - 1]);
	row->tid = slot->tts_tid;
}

void
paws_job_form_row(PawsJobRow *row, Datum *values, bool *nulls)
{
	memset(nulls, 0, PAWS_JOB_COLUMNS * sizeof(bool));
	values[PAWS_JOB_ID - 1] = Int64GetDatum(row->id);
	values[PAWS_JOB_RANK - 1] = Int64GetDatum(row->rank);
	values[PAWS_JOB_SUBMITTED_AT - 1] = TimestampTzGetDatum(row->submitted_at);
	values[PAWS_JOB_TOPIC_NO - 1] = Int16GetDatum(row->topic_no);
	values[PAWS_JOB_LEVEL - 1] = Int16GetDatum(row->level);
	values[PAWS_JOB_BASE_LEVEL - 1] = Int16GetDatum(row->base_level);
	values[PAWS_JOB_CLASS - 1] = Int16GetDatum(row->klass);
	values[PAWS_JOB_TIER - 1] = Int16GetDatum(row->tier);
	values[PAWS_JOB_ATTEMPTS - 1] = Int16GetDatum(row->attempts);
	values[PAWS_JOB_REASON - 1] = Int16GetDatum(row->reason);
	values[PAWS_JOB_IS_AVAILABLE - 1] = BoolGetDatum(row->available);
	values[PAWS_JOB_SUBJECT_NO - 1] = Int64GetDatum(row->subject_no);
	nulls[PAWS_JOB_SUBJECT_NO - 1] = row->subject_no == 0;
	values[PAWS_JOB_RUN_AT - 1] = TimestampTzGetDatum(row->run_at);
	nulls[PAWS_JOB_RUN_AT - 1] = row->run_at == 0;
	values[PAWS_JOB_DELAY - 1] = Int64GetDatum(row->delay);
	nulls[PAWS_JOB_DELAY - 1] = row->delay < 0;
	values[PAWS_JOB_EXPIRES_AT - 1] = TimestampTzGetDatum(row->expires_at);
	nulls[PAWS_JOB_EXPIRES_AT - 1] = row->expires_at == 0;
	values[PAWS_JOB_ORDERING_KEY - 1] = UUIDPGetDatum(&row->ordering_key);
	nulls[PAWS_JOB_ORDERING_KEY - 1] = !row->ordered;
	values[PAWS_JOB_KEY - 1] = UUIDPGetDatum(&row->key);
	nulls[PAWS_JOB_KEY - 1] = !row->keyed;
	values[PAWS_JOB_ENVELOPE - 1] = PointerGetDatum(row->envelope);
}

uint64
paws_job_flow(const PawsJobRow *row)
{
	uint64 flow;

	if (row->ordered)
	{
		memcpy(&flow, row->ordering_key.data, sizeof(flow));
		return flow | 1;
	}
	return row->subject_no == 0 ? 0 : paws_spread((uint64) row->subject_no) | 1;
}

int
paws_job_flow_cap(const PawsJobRow *row, const PawsTopic *topic)
{
	return row->ordered ? 1 : topic->in_flight_per_flow;
}

PawsLease
paws_job_lease_of(const PawsJobRow *row, const PawsTopic *topic)
{
	PawsLease lease = {.id = row->id, .rank = row->rank, .tid = row->tid};

	lease.place = topic->place;
	lease.level = row->level;
	/* a flow without a bound is not looked for */
	lease.flow = paws_job_flow_cap(row, topic) > 0 ? paws_job_flow(row) : 0;
	return lease;
}

void
paws_job_open(PawsJobCursor *cursor, int slot)
{
	PreventCommandIfReadOnly("writing through paws_sync");
	PreventCommandIfParallelMode("writing through paws_sync");
	cursor->table = paws_table_open(&paws_job_table, RowExclusiveLock);
	cursor->slot = table_slot_create(cursor->table, NULL);
	cursor->snapshot = paws_table_snap(true);
	cursor->database_slot = slot;
	cursor->plain = cursor->table->trigdesc == NULL;
	cursor->waits = true;
}

void
paws_job_close(PawsJobCursor *cursor)
{
	paws_table_unsnap(cursor->snapshot);
	ExecDropSingleTupleTableSlot(cursor->slot);
	table_close(cursor->table, NoLock);
}

void
paws_job_refresh(PawsJobCursor *cursor)
{
	Snapshot old = cursor->snapshot;

	cursor->snapshot = paws_table_snap(true);
	ExecClearTuple(cursor->slot);
	paws_table_unsnap(old);
}

static bool
find_at(PawsJobCursor *cursor, ItemPointer place, int64 id)
{
	return ItemPointerIsValid(place) &&
		   ItemPointerGetBlockNumber(place) < RelationGetNumberOfBlocks(cursor->table) &&
		   table_tuple_fetch_row_version(cursor->table, place, cursor->snapshot, cursor->slot) &&
		   int64_or(cursor->slot, PAWS_JOB_ID, 0) == id;
}

static bool
find_by_id(PawsJobCursor *cursor, int64 id)
{
	PawsKey keys[1] = {{1, BTEqualStrategyNumber, Int64GetDatum(id)}};
	PawsScan scan;
	bool found;

	paws_scan_begin(&scan, &paws_job_table, PAWS_JOB_PKEY, cursor->snapshot, keys, 1);
	found = paws_scan_next(&scan);
	if (found)
		ExecCopySlot(cursor->slot, scan.slot);
	if (found)
		cursor->slot->tts_tid = *paws_scan_place(&scan);
	paws_scan_end(&scan);
	return found;
}

/* A row may have moved since its place was noted: it was sealed anew, or the table was written anew. */
bool
paws_job_find(PawsJobCursor *cursor, int64 id, ItemPointer hint, PawsJobRow *row)
{
	if ((hint == NULL || !find_at(cursor, hint, id)) && !find_by_id(cursor, id))
		return false;
	paws_job_read_row(cursor->slot, row);
	return true;
}

static bool
is_written(TM_Result result)
{
	if (result == TM_Ok)
		return true;
	if (IsolationUsesXactSnapshot() && (result == TM_Updated || result == TM_Deleted))
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent update"),
						errhint("Repeat the transaction.")));
	return false;
}

bool
paws_job_delete(PawsJobCursor *cursor, const PawsJobRow *row)
{
	ItemPointerData tid = row->tid;
	TM_FailureData failure;
	PawsWriter writer;
	bool deleted;

	if (cursor->plain)
		return is_written(table_tuple_delete(cursor->table, &tid, GetCurrentCommandId(true), cursor->snapshot,
											 InvalidSnapshot, cursor->waits, &failure, false));
	paws_writer_begin(&writer, &paws_job_table, false);
	deleted = paws_writer_delete(&writer, &tid, cursor->snapshot, cursor->waits) == PAWS_WRITTEN;
	paws_writer_end(&writer);
	return deleted;
}

bool
paws_job_update(PawsJobCursor *cursor, PawsJobRow *row)
{
	Datum values[PAWS_JOB_COLUMNS];
	bool nulls[PAWS_JOB_COLUMNS];
	PawsWriter writer;
	bool updated;

	row->envelope = (bytea *) PG_DETOAST_DATUM_COPY(PointerGetDatum(row->envelope));
	paws_job_form_row(row, values, nulls);
	paws_writer_begin(&writer, &paws_job_table, false);
	updated = paws_writer_update(&writer, &row->tid, cursor->snapshot, values, nulls, cursor->waits) ==
			  PAWS_WRITTEN;
	paws_writer_end(&writer);
	return updated;
}

Oid
paws_job_sequence(PawsJobSequence which)
{
	static const char *const names[] = {"job_id", "lease_epoch"};
	static Oid known[lengthof(names)];
	static Oid identity = InvalidOid;

	if (identity != paws_extension_identity())
		memset(known, 0, sizeof(known));
	identity = paws_extension_identity();
	if (!OidIsValid(known[which]))
		known[which] = get_relname_relid(names[which], get_namespace_oid("paws_queue", false));
	return known[which];
}

const PawsTopic *
paws_job_topic(int16 topic_no)
{
	const PawsTopic *topic = paws_topic_no(topic_no);

	if (topic == NULL)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a job of a topic that does not exist")));
	return topic;
}
