/*
 * vault/context.c - encoding the context of an envelope. Pure C over libsodium.
 */
#include "vault/context.h"

#include <string.h>

#include <sodium.h>

#include "vault/bytes.h"

_Static_assert(sizeof(PAWS_CONTEXT_LABEL) - 1 == 20, "length of the label");

/* A field with its length in front; returns the place behind it. */
static uint8_t *
put_field(uint8_t *at, const uint8_t *field, uint32_t length)
{
	paws_put32(at, length);
	memcpy(at + 4, field, length);
	return at + 4 + length;
}

void
paws_context_encode(const PawsEnvelopeContext *context, uint8_t encoded[PAWS_CONTEXT_BYTES])
{
	uint8_t purpose = (uint8_t) context->purpose;
	uint8_t collection[4];
	uint8_t base_revision[8];
	uint8_t *at = encoded + sizeof(PAWS_CONTEXT_LABEL) - 1;

	paws_put32(collection, context->collection);
	paws_put64(base_revision, context->base_revision);

	memcpy(encoded, PAWS_CONTEXT_LABEL, sizeof(PAWS_CONTEXT_LABEL) - 1);
	at = put_field(at, &purpose, sizeof(purpose));
	at = put_field(at, collection, sizeof(collection));
	at = put_field(at, context->subject, 16);
	at = put_field(at, context->doc_id, 16);
	at = put_field(at, context->op_id, 16);
	at = put_field(at, base_revision, sizeof(base_revision));
	put_field(at, &context->operation, sizeof(context->operation));
}

void
paws_context_hash(const uint8_t encoded[PAWS_CONTEXT_BYTES], uint8_t hash[PAWS_CONTEXT_HASH])
{
	crypto_generichash(hash, PAWS_CONTEXT_HASH, encoded, PAWS_CONTEXT_BYTES, NULL, 0);
}
