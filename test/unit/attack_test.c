/*
 * attack_test.c - envelopes that were changed, mixed or moved are refused, all of them with one answer.
 */
#include "fixture.h"
#include "vault/layer.h"
#include "vault/padding.h"

#define PADDED 256 /* of the known payload */

static void
flip(uint8_t *bytes, size_t bit)
{
	bytes[bit / 8] ^= (uint8_t) (1 << (bit % 8));
}

static void
test_flips(uint8_t suite)
{
	Fixture with = fixture(suite);
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	bool refused = true;

	for (size_t bit = 0; bit < length * 8; bit++)
	{
		flip(envelope, bit);
		refused = refused && refuses(&with, envelope, length);
		flip(envelope, bit);
	}
	tap_ok(refused && opens_to(&with, envelope, length, known_payload, strlen(known_payload)),
		   suite_name(suite, "any one bit changed is refused"));
	free(envelope);
}

static void
test_lengths(uint8_t suite)
{
	Fixture with = fixture(suite);
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	uint8_t *longer = calloc(1, length + 1200);
	bool truncations = true;
	bool extensions = true;

	for (size_t shorter = 0; shorter < length; shorter++)
		truncations = truncations && refuses(&with, envelope, shorter);
	tap_ok(truncations, suite_name(suite, "an envelope cut anywhere is refused"));

	memcpy(longer, envelope, length);
	for (size_t more = 1; more <= 1200; more++)
		extensions = extensions && refuses(&with, longer, length + more);
	tap_ok(extensions, suite_name(suite, "an envelope with bytes added is refused"));

	/* Bytes taken out of the middle, at every place: the length may then fit another suite. */
	truncations = true;
	for (size_t at = 4; at + 56 < length; at++)
	{
		memcpy(longer, envelope, at);
		memcpy(longer + at, envelope + at + 56, length - at - 56);
		truncations = truncations && refuses(&with, longer, length - 56);
	}
	tap_ok(truncations, suite_name(suite, "an envelope with a piece taken out is refused"));
	free(envelope);
	free(longer);
}

/* Suite byte and purpose byte, each with every value, and opened for either purpose. */
static void
test_relabelled(uint8_t suite)
{
	Fixture with = fixture(suite);
	Fixture other = with;
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	uint8_t purpose = envelope[4];
	bool suites = true;
	bool purposes = true;

	other.context.purpose =
		with.context.purpose == PAWS_PURPOSE_CRISIS ? PAWS_PURPOSE_PAYLOAD : PAWS_PURPOSE_CRISIS;
	for (int value = 0; value < 256; value++)
	{
		envelope[3] = (uint8_t) value;
		suites = suites && refuses(&with, envelope, length) == (value != suite);
		envelope[4] = (uint8_t) other.context.purpose;
		suites = suites && refuses(&other, envelope, length);
		envelope[3] = suite;
		envelope[4] = (uint8_t) value;
		purposes = purposes && refuses(&with, envelope, length) == (value != purpose) &&
				   refuses(&other, envelope, length);
		envelope[4] = purpose;
	}
	tap_ok(suites, suite_name(suite, "every other suite byte is refused"));
	tap_ok(purposes, suite_name(suite, "every other purpose byte is refused"));
	free(envelope);
}

/* The form alone, without keys: what it says is not to be trusted, but nothing odd is to get through. */
static void
test_form(uint8_t suite)
{
	Fixture with = fixture(suite);
	PawsEnvelopeName name;
	size_t overhead = layout(suite).overhead;
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	uint8_t *longer = calloc(1, 5000);
	bool bytes = true;
	bool lengths = true;

	for (size_t at = 0; at < 8; at++)
		for (int change = 1; change < 256; change++)
		{
			envelope[at] ^= (uint8_t) change;
			bytes = bytes && !paws_envelope_name(envelope, length, &name) &&
					paws_envelope_commitment(envelope, length) == NULL;
			envelope[at] ^= (uint8_t) change;
		}
	tap_ok(bytes, suite_name(suite, "any other magic, version, suite, purpose, flag or zero is malformed"));

	memcpy(longer, envelope, length);
	for (size_t other = 0; other <= 5000; other++)
	{
		bool bucket = other >= overhead + PADDED && paws_padded_length(other - overhead) == other - overhead;

		lengths = lengths && paws_envelope_name(longer, other, &name) == bucket;
	}
	tap_ok(lengths, suite_name(suite, "any length that is no bucket is malformed"));
	if (suite >= 0x10)
	{
		memset(envelope + 32, 0, 4);
		tap_ok(!paws_envelope_name(envelope, length, &name), suite_name(suite, "outer key 0 is malformed"));
	}
	free(envelope);
	free(longer);
}

static void
test_context(uint8_t suite)
{
	Fixture with = fixture(suite);
	Fixture other;
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	uint8_t id[16];
	bool refused = true;

	for (int bit = 0; bit < 64; bit++)
	{
		other = with;
		other.context.base_revision ^= UINT64_C(1) << bit;
		refused = refused && refuses(&other, envelope, length);
		other = with;
		other.context.collection ^= UINT32_C(1) << (bit % 32);
		refused = refused && refuses(&other, envelope, length);
		other = with;
		other.context.operation ^= (uint8_t) (1 << (bit % 8));
		refused = refused && refuses(&other, envelope, length);
	}
	tap_ok(refused, suite_name(suite, "another base revision, collection or operation is refused"));

	refused = true;
	for (size_t bit = 0; bit < 3 * 128; bit++)
	{
		const uint8_t **field;

		other = with;
		field = bit < 128 ? &other.context.subject : bit < 256 ? &other.context.doc_id : &other.context.op_id;
		memcpy(id, *field, sizeof(id));
		flip(id, bit % 128);
		*field = id;
		refused = refused && refuses(&other, envelope, length);
	}
	tap_ok(refused, suite_name(suite, "another subject, document or operation id is refused"));

	other = with;
	other.context.doc_id = with.context.op_id;
	other.context.op_id = with.context.doc_id;
	tap_ok(refuses(&other, envelope, length),
		   suite_name(suite, "two ids of the context swapped are refused"));
	free(envelope);
}

/* Two envelopes under the same keys and context; `part` of the one in the other. */
static bool
mixture_refused(const Fixture *with, size_t from, size_t count)
{
	size_t length;
	uint8_t *one = seal_known(with, &length);
	uint8_t *two = seal(with, "another sentence!!", 18, &length);
	uint8_t *mixed = malloc(length);
	bool refused;

	memcpy(mixed, one, length);
	memcpy(mixed + from, two + from, count);
	refused =
		memcmp(mixed, one, length) != 0 && memcmp(mixed, two, length) != 0 && refuses(with, mixed, length);
	free(one);
	free(two);
	free(mixed);
	return refused;
}

static void
test_mixtures(uint8_t suite)
{
	Fixture with = fixture(suite);
	Fixture other = with;
	Layout at = layout(suite);
	size_t length = at.overhead + PADDED;
	uint8_t *one;
	uint8_t *two;

	tap_ok(mixture_refused(&with, at.unique, at.unique_length),
		   suite_name(suite, "the nonce, salt or box of another envelope is refused"));
	tap_ok(mixture_refused(&with, at.commitment, PAWS_COMMITMENT_BYTES),
		   suite_name(suite, "the commitment of another envelope is refused"));
	tap_ok(mixture_refused(&with, at.unique, at.unique_length + PAWS_COMMITMENT_BYTES),
		   suite_name(suite, "both together are refused"));
	tap_ok(mixture_refused(&with, at.body, length - at.body - 16),
		   suite_name(suite, "the ciphertext of another envelope is refused"));
	tap_ok(mixture_refused(&with, length - 16, 16),
		   suite_name(suite, "the tag of another envelope is refused"));

	/* The same secret under another id and version: the header is another, and nothing may be moved. */
	other.key.id[15] ^= 1;
	other.key.version++;
	one = seal_known(&with, &length);
	two = seal_known(&other, &length);
	memcpy(one + 12, two + 12, 20);
	tap_ok(refuses(&with, one, length) && refuses(&other, one, length),
		   suite_name(suite, "key id and version of another envelope are refused"));
	free(one);
	free(two);
}

static void
test_keys(uint8_t suite)
{
	Fixture with = fixture(suite);
	bool sealed = with.context.purpose == PAWS_PURPOSE_CRISIS;
	Fixture other;
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	bool refused = true;

	for (size_t bit = 0; bit < 256; bit++)
	{
		/* X25519 does not look at these bits of a secret. */
		if (sealed && (bit < 3 || bit >= 254))
			continue;
		other = with;
		flip(other.key.secret, bit);
		refused = refused && refuses(&other, envelope, length);
	}
	tap_ok(refused, suite_name(suite, "a key that differs in any one bit does not open"));

	if (sealed)
	{
		refused = true;
		for (size_t bit = 0; bit < 256; bit++)
		{
			other = with;
			flip(other.key.public_key, bit);
			refused = refused && refuses(&other, envelope, length);
		}
		tap_ok(refused, suite_name(suite, "nor does one whose public half differs"));
	}

	other = with;
	other.key.id[0] ^= 1;
	tap_ok(refuses(&other, envelope, length),
		   suite_name(suite, "the same secret under another id is refused"));
	other = with;
	other.key.version++;
	tap_ok(refuses(&other, envelope, length),
		   suite_name(suite, "the same secret under another version is refused"));
	other = with;
	other.key.epoch++;
	tap_ok(opens_to(&other, envelope, length, known_payload, strlen(known_payload)),
		   suite_name(suite, "a key that was wrapped anew under another epoch opens"));
	free(envelope);
}

static void
test_outer_keys(uint8_t suite)
{
	Fixture with = fixture(suite);
	Fixture other;
	PawsCodec codec;
	size_t found;
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	uint8_t *out = malloc(length);
	bool refused = true;

	for (size_t bit = 0; bit < 256; bit++)
	{
		other = with;
		flip(other.outer.secret, bit);
		refused = refused && refuses(&other, envelope, length);
	}
	tap_ok(refused, suite_name(suite, "an outer key that differs in any one bit does not open"));

	other = with;
	other.outer.id++;
	tap_ok(refuses(&other, envelope, length),
		   suite_name(suite, "the same outer key under another id is refused"));
	memcpy(envelope + 32, (uint8_t[]){0, 0, 0, 10}, 4);
	tap_ok(refuses(&other, envelope, length),
		   suite_name(suite, "and so it is if the header is changed to it"));
	memcpy(envelope + 32, (uint8_t[]){0, 0, 0, 0}, 4);
	other.outer.id = 0;
	tap_ok(refuses(&other, envelope, length), suite_name(suite, "an outer key of id 0 is refused"));
	memcpy(envelope + 32, (uint8_t[]){0, 0, 0, 9}, 4);

	other = with;
	memcpy(other.outer.secret, with.key.secret, 32);
	memcpy(other.key.secret, with.outer.secret, 32);
	tap_ok(refuses(&other, envelope, length), suite_name(suite, "the two keys swapped are refused"));
	memset(out, 0xee, length);
	tap_ok(!paws_envelope_open(envelope, length, &with.key, NULL, &with.context, out, &codec, &found) &&
			   sodium_is_zero(out, length),
		   suite_name(suite, "nothing opens without the outer key"));
	free(envelope);
	free(out);
}

/* Eight keys, eight envelopes. */
static void
test_one_key_each(uint8_t suite)
{
	Fixture with[8];
	bool one_each = true;

	for (int i = 0; i < 8; i++)
	{
		with[i] = fixture(suite);
		if (with[i].context.purpose == PAWS_PURPOSE_CRISIS)
			paws_x25519_keypair(with[i].key.public_key, with[i].key.secret);
		else
			randombytes_buf(with[i].key.secret, 32);
	}
	for (int sealed = 0; sealed < 8; sealed++)
	{
		size_t length;
		uint8_t *envelope = seal_known(&with[sealed], &length);

		for (int opened = 0; opened < 8; opened++)
			one_each = one_each && refuses(&with[opened], envelope, length) == (sealed != opened);
		free(envelope);
	}
	tap_ok(one_each, suite_name(suite, "an envelope opens under the one key that sealed it"));
}

/* Whoever has the outer key takes the inner layer out of `envelope` and puts `inner` in its place. */
static void
replace_inner(const Fixture *with, uint8_t *envelope, size_t length, const uint8_t *inner)
{
	uint8_t encoded[PAWS_CONTEXT_BYTES];
	PawsLayer layer = {.header = envelope,
					   .header_length = PAWS_OUTER_HEADER_BYTES,
					   .context = encoded,
					   .length = length - 100 - 16};
	PawsKdfKey from;

	paws_context_encode(&with->context, encoded);
	memcpy(envelope + 100, inner, layer.length);
	paws_kdf_prepare(&from, with->outer.secret, sizeof(with->outer.secret));
	randombytes_buf(envelope + PAWS_OUTER_HEADER_BYTES, PAWS_GCM_UNIQUE);
	paws_gcm_layer_seal(&layer, &from, envelope + PAWS_OUTER_HEADER_BYTES);
}

/* The inner layer, as the outer key gives it: free it. */
static uint8_t *
take_inner(const Fixture *with, const uint8_t *envelope, size_t length)
{
	uint8_t encoded[PAWS_CONTEXT_BYTES];
	PawsLayer layer = {.header = envelope,
					   .header_length = PAWS_OUTER_HEADER_BYTES,
					   .context = encoded,
					   .length = length - 100 - 16};
	uint8_t *inner = malloc(layer.length);
	PawsKdfKey from;

	paws_context_encode(&with->context, encoded);
	paws_kdf_prepare(&from, with->outer.secret, sizeof(with->outer.secret));
	tap_ok(paws_gcm_layer_open(&layer, &from, envelope + PAWS_OUTER_HEADER_BYTES, inner),
		   suite_name(with->suite, "(the outer key gives the inner layer, still sealed)"));
	return inner;
}

/* The outer custodian alone can neither read nor change, nor mix what the other one sealed. */
static void
test_outer_custodian(uint8_t suite)
{
	Fixture with = fixture(suite);
	Fixture elsewhere = with;
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	uint8_t *inner = take_inner(&with, envelope, length);
	size_t inner_length = length - 116;
	uint8_t other_doc[16] = {1};
	uint8_t *other;
	uint8_t *other_inner;
	bool refused = true;

	replace_inner(&with, envelope, length, inner);
	tap_ok(opens_to(&with, envelope, length, known_payload, strlen(known_payload)),
		   suite_name(suite, "a new outer layer around the same inner one opens"));
	for (size_t bit = 0; bit < inner_length * 8; bit++)
	{
		flip(inner, bit);
		replace_inner(&with, envelope, length, inner);
		refused = refused && refuses(&with, envelope, length);
		flip(inner, bit);
	}
	tap_ok(refused, suite_name(suite, "any one bit of the inner layer changed is refused"));

	elsewhere.context.doc_id = other_doc;
	other = seal_known(&elsewhere, &length);
	other_inner = take_inner(&elsewhere, other, length);
	replace_inner(&with, envelope, length, other_inner);
	tap_ok(refuses(&with, envelope, length),
		   suite_name(suite, "the inner layer of another document is refused"));
	replace_inner(&elsewhere, other, length, inner);
	tap_ok(refuses(&elsewhere, other, length), suite_name(suite, "and so it is the other way round"));

	/* The data key alone: an inner layer under another outer key. */
	randombytes_buf(elsewhere.outer.secret, 32);
	replace_inner(&elsewhere, other, length, other_inner);
	elsewhere.outer = with.outer;
	tap_ok(refuses(&elsewhere, other, length),
		   suite_name(suite, "an outer layer under another key is refused"));
	free(envelope);
	free(inner);
	free(other);
	free(other_inner);
}

/* A layer of the plain suite is none of the layered one, and the other way round. */
static void
test_stripping(uint8_t layered_suite, uint8_t plain_suite)
{
	Fixture layered = fixture(layered_suite);
	Fixture plain = fixture(plain_suite);
	size_t length;
	size_t plain_length;
	uint8_t *envelope = seal_known(&layered, &length);
	uint8_t *bare = seal_known(&plain, &plain_length);
	uint8_t *inner = take_inner(&layered, envelope, length);
	uint8_t *stripped = malloc(plain_length);

	memcpy(stripped, envelope, 32);
	stripped[3] = plain_suite;
	memcpy(stripped + 32, inner, plain_length - 32);
	tap_ok(length - 116 == plain_length - 32 && refuses(&plain, stripped, plain_length),
		   suite_name(layered_suite, "its inner layer is no envelope of its own"));
	replace_inner(&layered, envelope, length, bare + 32);
	tap_ok(refuses(&layered, envelope, length),
		   suite_name(layered_suite, "an envelope of its own is no inner layer"));
	free(envelope);
	free(bare);
	free(inner);
	free(stripped);
}

/* Opens what is sealed rightly, but whose plaintext is not of the right form. */
static bool
malformed_refused(uint8_t suite, const uint8_t padded[PADDED])
{
	Fixture with = fixture(suite);
	uint8_t encoded[PAWS_CONTEXT_BYTES];
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	PawsLayer layer = {.header = envelope,
					   .header_length = PAWS_HEADER_BYTES,
					   .context = encoded,
					   .length = PADDED};
	PawsKdfKey from;
	bool refused;

	paws_context_encode(&with.context, encoded);
	memcpy(envelope + layout(suite).body, padded, PADDED);
	if (suite == PAWS_SUITE_XCHACHA20)
		paws_xchacha_layer_seal(&layer, with.key.secret, envelope + 32);
	else if (suite == PAWS_SUITE_AES256GCM)
	{
		paws_kdf_prepare(&from, with.key.secret, sizeof(with.key.secret));
		paws_gcm_layer_seal(&layer, &from, envelope + 32);
	}
	else
		paws_sealed_layer_seal(&layer, with.key.public_key, envelope + 32);
	refused = refuses(&with, envelope, length);
	free(envelope);
	return refused;
}

static void
test_malformed_plaintext(uint8_t suite)
{
	uint8_t padded[PADDED] = {0, 0, 0, 0, 3, 'a', 'b', 'c'};
	bool refused = true;

	tap_ok(!malformed_refused(suite, padded), suite_name(suite, "(a well-formed plaintext opens)"));
	for (int codec = 3; codec < 256; codec++)
	{
		padded[0] = (uint8_t) codec;
		refused = refused && malformed_refused(suite, padded);
	}
	tap_ok(refused, suite_name(suite, "an unknown codec is refused under the right key"));
	padded[0] = 0;
	refused = true;
	for (int i = 8; i < PADDED; i++)
	{
		padded[i] = 0x80;
		refused = refused && malformed_refused(suite, padded);
		padded[i] = 0;
	}
	tap_ok(refused, suite_name(suite, "padding that is not zero is refused under the right key"));
	memcpy(padded + 1, (uint8_t[]){0, 0, 0, 252}, 4);
	refused = malformed_refused(suite, padded);
	memcpy(padded + 1, (uint8_t[]){0xff, 0xff, 0xff, 0xff}, 4);
	tap_ok(refused && malformed_refused(suite, padded),
		   suite_name(suite, "a length beyond the bucket is refused under the right key"));
}

void
test_attacks(void)
{
	for (size_t i = 0; i < SUITES; i++)
	{
		if (!suite_here(all_suites[i]))
			continue;
		test_flips(all_suites[i]);
		test_lengths(all_suites[i]);
		test_relabelled(all_suites[i]);
		test_form(all_suites[i]);
		test_context(all_suites[i]);
		test_mixtures(all_suites[i]);
		test_keys(all_suites[i]);
		test_one_key_each(all_suites[i]);
		if (all_suites[i] < 0x10)
			test_malformed_plaintext(all_suites[i]);
		else
		{
			test_outer_keys(all_suites[i]);
			test_outer_custodian(all_suites[i]);
		}
	}
	if (suite_here(PAWS_SUITE_LAYERED))
	{
		test_stripping(PAWS_SUITE_LAYERED, PAWS_SUITE_XCHACHA20);
		test_stripping(PAWS_SUITE_SEALED_LAYERED, PAWS_SUITE_SEALED);
	}
}
