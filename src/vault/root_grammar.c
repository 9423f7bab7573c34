/*
 * vault/root_grammar.c - reading the text of a root. Pure C over libsodium.
 */
#include "vault/root_grammar.h"

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#define HEX_DIGITS (2 * PAWS_ROOT_KEY_BYTES)
#define ID_DIGITS  10

/* What is still to be read. */
typedef struct Rest
{
	const uint8_t *at;
	size_t length;
} Rest;

static void
skip(Rest *rest, size_t count)
{
	rest->at += count;
	rest->length -= count;
}

static bool
take_char(Rest *rest, char wanted)
{
	if (rest->length == 0 || *rest->at != (uint8_t) wanted)
		return false;
	skip(rest, 1);
	return true;
}

/* 0 if there is no id; what follows its digits is for the caller to look at. */
static uint32_t
take_id(Rest *rest)
{
	uint64_t id = 0;
	size_t digits = 0;

	while (digits < rest->length && digits <= ID_DIGITS && rest->at[digits] >= '0' && rest->at[digits] <= '9')
		id = id * 10 + (rest->at[digits++] - '0');
	if (digits == 0 || rest->at[0] == '0' || id > PAWS_ROOT_ID_MAX)
		return 0;
	skip(rest, digits);
	return (uint32_t) id;
}

static bool
take_key(Rest *rest, uint8_t key[PAWS_ROOT_KEY_BYTES])
{
	size_t decoded = 0;

	if (rest->length < HEX_DIGITS ||
		sodium_hex2bin(key, PAWS_ROOT_KEY_BYTES, (const char *) rest->at, HEX_DIGITS, NULL, &decoded, NULL) !=
			0 ||
		decoded != PAWS_ROOT_KEY_BYTES)
		return false;
	skip(rest, HEX_DIGITS);
	return true;
}

static const char *
take_line(Rest *rest, PawsRootEntry *entry)
{
	entry->id = take_id(rest);
	if (entry->id == 0)
		return "id";
	if (!take_char(rest, ' '))
		return "line";
	if (!take_key(rest, entry->key))
		return "digits";
	if (!take_char(rest, '\n') && rest->length > 0)
		return "line";
	return sodium_is_zero(entry->key, PAWS_ROOT_KEY_BYTES) ? "zero" : NULL;
}

/* Against the lines before it. */
static const char *
compare(const PawsRootEntry *entries, int last)
{
	if (last > 0 && entries[last].id <= entries[last - 1].id)
		return "order";
	for (int i = 0; i < last; i++)
		if (sodium_memcmp(entries[i].key, entries[last].key, PAWS_ROOT_KEY_BYTES) == 0)
			return "repeated";
	return NULL;
}

static const char *
take_lines(Rest rest, PawsRootEntry *entries, int *count)
{
	const char *defect = NULL;

	if (rest.length == 0)
		return "empty";
	if (rest.length > PAWS_ROOT_TEXT_MAX)
		return "length";
	for (*count = 0; rest.length > 0 && defect == NULL; (*count)++)
	{
		if (*count == PAWS_ROOT_IDS_MAX)
			return "lines";
		defect = take_line(&rest, &entries[*count]);
		if (defect == NULL)
			defect = compare(entries, *count);
	}
	return defect;
}

const char *
paws_root_parse(const uint8_t *text, size_t length, PawsRootEntry entries[PAWS_ROOT_IDS_MAX], int *count)
{
	Rest rest = {text, length};
	const char *defect;

	*count = 0;
	memset(entries, 0, PAWS_ROOT_IDS_MAX * sizeof(PawsRootEntry));
	defect = take_lines(rest, entries, count);
	if (defect != NULL)
	{
		sodium_memzero(entries, PAWS_ROOT_IDS_MAX * sizeof(PawsRootEntry));
		*count = 0;
	}
	return defect;
}
