/*
 * vault/compress.h - compressing payloads before they are sealed.
 *
 * Stored form of a codec other than none: length of the payload (4 bytes, big-endian), then one LZ4 block or
 * one Zstandard frame of it, exactly. The buckets of envelopes hide most of a length, but not all: what an
 * attacker can mix into a payload and then see compressed tells of the rest, so what is most sensitive is not
 * compressed at all. Pure C over liblz4 and libzstd, in memory that is wiped before it is given back.
 */
#ifndef PAWS_VAULT_COMPRESS_H
#define PAWS_VAULT_COMPRESS_H

#include "vault/envelope.h"

/* In front of what is compressed. */
#define PAWS_COMPRESSED_HEADER 4

/* Levels: LZ4's 1 is its fast mode, from 3 on it searches longer; Zstandard's 1 is its fastest. */
#define PAWS_LZ4_LEVEL_MAX  12
#define PAWS_ZSTD_LEVEL_MAX 19

/* True if the codec has this level: 0 for none, 1 to the maximum for the others. */
extern bool paws_compress_level_valid(PawsCodec codec, int level);

/*
 * Writes the stored form of a payload to `out` and returns its length: at most `capacity`, and in a smaller
 * bucket than the payload itself would be. 0 if that cannot be had, or the codec has no such level: then the
 * payload is stored as it is, with codec none.
 */
extern size_t paws_compress(PawsCodec codec, int level, const uint8_t *payload, size_t length, uint8_t *out,
							size_t capacity);

/*
 * The length of the payload that a stored form claims to hold, at least 1; false if it is too short to claim
 * one or the codec is none. It is a claim: compare it with a limit before memory is taken for it.
 */
extern bool
paws_compressed_raw_length(PawsCodec codec, const uint8_t *stored, size_t length, size_t *raw_length);

/*
 * Restores the payload into `out`, which has `raw_length` bytes, as paws_compressed_raw_length said. False,
 * with `out` wiped, unless the stored form is exactly one compressed payload of that length.
 */
extern bool
paws_decompress(PawsCodec codec, const uint8_t *stored, size_t length, uint8_t *out, size_t raw_length);

/*
 * Wipes and gives back what Zstandard keeps in this process between calls, parts of the last payloads among
 * it. Cheap to call where there is nothing; for the end of a transaction.
 */
extern void paws_compress_forget(void);

#endif
