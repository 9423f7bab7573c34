/*
 * keyring_test.c - the text of a keyring file, and the wrapped keys in its lines.
 *
 * The known text comes from vectors.py, an implementation of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "tap.h"
#include "vault/keyring_wrap.h"

static const char known_text[] =
	"paws_sync keyring 1\n"
	"generation 7\n"
	"highest 2 0 0\n"
	"base care 1 3 1000000 101112131415161718191a1b1c1d1e1f2021222324252627300a8f627a1f4166aab300716d8e43d7d0"
	"d8b0f36a813cb7bb5bd4791cddd88770c46aa4391dcf71291fc390f30a60b5\n"
	"epoch care 2 3 18446744073709551615 16384 2000000 "
	"303132333435363738393a3b3c3d3e3f4041424344454647abc4f03159627a947d3cee17cae86a30aa7c8b669adeb6138a0a47b4"
	"d6a9efa368734512e90cb4019b9b6bc30be3da9e\n"
	"destroyed care 1 77 5 3000000\n"
	"checksum c25f2bc7bf15927931f7893f08c912bd43a97359fddea466c3bbf6beb89b74da\n";

#define KNOWN_LENGTH (sizeof(known_text) - 1)

#define HEAD "paws_sync keyring 1\ngeneration 7\nhighest 9 9 9\n"

/* 72 bytes in digits */
#define ZEROS24 "000000000000000000000000000000000000000000000000"
#define WRAPPED ZEROS24 ZEROS24 ZEROS24

static PawsKeyringFile file;
static PawsKeyringFile other;
static char text[PAWS_KEYRING_TEXT_MAX];
static uint8_t wrap_key[32];

/* Puts the checksum behind a text of `length` bytes. */
static size_t
close_text(char *body, size_t length)
{
	uint8_t digest[32];
	char hex[65];

	crypto_generichash(digest, sizeof(digest), (const uint8_t *) body, length, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	return length + (size_t) sprintf(body + length, "checksum %s\n", hex);
}

/* What the parser says of lines behind a good head, with the right checksum. */
static PawsKeyringDefect
parse_lines(const char *lines)
{
	size_t length = (size_t) snprintf(text, sizeof(text), "%s%s", HEAD, lines);

	return paws_keyring_parse(text, close_text(text, length), &file);
}

static PawsKeyringDefect
parse_whole(const char *body)
{
	size_t length = (size_t) snprintf(text, sizeof(text), "%s", body);

	return paws_keyring_parse(text, close_text(text, length), &file);
}

static PawsKeyringLine
line_of(PawsKeyringKind kind, uint16_t root, uint32_t number)
{
	PawsKeyringLine line = {.kind = (uint16_t) kind, .root = root, .number = number, .time = 1};

	if (kind != PAWS_KEYRING_DESTROYED)
	{
		line.root_id = 1;
		randombytes_buf(line.wrapped, sizeof(line.wrapped));
	}
	if (kind != PAWS_KEYRING_BASE)
	{
		line.system = 1;
		line.database = 1;
	}
	return line;
}

static void
empty(PawsKeyringFile *keyring)
{
	memset(keyring, 0, sizeof(*keyring));
	keyring->generation = 1;
}

static void
test_known(void)
{
	uint8_t key[PAWS_KEYRING_KEY_BYTES];
	uint8_t expected[PAWS_KEYRING_KEY_BYTES];
	bool opened = true;

	tap_ok(paws_keyring_parse(known_text, KNOWN_LENGTH, &file) == PAWS_KEYRING_GOOD && file.generation == 7 &&
			   file.highest[0] == 2 && file.entries == 2 && file.count == 3,
		   "the known keyring is read");
	for (int i = 0; i < file.entries; i++)
	{
		for (int j = 0; j < PAWS_KEYRING_KEY_BYTES; j++)
			expected[j] = (uint8_t) (PAWS_KEYRING_KEY_BYTES * i + j);
		opened = opened && paws_keyring_unwrap(&file.lines[i], key, wrap_key) &&
				 memcmp(key, expected, sizeof(key)) == 0;
	}
	tap_ok(opened, "its keys are the known ones");
	tap_ok(paws_keyring_print(&file, text) == KNOWN_LENGTH && memcmp(text, known_text, KNOWN_LENGTH) == 0,
		   "it is written as it was");
}

/* As full as it can be, with the longest numbers. */
static void
fill(PawsKeyringFile *keyring)
{
	memset(keyring, 0, sizeof(*keyring));
	keyring->generation = PAWS_KEYRING_GENERATION_MAX;
	for (int i = 0; i < PAWS_KEYRING_ROOTS; i++)
		keyring->highest[i] = PAWS_KEYRING_NUMBER_MAX;
	for (uint32_t i = 0; i < PAWS_KEYRING_LINES_MAX; i++)
	{
		PawsKeyringKind kind = i < 3                          ? PAWS_KEYRING_BASE
							   : i < PAWS_KEYRING_ENTRIES_MAX ? PAWS_KEYRING_EPOCH
															  : PAWS_KEYRING_DESTROYED;
		PawsKeyringLine line = line_of(kind, (uint16_t) (1 + i % 3), PAWS_KEYRING_NUMBER_MAX - i / 3);

		line.time = PAWS_KEYRING_TIME_MAX;
		if (kind != PAWS_KEYRING_DESTROYED)
			line.root_id = PAWS_KEYRING_NUMBER_MAX;
		if (kind != PAWS_KEYRING_BASE)
		{
			line.system = UINT64_MAX;
			line.database = UINT32_MAX;
		}
		if (!paws_keyring_insert(keyring, &line))
			abort();
	}
}

static void
test_round_trips(void)
{
	size_t length;
	bool same = true;

	for (int round = 0; round < 200; round++)
	{
		empty(&file);
		file.generation = 1 + randombytes_uniform(1000);
		for (int i = 0; i < 3; i++)
			file.highest[i] = 50;
		for (int i = 0; i < 40; i++)
		{
			uint16_t root = (uint16_t) (1 + randombytes_uniform(3));
			uint32_t number = 1 + randombytes_uniform(50);
			PawsKeyringKind kind = (PawsKeyringKind) (1 + randombytes_uniform(3));
			PawsKeyringLine line = line_of(kind, root, number);

			if (kind == PAWS_KEYRING_EPOCH &&
				paws_keyring_find(&file, PAWS_KEYRING_DESTROYED, root, number) >= 0)
				continue;
			if (kind == PAWS_KEYRING_DESTROYED &&
				paws_keyring_find(&file, PAWS_KEYRING_EPOCH, root, number) >= 0)
				paws_keyring_remove(&file, paws_keyring_find(&file, PAWS_KEYRING_EPOCH, root, number));
			line.time = 1 + (int64_t) randombytes_uniform(UINT32_MAX);
			paws_keyring_insert(&file, &line);
		}
		length = paws_keyring_print(&file, text);
		same = same && length > 0 && paws_keyring_parse(text, length, &other) == PAWS_KEYRING_GOOD &&
			   memcmp(&file, &other, sizeof(file)) == 0;
	}
	tap_ok(same, "a keyring that was written is read as it was");

	fill(&file);
	length = paws_keyring_print(&file, text);
	tap_ok(length > 0 && paws_keyring_parse(text, length, &other) == PAWS_KEYRING_GOOD &&
			   memcmp(&file, &other, sizeof(file)) == 0,
		   "the longest keyring too");
	printf("# the longest keyring has %zu bytes\n", length);
}

static void
test_damage(void)
{
	bool flips = true;
	bool truncations = true;
	bool tails = true;
	bool cuts = true;

	memcpy(text, known_text, KNOWN_LENGTH);
	for (size_t bit = 0; bit < KNOWN_LENGTH * 8; bit++)
	{
		text[bit / 8] ^= (char) (1 << (bit % 8));
		flips = flips && paws_keyring_parse(text, KNOWN_LENGTH, &file) != PAWS_KEYRING_GOOD;
		text[bit / 8] ^= (char) (1 << (bit % 8));
	}
	tap_ok(flips, "a keyring with any one bit changed is refused");
	for (size_t length = 0; length < KNOWN_LENGTH; length++)
	{
		/* in memory of that length, so that a read beyond it is found */
		char *exact = malloc(length + 1);

		memcpy(exact, known_text, length);
		truncations = truncations && paws_keyring_parse(exact, length, &file) == PAWS_KEYRING_GARBAGE;
		memcpy(exact, known_text + KNOWN_LENGTH - length, length);
		cuts = cuts && paws_keyring_parse(exact, length, &file) == PAWS_KEYRING_GARBAGE;
		free(exact);
	}
	tap_ok(truncations, "a keyring cut anywhere is refused");
	tap_ok(cuts, "one that lacks its beginning too");
	for (int i = 0; i < 256; i++)
	{
		text[KNOWN_LENGTH] = (char) i;
		tails = tails && paws_keyring_parse(text, KNOWN_LENGTH + 1, &file) == PAWS_KEYRING_GARBAGE;
	}
	memcpy(text + KNOWN_LENGTH, known_text, KNOWN_LENGTH);
	tails = tails && paws_keyring_parse(text, 2 * KNOWN_LENGTH, &file) == PAWS_KEYRING_GARBAGE;
	tap_ok(tails, "whatever follows is refused");
}

/* Each with the right checksum, so that the grammar alone refuses it. */
static void
test_bad_heads(void)
{
	static const char *const heads[] = {
		"",
		"paws_sync keyring 1\n",
		"paws_sync keyring 2\ngeneration 1\nhighest 0 0 0\n",
		"paws_sync keyring 1\r\ngeneration 1\r\nhighest 0 0 0\r\n",
		"\npaws_sync keyring 1\ngeneration 1\nhighest 0 0 0\n",
		"paws_sync keyring 1\ngeneration 0\nhighest 0 0 0\n",
		"paws_sync keyring 1\ngeneration 01\nhighest 0 0 0\n",
		"paws_sync keyring 1\ngeneration -1\nhighest 0 0 0\n",
		"paws_sync keyring 1\ngeneration +1\nhighest 0 0 0\n",
		"paws_sync keyring 1\ngeneration \nhighest 0 0 0\n",
		"paws_sync keyring 1\ngeneration 9223372036854775808\nhighest 0 0 0\n",
		"paws_sync keyring 1\ngeneration 18446744073709551617\nhighest 0 0 0\n",
		"paws_sync keyring 1\ngeneration 1\nhighest 0 0\n",
		"paws_sync keyring 1\ngeneration 1\nhighest 0 0 0 0\n",
		"paws_sync keyring 1\ngeneration 1\nhighest 0 0 2147483648\n",
		"paws_sync keyring 1\ngeneration 1\nhighest 00 0 0\n",
		"paws_sync keyring 1\ngeneration 1\nhighest 0  0 0\n",
		"paws_sync keyring 1\ngeneration 1\nhighest 0 0 0 \n",
		"paws_sync keyring 1\nhighest 0 0 0\ngeneration 1\n",
		"paws_sync keyring 1\ngeneration 1\nhighest 0 0 0",
		"paws_sync keyring 1\ngeneration 1\nhighest 0 0 0\n\n",
	};
	bool refused = true;

	tap_ok(parse_whole("paws_sync keyring 1\ngeneration 1\nhighest 0 0 0\n") == PAWS_KEYRING_GOOD,
		   "an empty keyring is one");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (parse_whole(heads[i]) != PAWS_KEYRING_GARBAGE)
		{
			printf("# taken: %s\n", heads[i]);
			refused = false;
		}
	tap_ok(refused, "a head of another form is refused");
}

static void
test_bad_lines(void)
{
	static const char *const bad[] = {
		"base care 0 1 1 " WRAPPED "\n",
		"base care 01 1 1 " WRAPPED "\n",
		"base care 2147483648 1 1 " WRAPPED "\n",
		"base care 1 0 1 " WRAPPED "\n",
		"base care 1 2147483648 1 " WRAPPED "\n",
		"base care 1 1 0 " WRAPPED "\n",
		"base care 1 1 253402300800000000 " WRAPPED "\n",
		"base care 1 1 1 " WRAPPED,
		"base care 1 1 1 " WRAPPED "00\n",
		"base care 1 1 1 " WRAPPED " \n",
		"base care 1 1 1 " ZEROS24 ZEROS24 "\n",
		"base care 1 1 1 " ZEROS24 ZEROS24 "A" ZEROS24 "\n",
		"base care 1 1 1  " WRAPPED "\n",
		"base  care 1 1 1 " WRAPPED "\n",
		" base care 1 1 1 " WRAPPED "\n",
		"base care 1 1 1\n",
		"base care 1 1 " WRAPPED "\n",
		"base care 1 1 5 5 1 " WRAPPED "\n",
		"base Care 1 1 1 " WRAPPED "\n",
		"base none 1 1 1 " WRAPPED "\n",
		"based care 1 1 1 " WRAPPED "\n",
		"base care 1 1 1 " WRAPPED "\nbase care 1 1 1 " WRAPPED "\n",
		"base care 2 1 1 " WRAPPED "\nbase care 1 1 1 " WRAPPED "\n",
		"base crisis 1 1 1 " WRAPPED "\nbase care 1 1 1 " WRAPPED "\n",
		"epoch care 1 1 1 1 1 " WRAPPED "\nbase care 1 1 1 " WRAPPED "\n",
		"epoch care 1 1 0 1 1 " WRAPPED "\n",
		"epoch care 1 1 18446744073709551616 1 1 " WRAPPED "\n",
		"epoch care 1 1 1 0 1 " WRAPPED "\n",
		"epoch care 1 1 1 4294967296 1 " WRAPPED "\n",
		"epoch care 10 1 1 1 1 " WRAPPED "\n",
		"epoch care 1 1 1 " WRAPPED "\n",
		"destroyed care 10 1 1 1\n",
		"destroyed care 1 1 1 1 " WRAPPED "\n",
		"destroyed care 1 1 1\n",
		"destroyed care 1 1 1 1\ndestroyed care 1 1 1 1\n",
		"epoch care 1 1 1 1 1 " WRAPPED "\ndestroyed care 1 1 1 1\n",
		"destroyed care 1 1 1 1\nepoch care 2 1 1 1 1 " WRAPPED "\n",
		"checksum " ZEROS24 "0000000000000000\n",
		"\n",
	};
	bool refused = true;

	tap_ok(parse_lines("base care 1 1 1 " WRAPPED "\nepoch care 2 1 1 1 1 " WRAPPED
					   "\ndestroyed care 1 1 1 1\n") == PAWS_KEYRING_GOOD,
		   "lines of each kind are taken");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_lines(bad[i]) != PAWS_KEYRING_GARBAGE)
		{
			printf("# taken: %s\n", bad[i]);
			refused = false;
		}
	tap_ok(refused, "lines of another form or order are refused");
	tap_ok(parse_lines("base care 1 1 1 " ZEROS24 ZEROS24 ZEROS24 "\n") == PAWS_KEYRING_GOOD &&
			   parse_lines("base care 1 1 1 A" ZEROS24 ZEROS24
						   "00000000000000000000000000000000000000000000000\n") == PAWS_KEYRING_GARBAGE,
		   "and so are capital digits");
}

/* One line more than there may be, written by hand, since the writer does not. */
static PawsKeyringDefect
parse_many(int epochs, int destroyed)
{
	static char many[2 * PAWS_KEYRING_TEXT_MAX];
	size_t length = (size_t) sprintf(many, "paws_sync keyring 1\ngeneration 1\nhighest 9999 9999 9999\n");

	for (int i = 1; i <= epochs; i++)
		length += (size_t) sprintf(many + length, "epoch care %d 1 1 1 1 " WRAPPED "\n", i);
	for (int i = 1; i <= destroyed; i++)
		length += (size_t) sprintf(many + length, "destroyed crisis %d 1 1 1\n", i);
	return paws_keyring_parse(many, close_text(many, length), &file);
}

static void
test_sizes(void)
{
	static char huge[PAWS_KEYRING_TEXT_MAX + 1];

	tap_ok(parse_many(PAWS_KEYRING_ENTRIES_MAX, PAWS_KEYRING_DESTROYED_MAX) == PAWS_KEYRING_GOOD,
		   "a keyring may be full");
	tap_ok(parse_many(PAWS_KEYRING_ENTRIES_MAX + 1, 0) == PAWS_KEYRING_FULL &&
			   parse_many(PAWS_KEYRING_ENTRIES_MAX + 1, PAWS_KEYRING_DESTROYED_MAX) == PAWS_KEYRING_FULL &&
			   parse_many(0, PAWS_KEYRING_DESTROYED_MAX + 1) == PAWS_KEYRING_FULL,
		   "but not fuller");
	tap_ok(parse_many(2 * PAWS_KEYRING_ENTRIES_MAX, 3 * PAWS_KEYRING_DESTROYED_MAX) == PAWS_KEYRING_FULL,
		   "nor longer than it may be");
	memset(huge, '\n', sizeof(huge));
	tap_ok(paws_keyring_parse(huge, sizeof(huge), &file) == PAWS_KEYRING_FULL &&
			   paws_keyring_parse(huge, sizeof(huge) - 1, &file) == PAWS_KEYRING_GARBAGE,
		   "a file of line ends is refused");
}

static void
test_unprintable(void)
{
	bool refused = true;

	for (int i = 0; i < 8; i++)
	{
		PawsKeyringLine line = line_of(PAWS_KEYRING_EPOCH, 1, 1);

		empty(&file);
		file.highest[0] = 1;
		switch (i)
		{
			case 0:
				file.generation = 0;
				break;
			case 1:
				file.generation = (uint64_t) PAWS_KEYRING_GENERATION_MAX + 1;
				break;
			case 2:
				file.highest[0] = 0;
				break;
			case 3:
				line.time = 0;
				break;
			case 4:
				line.time = -1;
				break;
			case 5:
				line.root_id = 0;
				break;
			case 6:
				line.root = PAWS_KEYRING_ROOTS + 1;
				break;
			default:
				line.system = 0;
				break;
		}
		paws_keyring_insert(&file, &line);
		refused = refused && paws_keyring_print(&file, text) == 0;
	}
	tap_ok(refused, "what could not be read again is not written");
}

static void
test_editing(void)
{
	PawsKeyringLine line = line_of(PAWS_KEYRING_EPOCH, 2, 7);
	PawsKeyringLine gone;

	empty(&file);
	tap_ok(paws_keyring_insert(&file, &line) && !paws_keyring_insert(&file, &line) && file.count == 1,
		   "a line is put in once");
	tap_ok(paws_keyring_find(&file, PAWS_KEYRING_EPOCH, 2, 7) == 0 &&
			   paws_keyring_find(&file, PAWS_KEYRING_EPOCH, 2, 8) < 0 &&
			   paws_keyring_find(&file, PAWS_KEYRING_EPOCH, 1, 7) < 0 &&
			   paws_keyring_find(&file, PAWS_KEYRING_BASE, 2, 7) < 0,
		   "and found under its kind, root and number alone");
	paws_keyring_remove(&file, 0);
	tap_ok(file.count == 0 && file.entries == 0 && sodium_is_zero(file.lines[0].wrapped, 72),
		   "what is taken out leaves nothing");

	fill(&file);
	line = line_of(PAWS_KEYRING_EPOCH, 1, 1);
	gone = line_of(PAWS_KEYRING_DESTROYED, 1, 1);
	tap_ok(!paws_keyring_insert(&file, &line), "a full keyring takes no epoch");
	file.lines[PAWS_KEYRING_ENTRIES_MAX + 500].time = 5;
	line = file.lines[PAWS_KEYRING_ENTRIES_MAX + 500];
	tap_ok(paws_keyring_insert(&file, &gone) && file.count == PAWS_KEYRING_LINES_MAX &&
			   paws_keyring_find(&file, PAWS_KEYRING_DESTROYED, line.root, line.number) < 0,
		   "one more destroyed epoch takes the place of the one destroyed first");
	tap_ok(paws_keyring_print(&file, text) > 0, "and the order holds");
}

static void
test_wrapping(void)
{
	PawsKeyringLine line = line_of(PAWS_KEYRING_EPOCH, 1, 5);
	uint8_t key[PAWS_KEYRING_KEY_BYTES];
	uint8_t opened[PAWS_KEYRING_KEY_BYTES];
	uint8_t first[PAWS_KEYRING_WRAPPED_BYTES];
	bool refused = true;
	bool wiped = true;

	randombytes_buf(key, sizeof(key));
	paws_keyring_wrap(&line, key, wrap_key);
	memcpy(first, line.wrapped, sizeof(first));
	tap_ok(paws_keyring_unwrap(&line, opened, wrap_key) && memcmp(key, opened, sizeof(key)) == 0,
		   "a wrapped key opens");

	/* every bit of the line: its fields, and what is wrapped */
	for (size_t bit = 0; bit < sizeof(line) * 8; bit++)
	{
		((uint8_t *) &line)[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		memset(opened, 1, sizeof(opened));
		refused = refused && !paws_keyring_unwrap(&line, opened, wrap_key);
		wiped = wiped && sodium_is_zero(opened, sizeof(opened));
		((uint8_t *) &line)[bit / 8] ^= (uint8_t) (1 << (bit % 8));
	}
	tap_ok(refused, "not with any one bit of its line changed");
	tap_ok(wiped, "and then leaves nothing");
	wrap_key[31] ^= 1;
	tap_ok(!paws_keyring_unwrap(&line, opened, wrap_key), "nor under another key");
	wrap_key[31] ^= 1;
	paws_keyring_wrap(&line, key, wrap_key);
	tap_ok(memcmp(first, line.wrapped, sizeof(first)) != 0, "the same key is wrapped differently each time");
}

void
test_keyrings(void)
{
	for (int i = 0; i < 32; i++)
		wrap_key[i] = (uint8_t) (0x80 + i);
	test_known();
	test_round_trips();
	test_damage();
	test_bad_heads();
	test_bad_lines();
	test_sizes();
	test_unprintable();
	test_editing();
	test_wrapping();
}
