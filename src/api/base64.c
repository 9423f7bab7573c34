/*
 * api/base64.c - see base64.h. Pure C over libsodium.
 */
#include "api/base64.h"

#include <sodium.h>

#define NONE 0x80

/* The value of each digit, NONE for what is none. */
static const uint8_t values[256] = {
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, 62,   NONE, NONE, NONE, 63,
	52,   53,   54,   55,   56,   57,   58,   59,   60,   61,   NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, 0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,
	15,   16,   17,   18,   19,   20,   21,   22,   23,   24,   25,   NONE, NONE, NONE, NONE, NONE,
	NONE, 26,   27,   28,   29,   30,   31,   32,   33,   34,   35,   36,   37,   38,   39,   40,
	41,   42,   43,   44,   45,   46,   47,   48,   49,   50,   51,   NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
};

/*
 * Whole groups of four digits from the beginning, up to the first one that has anything else in it; the last
 * group of the text is left out. Returns how many characters that were; three bytes for each four are in
 * `out`.
 */
static size_t
decode_plain(const char *text, size_t length, uint8_t *out)
{
	const uint8_t *at = (const uint8_t *) text;
	size_t done;

	for (done = 0; done + 8 <= length; done += 4, at += 4, out += 3)
	{
		uint8_t a = values[at[0]];
		uint8_t b = values[at[1]];
		uint8_t c = values[at[2]];
		uint8_t d = values[at[3]];

		if ((a | b | c | d) & NONE)
			break;
		out[0] = (uint8_t) (a << 2 | b >> 4);
		out[1] = (uint8_t) (b << 4 | c >> 2);
		out[2] = (uint8_t) (c << 6 | d);
	}
	return done;
}

/* The library's decoder goes by ten instructions for each digit where four do; but it knows all the rest. It
 * takes some bytes above 127 for digits, so those are refused here. */
bool
paws_base64_decode(const char *text, size_t length, uint8_t *out, size_t *decoded)
{
	size_t plain = decode_plain(text, length, out);
	size_t before = plain / 4 * 3;

	for (size_t i = plain; i < length; i++)
		if ((uint8_t) text[i] > 127)
			return false;
	if (sodium_base642bin(out + before, length - plain + 1, text + plain, length - plain, " \t\r\n", decoded,
						  NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return false;
	*decoded += before;
	return true;
}
