/*
 * scan.c - finds any of many byte strings in files.
 *
 *     scan NEEDLES <FILES
 *
 * NEEDLES is a file of records: number (4 bytes), length (2 bytes), both little-endian, and so many bytes, at
 * least 8. FILES are names, each ended by a zero byte. For each file and each needle in it one line is
 * printed: index of the file, number of the needle, offset of its first place. Exit status 2 where a file
 * cannot be read, but for one that is gone.
 *
 * At each place of a file its next 8 bytes are hashed; a filter of bits says for nearly all that no needle
 * begins so, a table which begin so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD        8
#define LONGEST     4096
#define CHUNK       (8 << 20)
#define FILTER_BITS 24
#define TABLE_BITS  21

typedef struct Needle
{
	uint32_t number;
	uint32_t length;
	const unsigned char *bytes;
	struct Needle *next; /* with the same hash */
	int64_t seen_in;     /* index of the last file that it was found in */
} Needle;

static uint64_t filter[(1 << FILTER_BITS) / 64];
static Needle *table[1 << TABLE_BITS];

static void
fail(const char *what)
{
	fprintf(stderr, "scan: %s: %s\n", what, strerror(errno));
	exit(2);
}

static inline uint64_t
hash(const unsigned char *bytes)
{
	uint64_t head;

	memcpy(&head, bytes, HEAD);
	head *= UINT64_C(0x9E3779B97F4A7C15);
	return head ^ head >> 32;
}

static inline uint32_t
filter_bit(uint64_t h)
{
	return h >> 5 & ((1 << FILTER_BITS) - 1);
}

static inline uint32_t
table_place(uint64_t h)
{
	return h & ((1 << TABLE_BITS) - 1);
}

static unsigned char *
read_whole(const char *name, size_t *length)
{
	FILE *file = fopen(name, "rb");
	size_t room = 1 << 20;
	unsigned char *bytes = malloc(room);

	if (file == NULL || bytes == NULL)
		fail(name);
	*length = 0;
	while (!feof(file))
	{
		if (*length == room && (bytes = realloc(bytes, room *= 2)) == NULL)
			fail(name);
		*length += fread(bytes + *length, 1, room - *length, file);
		if (ferror(file))
			fail(name);
	}
	fclose(file);
	return bytes;
}

static void
add(uint32_t number, uint32_t length, const unsigned char *bytes)
{
	Needle *needle = malloc(sizeof(Needle));
	uint64_t h = hash(bytes);

	if (needle == NULL)
		fail("memory");
	*needle = (Needle){number, length, bytes, table[table_place(h)], -1};
	table[table_place(h)] = needle;
	filter[filter_bit(h) / 64] |= UINT64_C(1) << filter_bit(h) % 64;
}

static void
read_needles(const char *name)
{
	size_t length;
	const unsigned char *bytes = read_whole(name, &length);
	size_t at = 0;

	while (at + 6 <= length)
	{
		uint32_t number =
			bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | (uint32_t) bytes[at + 3] << 24;
		uint32_t size = bytes[at + 4] | bytes[at + 5] << 8;

		at += 6;
		if (size < HEAD || size > LONGEST || size > length - at)
			break;
		add(number, size, bytes + at);
		at += size;
	}
	if (at != length || length == 0)
	{
		fprintf(stderr, "scan: the needles are malformed\n");
		exit(2);
	}
}

/* Places [0, places) of a buffer that holds more bytes than that, up to end. */
static void
search(const unsigned char *buffer, size_t places, size_t end, int64_t file, uint64_t offset)
{
	for (size_t i = 0; i < places; i++)
	{
		uint64_t h = hash(buffer + i);

		if ((filter[filter_bit(h) / 64] >> filter_bit(h) % 64 & 1) == 0)
			continue;
		for (Needle *needle = table[table_place(h)]; needle != NULL; needle = needle->next)
			if (needle->seen_in != file && needle->length <= end - i &&
				memcmp(buffer + i, needle->bytes, needle->length) == 0)
			{
				needle->seen_in = file;
				printf("%lld %u %llu\n", (long long) file, needle->number, (unsigned long long) (offset + i));
			}
	}
}

/* The end of each chunk is searched with the next one, since a needle may go across. */
static void
scan_file(const char *name, int64_t index, unsigned char *buffer)
{
	int fd = open(name, O_RDONLY | O_NOFOLLOW);
	size_t kept = 0;
	uint64_t offset = 0;

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0)
		fail(name);
	for (;;)
	{
		ssize_t got = read(fd, buffer + kept, CHUNK - kept);
		size_t end, places;

		if (got < 0)
			fail(name);
		end = kept + (size_t) got;
		places = got > 0 ? (end >= LONGEST ? end - LONGEST + 1 : 0) : (end >= HEAD ? end - HEAD + 1 : 0);
		search(buffer, places, end, index, offset);
		if (got == 0)
			break;
		kept = end - places;
		memmove(buffer, buffer + places, kept);
		offset += places;
	}
	close(fd);
}

int
main(int argc, char **argv)
{
	unsigned char *buffer = malloc(CHUNK);
	char *name = NULL;
	size_t room = 0;
	int64_t index = 0;

	if (argc != 2 || buffer == NULL)
	{
		fprintf(stderr, "usage: scan NEEDLES <FILES\n");
		return 2;
	}
	read_needles(argv[1]);
	while (getdelim(&name, &room, '\0', stdin) > 0)
		scan_file(name, index++, buffer);
	return fflush(stdout) == 0 ? 0 : 2;
}
