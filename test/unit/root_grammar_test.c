/*
 * root_grammar_test.c - the text of a root: what is read from it, and every way to get it wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "tap.h"
#include "vault/root_grammar.h"

#define KEY_1 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_2 "f0e1d2c3b4a5968778695a4b3c2d1e0fF0E1D2C3B4A5968778695A4B3C2D1E0F"
#define ZERO  "0000000000000000000000000000000000000000000000000000000000000000"
#define GOOD  "7 " KEY_1 "\n2147483647 " KEY_2 "\n"

static PawsRootEntry entries[PAWS_ROOT_IDS_MAX];
static int count;

/* From a place of exactly this size, so that the sanitizer sees a read past its end. */
static const char *
parse(const char *text, size_t length)
{
	uint8_t *copy = malloc(length > 0 ? length : 1);
	const char *defect;

	memcpy(copy, text, length);
	memset(entries, 0xa5, sizeof(entries));
	count = -1;
	defect = paws_root_parse(copy, length, entries, &count);
	free(copy);
	return defect;
}

static bool
wiped(void)
{
	return count == 0 && sodium_is_zero((const uint8_t *) entries, sizeof(entries));
}

static bool
refused(const char *text, size_t length, const char *word)
{
	const char *defect = parse(text, length);

	if (defect != NULL && strcmp(defect, word) == 0 && wiped())
		return true;
	printf("# got %s, want %s\n", defect ? defect : "no defect", word);
	return false;
}

/* True if what was read, written again, is the text, but for capital digits and the last newline. */
static bool
says(const char *text, size_t length)
{
	char again[PAWS_ROOT_TEXT_MAX + 1];
	char hex[2 * PAWS_ROOT_KEY_BYTES + 1];
	size_t written = 0;

	for (int i = 0; i < count; i++)
	{
		sodium_bin2hex(hex, sizeof(hex), entries[i].key, PAWS_ROOT_KEY_BYTES);
		written += (size_t) snprintf(again + written, sizeof(again) - written, "%u %s\n", entries[i].id, hex);
	}
	if (length != written && length + 1 != written)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]) != again[i])
			return false;
	return true;
}

static void
test_good(void)
{
	bool right = parse(GOOD, strlen(GOOD)) == NULL && count == 2;

	right = right && entries[0].id == 7 && entries[0].key[0] == 0 && entries[0].key[31] == 0x1f;
	right = right && entries[1].id == 2147483647 && entries[1].key[0] == 0xf0 && entries[1].key[16] == 0xf0;
	tap_ok(right, "ids and keys are read, small digits and capital ones");
	tap_ok(sodium_is_zero((const uint8_t *) &entries[2], sizeof(entries) - 2 * sizeof(entries[0])),
		   "places without a line are zeros");
	tap_ok(parse(GOOD, strlen(GOOD) - 1) == NULL && count == 2, "the last newline may lack");
	tap_ok(parse("1 " KEY_1, 66) == NULL && count == 1 && entries[0].id == 1, "so may that of a single line");
}

/* `lines` lines with ids of ten digits. */
static size_t
write_lines(char *text, size_t size, int lines)
{
	size_t length = 0;

	for (int i = 0; i < lines; i++)
		length += (size_t) snprintf(text + length, size - length, "%d %062x%02x\n", 2000000000 + i, 0, i + 1);
	return length;
}

static void
test_sizes(void)
{
	char text[2000];
	size_t length = write_lines(text, sizeof(text), 8);

	tap_ok(length == PAWS_ROOT_TEXT_MAX && parse(text, length) == NULL && count == 8,
		   "the longest text has eight lines");
	tap_ok(refused(text, length + 1, "length"), "one byte more is refused");
	length = write_lines(text, sizeof(text), 9);
	tap_ok(refused(text, length, "length"), "so are nine long lines");

	length = 0;
	for (int i = 1; i <= 9; i++)
		length += (size_t) snprintf(text + length, sizeof(text) - length, "%d %062x%02x\n", i, 0, i);
	tap_ok(length < PAWS_ROOT_TEXT_MAX && refused(text, length, "lines"), "and nine short ones");
	tap_ok(refused("", 0, "empty"), "an empty text");
}

static void
test_ids(void)
{
	static const char *const wrong[] = {
		"0",   "01", "+1", "-1", "2147483648", "4294967297", "18446744073709551617", "99999999999999999999",
		"0x1", "a",  "",   " 1", "\t1",        "\xd9\xa1"};
	bool right = true;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		char text[200];
		int length = snprintf(text, sizeof(text), "%s %s\n", wrong[i], KEY_1);

		right = refused(text, (size_t) length, "id") && right;
	}
	tap_ok(right, "ids with signs, leading zeros or spaces, of other forms or out of range are refused");
	tap_ok(parse("2147483647 " KEY_1, 75) == NULL && entries[0].id == 2147483647, "the highest id is read");
}

static void
test_lines(void)
{
	static const struct
	{
		const char *text;
		const char *word;
		const char *name;
	} wrong[] = {
		{"1 " KEY_1 "\n1 " KEY_2 "\n", "order", "equal ids"},
		{"2 " KEY_1 "\n1 " KEY_2 "\n", "order", "descending ids"},
		{"9 " KEY_1 "\n10 " KEY_2 "\n2 " KEY_2 "\n", "order", "a third id below the second"},
		{"1 " ZERO "\n", "zero", "a key of zeros"},
		{"1 " KEY_1 "\n2 " ZERO "\n", "zero", "a second key of zeros"},
		{"1 " KEY_1 "\n2 " KEY_1 "\n", "repeated", "a key under two ids"},
		{"1 " KEY_2 "\n2 " KEY_1 "\n3 "
		 "F0E1D2C3B4A5968778695A4B3C2D1E0Ff0e1d2c3b4a5968778695a4b3c2d1e0f\n",
		 "repeated", "the same in other letters"},
		{"1 " KEY_1 "\r\n", "line", "a carriage return"},
		{"1 " KEY_1 "\r", "line", "one without newline"},
		{"1\t" KEY_1 "\n", "line", "a tab"},
		{"1.0 " KEY_1 "\n", "line", "a point in an id"},
		{"1e0 " KEY_1 "\n", "line", "an exponent"},
		{"1  " KEY_1 "\n", "digits", "two spaces"},
		{"1 " KEY_1 " \n", "line", "a space at the end"},
		{"1 " KEY_1 "\n\n", "id", "an empty line at the end"},
		{"\n1 " KEY_1 "\n", "id", "an empty line before"},
		{"1 " KEY_1 "\n\n2 " KEY_2 "\n", "id", "an empty line between"},
		{"# root\n1 " KEY_1 "\n", "id", "a comment"},
		{"\xef\xbb\xbf"
		 "1 " KEY_1 "\n",
		 "id", "a byte order mark"},
		{"1 " KEY_1 "0\n", "line", "65 digits"},
		{"1 " KEY_1 "00\n", "line", "66 digits"},
		{"1 0x" KEY_1 "\n", "digits", "a prefix"},
		{"1 " KEY_1 "2 " KEY_2 "\n", "line", "lines without newline between"},
		{KEY_1 "\n", "id", "a key without id"},
		{"1\n" KEY_1 "\n", "line", "an id on a line of its own"},
		{"1", "line", "an id alone"},
		{"1 ", "digits", "an id and a space"},
		{"1 g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "digits", "a letter"},
		{"\n", "id", "a newline alone"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		tap_ok(refused(wrong[i].text, strlen(wrong[i].text), wrong[i].word), wrong[i].name);
}

/* A text is good only if it says what was read from it, whatever byte it has where. */
static void
test_every_byte(void)
{
	char text[sizeof(GOOD)];
	size_t length = strlen(GOOD);
	bool right = true;
	int good = 0;

	memcpy(text, GOOD, sizeof(GOOD));
	for (size_t at = 0; at < length; at++)
	{
		for (int byte = 0; byte < 256; byte++)
		{
			text[at] = (char) byte;
			if (parse(text, length) == NULL)
			{
				good++;
				right = right && says(text, length);
			}
			else
				right = right && wiped();
		}
		text[at] = GOOD[at];
	}
	tap_ok(right, "every byte at every place: read as written, or refused and wiped");
	/* 22 digits at each of 128 places; 9 for the id 7; for 2147483647 what stays in range; spaces and
	 * newlines. */
	tap_ok(good == 128 * 22 + 9 + (2 + 2 + 5 + 8 + 5 + 9 + 4 + 7 + 5 + 8) + 2 + 2,
		   "and only digits may vary");
}

static void
test_truncations(void)
{
	bool right = true;

	for (size_t length = 0; length < strlen(GOOD); length++)
	{
		bool good = parse(GOOD, length) == NULL;
		bool whole = length == 66 || length == 67 || length == strlen(GOOD) - 1;

		right = right && good == whole && (good ? says(GOOD, length) : wiped());
	}
	tap_ok(right, "cut off anywhere but at the end of a line it is refused");
}

static void
test_nul_bytes(void)
{
	char text[sizeof(GOOD) + 1];
	bool right = true;

	for (size_t at = 0; at <= strlen(GOOD); at++)
	{
		memcpy(text, GOOD, at);
		text[at] = '\0';
		memcpy(text + at + 1, &GOOD[at], strlen(GOOD) - at);
		right = right && parse(text, strlen(GOOD) + 1) != NULL && wiped();
	}
	tap_ok(right, "a NUL byte put in anywhere is refused, at the end too");
}

void
test_root_grammar(void)
{
	test_good();
	test_sizes();
	test_ids();
	test_lines();
	test_every_byte();
	test_truncations();
	test_nul_bytes();
}
