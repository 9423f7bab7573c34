/*
 * open_sealed.c - opens an envelope by its context, for tests: branches are stored, and no function shows them yet.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/uuid.h"

#include "base/spi.h"
#include "guard/token.h"
#include "vault/vault.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(open_sealed);

/* open_sealed(home, subject_no, subject, collection, doc_id, op_id, base_revision, envelope): the payload, or NULL */
Datum
open_sealed(PG_FUNCTION_ARGS)
{
	PawsKeyHome home = (PawsKeyHome) PG_GETARG_INT32(0);
	const PawsToken *subject = (const PawsToken *) PG_GETARG_POINTER(2);
	PawsEnvelopeContext context = {
		.purpose = home == PAWS_KEYS_CRISIS ? PAWS_PURPOSE_CRISIS : PAWS_PURPOSE_PAYLOAD,
		.collection = (uint32_t) PG_GETARG_INT32(3),
		.subject = subject->id,
		.doc_id = PG_GETARG_UUID_P(4)->data,
		.op_id = PG_GETARG_UUID_P(5)->data,
		.base_revision = (uint64_t) PG_GETARG_INT64(6),
	};
	bytea *envelope = PG_GETARG_BYTEA_P(7);
	bytea *payload;
	bytea *copy = NULL;

	paws_spi_begin();
	payload = paws_vault_open(home, PG_GETARG_INT64(1), &context, envelope);
	if (payload != NULL)
	{
		copy = paws_spi_alloc(VARSIZE(payload));
		memcpy(copy, payload, VARSIZE(payload));
	}
	paws_spi_end();
	if (copy == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(copy);
}
