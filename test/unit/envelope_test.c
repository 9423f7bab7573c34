/*
 * envelope_test.c - envelopes: round trips, and the refusal of everything that was changed.
 *
 * The known envelopes come from vectors.py: python3's hashlib.blake2b and an XChaCha20-Poly1305 written out
 * there, over the layout that envelope.h describes.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "tap.h"
#include "vault/envelope.h"

static const char known_envelope[] =
	"50570101010100000000000300000005a0a1a2a3a4a5a6a7a8a9aaabacadaeafc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
	"d0d1d2d3d4d5d6d7ce7461789003c1d4647817473717d011f2d59b8542ab08cc41925cdd1b0c36c901f23f2f31250e5e"
	"f91a4f2880987e3499b1f366b5851c592959bcf6c79d85df7dcb47363ef3cc0279761e8bd91f137e769eafb1d199f8de"
	"5d9eae5a20d80a060263108e9a35be6696583462381b20b7e526066435307765cd0d018def48f4a00137f6bb616cb2f0"
	"06354610ca7b257de9cbb78f3f3b78c05a934ecf351dc1825e7d0b04b821eba6804bc397d0a25e6f80eef35b3da372aa"
	"1a484b8c11e75aca123fa3fb6f723056eac211570b60d4a86de4fc99a9faecdfb53eaa34c3078de0e04f5efecae78e9c"
	"efe28939363b46d74036bb99b74bf69298e5f2bf2f749fa70b3a2f02f56440238d620b878576fdb1d71c2be8c4ac8216"
	"70e2b368eeabd5c9edfcb1cf4852da5162137eb5369a6a33";

/* BLAKE2b-256 of the envelope of bytes 0 1 2 … 250 0 1 …, 1000 in all. */
static const char known_long_hash[] = "36fc1348e2c60f933dc9e8a8e6b62cfc944803d1a49ede8baab586461df940fe";

static const char known_payload[] = "one quiet sentence";

static uint8_t subject[16];
static uint8_t doc_id[16];
static uint8_t op_id[16];

static PawsDataKey
known_key(void)
{
	PawsDataKey key = {.epoch = 3, .version = 5};

	for (int i = 0; i < PAWS_DATA_KEY_ID_BYTES; i++)
		key.id[i] = (uint8_t) (0xa0 + i);
	for (int i = 0; i < PAWS_DATA_KEY_BYTES; i++)
		key.secret[i] = (uint8_t) i;
	return key;
}

static PawsEnvelopeContext
known_context(void)
{
	PawsEnvelopeContext context = {.purpose = PAWS_PURPOSE_PAYLOAD,
								   .collection = 7,
								   .subject = subject,
								   .doc_id = doc_id,
								   .op_id = op_id,
								   .base_revision = 41,
								   .operation = 0};

	memset(subject, 0x11, sizeof(subject));
	memset(doc_id, 0x22, sizeof(doc_id));
	memset(op_id, 0x33, sizeof(op_id));
	return context;
}

/* True if the envelope does not open and the output is wiped, but nothing beyond it is written. */
static bool
is_refused(const uint8_t *envelope, size_t length, const PawsDataKey *key, const PawsEnvelopeContext *context)
{
	uint8_t *copy = malloc(length + 1);
	uint8_t *out = malloc(length + 1);
	size_t found = 1;
	bool opened;

	memcpy(copy, envelope, length);
	memset(out, 0xee, length + 1);
	opened = paws_envelope_open(copy, length, key, context, out, &found);
	opened = opened || found != 0 || !sodium_is_zero(out, length) || out[length] != 0xee;
	free(copy);
	free(out);
	return !opened;
}

/* The known payload, sealed; free it. */
static uint8_t *
seal_known(const PawsDataKey *key, size_t *length)
{
	PawsEnvelopeContext context = known_context();
	uint8_t *envelope;

	*length = paws_envelope_size(strlen(known_payload));
	envelope = malloc(*length);
	paws_envelope_seal(envelope, key, &context, (const uint8_t *) known_payload, strlen(known_payload));
	return envelope;
}

static void
test_known_envelope(void)
{
	PawsDataKey key = known_key();
	PawsDataKey named;
	PawsEnvelopeContext context = known_context();
	uint8_t envelope[sizeof(known_envelope) / 2];
	uint8_t out[sizeof(envelope)];
	size_t length = 0;
	size_t found;

	sodium_hex2bin(envelope, sizeof(envelope), known_envelope, strlen(known_envelope), NULL, &length, NULL);
	tap_ok(length == sizeof(envelope) && length == paws_envelope_size(strlen(known_payload)),
		   "the known envelope has the size that is foretold");
	tap_ok(paws_envelope_open(envelope, length, &key, &context, out, &found) &&
			   found == strlen(known_payload) && memcmp(out, known_payload, found) == 0,
		   "the known envelope opens to the known payload");
	tap_ok(sodium_is_zero(out + found, sizeof(out) - found), "nothing but the payload is left behind");
	tap_ok(paws_envelope_key(envelope, length, &named) && named.epoch == 3 && named.version == 5 &&
			   memcmp(named.id, key.id, sizeof(key.id)) == 0 &&
			   sodium_is_zero(named.secret, sizeof(named.secret)),
		   "the known envelope names its key");
}

/* Stands in for the system's randomness: c0 c1 c2 …, the nonce of the known envelopes. */
static void
count_up(void *const out, const size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *) out)[i] = (uint8_t) (0xc0 + i);
}

static const char *
name_counter(void)
{
	return "counter";
}

static void
test_known_sealing(void)
{
	static struct randombytes_implementation counter = {.implementation_name = name_counter, .buf = count_up};
	PawsDataKey key = known_key();
	PawsEnvelopeContext context = known_context();
	uint8_t payload[1000];
	uint8_t known[32];
	uint8_t hash[32];
	size_t length;
	uint8_t *envelope;
	char hex[sizeof(known_envelope)];

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t) (i % 251);
	randombytes_set_implementation(&counter);

	envelope = seal_known(&key, &length);
	sodium_bin2hex(hex, sizeof(hex), envelope, length);
	tap_ok(strcmp(hex, known_envelope) == 0, "sealing the known payload gives the known envelope");
	free(envelope);

	length = paws_envelope_size(sizeof(payload));
	envelope = malloc(length);
	paws_envelope_seal(envelope, &key, &context, payload, sizeof(payload));
	crypto_generichash(hash, sizeof(hash), envelope, length, NULL, 0);
	sodium_hex2bin(known, sizeof(known), known_long_hash, strlen(known_long_hash), NULL, NULL, NULL);
	tap_ok(memcmp(hash, known, sizeof(hash)) == 0,
		   "sealing a longer payload gives the envelope of the known hash");
	free(envelope);
	randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

static void
test_nonces(void)
{
	PawsDataKey key = known_key();
	size_t length;
	uint8_t *first = seal_known(&key, &length);
	uint8_t *second = seal_known(&key, &length);

	tap_ok(memcmp(first + 32, second + 32, 24) != 0 && memcmp(first + 56, second + 56, 32) != 0,
		   "sealing twice gives another nonce and another commitment");
	free(first);
	free(second);
}

static void
test_envelope_round_trips(void)
{
	PawsDataKey key = known_key();
	PawsEnvelopeContext context = known_context();
	bool same = true;
	uint8_t *payload = malloc(70000);

	randombytes_buf(payload, 70000);
	for (size_t length = 0; length <= 70000; length += length < 600 ? 1 : 3471)
	{
		size_t size = paws_envelope_size(length);
		uint8_t *envelope = malloc(size);
		uint8_t *out = malloc(size);
		size_t found;

		paws_envelope_seal(envelope, &key, &context, length == 0 ? NULL : payload, length);
		same = same && paws_envelope_open(envelope, size, &key, &context, out, &found) && found == length &&
			   memcmp(out, payload, length) == 0;
		free(envelope);
		free(out);
	}
	free(payload);
	tap_ok(same, "payloads of 0 to 70,000 bytes come back as they were");
}

static void
test_changes(void)
{
	PawsDataKey key = known_key();
	PawsEnvelopeContext context = known_context();
	size_t length;
	uint8_t *envelope = seal_known(&key, &length);
	uint8_t *longer = calloc(1, length + 1200);
	bool flips = true;
	bool truncations = true;
	bool extensions = true;

	for (size_t bit = 0; bit < length * 8; bit++)
	{
		envelope[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		flips = flips && is_refused(envelope, length, &key, &context);
		envelope[bit / 8] ^= (uint8_t) (1 << (bit % 8));
	}
	tap_ok(flips, "an envelope with any one bit changed is refused");

	for (size_t shorter = 0; shorter < length; shorter++)
		truncations = truncations && is_refused(envelope, shorter, &key, &context);
	tap_ok(truncations, "an envelope cut anywhere is refused");

	memcpy(longer, envelope, length);
	for (size_t more = 1; more <= 1200; more++)
		extensions = extensions && is_refused(longer, length + more, &key, &context);
	tap_ok(extensions, "an envelope with bytes added is refused");
	free(envelope);
	free(longer);
}

static void
test_context(void)
{
	PawsDataKey key = known_key();
	PawsEnvelopeContext context = known_context();
	size_t length;
	uint8_t *envelope = seal_known(&key, &length);
	uint8_t other[16];

	tap_ok(!is_refused(envelope, length, &key, &context), "an envelope opens under its own context");
	context.purpose = (PawsPurpose) 2;
	tap_ok(is_refused(envelope, length, &key, &context), "another purpose is refused");
	context = known_context();
	context.collection++;
	tap_ok(is_refused(envelope, length, &key, &context), "another collection is refused");
	context = known_context();
	context.base_revision++;
	tap_ok(is_refused(envelope, length, &key, &context), "another base revision is refused");
	context.base_revision = 41 + (UINT64_C(1) << 40);
	tap_ok(is_refused(envelope, length, &key, &context), "a base revision that differs far up is refused");
	context = known_context();
	context.operation = 1;
	tap_ok(is_refused(envelope, length, &key, &context), "another operation is refused");

	memset(other, 0x11, sizeof(other));
	other[15] ^= 1;
	context = known_context();
	context.subject = other;
	tap_ok(is_refused(envelope, length, &key, &context), "another subject is refused");
	memset(other, 0x22, sizeof(other));
	other[0] ^= 0x80;
	context = known_context();
	context.doc_id = other;
	tap_ok(is_refused(envelope, length, &key, &context), "another document is refused");
	memset(other, 0x33, sizeof(other));
	other[7] ^= 1;
	context = known_context();
	context.op_id = other;
	tap_ok(is_refused(envelope, length, &key, &context), "another operation id is refused");
	context = known_context();
	context.doc_id = op_id;
	context.op_id = doc_id;
	tap_ok(is_refused(envelope, length, &key, &context), "document and operation id swapped are refused");
	free(envelope);
}

static void
test_keys(void)
{
	PawsEnvelopeContext context = known_context();
	bool refused = true;
	PawsDataKey key = known_key();
	PawsDataKey other;
	size_t length;
	uint8_t *envelope = seal_known(&key, &length);

	for (int bit = 0; bit < PAWS_DATA_KEY_BYTES * 8; bit++)
	{
		other = key;
		other.secret[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		refused = refused && is_refused(envelope, length, &other, &context);
	}
	tap_ok(refused, "a key that differs in any one bit does not open an envelope");

	other = key;
	other.id[0] ^= 1;
	tap_ok(is_refused(envelope, length, &other, &context), "the same secret under another key id is refused");
	other = key;
	other.version++;
	tap_ok(is_refused(envelope, length, &other, &context),
		   "the same secret under another version is refused");
	other = key;
	other.epoch++;
	tap_ok(is_refused(envelope, length, &other, &context), "the same secret under another epoch is refused");
	free(envelope);
}

static void
test_commitment(void)
{
	PawsEnvelopeContext context = known_context();
	PawsDataKey keys[8];
	bool one_each = true;

	for (int i = 0; i < 8; i++)
	{
		keys[i] = known_key();
		randombytes_buf(keys[i].secret, sizeof(keys[i].secret));
	}
	for (int sealed = 0; sealed < 8; sealed++)
	{
		size_t length;
		uint8_t *envelope = seal_known(&keys[sealed], &length);

		for (int opened = 0; opened < 8; opened++)
			one_each =
				one_each && is_refused(envelope, length, &keys[opened], &context) == (sealed != opened);
		free(envelope);
	}
	tap_ok(one_each, "an envelope opens under the one key that sealed it");
}

void
test_envelopes(void)
{
	test_known_envelope();
	test_known_sealing();
	test_nonces();
	test_envelope_round_trips();
	test_changes();
	test_context();
	test_keys();
	test_commitment();
}
