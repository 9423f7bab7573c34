/*
 * compress_test.c - what is compressed comes back, exactly; everything else is refused.
 */
#include <zstd.h>

#include "fixture.h"
#include "vault/bytes.h"
#include "vault/compress.h"

static const PawsCodec codecs[] = {PAWS_CODEC_LZ4, PAWS_CODEC_ZSTD};

static const char *
codec_name(PawsCodec codec, const char *text)
{
	static char name[200];

	snprintf(name, sizeof(name), "%s: %s", codec == PAWS_CODEC_LZ4 ? "lz4" : "zstd", text);
	return name;
}

/* Like a document: words that repeat, numbers that do not. Free it. */
static uint8_t *
document(size_t length)
{
	static const char *const words[] = {"mood ", "sleep ", "plan ", "{\"at\":", ",\"note\":\"", "calm "};
	uint8_t *made = malloc(length + 40);
	uint32_t seed = 12345;

	for (size_t at = 0; at < length;)
	{
		seed = seed * 1103515245 + 12345;
		at += (size_t) snprintf((char *) made + at, 40, "%s%u", words[(seed >> 16) % 6], (seed >> 8) % 1000);
	}
	return made;
}

/* Compresses into a piece of exactly `capacity` bytes, so that writing beyond it is seen. Free it. */
static uint8_t *
compressed(PawsCodec codec, int level, const uint8_t *payload, size_t length, size_t capacity, size_t *stored)
{
	uint8_t *out = malloc(capacity == 0 ? 1 : capacity);

	*stored = paws_compress(codec, level, payload, length, out, capacity);
	return out;
}

/* True if it restores to this payload, into exactly as much memory. */
static bool
restores_to(PawsCodec codec, const uint8_t *stored, size_t stored_length, const uint8_t *payload,
			size_t length)
{
	size_t raw = 0;
	uint8_t *out;
	bool same;

	if (!paws_compressed_raw_length(codec, stored, stored_length, &raw) || raw != length)
		return false;
	out = malloc(raw);
	same = paws_decompress(codec, stored, stored_length, out, raw) && memcmp(out, payload, length) == 0;
	free(out);
	return same;
}

/* True if it is refused for this raw length, and the output wiped. */
static bool
restore_refused(PawsCodec codec, const uint8_t *stored, size_t stored_length, size_t raw)
{
	uint8_t *exact = malloc(stored_length == 0 ? 1 : stored_length);
	uint8_t *out = malloc(raw == 0 ? 1 : raw);
	bool refused;

	if (stored_length > 0)
		memcpy(exact, stored, stored_length);
	memset(out, 0xee, raw == 0 ? 1 : raw);
	refused = !paws_decompress(codec, exact, stored_length, out, raw) && sodium_is_zero(out, raw);
	free(exact);
	free(out);
	return refused;
}

static void
test_levels(PawsCodec codec)
{
	int most = codec == PAWS_CODEC_LZ4 ? PAWS_LZ4_LEVEL_MAX : PAWS_ZSTD_LEVEL_MAX;
	uint8_t *payload = document(20000);
	bool good = true;
	bool refused = true;
	size_t stored;
	uint8_t *out;

	for (int level = 1; level <= most; level++)
	{
		out = compressed(codec, level, payload, 20000, 20000, &stored);
		good = good && paws_compress_level_valid(codec, level) && stored > 4 && stored < 15000 &&
			   restores_to(codec, out, stored, payload, 20000);
		free(out);
	}
	tap_ok(good, codec_name(codec, "every level makes a document smaller and gives it back"));

	for (int level = -200; level <= 200; level++)
	{
		if (level >= 1 && level <= most)
			continue;
		out = compressed(codec, level, payload, 20000, 20000, &stored);
		refused = refused && !paws_compress_level_valid(codec, level) && stored == 0;
		free(out);
	}
	tap_ok(refused, codec_name(codec, "other levels do nothing"));
	free(payload);
}

/* True if a document of this length comes back; *stored is 0 if it was left as it is. */
static bool
size_comes_back(PawsCodec codec, size_t length, size_t *stored)
{
	uint8_t *payload = document(length);
	uint8_t *out = compressed(codec, 3, payload, length, length, stored);
	bool good =
		*stored == 0 || (paws_get32(out) == length && restores_to(codec, out, *stored, payload, length) &&
						 paws_padded_length(5 + *stored) < paws_padded_length(5 + length));

	free(out);
	free(payload);
	return good;
}

static void
test_sizes(PawsCodec codec)
{
	static const size_t large[] = {65535, 65536, 65537, 1000000, 1 << 20};
	bool good = true;
	bool all = true;
	size_t stored;

	for (size_t length = 0; length <= 3000; length += 7)
	{
		good = good && size_comes_back(codec, length, &stored);
		all = all && (stored > 0 || length < 1000);
	}
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
	{
		good = good && size_comes_back(codec, large[i], &stored);
		all = all && stored > 0;
	}
	tap_ok(good, codec_name(codec, "documents of any size come back, and save a bucket"));
	tap_ok(all, codec_name(codec, "from a thousand bytes on all are made smaller"));
}

static void
test_no_gain(PawsCodec codec)
{
	uint8_t *noise = malloc(100000);
	uint8_t *zeros = calloc(1, 251);
	uint8_t *payload = document(5000);
	bool none = true;
	size_t needed;
	size_t stored;
	uint8_t *out;

	randombytes_buf(noise, 100000);
	for (size_t length = 0; length <= 100000; length += 1 + length / 3)
	{
		out = compressed(codec, 1, noise, length, length + 1000, &stored);
		none = none && stored == 0;
		free(out);
	}
	tap_ok(none, codec_name(codec, "noise is left as it is"));

	out = compressed(codec, 1, zeros, 251, 251, &stored);
	tap_ok(stored == 0, codec_name(codec, "what fits the smallest bucket is left as it is"));
	free(out);

	free(compressed(codec, 1, payload, 5000, 5000, &needed));
	none = needed > 0;
	for (size_t capacity = 0; capacity < needed; capacity++)
	{
		out = compressed(codec, 1, payload, 5000, capacity, &stored);
		none = none && stored <= capacity && (stored == 0 || restores_to(codec, out, stored, payload, 5000));
		free(out);
	}
	tap_ok(none, codec_name(codec, "too little room is never exceeded"));
	free(noise);
	free(zeros);
	free(payload);
}

/* What saves some bytes, but no bucket, costs time and gains nothing. */
static void
test_little_gain(PawsCodec codec)
{
	uint8_t payload[1400];
	int left = 0;
	int taken = 0;
	bool right = true;

	randombytes_buf(payload, 1000);
	memset(payload + 1000, 0, sizeof(payload) - 1000);
	for (size_t length = 1000; length <= sizeof(payload); length++)
	{
		size_t stored;

		free(compressed(codec, 1, payload, length, length, &stored));
		left += stored == 0;
		taken += stored > 0;
		right = right && (stored == 0 || paws_padded_length(5 + stored) < paws_padded_length(5 + length));
	}
	tap_ok(right && left > 20 && taken > 20,
		   codec_name(codec, "what would not save a bucket is left as it is"));
}

static void
test_inexact(PawsCodec codec)
{
	uint8_t *payload = document(3000);
	size_t stored;
	uint8_t *out = compressed(codec, 5, payload, 3000, 3000, &stored);
	uint8_t *longer = calloc(1, 2 * stored + 64);
	bool refused = true;

	for (size_t length = 0; length < stored; length++)
		refused = refused && restore_refused(codec, out, length, 3000);
	tap_ok(refused, codec_name(codec, "a stored form cut anywhere is refused"));

	refused = true;
	memcpy(longer, out, stored);
	for (size_t more = 1; more <= 64; more++)
		refused = refused && restore_refused(codec, longer, stored + more, 3000);
	memcpy(longer + stored, out + 4, stored - 4);
	refused = refused && restore_refused(codec, longer, 2 * stored - 4, 3000) &&
			  restore_refused(codec, longer, 2 * stored - 4, 6000);
	paws_put32(longer, 6000);
	tap_ok(refused && restore_refused(codec, longer, 2 * stored - 4, 6000),
		   codec_name(codec, "bytes or a second payload behind it are refused"));

	refused = true;
	for (size_t raw = 0; raw < 6000; raw += 1 + raw % 7)
	{
		if (raw == 3000)
			continue;
		refused = refused && restore_refused(codec, out, stored, raw);
		paws_put32(longer, (uint32_t) raw);
		refused = refused && restore_refused(codec, longer, stored, raw) &&
				  restore_refused(codec, longer, stored, 3000);
	}
	tap_ok(refused, codec_name(codec, "another length than it has is refused, whether claimed or asked for"));
	free(payload);
	free(out);
	free(longer);
}

/* Neither codec has a checksum here (the envelope has), so a change may pass; it must not do harm. */
static void
test_damage(PawsCodec codec)
{
	uint8_t *payload = document(1500);
	size_t stored;
	uint8_t *out = compressed(codec, 3, payload, 1500, 1500, &stored);
	uint8_t *restored = malloc(1500);
	size_t opened = 0;
	bool wiped = true;

	for (size_t bit = 0; bit < stored * 8; bit++)
	{
		out[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		memset(restored, 0xee, 1500);
		if (paws_decompress(codec, out, stored, restored, 1500))
			opened++;
		else
			wiped = wiped && sodium_is_zero(restored, 1500);
		out[bit / 8] ^= (uint8_t) (1 << (bit % 8));
	}
	tap_ok(wiped && opened < stored * 8 && restores_to(codec, out, stored, payload, 1500),
		   codec_name(codec, "one bit changed reads or writes nothing else, and a refusal wipes"));
	tap_ok(restore_refused(codec == PAWS_CODEC_LZ4 ? PAWS_CODEC_ZSTD : PAWS_CODEC_LZ4, out, stored, 1500),
		   codec_name(codec, "it is refused under the other codec's name"));
	free(payload);
	free(out);
	free(restored);
}

static void
test_claims(void)
{
	uint8_t stored[] = {0xff, 0xff, 0xff, 0xff, 0};
	size_t raw = 0;

	tap_ok(paws_compressed_raw_length(PAWS_CODEC_LZ4, stored, 5, &raw) && raw == UINT32_MAX,
		   "a claim of 4 GiB is only told");
	tap_ok(!paws_compressed_raw_length(PAWS_CODEC_NONE, stored, 5, &raw) &&
			   !paws_compressed_raw_length(PAWS_CODEC_ZSTD, stored, 4, &raw) &&
			   !paws_compressed_raw_length(PAWS_CODEC_ZSTD, stored, 0, &raw),
		   "codec none and what is too short claim nothing");
	memset(stored, 0, 4);
	tap_ok(!paws_compressed_raw_length(PAWS_CODEC_LZ4, stored, 5, &raw) &&
			   restore_refused(PAWS_CODEC_LZ4, stored, 5, 0),
		   "nothing is the compressed form of no payload");
	tap_ok(paws_compress_level_valid(PAWS_CODEC_NONE, 0) && !paws_compress_level_valid(PAWS_CODEC_NONE, 1) &&
			   !paws_compress_level_valid((PawsCodec) 3, 1),
		   "codec none has level 0, and an unknown codec no level");
}

/* Frames that Zstandard would take and we do not. */
static void
test_foreign_frames(void)
{
	uint8_t *payload = document(2000);
	uint8_t stored[4 + 4096];
	uint8_t skippable[4 + 8 + 4096] = {0, 0, 0x07, 0xd0, 0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t written;
	size_t empty;

	paws_put32(stored, 2000);
	written = ZSTD_compressCCtx(context, stored + 4, sizeof(stored) - 4, payload, 2000, 3);
	tap_ok(restores_to(PAWS_CODEC_ZSTD, stored, 4 + written, payload, 2000),
		   "zstd: (a plain frame is restored)");
	memcpy(skippable + 12, stored + 4, written);
	tap_ok(restore_refused(PAWS_CODEC_ZSTD, skippable, 12 + written, 2000),
		   "zstd: a frame to be skipped in front is refused");

	memcpy(skippable, stored, 4 + written);
	memcpy(skippable + 4 + written, (uint8_t[]){0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}, 8);
	tap_ok(restore_refused(PAWS_CODEC_ZSTD, skippable, 12 + written, 2000), "zstd: and so is one behind");
	empty = ZSTD_compressCCtx(context, skippable + 4 + written, 64, NULL, 0, 3);
	tap_ok(!ZSTD_isError(empty) && restore_refused(PAWS_CODEC_ZSTD, skippable, 4 + written + empty, 2000),
		   "zstd: and a second frame of nothing");

	ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
	written = ZSTD_compress2(context, stored + 4, sizeof(stored) - 4, payload, 2000);
	tap_ok(restore_refused(PAWS_CODEC_ZSTD, stored, 4 + written, 2000),
		   "zstd: a frame that does not tell its length is refused");
	ZSTD_freeCCtx(context);
	free(payload);
}

static void
test_sealed_compressed(PawsCodec codec)
{
	Fixture with = fixture(PAWS_SUITE_XCHACHA20);
	uint8_t *payload = document(4000);
	size_t stored;
	uint8_t *packed = compressed(codec, 3, payload, 4000, 4000, &stored);
	size_t length;
	uint8_t *envelope;
	uint8_t *out;
	PawsCodec found_codec;
	size_t found;

	with.codec = codec;
	envelope = seal(&with, packed, stored, &length);
	out = malloc(length);
	tap_ok(length < paws_envelope_size(with.suite, 4000) &&
			   paws_envelope_open(envelope, length, &with.key, NULL, &with.context, out, &found_codec,
								  &found) &&
			   found_codec == codec && restores_to(found_codec, out, found, payload, 4000),
		   codec_name(codec,
					  "compressed, sealed, opened and restored it is the same, in a smaller envelope"));
	free(payload);
	free(packed);
	free(envelope);
	free(out);
}

/* Between any two calls. */
static void
test_forgetting(void)
{
	uint8_t *payload = document(3000);
	size_t stored;
	uint8_t *out;

	paws_compress_forget();
	paws_compress_forget();
	out = compressed(PAWS_CODEC_ZSTD, 3, payload, 3000, 3000, &stored);
	paws_compress_forget();
	tap_ok(stored > 0 && restores_to(PAWS_CODEC_ZSTD, out, stored, payload, 3000),
		   "zstd: what was forgotten in between is made anew");
	paws_compress_forget();
	free(payload);
	free(out);
}

void
test_compression(void)
{
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
	{
		test_levels(codecs[i]);
		test_sizes(codecs[i]);
		test_no_gain(codecs[i]);
		test_little_gain(codecs[i]);
		test_inexact(codecs[i]);
		test_damage(codecs[i]);
		test_sealed_compressed(codecs[i]);
	}
	test_forgetting();
	test_claims();
	test_foreign_frames();
}
