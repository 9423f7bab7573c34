/*
 * store/reseal.c - envelopes under another key, and no envelopes at all.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "store/reseal.h"
#include "store/store_private.h"

/* A document or a branch, copied out of SPI's memory. */
typedef struct Sealed
{
	int64 position;      /* of a branch */
	PawsFeedEntry entry; /* as much of it as the context of the envelope needs */
	bytea *envelope;
	bytea *seal;
} Sealed;

static void
copy_row(Sealed *sealed)
{
	bool isnull;
	PawsFeedEntry *entry = &sealed->entry;

	memset(sealed, 0, sizeof(*sealed));
	memcpy(&entry->doc_id, DatumGetUUIDP(paws_spi_column(0, 1, &isnull)), UUID_LEN);
	sealed->position = paws_spi_int64(0, 2);
	entry->collection = paws_spi_int16(0, 3);
	memcpy(&entry->document_op_id, DatumGetUUIDP(paws_spi_column(0, 4, &isnull)), UUID_LEN);
	entry->base_revision = paws_spi_int64(0, 5);
	entry->revision = paws_spi_int64(0, 6);
	sealed->envelope = paws_spi_bytea(0, 7);
	sealed->seal = paws_spi_bytea(0, 8);
}

/* Without a seal, where keys were missing when it was written, it gets one now. */
static bytea *
make_seal(PawsStore *store, int64 subject_no, const PawsFeedEntry *entry, const bytea *envelope)
{
	bytea *seal = palloc(VARHDRSZ + PAWS_SEAL_BYTES);

	SET_VARSIZE(seal, VARHDRSZ + PAWS_SEAL_BYTES);
	if (!paws_vault_revision_seal(store->keys, envelope, subject_no, entry->doc_id.data, entry->revision,
								  (uint8_t *) VARDATA(seal)))
		return NULL;
	return seal;
}

static bool
revision_fits(PawsStore *store, int64 subject_no, const Sealed *sealed)
{
	const PawsFeedEntry *entry = &sealed->entry;
	const uint8 *seal = sealed->seal == NULL ? NULL : (const uint8 *) VARDATA_ANY(sealed->seal);

	if (seal != NULL && VARSIZE_ANY_EXHDR(sealed->seal) != PAWS_SEAL_BYTES)
		return false;
	return paws_vault_revision_check(store->keys, sealed->envelope, subject_no, entry->doc_id.data,
									 entry->revision, seal);
}

static void
reseal_document(PawsStore *store, PawsReseal *reseal, Sealed *sealed)
{
	PawsEnvelopeContext context = paws_store_context(store, reseal->subject, &sealed->entry);
	bytea *envelope = NULL;
	bytea *seal;
	Datum args[4] = {Int64GetDatum(reseal->subject_no), UUIDPGetDatum(&sealed->entry.doc_id)};

	if (revision_fits(store, reseal->subject_no, sealed))
		envelope = paws_vault_reseal(store->keys, reseal->subject_no, &context, sealed->envelope);
	if (envelope == NULL)
	{
		reseal->broken++;
		return;
	}
	seal = make_seal(store, reseal->subject_no, &sealed->entry, envelope);
	args[2] = PointerGetDatum(envelope);
	args[3] = PointerGetDatum(seal);
	paws_store_run(store, PAWS_STORE_RESEAL_DOCUMENT, args, seal == NULL ? "   n" : NULL);
	pfree(envelope);
}

static void
reseal_branch(PawsStore *store, PawsReseal *reseal, Sealed *sealed)
{
	PawsEnvelopeContext context = paws_store_context(store, reseal->subject, &sealed->entry);
	bytea *envelope = paws_vault_reseal(store->keys, reseal->subject_no, &context, sealed->envelope);
	Datum args[4] = {Int64GetDatum(reseal->subject_no), UUIDPGetDatum(&sealed->entry.doc_id),
					 PointerGetDatum(envelope), Int64GetDatum(sealed->position)};

	if (envelope == NULL)
	{
		reseal->broken++;
		return;
	}
	paws_store_run(store, PAWS_STORE_RESEAL_BRANCH, args, NULL);
	pfree(envelope);
}

static bytea *
key_bytes(const pg_uuid_t *key)
{
	bytea *bytes = palloc(VARHDRSZ + UUID_LEN);

	SET_VARSIZE(bytes, VARHDRSZ + UUID_LEN);
	memcpy(VARDATA(bytes), key->data, UUID_LEN);
	return bytes;
}

/* Documents are written under the counter only; whoever has it is not waited for. False if somebody has. */
static bool
lock_counter(PawsStore *store, int64 subject_no)
{
	Datum subject = Int64GetDatum(subject_no);
	Datum args[1] = {paws_spi_array(&subject, NULL, 1, INT8OID)};
	PawsBounds bounds;
	Snapshot snapshot;
	bool found;

	if (paws_store_run(store, PAWS_STORE_LOCK_SKIP, args, NULL) == 1)
		return true;
	snapshot = paws_table_snap(false);
	found = paws_store_bounds(store, snapshot, subject_no, &bounds);
	paws_table_unsnap(snapshot);
	return !found;
}

/* The next document; at the first look one with the lowest id as well. */
static bool
find_document(PawsStore *store, PawsReseal *reseal, Sealed *sealed)
{
	Datum args[4] = {Int64GetDatum(reseal->subject_no), PointerGetDatum(key_bytes(&reseal->key)),
					 UUIDPGetDatum(&reseal->walk), BoolGetDatum(reseal->walk_position < PAWS_WALK_DOCUMENTS)};

	if (paws_store_run(store, PAWS_STORE_FIND_OLD_DOCUMENT, args, NULL) == 0)
		return false;
	copy_row(sealed);
	reseal->walk = sealed->entry.doc_id;
	reseal->walk_position = PAWS_WALK_DOCUMENTS;
	return true;
}

static bool
find_branch(PawsStore *store, PawsReseal *reseal, Sealed *sealed)
{
	Datum args[4] = {Int64GetDatum(reseal->subject_no), PointerGetDatum(key_bytes(&reseal->key)),
					 UUIDPGetDatum(&reseal->walk), Int64GetDatum(reseal->walk_position)};

	if (paws_store_run(store, PAWS_STORE_FIND_OLD_BRANCH, args, NULL) == 0)
		return false;
	copy_row(sealed);
	reseal->walk = sealed->entry.doc_id;
	reseal->walk_position = sealed->position;
	return true;
}

/* The next document, or, when there is none, the next branch. False at the end. */
static bool
find_next(PawsStore *store, PawsReseal *reseal, Sealed *sealed)
{
	if (reseal->walk_position <= PAWS_WALK_DOCUMENTS)
	{
		if (find_document(store, reseal, sealed))
			return true;
		memset(&reseal->walk, 0, sizeof(reseal->walk));
		reseal->walk_position = 0;
	}
	return find_branch(store, reseal, sealed);
}

void
paws_store_reseal(PawsStore *store, PawsReseal *reseal, int limit, int64 max_bytes)
{
	reseal->end = false;
	reseal->locked = !lock_counter(store, reseal->subject_no);
	for (int i = 0; i < limit && reseal->bytes < max_bytes && !reseal->locked && !reseal->end; i++)
	{
		Sealed sealed;

		if (!find_next(store, reseal, &sealed))
		{
			reseal->end = true;
			break;
		}
		reseal->bytes += VARSIZE_ANY_EXHDR(sealed.envelope);
		if (reseal->walk_position <= PAWS_WALK_DOCUMENTS)
			reseal_document(store, reseal, &sealed);
		else
			reseal_branch(store, reseal, &sealed);
		pfree(sealed.envelope);
	}
}

bool
paws_store_uses_key(PawsStore *store, int64 subject_no, const pg_uuid_t *key)
{
	Datum args[2] = {Int64GetDatum(subject_no), PointerGetDatum(key_bytes(key))};

	return paws_store_run(store, PAWS_STORE_USES_KEY, args, NULL) > 0;
}

void
paws_store_forget_devices(PawsStore *store, Datum devices)
{
	Datum args[1] = {devices};

	paws_store_run(store, PAWS_STORE_FORGET_ACKNOWLEDGED, args, NULL);
}

/* The counter goes last: who waits for its lock finds the subject gone. */
bool
paws_store_forget(PawsStore *store, int64 subject_no, int limit, int64 *removed)
{
	static const PawsStoreStatement statements[] = {PAWS_STORE_FORGET_DOCUMENTS, PAWS_STORE_FORGET_BRANCHES,
													PAWS_STORE_FORGET_FEED, PAWS_STORE_FORGET_COUNTER};
	Datum args[2] = {Int64GetDatum(subject_no), Int64GetDatum(limit)};

	for (size_t i = 0; i < lengthof(statements); i++)
	{
		int64 count = (int64) paws_store_run(store, statements[i], args, NULL);

		*removed += count;
		if (count >= limit)
			return false;
	}
	return paws_store_run(store, PAWS_STORE_HAS_SUBJECT, args, NULL) == 0;
}
