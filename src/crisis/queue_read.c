/*
 * crisis/queue_read.c - what waits of a subject, by its index and without statements: each crisis push and
 * pull looks.
 */
#include "postgres.h"

#include "crisis/crisis.h"
#include "crisis/queue.h"
#include "crisis/queue_private.h"

static PawsTable operations = {.schema = "paws_crisis",
							   .name = "operation",
							   .indexes = {"operation_subject_no_idx"}};

/* Columns of paws_crisis.operation. */
enum
{
	OPERATION_ID = 1,
	OPERATION_SUBJECT_NO,
	OPERATION_DEVICE_NO,
	OPERATION_BASE_REVISION,
	OPERATION_RECEIVED_AT,
	OPERATION_OP_ID,
	OPERATION_DOC_ID,
	OPERATION_COLLECTION,
	OPERATION_MARK,
	OPERATION_ATTEMPTS,
	OPERATION_DELETED,
	OPERATION_SEAL,
	OPERATION_ENVELOPE
};

void
paws_queue_walk_begin(PawsQueueWalk *walk, int64 subject_no)
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = Int64GetDatum(subject_no)};

	walk->subject_no = subject_no;
	walk->snapshot = paws_table_snap(false);
	paws_scan_begin(&walk->scan, &operations, 0, walk->snapshot, &key, 1);
}

void
paws_queue_walk_end(PawsQueueWalk *walk)
{
	paws_scan_end(&walk->scan);
	paws_table_unsnap(walk->snapshot);
}

void
paws_queue_walk_again(PawsQueueWalk *walk)
{
	Datum value = Int64GetDatum(walk->subject_no);

	paws_scan_again(&walk->scan, &value);
}

bool
paws_queue_walk_next(PawsQueueWalk *walk)
{
	return paws_scan_next(&walk->scan);
}

int64
paws_queue_walk_id(PawsQueueWalk *walk)
{
	return paws_scan_int64(&walk->scan, OPERATION_ID);
}

int64
paws_queue_walk_device_no(PawsQueueWalk *walk)
{
	return paws_scan_int64(&walk->scan, OPERATION_DEVICE_NO);
}

static void
read_uuid(PawsScan *scan, int column, pg_uuid_t *uuid)
{
	bool isnull;
	Datum value = paws_scan_column(scan, column, &isnull);

	if (isnull)
		memset(uuid, 0, sizeof(*uuid));
	else
		memcpy(uuid, DatumGetUUIDP(value), sizeof(*uuid));
}

void
paws_queue_walk_op_id(PawsQueueWalk *walk, pg_uuid_t *op_id)
{
	read_uuid(&walk->scan, OPERATION_OP_ID, op_id);
}

static void
read_seal(PawsScan *scan, PawsQueued *queued)
{
	bool isnull;
	Datum value = paws_scan_column(scan, OPERATION_SEAL, &isnull);
	bytea *seal = isnull ? NULL : DatumGetByteaPP(value);

	queued->sealed = !isnull;
	if (seal && VARSIZE_ANY_EXHDR(seal) == PAWS_SEAL_BYTES)
		memcpy(queued->seal, VARDATA_ANY(seal), PAWS_SEAL_BYTES);
}

void
paws_queue_walk_read(PawsQueueWalk *walk, PawsQueued *queued)
{
	PawsScan *scan = &walk->scan;
	PawsChange *change = &queued->change;

	memset(queued, 0, sizeof(*queued));
	queued->id = paws_scan_int64(scan, OPERATION_ID);
	queued->received_at = paws_scan_int64(scan, OPERATION_RECEIVED_AT);
	read_seal(scan, queued);
	change->subject_no = walk->subject_no;
	change->device_no = paws_scan_int64(scan, OPERATION_DEVICE_NO);
	change->base_revision = paws_scan_int64(scan, OPERATION_BASE_REVISION);
	read_uuid(scan, OPERATION_OP_ID, &change->op_id);
	read_uuid(scan, OPERATION_DOC_ID, &change->doc_id);
	change->collection = paws_scan_int16(scan, OPERATION_COLLECTION);
	change->mark = (PawsReason) paws_scan_int16(scan, OPERATION_MARK);
	change->deleted = paws_scan_bool(scan, OPERATION_DELETED);
	change->envelope = paws_scan_bytea(scan, OPERATION_ENVELOPE);
}

int
paws_crisis_queue_read(int64 subject_no, int limit, PawsQueued *queued, bool *more)
{
	PawsQueueWalk walk;
	int64 bytes = 0;
	int count = 0;

	*more = false;
	paws_queue_walk_begin(&walk, subject_no);
	while (paws_queue_walk_next(&walk))
	{
		if (paws_scan_int16(&walk.scan, OPERATION_ATTEMPTS) >= PAWS_CRISIS_ATTEMPTS)
			continue;
		*more = count == limit || bytes >= PAWS_QUEUED_BYTES;
		if (*more)
			break;
		paws_queue_walk_read(&walk, &queued[count]);
		if (queued[count].change.envelope)
			bytes += VARSIZE(queued[count].change.envelope);
		count++;
	}
	paws_queue_walk_end(&walk);
	return count;
}

bool
paws_crisis_queue_waits(int64 subject_no)
{
	PawsQueueWalk walk;
	bool waits;

	paws_queue_walk_begin(&walk, subject_no);
	waits = paws_queue_walk_next(&walk);
	paws_queue_walk_end(&walk);
	return waits;
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
