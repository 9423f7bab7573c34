/*
 * store/read.c - receipts, seeds, and opening what is handed out.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/errors.h"
#include "base/log_safe.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "port/pg_bswap.h"
#include "store/store.h"
#include "store/store_private.h"
#include "utils/timestamp.h"

void
paws_store_ensure_counter(PawsStore *store, int64 subject_no)
{
	Datum args[1] = {Int64GetDatum(subject_no)};

	paws_store_run(store, PAWS_STORE_ENSURE_COUNTER, args, NULL);
}

void
paws_store_receipts(PawsStore *store, int64 device_no, PawsReceipt *receipts, int count)
{
	Datum *op_ids = palloc(Max(count, 1) * sizeof(Datum));
	Datum args[2];
	int found;

	for (int i = 0; i < count; i++)
		op_ids[i] = UUIDPGetDatum(&receipts[i].op_id);
	args[0] = Int64GetDatum(device_no);
	args[1] = paws_spi_array(op_ids, NULL, count, UUIDOID);
	found = (int) paws_store_run(store, PAWS_STORE_RECEIPTS, args, NULL);
	for (int row = 0; row < found; row++)
	{
		PawsReceipt *receipt = &receipts[paws_spi_int64(row, 1) - 1];

		receipt->outcome = (PawsOutcome) paws_spi_int16(row, 2);
		receipt->reason = (PawsReason) paws_spi_int16(row, 3);
		receipt->revision = paws_spi_int64(row, 4);
		receipt->finished_at = paws_spi_int64(row, 5);
	}
}

static void
read_uuid(int row, int column, pg_uuid_t *uuid)
{
	bool isnull;
	Datum value = paws_spi_column(row, column, &isnull);

	if (isnull)
		memset(uuid, 0, sizeof(*uuid));
	else
		memcpy(uuid, DatumGetUUIDP(value), sizeof(*uuid));
}

/* op_id, base_revision, envelope and seal of the document, from column `first` on. */
static void
read_content(int row, int first, PawsFeedEntry *entry)
{
	bool isnull;
	Datum value;

	read_uuid(row, first, &entry->document_op_id);
	entry->base_revision = paws_spi_int64(row, first + 1);
	value = paws_spi_column(row, first + 2, &isnull);
	entry->envelope = isnull ? NULL : (bytea *) DatumGetPointer(value);
	value = paws_spi_column(row, first + 3, &isnull);
	entry->sealed = !isnull;
	if (!isnull)
	{
		bytea *seal = DatumGetByteaPP(value);

		if (VARSIZE_ANY_EXHDR(seal) == PAWS_SEAL_BYTES)
			memcpy(entry->seal, VARDATA_ANY(seal), PAWS_SEAL_BYTES);
	}
}

int
paws_store_read_documents(PawsStore *store, int64 subject_no, const pg_uuid_t *after, int limit)
{
	Datum args[3] = {Int64GetDatum(subject_no), UUIDPGetDatum(after), Int64GetDatum(limit)};

	return (int) paws_store_run(store, PAWS_STORE_DOCUMENTS, args, NULL);
}

void
paws_store_document_entry(int row, PawsFeedEntry *entry)
{
	memset(entry, 0, sizeof(*entry));
	read_uuid(row, 1, &entry->doc_id);
	entry->collection = paws_spi_int16(row, 2);
	entry->revision = paws_spi_int64(row, 3);
	entry->deleted = paws_spi_bool(row, 4);
	entry->finished_at = paws_spi_int64(row, 5);
	entry->outcome = PAWS_OUTCOME_APPLIED;
	entry->current = true;
	read_content(row, 6, entry);
	entry->op_id = entry->document_op_id;
	entry->position = paws_spi_int64(row, 10);
}

/* Numbers in network order, so that the digest is the same on every machine that the database is moved to. */
uint64
paws_store_entry_digest(int64 subject_no, const PawsFeedEntry *entry)
{
	crypto_generichash_state state;
	uint64 numbers[3] = {pg_hton64((uint64) subject_no), pg_hton64((uint64) entry->position),
						 pg_hton64((uint64) entry->revision)};
	uint64 digest;
	unsigned char hash[crypto_generichash_BYTES_MIN];

	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, (const unsigned char *) numbers, sizeof(numbers));
	crypto_generichash_update(&state, entry->op_id.data, UUID_LEN);
	crypto_generichash_update(&state, entry->doc_id.data, UUID_LEN);
	crypto_generichash_final(&state, hash, sizeof(hash));
	memcpy(&digest, hash, sizeof(digest));
	return digest ? digest : 1;
}

PawsEnvelopeContext
paws_store_context(const PawsStore *store, const uint8 *subject_id, const PawsFeedEntry *entry)
{
	PawsEnvelopeContext context = {
		.purpose = store->keys == PAWS_KEYS_CRISIS ? PAWS_PURPOSE_CRISIS : PAWS_PURPOSE_PAYLOAD,
		.collection = entry->collection,
		.subject = subject_id,
		.doc_id = entry->doc_id.data,
		.op_id = entry->document_op_id.data,
		.base_revision = (uint64_t) entry->base_revision,
		.operation = entry->deleted ? 1 : 0,
	};

	return context;
}

bytea *
paws_store_open(PawsStore *store, int64 subject_no, const uint8 *subject_id, const PawsFeedEntry *entry)
{
	PawsEnvelopeContext context = paws_store_context(store, subject_id, entry);
	bytea *envelope = PG_DETOAST_DATUM_PACKED(PointerGetDatum(entry->envelope));

	if (!paws_vault_revision_check(store->keys, envelope, subject_no, entry->doc_id.data, entry->revision,
								   entry->sealed ? entry->seal : NULL))
		return NULL;
	return paws_vault_open(store->keys, subject_no, &context, envelope);
}

bytea *
paws_store_hand_out(PawsStore *store, int64 subject_no, const uint8 *subject_id, const PawsFeedEntry *entry,
					const char **code)
{
	bytea *payload = NULL;

	if (entry->envelope != NULL &&
		!paws_vault_can_open(store->keys, PG_DETOAST_DATUM_PACKED(PointerGetDatum(entry->envelope))))
	{
		*code = "sealed";
		return entry->envelope;
	}
	if (entry->envelope != NULL)
		payload = paws_store_open(store, subject_no, subject_id, entry);
	if (payload == NULL && entry->envelope != NULL &&
		paws_vault_is_ahead(store->keys, subject_no,
							PG_DETOAST_DATUM_PACKED(PointerGetDatum(entry->envelope))))
	{
		*code = "sealed";
		return entry->envelope;
	}
	*code = payload ? NULL : "envelope_rejected";
	if (payload == NULL)
		ereport_domain(
			LOG, PAWS_LOG_SAFE,
			(errcode(PAWS_ERRCODE_ENVELOPE), errmsg("a stored envelope does not open"),
			 errhint(
				 "Compare the document with a backup; its subject's devices are told it is unreadable.")));
	return payload;
}
