/*
 * vault/envelope.h - the envelope format, version 1, without PostgreSQL.
 *
 * Big-endian layout (suite 0x01, XChaCha20-Poly1305-IETF):
 *    0  2  magic "PW"           16 16  data-key id
 *    2  1  format version 1     32 24  nonce
 *    3  1  suite                56 32  commitment
 *    4  1  purpose              88  n  ciphertext of the padded plaintext
 *    5  1  flags, bit 0 padded  88+n 16 tag
 *    6  2  zero
 *    8  4  key-encryption epoch
 *   12  4  data-key version
 *
 * message key ‖ commitment = BLAKE2b-512 keyed with the data key over
 *   ("paws_sync envelope v1" ‖ bytes 0–55 ‖ BLAKE2b-256 of the context), 32 bytes each;
 * so the commitment binds key, nonce, header and context, and is compared in constant time before the body is
 * touched. The AEAD's associated data is bytes 0–87.
 *
 * Padded plaintext: codec byte (0 none), length (4 bytes), payload, zeros up to a Padmé bucket of at least
 * 256.
 *
 * Context: label, then each field with its length in front (see paws_context_*): purpose, collection,
 * subject, doc_id, op_id, base_revision, operation; never the table or the assigned revision, since rows
 * move.
 *
 * Pure C: needs libsodium, never calls the server, may be linked into unit tests and fuzzers.
 */
#ifndef PAWS_VAULT_ENVELOPE_H
#define PAWS_VAULT_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAWS_ENVELOPE_HEADER_BYTES 88
#define PAWS_ENVELOPE_TAG_BYTES    16
#define PAWS_ENVELOPE_OVERHEAD     (PAWS_ENVELOPE_HEADER_BYTES + PAWS_ENVELOPE_TAG_BYTES)
#define PAWS_COMMITMENT_OFFSET     56
#define PAWS_COMMITMENT_BYTES      32
#define PAWS_DATA_KEY_BYTES        32
#define PAWS_DATA_KEY_ID_BYTES     16
#define PAWS_PADDING_MIN           256
#define PAWS_CONTEXT_MAX           256

#define PAWS_SUITE_XCHACHA20 0x01

typedef enum PawsPurpose
{
	PAWS_PURPOSE_PAYLOAD = 1
} PawsPurpose;

typedef enum PawsCodec
{
	PAWS_CODEC_NONE = 0
} PawsCodec;

/* The data key that seals, and what the header says about it. */
typedef struct PawsDataKey
{
	uint8_t id[PAWS_DATA_KEY_ID_BYTES];
	uint32_t epoch;
	uint32_t version;
	uint8_t secret[PAWS_DATA_KEY_BYTES];
} PawsDataKey;

/* What an envelope is bound to. collection is the number in the registry; operation 0 is a change, 1 a
 * deletion. */
typedef struct PawsEnvelopeContext
{
	PawsPurpose purpose;
	uint32_t collection;
	const uint8_t *subject; /* 16 id bytes */
	const uint8_t *doc_id;  /* 16 bytes */
	const uint8_t *op_id;   /* 16 bytes */
	uint64_t base_revision;
	uint8_t operation;
} PawsEnvelopeContext;

/* Size of an envelope for a payload of this length. */
extern size_t paws_envelope_size(size_t payload_length);

/* Padded length: Padmé, at least PAWS_PADDING_MIN. (Nikitin et al., "Reducing Metadata Leakage from Encrypted
 * Files and Communication with PURBs", PoPETs 2019.) */
extern size_t paws_padded_length(size_t length);

/* Seals into `out`, which has paws_envelope_size(length) bytes. Needs sodium_init to have run. */
extern void paws_envelope_seal(uint8_t *out, const PawsDataKey *key, const PawsEnvelopeContext *context,
							   const uint8_t *payload, size_t length);

/* Reads key id, epoch and version of a well-formed envelope; false if its form is not exactly version 1. */
extern bool paws_envelope_key(const uint8_t *envelope, size_t length, PawsDataKey *key_fields);

/*
 * Opens into `out`, which has at least `length` bytes; sets *payload_length. False on any defect, one answer
 * for all of them; `out` is wiped then.
 */
extern bool paws_envelope_open(const uint8_t *envelope, size_t length, const PawsDataKey *key,
							   const PawsEnvelopeContext *context, uint8_t *out, size_t *payload_length);

#endif
