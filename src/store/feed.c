/*
 * store/feed.c - the feed and its documents without statements: a waiting consumer of the crisis lane is
 * behind each look.
 */
#include "postgres.h"

#include "store/feed.h"
#include "store/store_private.h"

#define FEED_BY_POSITION 1

void
paws_feed_begin(PawsFeedWalk *walk, PawsStore *store, Snapshot snapshot, int64 subject_no, int64 position)
{
	PawsKey keys[2] = {{1, BTEqualStrategyNumber, Int64GetDatum(subject_no)},
					   {2, BTGreaterEqualStrategyNumber, Int64GetDatum(position)}};

	walk->store = store;
	walk->subject_no = subject_no;
	walk->snapshot = snapshot;
	walk->looked = false;
	paws_scan_begin(&walk->entries, paws_store_table(store, PAWS_TABLE_FEED), FEED_BY_POSITION, snapshot,
					keys, 2);
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

bool
paws_feed_next(PawsFeedWalk *walk, PawsFeedEntry *entry)
{
	PawsScan *scan = &walk->entries;

	if (!paws_scan_next(scan))
		return false;
	memset(entry, 0, sizeof(*entry));
	entry->position = paws_scan_int64(scan, FEED_POSITION);
	entry->device_no = paws_scan_int64(scan, FEED_DEVICE_NO);
	read_uuid(scan, FEED_OP_ID, &entry->op_id);
	read_uuid(scan, FEED_DOC_ID, &entry->doc_id);
	entry->collection = paws_scan_int16(scan, FEED_COLLECTION);
	entry->revision = paws_scan_int64(scan, FEED_REVISION);
	entry->outcome = (PawsOutcome) paws_scan_int16(scan, FEED_OUTCOME);
	entry->reason = (PawsReason) paws_scan_int16(scan, FEED_REASON);
	entry->deleted = paws_scan_bool(scan, FEED_DELETED);
	entry->finished_at = paws_scan_int64(scan, FEED_FINISHED_AT);
	return true;
}

static bool
find_document(PawsFeedWalk *walk, const PawsFeedEntry *entry)
{
	Datum values[2] = {Int64GetDatum(walk->subject_no), UUIDPGetDatum(&entry->doc_id)};
	PawsKey keys[2] = {{1, BTEqualStrategyNumber, values[0]}, {2, BTEqualStrategyNumber, values[1]}};

	if (walk->looked)
		paws_scan_again(&walk->documents, values);
	else
		paws_scan_begin(&walk->documents, paws_store_table(walk->store, PAWS_TABLE_DOCUMENT), 0,
						walk->snapshot, keys, 2);
	walk->looked = true;
	return paws_scan_next(&walk->documents);
}

static void
read_seal(PawsScan *scan, PawsFeedEntry *entry)
{
	bool isnull;
	Datum value = paws_scan_column(scan, DOCUMENT_SEAL, &isnull);
	bytea *seal = isnull ? NULL : DatumGetByteaPP(value);

	entry->sealed = !isnull;
	if (seal && VARSIZE_ANY_EXHDR(seal) == PAWS_SEAL_BYTES)
		memcpy(entry->seal, VARDATA_ANY(seal), PAWS_SEAL_BYTES);
}

/*
 * Current is what the document still is: made by this very operation, since revisions begin anew when a
 * document is made again after its tombstone went. Without a document the entry itself still knows of a
 * deletion.
 */
void
paws_feed_document(PawsFeedWalk *walk, PawsFeedEntry *entry)
{
	PawsScan *scan = &walk->documents;

	if (!find_document(walk, entry))
	{
		entry->current = entry->deleted;
		return;
	}
	read_uuid(scan, DOCUMENT_OP_ID, &entry->document_op_id);
	entry->base_revision = paws_scan_int64(scan, DOCUMENT_BASE_REVISION);
	entry->current = paws_scan_int64(scan, DOCUMENT_REVISION) == entry->revision &&
					 memcmp(&entry->document_op_id, &entry->op_id, UUID_LEN) == 0;
	if (!entry->current)
		return;
	entry->envelope = paws_scan_bytea(scan, DOCUMENT_ENVELOPE);
	read_seal(scan, entry);
}

void
paws_feed_end(PawsFeedWalk *walk)
{
	if (walk->looked)
		paws_scan_end(&walk->documents);
	paws_scan_end(&walk->entries);
}

/* The latest one; 1 before any was begun. */
static int64
read_epoch(PawsStore *store, Snapshot snapshot)
{
	PawsScan scan;
	int64 epoch = 1;

	paws_scan_begin(&scan, paws_store_table(store, PAWS_TABLE_EPOCH), 0, snapshot, NULL, 0);
	while (paws_scan_next(&scan))
		epoch = paws_scan_int64(&scan, EPOCH_EPOCH);
	paws_scan_end(&scan);
	return epoch;
}

bool
paws_store_bounds(PawsStore *store, Snapshot snapshot, int64 subject_no, PawsBounds *bounds)
{
	PawsKey key = {1, BTEqualStrategyNumber, Int64GetDatum(subject_no)};
	PawsScan scan;
	bool found;

	paws_scan_begin(&scan, paws_store_table(store, PAWS_TABLE_COUNTER), 0, snapshot, &key, 1);
	found = paws_scan_next(&scan);
	if (found)
	{
		bounds->last = paws_scan_int64(&scan, COUNTER_POSITION);
		bounds->expired = paws_scan_int64(&scan, COUNTER_EXPIRED);
	}
	paws_scan_end(&scan);
	if (found)
		bounds->epoch = read_epoch(store, snapshot);
	return found;
}

uint64
paws_store_digest(PawsStore *store, Snapshot snapshot, int64 subject_no, int64 position)
{
	PawsFeedWalk walk;
	PawsFeedEntry entry;
	uint64 digest = 0;

	paws_feed_begin(&walk, store, snapshot, subject_no, position);
	if (paws_feed_next(&walk, &entry) && entry.position == position)
		digest = paws_store_entry_digest(subject_no, &entry);
	paws_feed_end(&walk);
	return digest;
}
