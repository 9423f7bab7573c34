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
	pg_uuid_t doc_id;
	int64 position; /* of a branch */
	PawsFeedEntry entry;
	bytea *envelope;
	bytea *seal;
} Sealed;

static void
copy_row(int row, Sealed *sealed)
{
	bool isnull;
	PawsFeedEntry *entry = &sealed->entry;

	memset(sealed, 0, sizeof(*sealed));
	memcpy(&sealed->doc_id, DatumGetUUIDP(paws_spi_column(row, 1, &isnull)), UUID_LEN);
	sealed->position = paws_spi_int64(row, 2);
	entry->doc_id = sealed->doc_id;
	entry->collection = paws_spi_int16(row, 3);
	memcpy(&entry->document_op_id, DatumGetUUIDP(paws_spi_column(row, 4, &isnull)), UUID_LEN);
	entry->base_revision = paws_spi_int64(row, 5);
	entry->revision = paws_spi_int64(row, 6);
	sealed->envelope = paws_spi_bytea(row, 7);
	sealed->seal = paws_spi_bytea(row, 8);
}

/* Seals the envelope anew; false if it does not open. */
static bool
seal_anew(PawsStore *store, const PawsReseal *reseal, bool document, Sealed *sealed)
{
	const PawsFeedEntry *entry = &sealed->entry;
	PawsEnvelopeContext context = paws_store_context(store, reseal->subject, entry);
	const uint8 *seal = NULL;
	bytea *anew;

	if (sealed->seal != NULL && VARSIZE_ANY_EXHDR(sealed->seal) == PAWS_SEAL_BYTES)
		seal = (const uint8 *) VARDATA_ANY(sealed->seal);
	if (document && !paws_vault_revision_check(store->keys, sealed->envelope, reseal->subject_no,
											   entry->doc_id.data, entry->revision, seal))
		return false;
	anew = paws_vault_reseal(store->keys, reseal->subject_no, &context, sealed->envelope);
	if (anew == NULL)
		return false;
	sealed->envelope = anew;
	sealed->seal = palloc(VARHDRSZ + PAWS_SEAL_BYTES);
	SET_VARSIZE(sealed->seal, VARHDRSZ + PAWS_SEAL_BYTES);
	if (!paws_vault_revision_seal(store->keys, anew, reseal->subject_no, entry->doc_id.data, entry->revision,
								  (uint8_t *) VARDATA(sealed->seal)))
		sealed->seal = NULL;
	return true;
}

/* Writes the envelope back where it stood. */
static void
write_back(PawsStore *store, int64 subject_no, bool document, const Sealed *sealed)
{
	Datum args[5] = {Int64GetDatum(subject_no), UUIDPGetDatum(&sealed->doc_id),
					 PointerGetDatum(sealed->envelope), Int64GetDatum(sealed->position),
					 PointerGetDatum(sealed->seal)};
	char nulls[] = {' ', ' ', ' ', ' ', sealed->seal == NULL ? 'n' : ' ', '\0'};

	paws_store_run(store, document ? PAWS_STORE_RESEAL_DOCUMENT : PAWS_STORE_RESEAL_BRANCH, args, nulls);
}

static int
reseal_found(PawsStore *store, PawsReseal *reseal, bool document, int found)
{
	Sealed *sealed = palloc(Max(found, 1) * sizeof(Sealed));

	for (int i = 0; i < found; i++)
		copy_row(i, &sealed[i]);
	for (int i = 0; i < found; i++)
	{
		reseal->bytes += VARSIZE_ANY_EXHDR(sealed[i].envelope);
		if (seal_anew(store, reseal, document, &sealed[i]))
			write_back(store, reseal->subject_no, document, &sealed[i]);
		else
			reseal->broken++;
		if (document)
			reseal->walk = sealed[i].doc_id;
		pfree(sealed[i].envelope);
	}
	return found;
}

static bytea *
key_bytes(const pg_uuid_t *key)
{
	bytea *bytes = palloc(VARHDRSZ + UUID_LEN);

	SET_VARSIZE(bytes, VARHDRSZ + UUID_LEN);
	memcpy(VARDATA(bytes), key->data, UUID_LEN);
	return bytes;
}

/* Documents are written under the counter only; whoever has it is not waited for. */
static bool
lock_counter(PawsStore *store, int64 subject_no)
{
	Datum subject = Int64GetDatum(subject_no);
	Datum args[1] = {paws_spi_array(&subject, NULL, 1, INT8OID)};

	return paws_store_run(store, PAWS_STORE_LOCK_SKIP, args, NULL) == 1;
}

void
paws_store_reseal(PawsStore *store, PawsReseal *reseal, int limit)
{
	Datum args[4] = {Int64GetDatum(reseal->subject_no), PointerGetDatum(key_bytes(&reseal->key)),
					 Int64GetDatum(limit), UUIDPGetDatum(&reseal->walk)};
	int found;

	reseal->locked = !lock_counter(store, reseal->subject_no);
	reseal->end = false;
	if (reseal->locked)
		return;
	found = (int) paws_store_run(store, PAWS_STORE_FIND_OLD_DOCUMENTS, args, NULL);
	if (reseal_found(store, reseal, true, found) == limit)
		return;
	found = (int) paws_store_run(store, PAWS_STORE_FIND_OLD_BRANCHES, args, NULL);
	found = reseal_found(store, reseal, false, found);
	reseal->end = found < limit || reseal->broken >= found;
}

bool
paws_store_uses_key(PawsStore *store, int64 subject_no, const pg_uuid_t *key)
{
	Datum args[2] = {Int64GetDatum(subject_no), PointerGetDatum(key_bytes(key))};

	return paws_store_run(store, PAWS_STORE_USES_KEY, args, NULL) > 0;
}

void
paws_store_forget_devices(PawsStore *store, int64 subject_no)
{
	Datum args[1] = {Int64GetDatum(subject_no)};

	paws_store_run(store, PAWS_STORE_FORGET_ACKNOWLEDGED, args, NULL);
}

bool
paws_store_forget(PawsStore *store, int64 subject_no, int limit)
{
	static const PawsStoreStatement statements[] = {PAWS_STORE_FORGET_DOCUMENTS, PAWS_STORE_FORGET_BRANCHES,
													PAWS_STORE_FORGET_FEED, PAWS_STORE_FORGET_COUNTER};
	Datum args[2] = {Int64GetDatum(subject_no), Int64GetDatum(limit)};

	for (size_t i = 0; i < lengthof(statements); i++)
		if (paws_store_run(store, statements[i], args, NULL) >= (uint64) limit)
			return true;
	return false;
}
