/*
 * keyring_format.c - fuzz target: the text of a keyring file.
 *
 * The input is parsed as it is, and once more as what stands before a checksum that fits, since no fuzzer
 * guesses one. What is accepted is written again and has to be the same to the byte.
 */
#include "fuzz.h"
#include "vault/keyring_format.h"

#define CHECKSUM "checksum "

static PawsKeyringFile file;
static char printed[PAWS_KEYRING_TEXT_MAX];

static void
check(const char *text, size_t length)
{
	if (paws_keyring_parse(text, length, &file) != PAWS_KEYRING_GOOD)
		return;
	MUST(file.entries >= 0 && file.entries <= PAWS_KEYRING_ENTRIES_MAX);
	MUST(file.count >= file.entries && file.count - file.entries <= PAWS_KEYRING_DESTROYED_MAX);
	for (int i = 0; i < file.count; i++)
	{
		const PawsKeyringLine *line = &file.lines[i];

		MUST(line->root >= 1 && line->root <= PAWS_KEYRING_ROOTS);
		MUST((line->kind == PAWS_KEYRING_DESTROYED) == (i >= file.entries));
		MUST(paws_keyring_find(&file, (PawsKeyringKind) line->kind, line->root, line->number) == i);
		MUST(line->kind == PAWS_KEYRING_BASE || line->number <= file.highest[line->root - 1]);
	}
	MUST(paws_keyring_print(&file, printed) == length);
	MUST(memcmp(printed, text, length) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t digest[32];
	char hex[2 * sizeof(digest) + 1];
	uint8_t *exact = exact_copy(data, size);
	char *text = malloc(size + sizeof(CHECKSUM) + sizeof(hex));
	size_t length = size;

	MUST(text != NULL && sodium_init() >= 0);
	check((const char *) exact, size);
	free(exact);

	if (size > 0)
		memcpy(text, data, size);
	crypto_generichash(digest, sizeof(digest), data, size, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	memcpy(text + length, CHECKSUM, sizeof(CHECKSUM) - 1);
	length += sizeof(CHECKSUM) - 1;
	memcpy(text + length, hex, sizeof(hex) - 1);
	length += sizeof(hex) - 1;
	text[length++] = '\n';
	check(text, length);
	free(text);
	return 0;
}
