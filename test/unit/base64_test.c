/*
 * base64_test.c - what is read quickly is what libsodium reads, and nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "api/base64.h"
#include "tap.h"

#define TEXTS  200000
#define LENGTH 80

static bool
reference(const char *text, size_t length, uint8_t *out, size_t *decoded)
{
	for (size_t i = 0; i < length; i++)
		if ((uint8_t) text[i] > 127)
			return false;
	return sodium_base642bin(out, length + 1, text, length, " \t\r\n", decoded, NULL,
							 sodium_base64_VARIANT_ORIGINAL) == 0;
}

/* In exact blocks, so that the sanitizer sees a step beyond. */
static bool
same(const char *text, size_t length, bool *good)
{
	char *exact = malloc(length == 0 ? 1 : length);
	uint8_t *ours = malloc(length + 1);
	uint8_t *theirs = malloc(length + 1);
	size_t our_length = 0;
	size_t their_length = 0;
	bool result;

	memcpy(exact, text, length);
	*good = paws_base64_decode(exact, length, ours, &our_length);
	result = *good == reference(exact, length, theirs, &their_length) &&
			 (!*good || (our_length == their_length && memcmp(ours, theirs, our_length) == 0));
	free(exact);
	free(ours);
	free(theirs);
	return result;
}

/* A good text, or one with a few changes. */
static size_t
make_text(char *text)
{
	static const char strange[] = "=+/-_ \t\r\n\v*A\200\377";
	uint8_t bytes[LENGTH / 2];
	size_t count = randombytes_uniform(sizeof(bytes));
	size_t length;

	randombytes_buf(bytes, count);
	sodium_bin2base64(text, LENGTH, bytes, count, sodium_base64_VARIANT_ORIGINAL);
	length = strlen(text);
	for (uint32_t changes = randombytes_uniform(3); changes > 0 && length > 0; changes--)
		text[randombytes_uniform((uint32_t) length)] = strange[randombytes_uniform(sizeof(strange))];
	return length > 0 && randombytes_uniform(4) == 0 ? length - 1 : length;
}

void
test_base64(void)
{
	char text[LENGTH];
	int good = 0;
	int bad = 0;
	bool all = true;
	bool one;

	for (int i = 0; i < TEXTS; i++)
	{
		size_t length = make_text(text);

		all = all && same(text, length, &one);
		good += one;
		bad += !one;
	}
	tap_ok(all && good > TEXTS / 10 && bad > TEXTS / 10, "base64: read as libsodium does, right or wrong");
	tap_ok(same("", 0, &one) && one, "base64: nothing");
	tap_ok(same("QUJDREVGR0hJSktMTU5P\nUFFSU1RVVldYWVo=", 38, &one) && one, "base64: broken lines");
	tap_ok(same("QUJDREVGRw==QUJDREVGRw==", 24, &one) && !one, "base64: two texts in one");
	tap_ok(same("QUJDREVGR0hJ\0UJD", 16, &one) && !one, "base64: a zero byte");
}
