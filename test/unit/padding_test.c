/*
 * padding_test.c - buckets of payload lengths.
 */
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "vault/padding.h"

#define LENGTHS 70000

static void
test_buckets(void)
{
	size_t sizes = 0;
	size_t previous = 0;
	bool covers = true;
	bool bounded = true;
	bool monotonic = true;
	bool stable = true;

	for (size_t length = 0; length <= LENGTHS; length++)
	{
		size_t padded = paws_padded_length(length);

		covers = covers && padded >= length && padded >= PAWS_PADDING_MIN;
		if (length > PAWS_PADDING_MIN)
			bounded = bounded && (padded - length) * 1000 <= length * 116;
		monotonic = monotonic && padded >= previous;
		stable = stable && paws_padded_length(padded) == padded;
		sizes += padded != previous;
		previous = padded;
	}
	tap_ok(covers, "a bucket is never smaller than its content, nor than 256 bytes");
	tap_ok(bounded, "padding costs at most 11.6 percent above 256 bytes");
	tap_ok(monotonic, "a longer content never has a smaller bucket");
	tap_ok(stable, "the length of a bucket is its own bucket");
	tap_ok(sizes < 200, "70,000 lengths fall into fewer than 200 buckets");
}

static void
test_known_buckets(void)
{
	static const size_t known[][2] = {{0, 256},       {256, 256},     {257, 272},        {272, 272},
									  {273, 288},     {511, 512},     {1000, 1024},      {1025, 1088},
									  {65536, 65536}, {65537, 67584}, {1048577, 1081344}};
	bool right = true;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		right = right && paws_padded_length(known[i][0]) == known[i][1];
	tap_ok(right, "known lengths fall into known buckets");
}

static void
test_round_trips(void)
{
	uint8_t payload[1500];
	uint8_t padded[2048];
	bool same = true;

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t) (i * 7 + 1);
	for (size_t length = 0; length <= sizeof(payload); length++)
	{
		size_t bucket = paws_padded_length(PAWS_PADDING_HEADER_BYTES + length);
		PawsCodec wanted = (PawsCodec) (length % 3);
		PawsCodec codec = PAWS_CODEC_NONE;
		size_t found = SIZE_MAX;

		memset(padded, 0xee, sizeof(padded));
		paws_padding_write(padded, wanted, payload, length);
		same = same && paws_padding_read(padded, bucket, &codec, &found) && found == length &&
			   codec == wanted && memcmp(padded + PAWS_PADDING_HEADER_BYTES, payload, length) == 0 &&
			   padded[bucket] == 0xee;
	}
	tap_ok(same, "what is padded is found again, and nothing is written beyond the bucket");
}

static void
test_refusals(void)
{
	uint8_t padded[512];
	PawsCodec codec;
	size_t found;
	bool refused = true;

	paws_padding_write(padded, PAWS_CODEC_NONE, (const uint8_t *) "abc", 3);
	for (size_t length = 0; length < 256; length++)
		refused = refused && !paws_padding_read(padded, length, &codec, &found);
	tap_ok(refused, "less than a bucket is refused");

	memset(padded + 256, 0, 256);
	tap_ok(!paws_padding_read(padded, 272, &codec, &found),
		   "a bucket larger than the content needs is refused");

	refused = true;
	for (size_t i = PAWS_PADDING_HEADER_BYTES + 3; i < 256; i++)
	{
		padded[i] = 1;
		refused = refused && !paws_padding_read(padded, 256, &codec, &found);
		padded[i] = 0;
	}
	tap_ok(refused, "a filling byte that is not zero is refused");

	padded[0] = 3;
	tap_ok(!paws_padding_read(padded, 256, &codec, &found), "an unknown codec is refused");
	padded[0] = 0;
	padded[1] = 0xff;
	tap_ok(!paws_padding_read(padded, 256, &codec, &found), "a length beyond the bucket is refused");
}

void
test_padding(void)
{
	test_buckets();
	test_known_buckets();
	test_round_trips();
	test_refusals();
}
