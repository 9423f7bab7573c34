/*
 * memory_probe.c - looks for bytes in all memory that this process can write, for tests. What is looked for comes
 * masked, so that it is not found in the argument, and is compared under the mask.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "fmgr.h"
#include "miscadmin.h"

PG_MODULE_MAGIC;

#define MASK  0xa5
#define CHUNK (1024 * 1024)

PG_FUNCTION_INFO_V1(count_in_memory);

static int
count_in(const uint8 *bytes, Size length, const uint8 *masked, Size wanted)
{
	int count = 0;

	for (Size i = 0; i + wanted <= length; i++)
	{
		Size j = 0;

		while (j < wanted && (bytes[i + j] ^ MASK) == masked[j])
			j++;
		count += j == wanted;
	}
	return count;
}

/* Reads through the file of this process's memory, so that what cannot be read is an error and no crash. */
static int
count_in_range(int memory, uint8 *chunk, uint64 from, uint64 to, const uint8 *masked, Size wanted)
{
	int count = 0;

	for (uint64 at = from; at < to; at += CHUNK)
	{
		Size size = Min(CHUNK + wanted - 1, to - at);
		ssize_t got = pread(memory, chunk, size, (off_t) at);

		if (got > 0)
			count += count_in(chunk, (Size) got, masked, wanted);
	}
	return count;
}

/* count_in_memory(masked): how often the process has these bytes in its own memory */
Datum
count_in_memory(PG_FUNCTION_ARGS)
{
	bytea *masked = PG_GETARG_BYTEA_PP(0);
	Size wanted = VARSIZE_ANY_EXHDR(masked);
	uint8 *chunk = malloc(CHUNK + wanted);
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY);
	char line[1024];
	int count = 0;

	if (chunk == NULL || maps == NULL || memory < 0)
		ereport(ERROR, (errmsg("there is no /proc")));
	while (fgets(line, sizeof(line), maps) != NULL)
	{
		unsigned long from, to;
		char access[5];

		/* not what all processes share: the other ones write there */
		if (sscanf(line, "%lx-%lx %4s", &from, &to, access) != 3 || access[1] != 'w' || access[3] != 'p' ||
			((uint64) (uintptr_t) chunk >= from && (uint64) (uintptr_t) chunk < to && to - from < 2 * CHUNK))
			continue;
		count += count_in_range(memory, chunk, from, to, (const uint8 *) VARDATA_ANY(masked), wanted);
	}
	fclose(maps);
	close(memory);
	memset(chunk, 0, CHUNK + wanted);
	free(chunk);
	PG_RETURN_INT32(count);
}
