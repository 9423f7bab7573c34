/*
 * vault/context.h - the bytes that stand for the context of an envelope.
 *
 * "paws_sync context v1", then each field with its length (4 bytes) in front: purpose (1), collection (4),
 * subject (16), doc_id (16), op_id (16), base_revision (8), operation (1). Pure C.
 */
#ifndef PAWS_VAULT_CONTEXT_H
#define PAWS_VAULT_CONTEXT_H

#include "vault/envelope.h"

#define PAWS_CONTEXT_LABEL "paws_sync context v1"
#define PAWS_CONTEXT_BYTES (20 + 7 * 4 + 1 + 4 + 3 * 16 + 8 + 1)
#define PAWS_CONTEXT_HASH  32

/* Writes the encoded context. */
extern void paws_context_encode(const PawsEnvelopeContext *context, uint8_t encoded[PAWS_CONTEXT_BYTES]);

/* BLAKE2b-256 of an encoded context. */
extern void paws_context_hash(const uint8_t encoded[PAWS_CONTEXT_BYTES], uint8_t hash[PAWS_CONTEXT_HASH]);

#endif
