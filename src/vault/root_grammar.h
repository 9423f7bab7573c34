/*
 * vault/root_grammar.h - the text that gives a root: the only form that a provider may answer with.
 *
 *		ID HEX64\n
 *
 * 1 to 8 such lines and nothing else. ID is decimal, 1 to 2147483647, without sign or leading zeros, and
 * strictly ascending; one space; 64 hexadecimal digits, small or capital. The newline of the last line may
 * lack; no carriage return, tab, comment or empty line is allowed. A key is not all zeros, and no two ids
 * have the same one.
 *
 * Calls nothing of the server: unit tests and fuzzers link it alone.
 */
#ifndef PAWS_VAULT_ROOT_GRAMMAR_H
#define PAWS_VAULT_ROOT_GRAMMAR_H

#include <stddef.h>
#include <stdint.h>

#define PAWS_ROOT_KEY_BYTES 32
#define PAWS_ROOT_IDS_MAX   8
#define PAWS_ROOT_ID_MAX    INT32_MAX

/* The longest text: eight times ten digits, a space, 64 digits and a newline. */
#define PAWS_ROOT_TEXT_MAX (PAWS_ROOT_IDS_MAX * (10 + 1 + 2 * PAWS_ROOT_KEY_BYTES + 1))

/* One line of the text. */
typedef struct PawsRootEntry
{
	uint32_t id;
	uint8_t key[PAWS_ROOT_KEY_BYTES];
} PawsRootEntry;

/*
 * Reads the text into `entries`, ascending by id, and their number into *count. NULL, or one of these words
 * for the first defect, and then *count is 0 and all entries are wiped: "empty", "length" (above
 * PAWS_ROOT_TEXT_MAX), "lines" (above PAWS_ROOT_IDS_MAX), "id", "order", "line" (no space behind the id or no
 * newline behind the digits), "digits", "zero", "repeated".
 */
extern const char *
paws_root_parse(const uint8_t *text, size_t length, PawsRootEntry entries[PAWS_ROOT_IDS_MAX], int *count);

#endif
