/*
 * fixture.c - see fixture.h.
 */
#include "fixture.h"

const uint8_t all_suites[SUITES] = {PAWS_SUITE_XCHACHA20, PAWS_SUITE_AES256GCM, PAWS_SUITE_SEALED,
									PAWS_SUITE_LAYERED, PAWS_SUITE_SEALED_LAYERED};
const char known_payload[] = "one quiet sentence";

static uint8_t subject[16];
static uint8_t doc_id[16];
static uint8_t op_id[16];

static void
count_up(uint8_t *at, size_t length, uint8_t first)
{
	for (size_t i = 0; i < length; i++)
		at[i] = (uint8_t) (first + i);
}

Fixture
fixture(uint8_t suite)
{
	bool sealed = suite == PAWS_SUITE_SEALED || suite == PAWS_SUITE_SEALED_LAYERED;
	Fixture made = {.key = {.epoch = 3, .version = 5},
					.outer = {.id = 9},
					.context = {.purpose = sealed ? PAWS_PURPOSE_CRISIS : PAWS_PURPOSE_PAYLOAD,
								.collection = 7,
								.subject = subject,
								.doc_id = doc_id,
								.op_id = op_id,
								.base_revision = 41,
								.operation = 0},
					.suite = suite,
					.codec = PAWS_CODEC_NONE};

	memset(subject, 0x11, sizeof(subject));
	memset(doc_id, 0x22, sizeof(doc_id));
	memset(op_id, 0x33, sizeof(op_id));
	count_up(made.key.id, sizeof(made.key.id), 0xa0);
	count_up(made.key.secret, sizeof(made.key.secret), 0);
	count_up(made.outer.secret, sizeof(made.outer.secret), 0x80);
	if (sealed)
		crypto_scalarmult_base(made.key.public_key, made.key.secret);
	return made;
}

Layout
layout(uint8_t suite)
{
	switch (suite)
	{
		case PAWS_SUITE_XCHACHA20:
			return (Layout){32, 24, 56, 88, 104};
		case PAWS_SUITE_AES256GCM:
			return (Layout){32, 32, 64, 96, 112};
		case PAWS_SUITE_SEALED:
			return (Layout){32, 80, 112, 144, 160};
		case PAWS_SUITE_LAYERED:
			return (Layout){36, 32, 68, 100, 188};
		default:
			return (Layout){36, 32, 68, 100, 244};
	}
}

bool
suite_here(uint8_t suite)
{
	if (!paws_suite_available(suite))
		tap_ok(true, suite_name(suite, "is sealed and opened # SKIP no AES in this processor"));
	return paws_suite_available(suite);
}

const char *
suite_name(uint8_t suite, const char *text)
{
	static char name[200];

	snprintf(name, sizeof(name), "0x%02x: %s", suite, text);
	return name;
}

/* Stands in for the system's randomness: one stream through all calls. */
static uint8_t next_byte;

static void
stream_bytes(void *const out, const size_t size)
{
	count_up(out, size, next_byte);
	next_byte = (uint8_t) (next_byte + size);
}

static const char *
stream_name(void)
{
	return "counter";
}

void
known_randomness(void)
{
	static struct randombytes_implementation stream = {.implementation_name = stream_name,
													   .buf = stream_bytes};

	next_byte = 0xc0;
	randombytes_set_implementation(&stream);
}

void
real_randomness(void)
{
	randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

uint8_t *
seal(const Fixture *with, const void *payload, size_t payload_length, size_t *length)
{
	PawsSealing sealing = {.suite = with->suite,
						   .key = &with->key,
						   .outer = &with->outer,
						   .codec = with->codec};
	uint8_t *envelope;

	*length = paws_envelope_size(with->suite, payload_length);
	envelope = malloc(*length);
	if (paws_envelope_seal(envelope, &sealing, &with->context, payload, payload_length))
		return envelope;
	free(envelope);
	return NULL;
}

uint8_t *
seal_known(const Fixture *with, size_t *length)
{
	return seal(with, known_payload, strlen(known_payload), length);
}

bool
refuses(const Fixture *with, const uint8_t *envelope, size_t length)
{
	uint8_t *copy = malloc(length + 1);
	uint8_t *exact = malloc(length == 0 ? 1 : length); /* a read beyond it is seen by the sanitizer */
	PawsCodec codec = PAWS_CODEC_ZSTD;
	size_t found = 1;
	bool opened;

	memcpy(exact, envelope, length);
	memset(copy, 0xee, length + 1);
	opened =
		paws_envelope_open(exact, length, &with->key, &with->outer, &with->context, copy, &codec, &found);
	opened = opened || found != 0 || codec != PAWS_CODEC_NONE || !sodium_is_zero(copy, length) ||
			 copy[length] != 0xee;
	free(copy);
	free(exact);
	return !opened;
}

bool
opens_to(const Fixture *with, const uint8_t *envelope, size_t length, const void *payload,
		 size_t payload_length)
{
	uint8_t *out = malloc(length + 1);
	PawsCodec codec;
	size_t found = SIZE_MAX;
	bool same;

	memset(out, 0xee, length + 1);
	same =
		paws_envelope_open(envelope, length, &with->key, &with->outer, &with->context, out, &codec, &found) &&
		found == payload_length && codec == with->codec;
	same = same && (payload_length == 0 || memcmp(out, payload, payload_length) == 0) &&
		   sodium_is_zero(out + payload_length, length - payload_length) && out[length] == 0xee;
	free(out);
	return same;
}
