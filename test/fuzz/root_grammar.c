/*
 * root_grammar.c - fuzz target: the text of a root.
 *
 * What is accepted has to be what the grammar says, so it is written anew from the entries and compared; what
 * is refused has to leave nothing behind.
 */
#include "fuzz.h"
#include "vault/root_grammar.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	return sodium_init() < 0 ? 1 : 0;
}

/* The text of the entries, with small digits. */
static size_t
write_text(const PawsRootEntry *entries, int count, char *text, size_t size)
{
	size_t length = 0;

	for (int i = 0; i < count; i++)
	{
		char hex[2 * PAWS_ROOT_KEY_BYTES + 1];

		sodium_bin2hex(hex, sizeof(hex), entries[i].key, PAWS_ROOT_KEY_BYTES);
		length += (size_t) snprintf(text + length, size - length, "%u %s\n", entries[i].id, hex);
	}
	return length;
}

static void
check_good(const uint8_t *data, size_t size, const PawsRootEntry *entries, int count)
{
	char again[PAWS_ROOT_TEXT_MAX + 1];
	size_t length;

	MUST(count >= 1 && count <= PAWS_ROOT_IDS_MAX);
	for (int i = 0; i < count; i++)
	{
		MUST(entries[i].id >= 1 && entries[i].id <= PAWS_ROOT_ID_MAX);
		MUST(i == 0 || entries[i].id > entries[i - 1].id);
		MUST(!sodium_is_zero(entries[i].key, PAWS_ROOT_KEY_BYTES));
		for (int j = 0; j < i; j++)
			MUST(memcmp(entries[i].key, entries[j].key, PAWS_ROOT_KEY_BYTES) != 0);
	}
	length = write_text(entries, count, again, sizeof(again));
	MUST(size == length || size + 1 == length);
	for (size_t i = 0; i < size; i++)
		MUST((data[i] >= 'A' && data[i] <= 'F' ? data[i] + ('a' - 'A') : data[i]) == (uint8_t) again[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PawsRootEntry entries[PAWS_ROOT_IDS_MAX];
	int count = -1;
	const char *defect;
	uint8_t *copy = exact_copy(data, size);

	memset(entries, 0xa5, sizeof(entries));
	defect = paws_root_parse(copy, size, entries, &count);
	if (defect == NULL)
		check_good(copy, size, entries, count);
	else
		MUST(count == 0 && sodium_is_zero((const uint8_t *) entries, sizeof(entries)));
	free(copy);
	return 0;
}
