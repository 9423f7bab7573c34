/*
 * seal.c ROUNDS MILLISECONDS: what sealing and opening costs, each suite beside the bare cipher.
 *
 * In each round every suite seals and opens payloads of every size for the given time; prints a line for each
 * suite and size: name, bytes, median nanoseconds of processor time to seal, to open. "bare" is libsodium's
 * XChaCha20-Poly1305 with a random nonce and 64 bytes of associated data; a codec seals nothing, it
 * compresses and restores a document.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "vault/compress.h"
#include "vault/envelope.h"

#define ROUNDS_MAX 1000
#define SIZE_MOST  (1 << 20)

static const size_t sizes[] = {256, 1024, 65536, SIZE_MOST};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

typedef struct Work
{
	const char *name;
	uint8_t suite; /* 0: bare, or a codec */
	PawsCodec codec;
	int level;
} Work;

static const Work works[] = {
	{"bare", 0, PAWS_CODEC_NONE, 0},
	{"0x01", PAWS_SUITE_XCHACHA20, PAWS_CODEC_NONE, 0},
	{"0x02", PAWS_SUITE_AES256GCM, PAWS_CODEC_NONE, 0},
	{"0x03", PAWS_SUITE_SEALED, PAWS_CODEC_NONE, 0},
	{"0x12", PAWS_SUITE_LAYERED, PAWS_CODEC_NONE, 0},
	{"0x13", PAWS_SUITE_SEALED_LAYERED, PAWS_CODEC_NONE, 0},
	{"lz4-1", 0, PAWS_CODEC_LZ4, 1},
	{"zstd-3", 0, PAWS_CODEC_ZSTD, 3},
};

#define WORKS (sizeof(works) / sizeof(works[0]))

static PawsDataKey key = {.epoch = 1, .version = 1};
static PawsOuterKey outer = {.id = 1};
static uint8_t ids[64];
static uint8_t *payload;
static uint8_t *sealed;
static uint8_t *opened;
static size_t sealed_length;

static double
now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (double) at.tv_sec * 1e9 + (double) at.tv_nsec;
}

static PawsEnvelopeContext
context_for(uint8_t suite)
{
	bool crisis = suite == PAWS_SUITE_SEALED || suite == PAWS_SUITE_SEALED_LAYERED;
	PawsEnvelopeContext context = {.purpose = crisis ? PAWS_PURPOSE_CRISIS : PAWS_PURPOSE_PAYLOAD,
								   .collection = 1,
								   .subject = ids,
								   .doc_id = ids + 16,
								   .op_id = ids + 32,
								   .base_revision = 1};

	return context;
}

static bool
do_seal(const Work *work, size_t size)
{
	PawsSealing sealing = {.suite = work->suite, .key = &key, .outer = &outer};
	PawsEnvelopeContext context = context_for(work->suite);

	if (work->codec != PAWS_CODEC_NONE)
	{
		sealed_length = paws_compress(work->codec, work->level, payload, size, sealed, size);
		return sealed_length > 0;
	}
	if (work->suite == 0)
	{
		randombytes_buf(sealed, 24);
		sealed_length = 24 + size + 16;
		return crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + 24, NULL, payload, size, ids, sizeof(ids),
														  NULL, sealed, key.secret) == 0;
	}
	sealed_length = paws_envelope_size(work->suite, size);
	return paws_envelope_seal(sealed, &sealing, &context, payload, size);
}

static bool
do_open(const Work *work, size_t size)
{
	PawsEnvelopeContext context = context_for(work->suite);
	PawsCodec codec;
	size_t found;

	if (work->codec != PAWS_CODEC_NONE)
		return paws_decompress(work->codec, sealed, sealed_length, opened, size);
	if (work->suite == 0)
		return crypto_aead_xchacha20poly1305_ietf_decrypt(opened, NULL, NULL, sealed + 24, size + 16, ids,
														  sizeof(ids), sealed, key.secret) == 0;
	return paws_envelope_open(sealed, sealed_length, &key, &outer, &context, opened, &codec, &found) &&
		   found == size;
}

/* Nanoseconds of one call, over as many as the time allows. */
static double
measure(bool (*run)(const Work *, size_t), const Work *work, size_t size, double nanoseconds)
{
	double began = now();
	double spent;
	size_t batch = 1 + 65536 / size; /* between two looks at the clock */
	size_t calls = 0;

	do
	{
		for (size_t i = 0; i < batch; i++, calls++)
		{
			if (!run(work, size))
			{
				fprintf(stderr, "%s fails at %zu bytes\n", work->name, size);
				exit(1);
			}
		}
		spent = now() - began;
	} while (spent < nanoseconds);
	return spent / (double) calls;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

static double
median(double *values, int count)
{
	qsort(values, (size_t) count, sizeof(*values), compare);
	return values[count / 2];
}

static void
prepare(void)
{
	size_t room = SIZE_MOST + SIZE_MOST / 8 + 1024;

	payload = malloc(room);
	sealed = malloc(room);
	opened = malloc(room);
	randombytes_buf(ids, sizeof(ids));
	randombytes_buf(outer.secret, sizeof(outer.secret));
	paws_x25519_keypair(key.public_key, key.secret);
	/* Words and numbers, so that there is something to compress. */
	for (size_t at = 0; at < SIZE_MOST;)
		at += (size_t) snprintf((char *) payload + at, room - at,
								"{\"mood\": %u, \"slept\": %u, \"note\": \"calm\"} ", randombytes_uniform(10),
								randombytes_uniform(1000));
}

int
main(int argc, char **argv)
{
	static double seal_times[WORKS][SIZES][ROUNDS_MAX];
	static double open_times[WORKS][SIZES][ROUNDS_MAX];
	int rounds = argc > 1 ? atoi(argv[1]) : 15;
	double nanoseconds = (argc > 2 ? atof(argv[2]) : 5) * 1e6;

	if (sodium_init() < 0 || rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	prepare();
	for (int round = 0; round < rounds; round++)
		for (size_t w = 0; w < WORKS; w++)
			for (size_t s = 0; s < SIZES; s++)
			{
				if ((works[w].suite != 0 && !paws_suite_available(works[w].suite)) ||
					(works[w].codec != PAWS_CODEC_NONE && sizes[s] < 1024))
					continue;
				seal_times[w][s][round] = measure(do_seal, &works[w], sizes[s], nanoseconds);
				open_times[w][s][round] = measure(do_open, &works[w], sizes[s], nanoseconds);
			}
	for (size_t w = 0; w < WORKS; w++)
		for (size_t s = 0; s < SIZES; s++)
			if (seal_times[w][s][0] > 0)
				printf("%s %zu %.0f %.0f\n", works[w].name, sizes[s], median(seal_times[w][s], rounds),
					   median(open_times[w][s], rounds));
	return 0;
}
