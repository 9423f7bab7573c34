/*
 * crisis/documents.c - the crisis documents of a subject as they are now, for a bundle.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/guarded.h"
#include "base/log_safe.h"
#include "base/reserve.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "crisis/crisis.h"

/* A bundle is kept on a device and shown at once; the rest is for pull_crisis. */
#define DOCUMENTS_MAX 100
#define BYTES_MAX     (16 * 1024 * 1024)

/* The columns are those that paws_store_document_entry reads. */
static PawsStatement newest = {
	.sql =
		"SELECT d.doc_id, d.collection, d.revision, d.deleted, d.changed_at, d.op_id, d.base_revision, "
		"d.envelope, d.seal, d.position FROM paws_crisis.document d JOIN paws_registry.collection c "
		"ON c.collection_no OPERATOR(pg_catalog.=) d.collection "
		"WHERE d.subject_no OPERATOR(pg_catalog.=) $1 AND NOT d.deleted "
		"AND d.envelope IS NOT NULL AND c.class OPERATOR(pg_catalog.=) $2 ORDER BY d.changed_at DESC, d.position DESC LIMIT $3",
	.nargs = 3,
	.types = {INT8OID, INT2OID, INT8OID},
};

#define ENVELOPE_COLUMN 8

typedef struct Reading
{
	const PawsDevice *device;
	PawsDocumentEmit emit;
	void *context;
	int left;
	int64 bytes;
	PawsFeedEntry entries[DOCUMENTS_MAX];
	bytea *envelopes[DOCUMENTS_MAX];
} Reading;

/* Copied out of SPI's memory first, for opening an envelope may run a statement. */
static void
read_class(Reading *reading, PawsClass klass)
{
	Datum args[3] = {Int64GetDatum(reading->device->subject_no), Int16GetDatum(klass),
					 Int64GetDatum(reading->left)};
	int found = (int) paws_spi_run(&newest, args, NULL, 0);
	int count = 0;

	for (; count < found && reading->bytes > 0; count++)
	{
		paws_store_document_entry(count, &reading->entries[count]);
		reading->envelopes[count] = paws_spi_bytea(count, ENVELOPE_COLUMN);
		reading->bytes -= VARSIZE_ANY_EXHDR(reading->envelopes[count]);
	}
	for (int i = 0; i < count; i++)
	{
		PawsFeedEntry *entry = &reading->entries[i];
		const char *code;
		bytea *payload;

		entry->envelope = reading->envelopes[i];
		payload = paws_store_hand_out(&paws_crisis_store, reading->device->subject_no,
									  reading->device->subject.id, entry, &code);
		reading->emit(reading->context, entry, payload, code);
		pfree(reading->envelopes[i]);
	}
	reading->left -= count;
}

/* Plans before signals: however many of these there are, they crowd out no safety plan. */
static void
read_documents(void *arg)
{
	read_class(arg, PAWS_CLASS_SAFETY);
	read_class(arg, PAWS_CLASS_EMERGENCY);
}

/* What the last failure was. */
static int forgiven;

static bool
forgive_all(int sqlstate)
{
	forgiven = sqlstate;
	return true;
}

static bool
is_of_locks(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE ||
		   ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE);
}

const char *
paws_crisis_documents(const PawsDevice *device, PawsDocumentEmit emit, void *context, bool *held)
{
	Reading *reading = palloc(sizeof(Reading));
	int64 begun_at = paws_reserve_crisis_begin();

	reading->device = device;
	reading->emit = emit;
	reading->context = context;
	reading->left = DOCUMENTS_MAX;
	reading->bytes = BYTES_MAX;
	*held = false;
	if (paws_run_guarded(read_documents, reading, forgive_all))
	{
		paws_reserve_crisis_end(begun_at, BYTES_MAX - reading->bytes);
		return NULL;
	}
	*held = is_of_locks(forgiven);
	ereport_domain(LOG, PAWS_LOG_SAFE,
				   (errcode(forgiven), errmsg("crisis documents could not be read"),
					errdetail("A device was told its crisis resources without them."),
					errhint("Look for locks on the tables of schema paws_crisis, and at status().")));
	return forgiven == PAWS_ERRCODE_ENVELOPE ? "envelope_rejected" : "busy";
}
