/*
 * fuzz.h - what the fuzz targets share.
 *
 * A target is one file here with LLVMFuzzerTestOneInput: libFuzzer calls it with what it invents (run.sh),
 * and replay.c with the inputs under corpus/NAME (part "unit" of the tests). It links all of UNIT_SOURCES,
 * and must take any input, give the same for the same input, and keep nothing.
 */
#ifndef PAWS_FUZZ_H
#define PAWS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

extern int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must always hold. */
#define MUST(condition)                                                                                      \
	do                                                                                                       \
	{                                                                                                        \
		if (!(condition))                                                                                    \
		{                                                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                   \
			abort();                                                                                         \
		}                                                                                                    \
	} while (0)

/* A copy in memory of exactly its size, so that the sanitizer sees a read beyond it. Free it. */
static inline uint8_t *
exact_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);

	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

#endif
