/*
 * vault/keyring_format.h - the text of a keyring file: parser and writer.
 *
 * Lines end with one LF, fields are one space apart, numbers are decimal without sign or leading zeros,
 * bytes are pairs of lower-case hexadecimal digits, times are microseconds since 1970:
 *
 *		paws_sync keyring 1
 *		generation G                                          1 to 2^63 - 1, moves with every change
 *		highest CARE CRISIS BILLING                           the highest number that an epoch of a root had
 *		base ROOT NUMBER ROOT_ID TIME WRAPPED                 care, crisis or billing; 72 bytes
 *		epoch ROOT NUMBER ROOT_ID SYSTEM DATABASE TIME WRAPPED
 *		destroyed ROOT NUMBER SYSTEM DATABASE TIME
 *		checksum DIGEST                                       unkeyed BLAKE2b-256 over all lines before
 *
 * Lines are ordered by kind, root and number, each above the one before. A number is that of an epoch or of a
 * destroyed one, never both, and not above the highest. Every file has one form: what the parser takes, the
 * writer writes again to the byte.
 *
 * The checksum finds torn and edited files. It keeps nobody out; keys are bound to their line by what wraps
 * them (vault/keyring_wrap.h).
 *
 * Pure C: needs libsodium, never calls the server, may be linked into unit tests and fuzzers.
 */
#ifndef PAWS_VAULT_KEYRING_FORMAT_H
#define PAWS_VAULT_KEYRING_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAWS_KEYRING_ROOTS          3
#define PAWS_KEYRING_WRAPPED_BYTES  72   /* nonce 24, key 32, tag 16 */
#define PAWS_KEYRING_ENTRIES_MAX    512  /* base secrets and epochs */
#define PAWS_KEYRING_DESTROYED_MAX  1024 /* lines of destroyed epochs; older ones give way */
#define PAWS_KEYRING_LINES_MAX      (PAWS_KEYRING_ENTRIES_MAX + PAWS_KEYRING_DESTROYED_MAX)
#define PAWS_KEYRING_TEXT_MAX       (256 * 1024) /* bytes; the longest file is shorter */
#define PAWS_KEYRING_NUMBER_MAX     0x7fffffff /* of numbers and of ids of roots: SQL shows them as integer */
#define PAWS_KEYRING_GENERATION_MAX INT64_MAX
#define PAWS_KEYRING_TIME_MAX       INT64_C(253402300799999999) /* the end of the year 9999 */

typedef enum PawsKeyringKind
{
	PAWS_KEYRING_BASE = 1,
	PAWS_KEYRING_EPOCH = 2,
	PAWS_KEYRING_DESTROYED = 3
} PawsKeyringKind;

/* One line, without gaps, so that lines can be compared. Fields that its kind does not have are 0. */
typedef struct PawsKeyringLine
{
	uint16_t kind; /* a PawsKeyringKind */
	uint16_t root; /* 1 to PAWS_KEYRING_ROOTS */
	uint32_t number;
	uint32_t root_id;
	uint32_t database;
	uint64_t system;
	int64_t time;
	uint8_t wrapped[PAWS_KEYRING_WRAPPED_BYTES];
} PawsKeyringLine;

/* A whole file. The entries, which have keys, come first; the destroyed ones follow. */
typedef struct PawsKeyringFile
{
	uint64_t generation;
	uint32_t highest[PAWS_KEYRING_ROOTS]; /* by root - 1 */
	int entries;
	int count; /* of all lines */
	PawsKeyringLine lines[PAWS_KEYRING_LINES_MAX];
} PawsKeyringFile;

typedef enum PawsKeyringDefect
{
	PAWS_KEYRING_GOOD,
	PAWS_KEYRING_GARBAGE,
	PAWS_KEYRING_FULL /* more lines or bytes than a keyring may have */
} PawsKeyringDefect;

/* Parses a whole file. Unless it is good, what is in `file` has no meaning. */
extern PawsKeyringDefect paws_keyring_parse(const char *text, size_t length, PawsKeyringFile *file);

/* Writes the text (up to PAWS_KEYRING_TEXT_MAX bytes, without a terminating zero) and returns its length; 0
 * if the parser would not take it. */
extern size_t paws_keyring_print(const PawsKeyringFile *file, char *text);

/* The index of a line, -1 if there is none. */
extern int
paws_keyring_find(const PawsKeyringFile *file, PawsKeyringKind kind, uint16_t root, uint32_t number);

/* Puts a line at its place; false if it is there or no entry fits any more. When there is no room for one
 * more destroyed epoch, the line of the one destroyed first goes. */
extern bool paws_keyring_insert(PawsKeyringFile *file, const PawsKeyringLine *line);

extern void paws_keyring_remove(PawsKeyringFile *file, int index);

#endif
