/*
 * vault/keyring_format.c - reading and writing the text of a keyring file.
 */
#include "vault/keyring_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#define TITLE        "paws_sync keyring 1\n"
#define DIGEST_BYTES 32
#define CHECKSUM_AT  "checksum "
#define LINE_BYTES   320 /* longer than any line */

/* "checksum ", digits, LF */
#define CHECKSUM_LENGTH (sizeof(CHECKSUM_AT) - 1 + 2 * DIGEST_BYTES + 1)

_Static_assert(PAWS_KEYRING_ENTRIES_MAX * 250 + PAWS_KEYRING_DESTROYED_MAX * 110 + 512 <
				   PAWS_KEYRING_TEXT_MAX,
			   "the longest file fits");

_Static_assert(sizeof(PawsKeyringLine) == 32 + PAWS_KEYRING_WRAPPED_BYTES, "a line has no gaps");

static const char *const kind_words[] = {NULL, "base", "epoch", "destroyed"};
static const char *const root_words[] = {NULL, "care", "crisis", "billing"};

/* What is still to be read. */
typedef struct Reader
{
	const char *at;
	const char *end;
} Reader;

static bool
take(Reader *reader, const char *literal)
{
	size_t length = strlen(literal);

	if ((size_t) (reader->end - reader->at) < length || memcmp(reader->at, literal, length) != 0)
		return false;
	reader->at += length;
	return true;
}

/* A number from `min` to `max`, and the character behind it. */
static bool
take_number(Reader *reader, uint64_t min, uint64_t max, char behind, uint64_t *number)
{
	const char *first = reader->at;
	uint64_t value = 0;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
	{
		uint64_t digit = (uint64_t) (*reader->at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
		reader->at++;
	}
	if (reader->at == first || (*first == '0' && reader->at - first > 1) || value < min || value > max)
		return false;
	if (reader->at == reader->end || *reader->at != behind)
		return false;
	reader->at++;
	*number = value;
	return true;
}

static int
digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

/* So many bytes in digits, and an LF. */
static bool
take_bytes(Reader *reader, uint8_t *bytes, size_t count)
{
	if ((size_t) (reader->end - reader->at) < 2 * count + 1 || reader->at[2 * count] != '\n')
		return false;
	for (size_t i = 0; i < count; i++)
	{
		int high = digit_value(reader->at[2 * i]);
		int low = digit_value(reader->at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t) (high << 4 | low);
	}
	reader->at += 2 * count + 1;
	return true;
}

/* One of `count` words (from index 1) and a space; 0 if it is none. */
static uint16_t
take_word(Reader *reader, const char *const *words, uint16_t count)
{
	for (uint16_t i = 1; i <= count; i++)
	{
		Reader after = *reader;

		if (take(&after, words[i]) && take(&after, " "))
		{
			*reader = after;
			return i;
		}
	}
	return 0;
}

static bool
take_owner(Reader *reader, PawsKeyringLine *line)
{
	uint64_t system;
	uint64_t database;

	if (!take_number(reader, 1, UINT64_MAX, ' ', &system) ||
		!take_number(reader, 1, UINT32_MAX, ' ', &database))
		return false;
	line->system = system;
	line->database = (uint32_t) database;
	return true;
}

static bool
take_line(Reader *reader, PawsKeyringLine *line)
{
	uint64_t number;
	uint64_t root_id = 0;
	uint64_t time;
	bool has_key;

	memset(line, 0, sizeof(*line));
	line->kind = take_word(reader, kind_words, PAWS_KEYRING_DESTROYED);
	if (line->kind == 0)
		return false;
	line->root = take_word(reader, root_words, PAWS_KEYRING_ROOTS);
	has_key = line->kind != PAWS_KEYRING_DESTROYED;
	if (line->root == 0 || !take_number(reader, 1, PAWS_KEYRING_NUMBER_MAX, ' ', &number))
		return false;
	if (has_key && !take_number(reader, 1, PAWS_KEYRING_NUMBER_MAX, ' ', &root_id))
		return false;
	if (line->kind != PAWS_KEYRING_BASE && !take_owner(reader, line))
		return false;
	if (!take_number(reader, 1, PAWS_KEYRING_TIME_MAX, has_key ? ' ' : '\n', &time))
		return false;
	line->number = (uint32_t) number;
	line->root_id = (uint32_t) root_id;
	line->time = (int64_t) time;
	return !has_key || take_bytes(reader, line->wrapped, sizeof(line->wrapped));
}

static bool
take_head(Reader *reader, PawsKeyringFile *file)
{
	if (!take(reader, TITLE) || !take(reader, "generation ") ||
		!take_number(reader, 1, PAWS_KEYRING_GENERATION_MAX, '\n', &file->generation) ||
		!take(reader, "highest "))
		return false;
	for (int i = 0; i < PAWS_KEYRING_ROOTS; i++)
	{
		uint64_t number;

		if (!take_number(reader, 0, PAWS_KEYRING_NUMBER_MAX, i < PAWS_KEYRING_ROOTS - 1 ? ' ' : '\n',
						 &number))
			return false;
		file->highest[i] = (uint32_t) number;
	}
	return true;
}

/* By kind, root and number. */
static int
compare(const PawsKeyringLine *a, const PawsKeyringLine *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->root != b->root)
		return a->root < b->root ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

/* Whether a line may follow those that are there. */
static bool
may_follow(const PawsKeyringFile *file, const PawsKeyringLine *line)
{
	if (file->count > 0 && compare(&file->lines[file->count - 1], line) >= 0)
		return false;
	if (line->kind == PAWS_KEYRING_BASE)
		return true;
	if (line->number > file->highest[line->root - 1])
		return false;
	return line->kind == PAWS_KEYRING_EPOCH ||
		   paws_keyring_find(file, PAWS_KEYRING_EPOCH, line->root, line->number) < 0;
}

static bool
has_room(const PawsKeyringFile *file, const PawsKeyringLine *line)
{
	if (line->kind == PAWS_KEYRING_DESTROYED)
		return file->count - file->entries < PAWS_KEYRING_DESTROYED_MAX;
	return file->entries < PAWS_KEYRING_ENTRIES_MAX;
}

static void
digest_of(const char *text, size_t length, uint8_t digest[DIGEST_BYTES])
{
	crypto_generichash(digest, DIGEST_BYTES, (const uint8_t *) text, length, NULL, 0);
}

/* The last line; what is before it is `before` bytes long. */
static bool
checksum_fits(const char *text, size_t before)
{
	Reader reader = {text + before, text + before + CHECKSUM_LENGTH};
	uint8_t written[DIGEST_BYTES];
	uint8_t digest[DIGEST_BYTES];

	if (!take(&reader, CHECKSUM_AT) || !take_bytes(&reader, written, sizeof(written)))
		return false;
	digest_of(text, before, digest);
	return memcmp(digest, written, sizeof(digest)) == 0;
}

PawsKeyringDefect
paws_keyring_parse(const char *text, size_t length, PawsKeyringFile *file)
{
	Reader reader;
	PawsKeyringLine line;

	memset(file, 0, sizeof(*file));
	if (length > PAWS_KEYRING_TEXT_MAX)
		return PAWS_KEYRING_FULL;
	if (length < CHECKSUM_LENGTH || !checksum_fits(text, length - CHECKSUM_LENGTH))
		return PAWS_KEYRING_GARBAGE;

	reader.at = text;
	reader.end = text + length - CHECKSUM_LENGTH;
	if (!take_head(&reader, file))
		return PAWS_KEYRING_GARBAGE;
	while (reader.at < reader.end)
	{
		if (!take_line(&reader, &line) || !may_follow(file, &line))
			return PAWS_KEYRING_GARBAGE;
		if (!has_room(file, &line))
			return PAWS_KEYRING_FULL;
		file->lines[file->count++] = line;
		if (line.kind != PAWS_KEYRING_DESTROYED)
			file->entries++;
	}
	return PAWS_KEYRING_GOOD;
}

static size_t
print_bytes(char *text, const uint8_t *bytes, size_t count)
{
	sodium_bin2hex(text, 2 * count + 1, bytes, count);
	text[2 * count] = '\n';
	return 2 * count + 1;
}

/* A line of at most LINE_BYTES bytes; 0 if it has no text. */
static size_t
print_line(const PawsKeyringLine *line, char *text)
{
	size_t length;

	if (line->kind < PAWS_KEYRING_BASE || line->kind > PAWS_KEYRING_DESTROYED || line->root < 1 ||
		line->root > PAWS_KEYRING_ROOTS)
		return 0;
	length = (size_t) snprintf(text, LINE_BYTES, "%s %s %" PRIu32, kind_words[line->kind],
							   root_words[line->root], line->number);
	if (line->kind != PAWS_KEYRING_DESTROYED)
		length += (size_t) snprintf(text + length, LINE_BYTES - length, " %" PRIu32, line->root_id);
	if (line->kind != PAWS_KEYRING_BASE)
		length += (size_t) snprintf(text + length, LINE_BYTES - length, " %" PRIu64 " %" PRIu32, line->system,
									line->database);
	length += (size_t) snprintf(text + length, LINE_BYTES - length, " %" PRId64, line->time);
	if (line->kind == PAWS_KEYRING_DESTROYED)
	{
		text[length++] = '\n';
		return length;
	}
	text[length++] = ' ';
	return length + print_bytes(text + length, line->wrapped, sizeof(line->wrapped));
}

static bool
would_parse(const char *text, size_t length)
{
	static PawsKeyringFile again;
	PawsKeyringDefect defect = paws_keyring_parse(text, length, &again);

	sodium_memzero(&again, sizeof(again));
	return defect == PAWS_KEYRING_GOOD;
}

size_t
paws_keyring_print(const PawsKeyringFile *file, char *text)
{
	uint8_t digest[DIGEST_BYTES];
	size_t length;

	if (file->count < 0 || file->count > PAWS_KEYRING_LINES_MAX)
		return 0;
	length = (size_t) snprintf(text, LINE_BYTES,
							   TITLE "generation %" PRIu64 "\nhighest %" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
							   file->generation, file->highest[0], file->highest[1], file->highest[2]);
	for (int i = 0; i < file->count; i++)
	{
		size_t added;

		if (length + LINE_BYTES + CHECKSUM_LENGTH > PAWS_KEYRING_TEXT_MAX)
			return 0;
		added = print_line(&file->lines[i], text + length);
		if (added == 0)
			return 0;
		length += added;
	}
	digest_of(text, length, digest);
	memcpy(text + length, CHECKSUM_AT, sizeof(CHECKSUM_AT) - 1);
	length += sizeof(CHECKSUM_AT) - 1;
	length += print_bytes(text + length, digest, sizeof(digest));
	return would_parse(text, length) ? length : 0;
}

/* The index of the first line that is not below this one. */
static int
place_of(const PawsKeyringFile *file, const PawsKeyringLine *line)
{
	int low = 0;
	int high = file->count;

	while (low < high)
	{
		int middle = low + (high - low) / 2;

		if (compare(&file->lines[middle], line) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int
paws_keyring_find(const PawsKeyringFile *file, PawsKeyringKind kind, uint16_t root, uint32_t number)
{
	PawsKeyringLine wanted = {.kind = (uint16_t) kind, .root = root, .number = number};
	int place = place_of(file, &wanted);

	return place < file->count && compare(&file->lines[place], &wanted) == 0 ? place : -1;
}

static int
first_destroyed(const PawsKeyringFile *file)
{
	int first = file->entries;

	for (int i = file->entries + 1; i < file->count; i++)
		if (file->lines[i].time < file->lines[first].time)
			first = i;
	return first;
}

bool
paws_keyring_insert(PawsKeyringFile *file, const PawsKeyringLine *line)
{
	int place;

	if (paws_keyring_find(file, (PawsKeyringKind) line->kind, line->root, line->number) >= 0)
		return false;
	if (!has_room(file, line))
	{
		if (line->kind != PAWS_KEYRING_DESTROYED)
			return false;
		paws_keyring_remove(file, first_destroyed(file));
	}
	place = place_of(file, line);
	memmove(&file->lines[place + 1], &file->lines[place],
			(size_t) (file->count - place) * sizeof(PawsKeyringLine));
	file->lines[place] = *line;
	file->count++;
	if (line->kind != PAWS_KEYRING_DESTROYED)
		file->entries++;
	return true;
}

void
paws_keyring_remove(PawsKeyringFile *file, int index)
{
	if (file->lines[index].kind != PAWS_KEYRING_DESTROYED)
		file->entries--;
	file->count--;
	memmove(&file->lines[index], &file->lines[index + 1],
			(size_t) (file->count - index) * sizeof(PawsKeyringLine));
	sodium_memzero(&file->lines[file->count], sizeof(PawsKeyringLine));
}
