/*
 * envelope_test.c - envelopes of every suite: known answers, round trips, what is said about them, and how
 * sealing refuses.
 *
 * The known envelopes come from vectors.py, which shares no code with the engine; unit.sh makes them anew and
 * compares.
 */
#include "fixture.h"
#include "vault/kdf.h"
#include "vault/aead.h"

#define LONG_LENGTH 1000

static const struct
{
	uint8_t suite;
	int codec;
	const char *envelope;  /* of the known payload */
	const char *long_hash; /* BLAKE2b-256 of the envelope of 0 1 2 … 250 0 1 …, 1000 bytes in all */
} known[] = {
#include "known_envelopes.inc"
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static void
test_known_opening(size_t i)
{
	Fixture with = fixture(known[i].suite);
	size_t length = strlen(known[i].envelope) / 2;
	uint8_t *envelope = malloc(length);

	with.codec = (PawsCodec) known[i].codec;
	sodium_hex2bin(envelope, length, known[i].envelope, 2 * length, NULL, NULL, NULL);
	tap_ok(length == paws_envelope_size(with.suite, strlen(known_payload)),
		   suite_name(with.suite, "the known envelope has the size that is foretold"));
	tap_ok(opens_to(&with, envelope, length, known_payload, strlen(known_payload)),
		   suite_name(with.suite,
					  "the known envelope opens to the known payload and codec, and nothing else"));
	free(envelope);
}

static void
test_known_sealing(size_t i)
{
	Fixture with = fixture(known[i].suite);
	uint8_t payload[LONG_LENGTH];
	uint8_t hash[32];
	char hash_hex[65];
	size_t length;
	uint8_t *envelope;
	char *hex;

	with.codec = (PawsCodec) known[i].codec;
	for (size_t at = 0; at < sizeof(payload); at++)
		payload[at] = (uint8_t) (at % 251);

	known_randomness();
	envelope = seal_known(&with, &length);
	hex = malloc(2 * length + 1);
	sodium_bin2hex(hex, 2 * length + 1, envelope, length);
	tap_ok(strcmp(hex, known[i].envelope) == 0,
		   suite_name(with.suite, "sealing the known payload gives the known envelope"));
	free(envelope);
	free(hex);

	known_randomness();
	envelope = seal(&with, payload, sizeof(payload), &length);
	crypto_generichash(hash, sizeof(hash), envelope, length, NULL, 0);
	sodium_bin2hex(hash_hex, sizeof(hash_hex), hash, sizeof(hash));
	tap_ok(strcmp(hash_hex, known[i].long_hash) == 0,
		   suite_name(with.suite, "sealing a longer payload gives the envelope of the known hash"));
	free(envelope);
	real_randomness();
}

/* The header's own words, and where the commitment is. */
static void
test_name(uint8_t suite)
{
	Fixture with = fixture(suite);
	bool layered = suite >= 0x10;
	PawsEnvelopeName name;
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);
	const uint8_t *commitment = paws_envelope_commitment(envelope, length);

	tap_ok(paws_envelope_name(envelope, length, &name) && name.suite == suite &&
			   name.purpose == with.context.purpose && name.epoch == 3 && name.version == 5 &&
			   memcmp(name.key_id, with.key.id, sizeof(name.key_id)) == 0 &&
			   name.outer_id == (layered ? 9 : 0),
		   suite_name(suite, "an envelope names suite, purpose, epoch, version and keys"));
	tap_ok(commitment == envelope + layout(suite).commitment,
		   suite_name(suite, "the commitment of the first layer is found where it stands"));

	memset(&name, 0xee, sizeof(name));
	tap_ok(!paws_envelope_name(envelope, length - 1, &name) &&
			   sodium_is_zero((uint8_t *) &name, sizeof(name)) &&
			   paws_envelope_commitment(envelope, length - 1) == NULL,
		   suite_name(suite, "what is not well-formed names nothing"));
	free(envelope);
}

static bool
round_trip(uint8_t suite, const uint8_t *payload, size_t payload_length)
{
	Fixture with = fixture(suite);
	size_t length;
	uint8_t *envelope = seal(&with, payload_length == 0 ? NULL : payload, payload_length, &length);
	size_t padded = paws_padded_length(5 + payload_length);
	bool same;

	same = envelope != NULL && length == layout(suite).overhead + padded &&
		   opens_to(&with, envelope, length, payload, payload_length);
	free(envelope);
	return same;
}

/* Lengths at both sides of the edges of buckets, up to the usual ceiling. */
static void
test_round_trips(uint8_t suite)
{
	size_t most = (1 << 20) + 1;
	uint8_t *payload = malloc(most);
	bool small = true;
	bool edges = true;
	bool large = true;
	size_t tried = 0;

	randombytes_buf(payload, most);
	for (size_t length = 0; length <= 600; length += length < 3 || (length >= 245 && length < 300) ? 1 : 13)
		small = small && round_trip(suite, payload, length);
	tap_ok(small, suite_name(suite, "payloads of 0 to 600 bytes come back as they were"));

	for (size_t bucket = 256; bucket <= 65536; bucket = paws_padded_length(bucket + 1))
		for (size_t length = bucket - 6; length <= bucket - 4; length++, tried++)
			edges = edges && round_trip(suite, payload, length);
	tap_ok(edges && tried == 3 * 129,
		   suite_name(suite, "payloads at the edges of all buckets up to 64 KiB do"));

	for (size_t length = most - 2; length <= most; length++)
		large = large && round_trip(suite, payload, length);
	tap_ok(large && round_trip(suite, payload, 65536), suite_name(suite, "payloads of 64 KiB and 1 MiB do"));
	free(payload);
}

/* What must differ from one sealing to the next: everything behind the header. */
static void
test_freshness(uint8_t suite)
{
	Fixture with = fixture(suite);
	Layout at = layout(suite);
	size_t length;
	uint8_t *first = seal_known(&with, &length);
	uint8_t *second = seal_known(&with, &length);

	tap_ok(memcmp(first, second, at.unique) == 0 &&
			   memcmp(first + at.unique, second + at.unique, at.unique_length) != 0 &&
			   memcmp(first + at.commitment, second + at.commitment, PAWS_COMMITMENT_BYTES) != 0 &&
			   memcmp(first + at.body, second + at.body, 16) != 0,
		   suite_name(suite, "sealing twice gives another nonce, commitment and ciphertext"));
	free(first);
	free(second);
}

/* False, and no trace of the payload in `out`. */
static bool
seal_fails(const PawsSealing *sealing, const PawsEnvelopeContext *context)
{
	static const uint8_t marker[64] = "a payload that must not be left behind in memory of the caller!";
	uint8_t out[1024];
	bool sealed;
	bool leaked = false;

	memset(out, 0, sizeof(out));
	sealed = paws_envelope_seal(out, sealing, context, marker, sizeof(marker));
	for (size_t i = 0; i + 16 <= sizeof(out); i++)
		leaked = leaked || memcmp(out + i, marker, 16) == 0;
	return !sealed && !leaked;
}

static void
test_seal_refusals(uint8_t suite)
{
	Fixture with = fixture(suite);
	PawsSealing sealing = {.suite = suite, .key = &with.key, .outer = &with.outer};
	PawsEnvelopeContext other = with.context;
	PawsOuterKey unnamed = {.id = 0};

	other.purpose = with.context.purpose == PAWS_PURPOSE_CRISIS ? PAWS_PURPOSE_PAYLOAD : PAWS_PURPOSE_CRISIS;
	tap_ok(seal_fails(&sealing, &other), suite_name(suite, "the purpose of other suites is not sealed"));
	other.purpose = (PawsPurpose) 3;
	tap_ok(seal_fails(&sealing, &other), suite_name(suite, "an unknown purpose is not sealed"));

	sealing.codec = (PawsCodec) 3;
	tap_ok(seal_fails(&sealing, &with.context), suite_name(suite, "an unknown codec is not sealed"));
	sealing.codec = PAWS_CODEC_NONE;

	if (suite >= 0x10)
	{
		sealing.outer = NULL;
		tap_ok(seal_fails(&sealing, &with.context), suite_name(suite, "nothing is sealed without outer key"));
		sealing.outer = &unnamed;
		tap_ok(seal_fails(&sealing, &with.context), suite_name(suite, "an outer key of id 0 does not seal"));
		sealing.outer = &with.outer;
	}
	tap_ok(paws_envelope_size(suite, PAWS_STORED_MAX) > PAWS_STORED_MAX &&
			   paws_envelope_size(suite, (size_t) PAWS_STORED_MAX + 1) == 0 &&
			   !paws_envelope_seal(NULL, &sealing, &with.context, NULL, (size_t) PAWS_STORED_MAX + 1),
		   suite_name(suite, "more than can be stored is refused before it is read"));
}

/* A key that was prepared is the same key, and its secret is not looked at. */
static void
test_prepared_outer_key(uint8_t suite)
{
	Fixture with = fixture(suite);
	Fixture prepared = with;
	PawsKdfKey from;
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);

	paws_kdf_prepare(&from, with.outer.secret, sizeof(with.outer.secret));
	prepared.outer.prepared = &from;
	memset(prepared.outer.secret, 0xee, sizeof(prepared.outer.secret));
	tap_ok(opens_to(&prepared, envelope, length, known_payload, strlen(known_payload)),
		   suite_name(suite, "opens with a prepared outer key"));
	free(envelope);
	envelope = seal_known(&prepared, &length);
	tap_ok(opens_to(&with, envelope, length, known_payload, strlen(known_payload)),
		   suite_name(suite, "what is sealed with a prepared outer key opens with its secret"));
	paws_kdf_prepare(&from, prepared.outer.secret, sizeof(prepared.outer.secret));
	tap_ok(refuses(&prepared, envelope, length), suite_name(suite, "another prepared key does not open"));
	free(envelope);
}

static void
test_unknown_suites(void)
{
	bool refused = true;

	for (int suite = 0; suite < 256; suite++)
	{
		Fixture with = fixture((uint8_t) suite);
		PawsSealing sealing = {.suite = (uint8_t) suite, .key = &with.key, .outer = &with.outer};

		if (memchr(all_suites, suite, SUITES) != NULL)
			continue;
		refused = refused && !paws_suite_available((uint8_t) suite) &&
				  paws_envelope_size((uint8_t) suite, 10) == 0 && seal_fails(&sealing, &with.context);
	}
	tap_ok(refused, "the 251 other suites are unknown");
}

/* A public key that X25519 maps to nothing: sealing to it would be sealing to everybody. */
static void
test_no_public_key(void)
{
	static const char *const hex[] = {"0000000000000000000000000000000000000000000000000000000000000000",
									  "0100000000000000000000000000000000000000000000000000000000000000",
									  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
									  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
									  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
									  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
									  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
	bool refused = true;

	for (size_t i = 0; i < sizeof(hex) / sizeof(hex[0]); i++)
	{
		Fixture plain = fixture(PAWS_SUITE_SEALED);
		Fixture layered = fixture(PAWS_SUITE_SEALED_LAYERED);
		PawsSealing sealing = {.suite = plain.suite, .key = &plain.key, .outer = &plain.outer};

		sodium_hex2bin(plain.key.public_key, 32, hex[i], 64, NULL, NULL, NULL);
		refused = refused && seal_fails(&sealing, &plain.context);
		memcpy(layered.key.public_key, plain.key.public_key, 32);
		sealing = (PawsSealing){.suite = layered.suite, .key = &layered.key, .outer = &layered.outer};
		refused = refused && seal_fails(&sealing, &layered.context);
	}
	tap_ok(refused, "nothing is sealed to the points of small order");
}

/* Whoever writes for the crisis lane has no secret: sealing must not look at it. */
static void
test_sealing_without_secret(uint8_t suite)
{
	Fixture with = fixture(suite);
	Fixture writer = with;
	size_t length;
	uint8_t *envelope;

	memset(writer.key.secret, 0, sizeof(writer.key.secret));
	envelope = seal_known(&writer, &length);
	tap_ok(envelope != NULL && opens_to(&with, envelope, length, known_payload, strlen(known_payload)),
		   suite_name(suite, "sealing needs the public half alone"));
	tap_ok(refuses(&writer, envelope, length), suite_name(suite, "and opening needs the secret one"));
	free(envelope);
}

/* What is prepared for one envelope opens that one, and hinders none. */
static void
test_ahead(uint8_t suite)
{
	Fixture with = fixture(suite);
	PawsEphemeralPair pair;
	PawsExpectedBox room;
	uint8_t first[PAWS_EPHEMERAL_BYTES];
	uint8_t second[PAWS_EPHEMERAL_BYTES];
	size_t length;
	uint8_t *envelope;
	uint8_t *other;

	paws_sealed_make_ahead(&pair);
	memcpy(second, pair.public_key, sizeof(second));
	paws_sealed_make_ahead(&pair);
	envelope = seal_known(&with, &length);
	paws_sealed_ephemeral(first);
	tap_ok(memcmp(first, second, sizeof(first)) == 0 &&
			   opens_to(&with, envelope, length, known_payload, strlen(known_payload)),
		   suite_name(suite, "a pair that was made ahead seals what opens as ever"));
	other = seal_known(&with, &length);
	paws_sealed_ephemeral(second);
	tap_ok(sodium_is_zero((const uint8_t *) &pair, sizeof(pair)) && memcmp(first, second, sizeof(first)) != 0,
		   suite_name(suite, "it seals once, and is wiped"));

	paws_sealed_expect(&room, first, &with.key);
	tap_ok(!sodium_is_zero(room.key, sizeof(room.key)) &&
			   opens_to(&with, other, length, known_payload, strlen(known_payload)),
		   suite_name(suite, "another one opens while one is expected"));
	tap_ok(opens_to(&with, envelope, length, known_payload, strlen(known_payload)) &&
			   sodium_is_zero((const uint8_t *) &room, sizeof(room)),
		   suite_name(suite, "the expected one opens, and what was prepared is wiped"));
	paws_sealed_expect(&room, second, &with.key);
	other[length - 1] ^= 1;
	tap_ok(refuses(&with, other, length), suite_name(suite, "the expected one is refused if it was changed"));
	paws_sealed_expect(&room, second, &with.key);
	paws_sealed_expect_none();
	tap_ok(sodium_is_zero((const uint8_t *) &room, sizeof(room)),
		   suite_name(suite, "what is expected no more is wiped"));
	free(envelope);
	free(other);
}

static void
test_keypairs(void)
{
	Fixture with = fixture(PAWS_SUITE_SEALED);
	uint8_t public_key[32];
	size_t length;
	uint8_t *envelope;

	paws_x25519_keypair(with.key.public_key, with.key.secret);
	crypto_scalarmult_base(public_key, with.key.secret);
	envelope = seal_known(&with, &length);
	tap_ok(memcmp(public_key, with.key.public_key, 32) == 0 &&
			   opens_to(&with, envelope, length, known_payload, strlen(known_payload)),
		   "a new key pair seals and opens");
	free(envelope);
}

/* unit.sh puts this in the place of libsodium's. */
static bool without_aes = false;

extern int __real_crypto_aead_aes256gcm_is_available(void);
extern int __wrap_crypto_aead_aes256gcm_is_available(void);

int
__wrap_crypto_aead_aes256gcm_is_available(void)
{
	return without_aes ? 0 : __real_crypto_aead_aes256gcm_is_available();
}

/* Without the processor's help AES-GCM would leak its key through timing: better nothing. */
static void
test_without_aes(uint8_t suite)
{
	bool needs = suite != PAWS_SUITE_XCHACHA20 && suite != PAWS_SUITE_SEALED;
	Fixture with = fixture(suite);
	PawsSealing sealing = {.suite = suite, .key = &with.key, .outer = &with.outer};
	size_t length;
	uint8_t *envelope = seal_known(&with, &length);

	without_aes = true;
	tap_ok(paws_suite_available(suite) == !needs && seal_fails(&sealing, &with.context) == needs &&
			   refuses(&with, envelope, length) == needs,
		   suite_name(suite, needs ? "is neither sealed nor opened without AES in the processor"
								   : "goes on without AES in the processor"));
	without_aes = false;
	tap_ok(opens_to(&with, envelope, length, known_payload, strlen(known_payload)),
		   suite_name(suite, "opens with it"));
	free(envelope);
}

static void
test_cipher_without_aes(void)
{
	uint8_t key[32] = {1};
	uint8_t nonce[PAWS_GCM_NONCE_BYTES] = {2};
	uint8_t sealed[32] = {0};
	uint8_t out[16];
	bool refused;

	tap_ok(paws_aead_gcm_seal(sealed, sealed, 16, NULL, 0, nonce, key) &&
			   paws_aead_gcm_open(out, sealed, 32, NULL, 0, nonce, key) && sodium_is_zero(out, 16),
		   "AES-GCM by itself seals and opens");
	without_aes = true;
	refused = !paws_aead_gcm_available() && !paws_aead_gcm_seal(out, out, 0, NULL, 0, nonce, key) &&
			  !paws_aead_gcm_open(out, sealed, 32, NULL, 0, nonce, key);
	without_aes = false;
	tap_ok(refused, "and does neither without AES in the processor");
}

void
test_envelopes(void)
{
	for (size_t i = 0; i < KNOWN; i++)
	{
		if (!suite_here(known[i].suite))
			continue;
		test_known_opening(i);
		test_known_sealing(i);
	}
	for (size_t i = 0; i < SUITES; i++)
	{
		if (!suite_here(all_suites[i]))
			continue;
		test_name(all_suites[i]);
		test_round_trips(all_suites[i]);
		test_freshness(all_suites[i]);
		test_seal_refusals(all_suites[i]);
		if (all_suites[i] >= 0x10)
			test_prepared_outer_key(all_suites[i]);
		test_without_aes(all_suites[i]);
	}
	if (suite_here(PAWS_SUITE_AES256GCM))
		test_cipher_without_aes();
	test_unknown_suites();
	test_no_public_key();
	test_sealing_without_secret(PAWS_SUITE_SEALED);
	if (suite_here(PAWS_SUITE_SEALED_LAYERED))
		test_sealing_without_secret(PAWS_SUITE_SEALED_LAYERED);
	test_ahead(PAWS_SUITE_SEALED);
	if (suite_here(PAWS_SUITE_SEALED_LAYERED))
		test_ahead(PAWS_SUITE_SEALED_LAYERED);
	test_keypairs();
}
