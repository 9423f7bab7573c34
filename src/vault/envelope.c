/*
 * vault/envelope.c - putting layers together, and taking them apart. Pure C over libsodium.
 */
#include "vault/envelope.h"

#include <string.h>

#include <sodium.h>

#include "vault/bytes.h"
#include "vault/layer.h"
#include "vault/padding.h"

#define FORMAT_VERSION 1
#define FLAG_PADDED    0x01

#define AT_SUITE    3
#define AT_PURPOSE  4
#define AT_FLAGS    5
#define AT_ZERO     6
#define AT_EPOCH    8
#define AT_VERSION  12
#define AT_KEY_ID   16
#define AT_OUTER_ID PAWS_HEADER_BYTES

_Static_assert(AT_KEY_ID + PAWS_DATA_KEY_ID_BYTES == PAWS_HEADER_BYTES, "the key id ends the header");
_Static_assert(PAWS_AEAD_KEY_BYTES == PAWS_DATA_KEY_BYTES, "a data key is a key of both ciphers");

/* What a suite is made of. */
typedef struct Suite
{
	uint8_t number;
	uint8_t purpose;
	bool layered;
	bool needs_gcm;
	size_t unique; /* unique bytes of its layer, or of the inner one */
} Suite;

static const Suite suites[] = {
	{PAWS_SUITE_XCHACHA20, PAWS_PURPOSE_PAYLOAD, false, false, PAWS_XCHACHA_UNIQUE},
	{PAWS_SUITE_AES256GCM, PAWS_PURPOSE_PAYLOAD, false, true, PAWS_GCM_UNIQUE},
	{PAWS_SUITE_SEALED, PAWS_PURPOSE_CRISIS, false, false, PAWS_SEALED_UNIQUE},
	{PAWS_SUITE_LAYERED, PAWS_PURPOSE_PAYLOAD, true, true, PAWS_XCHACHA_UNIQUE},
	{PAWS_SUITE_SEALED_LAYERED, PAWS_PURPOSE_CRISIS, true, true, PAWS_SEALED_UNIQUE},
};

static const Suite *
find_suite(uint8_t number)
{
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (suites[i].number == number)
			return &suites[i];
	return NULL;
}

/* Where the only layer begins, or the outer one. */
static size_t
layer_start(const Suite *suite)
{
	return suite->layered ? PAWS_OUTER_HEADER_BYTES : PAWS_HEADER_BYTES;
}

/* Where the layer begins that holds the padded plaintext. */
static size_t
inner_start(const Suite *suite)
{
	return layer_start(suite) + (suite->layered ? PAWS_LAYER_START(PAWS_GCM_UNIQUE) : 0);
}

/* All of an envelope but the padded plaintext. */
static size_t
overhead(const Suite *suite)
{
	return inner_start(suite) + PAWS_LAYER_OVERHEAD(suite->unique) +
		   (suite->layered ? PAWS_AEAD_TAG_BYTES : 0);
}

bool
paws_suite_available(uint8_t suite)
{
	const Suite *found = find_suite(suite);

	return found != NULL && (!found->needs_gcm || paws_aead_gcm_available());
}

size_t
paws_envelope_size(uint8_t suite, size_t stored_length)
{
	const Suite *found = find_suite(suite);

	if (found == NULL || stored_length > PAWS_STORED_MAX)
		return 0;
	return overhead(found) + paws_padded_length(PAWS_PADDING_HEADER_BYTES + stored_length);
}

/* What the layer with the padded plaintext is bound to: the outer key is not its business. */
static PawsLayer
inner_layer(const uint8_t *envelope, const uint8_t *context, size_t padded)
{
	PawsLayer layer = {.header = envelope,
					   .header_length = PAWS_HEADER_BYTES,
					   .context = context,
					   .length = padded};

	return layer;
}

/* The layer around it: its plaintext is the whole inner layer. */
static PawsLayer
outer_layer(const Suite *suite, const uint8_t *envelope, const uint8_t *context, size_t padded)
{
	PawsLayer layer = {.header = envelope,
					   .header_length = PAWS_OUTER_HEADER_BYTES,
					   .context = context,
					   .length = PAWS_LAYER_OVERHEAD(suite->unique) + padded};

	return layer;
}

static void
write_header(uint8_t *out, const PawsSealing *sealing, const Suite *suite)
{
	out[0] = 'P';
	out[1] = 'W';
	out[2] = FORMAT_VERSION;
	out[AT_SUITE] = suite->number;
	out[AT_PURPOSE] = suite->purpose;
	out[AT_FLAGS] = FLAG_PADDED;
	out[AT_ZERO] = 0;
	out[AT_ZERO + 1] = 0;
	paws_put32(out + AT_EPOCH, sealing->key->epoch);
	paws_put32(out + AT_VERSION, sealing->key->version);
	memcpy(out + AT_KEY_ID, sealing->key->id, PAWS_DATA_KEY_ID_BYTES);
	if (suite->layered)
		paws_put32(out + AT_OUTER_ID, sealing->outer->id);
}

/* For both layers at once, since the system is asked for it; but a sealed box makes its own first. */
static void
draw_unique(const Suite *suite, uint8_t *out)
{
	uint8_t drawn[2 * PAWS_GCM_UNIQUE];
	size_t inner = suite->unique == PAWS_SEALED_UNIQUE ? 0 : suite->unique;
	size_t outer = suite->layered ? PAWS_GCM_UNIQUE : 0;

	randombytes_buf(drawn, inner + outer);
	memcpy(out + inner_start(suite), drawn, inner);
	memcpy(out + PAWS_OUTER_HEADER_BYTES, drawn + inner, outer);
}

static bool
seal_with_secret(const PawsLayer *layer, const uint8_t secret[32], uint8_t *at)
{
	PawsKdfKey from;
	bool sealed;

	paws_kdf_prepare(&from, secret, PAWS_DATA_KEY_BYTES);
	sealed = paws_gcm_layer_seal(layer, &from, at);
	sodium_memzero(&from, sizeof(from));
	return sealed;
}

static bool
seal_outer_layer(const PawsLayer *layer, const PawsOuterKey *outer, uint8_t *at)
{
	return outer->prepared != NULL ? paws_gcm_layer_seal(layer, outer->prepared, at)
								   : seal_with_secret(layer, outer->secret, at);
}

static bool
seal_layer(const Suite *suite, const PawsLayer *layer, const PawsDataKey *key, uint8_t *at)
{
	switch (suite->number)
	{
		case PAWS_SUITE_XCHACHA20:
		case PAWS_SUITE_LAYERED:
			return paws_xchacha_layer_seal(layer, key->secret, at);
		case PAWS_SUITE_AES256GCM:
			return seal_with_secret(layer, key->secret, at);
		case PAWS_SUITE_SEALED:
		case PAWS_SUITE_SEALED_LAYERED:
			return paws_sealed_layer_seal(layer, key->public_key, at);
	}
	return false;
}

/* Everything that can be told before anything is written. */
static bool
may_seal(const Suite *suite, const PawsSealing *sealing, const PawsEnvelopeContext *context)
{
	if ((uint8_t) context->purpose != suite->purpose || !paws_suite_available(suite->number) ||
		(uint8_t) sealing->codec > PAWS_CODEC_ZSTD)
		return false;
	return !suite->layered || (sealing->outer != NULL && sealing->outer->id != 0);
}

bool
paws_envelope_seal(uint8_t *out, const PawsSealing *sealing, const PawsEnvelopeContext *context,
				   const uint8_t *stored, size_t stored_length)
{
	const Suite *suite = find_suite(sealing->suite);
	size_t padded = paws_padded_length(PAWS_PADDING_HEADER_BYTES + stored_length);
	uint8_t encoded[PAWS_CONTEXT_BYTES];
	PawsLayer layer;
	uint8_t *at;
	bool sealed;

	if (suite == NULL || stored_length > PAWS_STORED_MAX || !may_seal(suite, sealing, context))
		return false;
	paws_context_encode(context, encoded);
	write_header(out, sealing, suite);

	/* Encrypted where it stands, so that no second copy of the plaintext has to be wiped. */
	at = out + inner_start(suite);
	paws_padding_write(at + PAWS_LAYER_START(suite->unique), sealing->codec, stored, stored_length);
	layer = inner_layer(out, encoded, padded);
	if (suite->unique != PAWS_SEALED_UNIQUE)
		draw_unique(suite, out);
	sealed = seal_layer(suite, &layer, sealing->key, at);
	if (sealed && suite->layered)
	{
		if (suite->unique == PAWS_SEALED_UNIQUE)
			draw_unique(suite, out);
		layer = outer_layer(suite, out, encoded, padded);
		sealed = seal_outer_layer(&layer, sealing->outer, out + PAWS_OUTER_HEADER_BYTES);
	}
	if (!sealed)
		sodium_memzero(out, overhead(suite) + padded);
	return sealed;
}

/* The suite of a well-formed envelope, NULL if it is none. */
static const Suite *
parse(const uint8_t *envelope, size_t length)
{
	const uint8_t start[] = {'P', 'W', FORMAT_VERSION};
	const Suite *suite;
	size_t padded;

	if (length < PAWS_HEADER_BYTES || memcmp(envelope, start, sizeof(start)) != 0)
		return NULL;
	suite = find_suite(envelope[AT_SUITE]);
	if (suite == NULL || envelope[AT_PURPOSE] != suite->purpose || envelope[AT_FLAGS] != FLAG_PADDED ||
		envelope[AT_ZERO] != 0 || envelope[AT_ZERO + 1] != 0)
		return NULL;
	if (length < overhead(suite) + PAWS_PADDING_MIN)
		return NULL;
	padded = length - overhead(suite);
	if (padded > paws_padded_length(PAWS_PADDING_HEADER_BYTES + (size_t) PAWS_STORED_MAX) ||
		paws_padded_length(padded) != padded)
		return NULL;
	if (suite->layered && paws_get32(envelope + AT_OUTER_ID) == 0)
		return NULL;
	return suite;
}

bool
paws_envelope_name(const uint8_t *envelope, size_t length, PawsEnvelopeName *name)
{
	const Suite *suite = parse(envelope, length);

	memset(name, 0, sizeof(*name));
	if (suite == NULL)
		return false;
	name->suite = suite->number;
	name->purpose = suite->purpose;
	memcpy(name->key_id, envelope + AT_KEY_ID, PAWS_DATA_KEY_ID_BYTES);
	name->epoch = paws_get32(envelope + AT_EPOCH);
	name->version = paws_get32(envelope + AT_VERSION);
	if (suite->layered)
		name->outer_id = paws_get32(envelope + AT_OUTER_ID);
	return true;
}

const uint8_t *
paws_envelope_commitment(const uint8_t *envelope, size_t length)
{
	const Suite *suite = parse(envelope, length);

	if (suite == NULL)
		return NULL;
	return envelope + layer_start(suite) + (suite->layered ? PAWS_GCM_UNIQUE : suite->unique);
}

static bool
open_with_secret(const PawsLayer *layer, const uint8_t secret[32], const uint8_t *at, uint8_t *out)
{
	PawsKdfKey from;
	bool open;

	paws_kdf_prepare(&from, secret, PAWS_DATA_KEY_BYTES);
	open = paws_gcm_layer_open(layer, &from, at, out);
	sodium_memzero(&from, sizeof(from));
	return open;
}

static bool
open_outer_layer(const PawsLayer *layer, const PawsOuterKey *outer, const uint8_t *at, uint8_t *out)
{
	return outer->prepared != NULL ? paws_gcm_layer_open(layer, outer->prepared, at, out)
								   : open_with_secret(layer, outer->secret, at, out);
}

static bool
open_layer(const Suite *suite, const PawsLayer *layer, const PawsDataKey *key, const uint8_t *at,
		   uint8_t *out)
{
	switch (suite->number)
	{
		case PAWS_SUITE_XCHACHA20:
		case PAWS_SUITE_LAYERED:
			return paws_xchacha_layer_open(layer, key->secret, at, out);
		case PAWS_SUITE_AES256GCM:
			return open_with_secret(layer, key->secret, at, out);
		case PAWS_SUITE_SEALED:
		case PAWS_SUITE_SEALED_LAYERED:
			return paws_sealed_layer_open(layer, key, at, out);
	}
	return false;
}

/* True if these are the keys that the header names, and the suite may be opened for this purpose, here. */
static bool
may_open(const Suite *suite, const uint8_t *envelope, const PawsDataKey *key, const PawsOuterKey *outer,
		 const PawsEnvelopeContext *context)
{
	if ((uint8_t) context->purpose != suite->purpose || !paws_suite_available(suite->number))
		return false;
	if (memcmp(envelope + AT_KEY_ID, key->id, PAWS_DATA_KEY_ID_BYTES) != 0 ||
		paws_get32(envelope + AT_VERSION) != key->version)
		return false;
	return !suite->layered || (outer != NULL && paws_get32(envelope + AT_OUTER_ID) == outer->id);
}

/* Decrypts; the padded plaintext is then at *plain in `out`. */
static bool
decrypt(const Suite *suite, const uint8_t *envelope, size_t padded, const PawsDataKey *key,
		const PawsOuterKey *outer, const PawsEnvelopeContext *context, uint8_t *out, uint8_t **plain)
{
	uint8_t encoded[PAWS_CONTEXT_BYTES];
	PawsLayer layer;

	paws_context_encode(context, encoded);
	layer = inner_layer(envelope, encoded, padded);
	*plain = out;
	if (!suite->layered)
		return open_layer(suite, &layer, key, envelope + PAWS_HEADER_BYTES, out);

	/* The inner layer is opened where it came out. */
	*plain = out + PAWS_LAYER_START(suite->unique);
	layer = outer_layer(suite, envelope, encoded, padded);
	if (!open_outer_layer(&layer, outer, envelope + PAWS_OUTER_HEADER_BYTES, out))
		return false;
	layer = inner_layer(envelope, encoded, padded);
	return open_layer(suite, &layer, key, out, *plain);
}

bool
paws_envelope_open(const uint8_t *envelope, size_t length, const PawsDataKey *key, const PawsOuterKey *outer,
				   const PawsEnvelopeContext *context, uint8_t *out, PawsCodec *codec, size_t *stored_length)
{
	const Suite *suite = parse(envelope, length);
	uint8_t *plain = out;
	size_t stored = 0;

	*codec = PAWS_CODEC_NONE;
	*stored_length = 0;
	if (suite == NULL || !may_open(suite, envelope, key, outer, context) ||
		!decrypt(suite, envelope, length - overhead(suite), key, outer, context, out, &plain) ||
		!paws_padding_read(plain, length - overhead(suite), codec, &stored))
	{
		sodium_memzero(out, length);
		return false;
	}
	memmove(out, plain + PAWS_PADDING_HEADER_BYTES, stored);
	sodium_memzero(out + stored, length - stored);
	*stored_length = stored;
	return true;
}
