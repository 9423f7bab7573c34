/*
 * envelope.c - fuzz target: parsing and opening envelopes, padding, and what is compressed in them.
 *
 * The first byte says what the rest is: an envelope; a payload to be sealed, changed in one place and
 * refused; padded plaintext; a stored form of a codec; a payload to be compressed.
 */
#include "fuzz.h"
#include "vault/bytes.h"
#include "vault/compress.h"
#include "vault/envelope.h"
#include "vault/padding.h"

#define RAW_MAX (1 << 20)

static const uint8_t ids[48] = "subject of these docdocument of theseoperation";
static const uint8_t suites[] = {PAWS_SUITE_XCHACHA20, PAWS_SUITE_AES256GCM, PAWS_SUITE_SEALED,
								 PAWS_SUITE_LAYERED, PAWS_SUITE_SEALED_LAYERED};

static PawsDataKey key = {.epoch = 1, .version = 2};
static PawsOuterKey outer = {.id = 3};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	if (sodium_init() < 0)
		abort();
	memset(key.id, 0x40, sizeof(key.id));
	memset(key.secret, 0x41, sizeof(key.secret));
	memset(outer.secret, 0x42, sizeof(outer.secret));
	crypto_scalarmult_base(key.public_key, key.secret);
	return 0;
}

static PawsEnvelopeContext
context_for(PawsPurpose purpose)
{
	PawsEnvelopeContext context = {.purpose = purpose,
								   .collection = 4,
								   .subject = ids,
								   .doc_id = ids + 16,
								   .op_id = ids + 32,
								   .base_revision = 5,
								   .operation = 0};

	return context;
}

static PawsEnvelopeContext
context_of(uint8_t suite)
{
	bool sealed = suite == PAWS_SUITE_SEALED || suite == PAWS_SUITE_SEALED_LAYERED;

	return context_for(sealed ? PAWS_PURPOSE_CRISIS : PAWS_PURPOSE_PAYLOAD);
}

/* Opens for both purposes, with keys that the header names; nobody can have sealed it. */
static void
open_foreign(const uint8_t *data, size_t size)
{
	uint8_t *envelope = exact_copy(data, size);
	uint8_t *out = malloc(size + 1);
	PawsEnvelopeName name;
	bool named = paws_envelope_name(envelope, size, &name);
	const uint8_t *commitment = paws_envelope_commitment(envelope, size);

	MUST(named == (commitment != NULL));
	MUST(!named || (commitment > envelope && commitment + PAWS_COMMITMENT_BYTES < envelope + size));
	for (int purpose = PAWS_PURPOSE_PAYLOAD; purpose <= PAWS_PURPOSE_CRISIS; purpose++)
	{
		PawsEnvelopeContext context = context_for((PawsPurpose) purpose);
		PawsDataKey named_key = key;
		PawsOuterKey named_outer = outer;
		PawsCodec codec;
		size_t found;

		memcpy(named_key.id, name.key_id, sizeof(named_key.id));
		named_key.version = name.version;
		named_outer.id = name.outer_id;
		memset(out, 0xee, size + 1);
		MUST(!paws_envelope_open(envelope, size, &named_key, &named_outer, &context, out, &codec, &found));
		MUST(found == 0 && sodium_is_zero(out, size) && out[size] == 0xee);
	}
	free(envelope);
	free(out);
}

/* Suite, place, change, payload. */
static void
seal_and_change(const uint8_t *data, size_t size)
{
	PawsSealing sealing = {.key = &key, .outer = &outer, .codec = PAWS_CODEC_NONE};
	PawsEnvelopeContext context;
	PawsCodec codec;
	uint8_t *envelope;
	uint8_t *out;
	size_t length;
	size_t found;

	if (size < 4)
		return;
	sealing.suite = suites[data[0] % sizeof(suites)];
	if (!paws_suite_available(sealing.suite))
		return;
	context = context_of(sealing.suite);
	length = paws_envelope_size(sealing.suite, size - 4);
	envelope = malloc(length);
	out = malloc(length);
	MUST(paws_envelope_seal(envelope, &sealing, &context, data + 4, size - 4));
	MUST(paws_envelope_open(envelope, length, &key, &outer, &context, out, &codec, &found));
	MUST(found == size - 4 && codec == PAWS_CODEC_NONE && memcmp(out, data + 4, found) == 0);

	envelope[((size_t) data[1] << 8 | data[2]) % length] ^= data[3];
	MUST(paws_envelope_open(envelope, length, &key, &outer, &context, out, &codec, &found) == (data[3] == 0));
	free(envelope);
	free(out);
}

/* What is read as padded plaintext is what would be written. */
static void
read_padding(const uint8_t *data, size_t size)
{
	uint8_t *padded = exact_copy(data, size);
	uint8_t *again;
	PawsCodec codec;
	size_t stored;

	if (paws_padding_read(padded, size, &codec, &stored))
	{
		MUST(paws_padded_length(PAWS_PADDING_HEADER_BYTES + stored) == size);
		again = malloc(size);
		paws_padding_write(again, codec, padded + PAWS_PADDING_HEADER_BYTES, stored);
		MUST(memcmp(again, padded, size) == 0);
		free(again);
	}
	free(padded);
}

static void
restore(const uint8_t *data, size_t size)
{
	PawsCodec codec;
	uint8_t *stored;
	uint8_t *out;
	size_t raw;

	if (size < 1)
		return;
	codec = (PawsCodec) (data[0] % 3);
	stored = exact_copy(data + 1, size - 1);
	if (paws_compressed_raw_length(codec, stored, size - 1, &raw) && raw <= RAW_MAX)
	{
		out = malloc(raw);
		memset(out, 0xee, raw);
		if (!paws_decompress(codec, stored, size - 1, out, raw))
			MUST(sodium_is_zero(out, raw));
		free(out);
	}
	free(stored);
}

/* Codec and level, payload. */
static void
compress_and_restore(const uint8_t *data, size_t size)
{
	PawsCodec codec;
	int level;
	size_t stored;
	size_t raw;
	uint8_t *out;
	uint8_t *again;

	if (size < 2)
		return;
	codec = (PawsCodec) (1 + data[0] % 2);
	level = data[1] % 8;
	data += 2;
	size -= 2;
	out = malloc(size + 1);
	stored = paws_compress(codec, level, data, size, out, size);
	MUST(stored < size || stored == 0);
	if (stored > 0)
	{
		MUST(paws_compress_level_valid(codec, level));
		MUST(paws_compressed_raw_length(codec, out, stored, &raw) && raw == size);
		again = malloc(raw);
		MUST(paws_decompress(codec, out, stored, again, raw) && memcmp(again, data, size) == 0);
		free(again);
	}
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readings[])(const uint8_t *, size_t) = {open_foreign, seal_and_change, read_padding,
																restore, compress_and_restore};

	if (size > 0)
		readings[data[0] % (sizeof(readings) / sizeof(readings[0]))](data + 1, size - 1);
	return 0;
}
