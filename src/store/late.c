/*
 * store/late.c - revision seals for documents that were written without keys.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "store/late.h"
#include "store/store_private.h"

/* The next document without a seal, copied out of SPI's memory; false if there is none. */
static bool
find_next(PawsStore *store, const PawsLate *late, PawsFeedEntry *entry)
{
	Datum args[2] = {Int64GetDatum(late->subject_no), UUIDPGetDatum(&late->walk)};
	bool isnull;

	if (paws_store_run(store, PAWS_STORE_FIND_UNSEALED, args, NULL) == 0)
		return false;
	memset(entry, 0, sizeof(*entry));
	memcpy(&entry->doc_id, DatumGetUUIDP(paws_spi_column(0, 1, &isnull)), UUID_LEN);
	entry->collection = paws_spi_int16(0, 2);
	memcpy(&entry->document_op_id, DatumGetUUIDP(paws_spi_column(0, 3, &isnull)), UUID_LEN);
	entry->base_revision = paws_spi_int64(0, 4);
	entry->revision = paws_spi_int64(0, 5);
	entry->envelope = paws_spi_bytea(0, 6);
	return true;
}

/* Documents are written under the counter only; whoever has it is not waited for. */
static bool
lock_counter(PawsStore *store, int64 subject_no)
{
	Datum subject = Int64GetDatum(subject_no);
	Datum args[1] = {paws_spi_array(&subject, NULL, 1, INT8OID)};

	return paws_store_run(store, PAWS_STORE_LOCK_SKIP, args, NULL) == 1;
}

static void
seal_one(PawsStore *store, const PawsLate *late, const PawsFeedEntry *entry)
{
	PawsEnvelopeContext context = paws_store_context(store, late->subject, entry);
	bytea *seal = palloc(VARHDRSZ + PAWS_SEAL_BYTES);
	bytea *envelope = NULL;
	Datum args[4] = {Int64GetDatum(late->subject_no), UUIDPGetDatum(&entry->doc_id)};

	if (paws_vault_revision_check(store->keys, entry->envelope, late->subject_no, entry->doc_id.data,
								  entry->revision, NULL))
		envelope = paws_vault_reseal(store->keys, late->subject_no, &context, entry->envelope);
	if (envelope == NULL)
		return;
	SET_VARSIZE(seal, VARHDRSZ + PAWS_SEAL_BYTES);
	if (paws_vault_revision_seal(store->keys, envelope, late->subject_no, entry->doc_id.data, entry->revision,
								 (uint8_t *) VARDATA(seal)))
	{
		args[2] = PointerGetDatum(envelope);
		args[3] = PointerGetDatum(seal);
		paws_store_run(store, PAWS_STORE_SEAL_LATE, args, NULL);
	}
	pfree(envelope);
	pfree(seal);
}

void
paws_store_seal_late(PawsStore *store, PawsLate *late, int64 max_bytes)
{
	PawsFeedEntry entry;

	late->locked = false;
	late->end = !find_next(store, late, &entry);
	if (late->end)
		return;
	pfree(entry.envelope);
	late->locked = !lock_counter(store, late->subject_no);
	while (!late->locked && late->bytes < max_bytes)
	{
		/* under the lock it may be another one than above */
		late->end = !find_next(store, late, &entry);
		if (late->end)
			return;
		late->walk = entry.doc_id;
		late->bytes += VARSIZE_ANY_EXHDR(entry.envelope);
		seal_one(store, late, &entry);
		pfree(entry.envelope);
	}
}
