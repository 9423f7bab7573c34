/*
 * vault/envelope.h - the envelope format, version 1, without PostgreSQL.
 *
 * All numbers are big-endian. Every envelope begins with the same 32 bytes:
 *    0  2  magic "PW"
 *    2  1  format version 1
 *    3  1  suite
 *    4  1  purpose: 1 for suites 0x01, 0x02, 0x12; 2 for 0x03, 0x13
 *    5  1  flags, bit 0 padded
 *    6  2  zero
 *    8  4  epoch under which the data key was wrapped when this was sealed (told and bound, not compared)
 *   12  4  data-key version
 *   16 16  data-key id
 *
 * Then comes one *layer*, or two, one in the other. A layer is: its unique bytes, a commitment (32), the
 * ciphertext, a tag (16). n is the length of the padded plaintext.
 *
 *         0x01                 0x02                0x03
 *         XChaCha20-Poly1305   AES-256-GCM         sealed to a public key
 *   32    24 nonce             32 salt             80 sealed box of a message secret
 *         56 commitment        64 commitment       112 commitment
 *         88 ciphertext, n     96 ciphertext, n    144 ciphertext, n
 *         88+n tag             96+n tag            144+n tag
 *
 *         0x12                              0x13
 *         AES-256-GCM around 0x01's layer   AES-256-GCM around 0x03's layer
 *   32    4 id of the outer key, not 0      the same
 *   36    32 salt
 *   68    32 commitment of the outer layer
 *  100    ciphertext of the inner layer:
 *         100 nonce, 124 commitment,        100 sealed box, 180 commitment,
 *         156 ciphertext, 156+n tag         212 ciphertext, 212+n tag
 *         172+n tag                         228+n tag
 *
 * Derivation of a layer's one-time key and commitment, 32 bytes each, from its secret. H are the bytes of the
 * envelope's header (0–31; for an outer layer 0–35), U the layer's unique bytes, C the encoded context.
 *   XChaCha20   BLAKE2b-512, key: data key,
 *               message: "paws_sync envelope v1" ‖ H ‖ U ‖ BLAKE2b-256(C)
 *   AES         KDF in counter mode of NIST SP 800-108r1 over HMAC-SHA-512, one block, key: data key or outer
 *               key, label "paws_sync envelope v1 aes-256-gcm", context H ‖ U ‖ C, 32-bit counter in front,
 *               length 512 bits
 *   sealed      BLAKE2b-512, key: the message secret (32 random bytes in a sealed box of libsodium: X25519,
 *               XSalsa20-Poly1305), message: "paws_sync envelope v1 sealed" ‖ H ‖ U ‖ public key ‖
 *               BLAKE2b-256(C); then XChaCha20-Poly1305
 * So each commitment binds key, unique bytes, header and context, and is compared in constant time before
 * the ciphertext is touched. Associated data of the AEAD: H ‖ U ‖ commitment. Its nonce: U for XChaCha20,
 * zeros for the others, whose keys are used once by construction. The suite stands in H, so a layer taken out
 * of its outer layer is no envelope of its own.
 *
 * Padded plaintext: codec byte, length of what is stored (4), what is stored, zeros up to a Padmé bucket of
 * at least 256. With codec none the stored form is the payload; see compress.h for the others.
 *
 * Context: label, then each field with its length in front (see context.h): purpose, collection, subject,
 * doc_id, op_id, base_revision, operation; never the table or the assigned revision, since rows move.
 *
 * Nonces and salts come from the system for each envelope: 0.2 µs, and nothing that a fork could repeat.
 *
 * Pure C: needs libsodium, never calls the server, may be linked into unit tests and fuzzers. Everything
 * needs sodium_init to have run.
 */
#ifndef PAWS_VAULT_ENVELOPE_H
#define PAWS_VAULT_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAWS_COMMITMENT_BYTES  32
#define PAWS_DATA_KEY_BYTES    32
#define PAWS_DATA_KEY_ID_BYTES 16
#define PAWS_OUTER_KEY_BYTES   32
#define PAWS_PADDING_MIN       256

/* The most that an envelope carries, in bytes. */
#define PAWS_STORED_MAX UINT32_C(0x7fffffff)

/* Written into envelopes: never given anew. */
#define PAWS_SUITE_XCHACHA20      0x01
#define PAWS_SUITE_AES256GCM      0x02
#define PAWS_SUITE_SEALED         0x03
#define PAWS_SUITE_LAYERED        0x12
#define PAWS_SUITE_SEALED_LAYERED 0x13

/* What an envelope and its data key are for. Written into envelopes. */
typedef enum PawsPurpose
{
	PAWS_PURPOSE_PAYLOAD = 1,
	PAWS_PURPOSE_CRISIS = 2 /* sealed to a public key */
} PawsPurpose;

/* How the payload is stored in the padded plaintext. Written into envelopes. */
typedef enum PawsCodec
{
	PAWS_CODEC_NONE = 0,
	PAWS_CODEC_LZ4 = 1,
	PAWS_CODEC_ZSTD = 2
} PawsCodec;

/* A key of a subject, and what the header says about it. */
typedef struct PawsDataKey
{
	uint8_t id[PAWS_DATA_KEY_ID_BYTES];
	uint32_t epoch;
	uint32_t version;
	uint8_t secret[PAWS_DATA_KEY_BYTES]; /* symmetric; for 0x03 and 0x13 the X25519 secret, needed to open */
	uint8_t public_key[PAWS_DATA_KEY_BYTES]; /* X25519, needed for 0x03 and 0x13 */
} PawsDataKey;

/* The key of an outer layer, and its id in the header, which is not 0. Whoever has more to do than one
 * envelope prepares it once (vault/kdf.h). */
typedef struct PawsOuterKey
{
	uint32_t id;
	uint8_t secret[PAWS_OUTER_KEY_BYTES];
	const struct PawsKdfKey *prepared; /* from the secret, which is not read then; or NULL */
} PawsOuterKey;

/* How to seal. */
typedef struct PawsSealing
{
	uint8_t suite;
	const PawsDataKey *key;
	const PawsOuterKey *outer; /* for 0x12 and 0x13, else not read */
	PawsCodec codec;           /* how the stored form came about */
} PawsSealing;

/* What a header says: which keys open the envelope. */
typedef struct PawsEnvelopeName
{
	uint8_t suite;
	uint8_t purpose;
	uint8_t key_id[PAWS_DATA_KEY_ID_BYTES];
	uint32_t epoch;
	uint32_t version;
	uint32_t outer_id; /* 0: no outer layer */
} PawsEnvelopeName;

/* What an envelope is bound to. collection is the number in the registry; operation 0 is a change, 1 a
 * deletion. Of jobs collection is the topic's number, doc_id the job's, op_id zeros, subject zeros if there
 * is none; operation 2 is the payload, 3 the result. */
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

/* Padded length: Padmé, at least PAWS_PADDING_MIN. (Nikitin et al., "Reducing Metadata Leakage from Encrypted
 * Files and Communication with PURBs", PoPETs 2019.) */
extern size_t paws_padded_length(size_t length);

/*
 * False for an unknown suite, and for 0x02, 0x12 and 0x13 on a processor without AES and carry-less
 * multiplication: without them AES-GCM leaks its key through timing, so it is neither sealed nor opened.
 */
extern bool paws_suite_available(uint8_t suite);

/* Size of an envelope for a stored form of this length; 0 for an unknown suite or more than PAWS_STORED_MAX.
 */
extern size_t paws_envelope_size(uint8_t suite, size_t stored_length);

/*
 * Seals the stored form into `out`, which has paws_envelope_size(suite, stored_length) bytes. Suites 0x03 and
 * 0x13 read no secret of the data key. False, with no plaintext left in `out`, if the suite is not available,
 * does not fit the context's purpose, lacks its outer key, if the length is above PAWS_STORED_MAX, or the
 * public key is none.
 */
extern bool paws_envelope_seal(uint8_t *out, const PawsSealing *sealing, const PawsEnvelopeContext *context,
							   const uint8_t *stored, size_t stored_length);

/* Reads what a well-formed envelope says about itself; false, with *name zeroed, if its form is not exactly
 * one of the above. */
extern bool paws_envelope_name(const uint8_t *envelope, size_t length, PawsEnvelopeName *name);

/*
 * Opens into `out`, which has at least `length` bytes and does not overlap the envelope; sets *codec and
 * *stored_length. The key must have the id and version, the outer key the id, that the header names; `outer`
 * may be NULL for suites without an outer layer. False on any defect, one answer for all of them; `out` is
 * wiped then.
 */
extern bool
paws_envelope_open(const uint8_t *envelope, size_t length, const PawsDataKey *key, const PawsOuterKey *outer,
				   const PawsEnvelopeContext *context, uint8_t *out, PawsCodec *codec, size_t *stored_length);

/* Where the PAWS_COMMITMENT_BYTES of an envelope stand, those of the outer layer if there are two; NULL if
 * its form is not exactly one of the above. */
extern const uint8_t *paws_envelope_commitment(const uint8_t *envelope, size_t length);

/*
 * Getting ready for an envelope of suite 0x03 or 0x13. What costs most in opening one is the agreement
 * between the ephemeral key that it was sealed with and the recipient's; whoever is told of the first, which
 * is no secret, can do that before the envelope comes.
 */
#define PAWS_EPHEMERAL_BYTES 32

typedef struct PawsExpectedBox
{
	uint8_t ephemeral[PAWS_EPHEMERAL_BYTES];
	uint8_t recipient[PAWS_DATA_KEY_BYTES];
	uint8_t key[PAWS_DATA_KEY_BYTES]; /* secret */
} PawsExpectedBox;

/* The ephemeral key of what this process sealed last in these suites. */
extern void paws_sealed_ephemeral(uint8_t ephemeral[PAWS_EPHEMERAL_BYTES]);

/* Prepares for one envelope in `room`, which the caller keeps until it was opened, or nothing is expected any
 * more: then it is wiped. */
extern void paws_sealed_expect(PawsExpectedBox *room, const uint8_t ephemeral[PAWS_EPHEMERAL_BYTES],
							   const PawsDataKey *key);
extern void paws_sealed_expect_none(void);

/* Makes the ephemeral pair of the next envelope in these suites, whomever it is for, unless there is one. The
 * room is the caller's, who keeps it; it is wiped when the pair is used, once. */
typedef struct PawsEphemeralPair
{
	uint8_t public_key[PAWS_EPHEMERAL_BYTES];
	uint8_t secret[PAWS_EPHEMERAL_BYTES];
} PawsEphemeralPair;

extern void paws_sealed_make_ahead(PawsEphemeralPair *room);

/* Makes a key pair for PAWS_PURPOSE_CRISIS. The caller wipes the secret. */
extern void paws_x25519_keypair(uint8_t public_key[PAWS_DATA_KEY_BYTES], uint8_t secret[PAWS_DATA_KEY_BYTES]);

#endif
