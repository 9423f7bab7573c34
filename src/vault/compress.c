/*
 * vault/compress.c - LZ4 and Zstandard, each in memory that is wiped. Pure C.
 */
#define ZSTD_STATIC_LINKING_ONLY /* for memory of our own */

#include "vault/compress.h"

#include <stdlib.h>

#include <lz4.h>
#include <lz4hc.h>
#include <sodium.h>
#include <zstd.h>

#include "vault/bytes.h"
#include "vault/padding.h"

#define LZ4_SEARCHES_FROM 3 /* levels below take the fast mode */

_Static_assert(PAWS_LZ4_LEVEL_MAX == LZ4HC_CLEVEL_MAX, "levels of LZ4");

/* A piece of memory that knows its size, so that all of it can be wiped. */
typedef struct WipedPiece
{
	_Alignas(max_align_t) size_t size;
} WipedPiece;

static void *
wiped_alloc(void *unused, size_t size)
{
	WipedPiece *piece;

	(void) unused;
	if (size > SIZE_MAX - sizeof(*piece) || (piece = malloc(sizeof(*piece) + size)) == NULL)
		return NULL;
	piece->size = size;
	return piece + 1;
}

static void
wiped_free(void *unused, void *memory)
{
	WipedPiece *piece = memory;

	(void) unused;
	if (memory == NULL)
		return;
	piece--;
	sodium_memzero(memory, piece->size);
	free(piece);
}

static const ZSTD_customMem wiped_memory = {wiped_alloc, wiped_free, NULL};

/* Kept from call to call: making one asks the processor what it can do, which costs 14 µs in a virtual
 * machine. */
static ZSTD_CCtx *zstd_compressor = NULL;
static ZSTD_DCtx *zstd_restorer = NULL;

void
paws_compress_forget(void)
{
	ZSTD_freeCCtx(zstd_compressor);
	ZSTD_freeDCtx(zstd_restorer);
	zstd_compressor = NULL;
	zstd_restorer = NULL;
}

bool
paws_compress_level_valid(PawsCodec codec, int level)
{
	switch (codec)
	{
		case PAWS_CODEC_NONE:
			return level == 0;
		case PAWS_CODEC_LZ4:
			return level >= 1 && level <= PAWS_LZ4_LEVEL_MAX;
		case PAWS_CODEC_ZSTD:
			return level >= 1 && level <= PAWS_ZSTD_LEVEL_MAX;
	}
	return false;
}

/* The compressors return how many bytes they wrote, 0 if it did not fit or went wrong. */
static size_t
lz4_compress(int level, const uint8_t *payload, size_t length, uint8_t *out, size_t capacity)
{
	bool fast = level < LZ4_SEARCHES_FROM;
	size_t size = (size_t) (fast ? LZ4_sizeofState() : LZ4_sizeofStateHC());
	void *state = wiped_alloc(NULL, size);
	int source = (int) length;
	int room = (int) capacity;
	int written = 0;

	if (state == NULL)
		return 0;
	if (fast)
		written = LZ4_compress_fast_extState(state, (const char *) payload, (char *) out, source, room, 1);
	else
		written =
			LZ4_compress_HC_extStateHC(state, (const char *) payload, (char *) out, source, room, level);
	wiped_free(NULL, state);
	return written > 0 ? (size_t) written : 0;
}

static size_t
zstd_compress(int level, const uint8_t *payload, size_t length, uint8_t *out, size_t capacity)
{
	size_t written;

	if (zstd_compressor == NULL && (zstd_compressor = ZSTD_createCCtx_advanced(wiped_memory)) == NULL)
		return 0;
	written = ZSTD_compressCCtx(zstd_compressor, out, capacity, payload, length, level);
	return ZSTD_isError(written) ? 0 : written;
}

size_t
paws_compress(PawsCodec codec, int level, const uint8_t *payload, size_t length, uint8_t *out,
			  size_t capacity)
{
	size_t plain_bucket = paws_padded_length(PAWS_PADDING_HEADER_BYTES + length);
	size_t written = 0;

	if (codec == PAWS_CODEC_NONE || !paws_compress_level_valid(codec, level) ||
		plain_bucket == PAWS_PADDING_MIN || length > LZ4_MAX_INPUT_SIZE || capacity <= PAWS_COMPRESSED_HEADER)
		return 0;
	if (capacity > length)
		capacity = length;
	capacity -= PAWS_COMPRESSED_HEADER;
	if (codec == PAWS_CODEC_LZ4)
		written = lz4_compress(level, payload, length, out + PAWS_COMPRESSED_HEADER, capacity);
	else
		written = zstd_compress(level, payload, length, out + PAWS_COMPRESSED_HEADER, capacity);
	if (written == 0 ||
		paws_padded_length(PAWS_PADDING_HEADER_BYTES + PAWS_COMPRESSED_HEADER + written) >= plain_bucket)
		return 0;
	paws_put32(out, (uint32_t) length);
	return PAWS_COMPRESSED_HEADER + written;
}

bool
paws_compressed_raw_length(PawsCodec codec, const uint8_t *stored, size_t length, size_t *raw_length)
{
	if (codec == PAWS_CODEC_NONE || length <= PAWS_COMPRESSED_HEADER)
		return false;
	*raw_length = paws_get32(stored);
	return *raw_length > 0;
}

static bool
lz4_restore(const uint8_t *packed, size_t length, uint8_t *out, size_t raw_length)
{
	if (length > LZ4_MAX_INPUT_SIZE || raw_length > LZ4_MAX_INPUT_SIZE)
		return false;
	return LZ4_decompress_safe((const char *) packed, (char *) out, (int) length, (int) raw_length) ==
		   (int) raw_length;
}

/* One frame, to its last byte: the library by itself would go on with the next. */
static bool
zstd_restore(const uint8_t *packed, size_t length, uint8_t *out, size_t raw_length)
{
	size_t written;

	if (ZSTD_findFrameCompressedSize(packed, length) != length ||
		ZSTD_getFrameContentSize(packed, length) != raw_length)
		return false;
	if (zstd_restorer == NULL && (zstd_restorer = ZSTD_createDCtx_advanced(wiped_memory)) == NULL)
		return false;
	written = ZSTD_decompressDCtx(zstd_restorer, out, raw_length, packed, length);
	return written == raw_length;
}

bool
paws_decompress(PawsCodec codec, const uint8_t *stored, size_t length, uint8_t *out, size_t raw_length)
{
	size_t claimed;
	bool restored = false;

	if (paws_compressed_raw_length(codec, stored, length, &claimed) && claimed == raw_length)
	{
		const uint8_t *packed = stored + PAWS_COMPRESSED_HEADER;

		length -= PAWS_COMPRESSED_HEADER;
		restored = codec == PAWS_CODEC_LZ4 ? lz4_restore(packed, length, out, raw_length)
										   : zstd_restore(packed, length, out, raw_length);
	}
	if (!restored)
		sodium_memzero(out, raw_length);
	return restored;
}
