/*
 * vault/layer.h - one layer of an envelope, in place; what envelope.c puts suites together from.
 *
 * A layer is its unique bytes, a commitment, the ciphertext and a tag, as envelope.h lays them out. When it
 * is sealed, the plaintext stands already where the ciphertext will. Pure C.
 */
#ifndef PAWS_VAULT_LAYER_H
#define PAWS_VAULT_LAYER_H

#include "vault/aead.h"
#include "vault/context.h"
#include "vault/envelope.h"
#include "vault/kdf.h"

#define PAWS_HEADER_BYTES       32
#define PAWS_OUTER_HEADER_BYTES (PAWS_HEADER_BYTES + 4)

/* Unique bytes of each kind of layer. */
#define PAWS_XCHACHA_UNIQUE 24
#define PAWS_GCM_UNIQUE     32
#define PAWS_SEALED_UNIQUE  80
#define PAWS_UNIQUE_MAX     PAWS_SEALED_UNIQUE

/* What a layer has around its plaintext. */
#define PAWS_LAYER_START(unique)    ((unique) + PAWS_COMMITMENT_BYTES)
#define PAWS_LAYER_OVERHEAD(unique) (PAWS_LAYER_START(unique) + PAWS_AEAD_TAG_BYTES)

/* What a layer is bound to beside its own bytes, and how much it holds. */
typedef struct PawsLayer
{
	const uint8_t *header; /* of the envelope */
	size_t header_length;
	const uint8_t *context; /* encoded */
	size_t length;          /* of the plaintext */
} PawsLayer;

/* What is derived for one layer: wiped by whoever has it. */
typedef struct PawsLayerKeys
{
	uint8_t key[PAWS_AEAD_KEY_BYTES];
	uint8_t commitment[PAWS_COMMITMENT_BYTES];
} PawsLayerKeys;

/* Header, unique bytes and commitment in one piece: the associated data. */
typedef struct PawsLayerHead
{
	size_t bound; /* length without the commitment */
	uint8_t bytes[PAWS_OUTER_HEADER_BYTES + PAWS_UNIQUE_MAX + PAWS_COMMITMENT_BYTES];
} PawsLayerHead;

/* Puts header and unique bytes together; and then the commitment. */
extern void
paws_layer_begin_head(PawsLayerHead *head, const PawsLayer *layer, const uint8_t *unique, size_t length);
extern void paws_layer_end_head(PawsLayerHead *head, const uint8_t commitment[PAWS_COMMITMENT_BYTES]);

/* Key and commitment by keyed BLAKE2b over label, head, `recipient` (a public key, or NULL) and the hash of
 * the context. */
extern void
paws_layer_derive(PawsLayerKeys *keys, const uint8_t secret[32], const char *label, const PawsLayerHead *head,
				  const uint8_t *recipient, const uint8_t context[PAWS_CONTEXT_BYTES]);

/*
 * The kinds. `at` is where the layer begins; XChaCha20 and AES-GCM find unique bytes there that were drawn
 * for this layer alone, a sealed box makes its own. Opening writes layer->length bytes to `out`, which may be
 * the place of the ciphertext; false if commitment or tag is not right. Sealing is false if the cipher is not
 * available or the public key is none.
 */
extern bool paws_xchacha_layer_seal(const PawsLayer *layer, const uint8_t secret[32], uint8_t *at);
extern bool
paws_xchacha_layer_open(const PawsLayer *layer, const uint8_t secret[32], const uint8_t *at, uint8_t *out);

extern bool paws_gcm_layer_seal(const PawsLayer *layer, const PawsKdfKey *from, uint8_t *at);
extern bool
paws_gcm_layer_open(const PawsLayer *layer, const PawsKdfKey *from, const uint8_t *at, uint8_t *out);

extern bool paws_sealed_layer_seal(const PawsLayer *layer, const uint8_t public_key[32], uint8_t *at);
extern bool
paws_sealed_layer_open(const PawsLayer *layer, const PawsDataKey *key, const uint8_t *at, uint8_t *out);

#endif
