/*
 * queue/allowance_file.c - what is used up of allowances, kept over a restart.
 *
 * The file is in the data directory, in the server's own byte order, and holds numbers alone: a header, the
 * entries that are in use with the time that each still takes, and a trailer with their count and the CRC-32C
 * of all before it. It is replaced as a whole. After a crash the server goes on from what was written last;
 * where there is no file, or one that is damaged, everybody has the full allowance, for a limiter must never
 * be why something is not served.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_safe.h"
#include "base/reserve.h"
#include "pgstat.h"
#include "port/pg_crc32c.h"
#include "queue/allowance.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#define PATH     PGSTAT_STAT_PERMANENT_DIRECTORY "/paws_sync_allowances.stat"
#define NEW_PATH PATH ".tmp"
#define MAGIC    UINT64CONST(0x3130776f6c6c4150) /* "PAllow01" */

typedef struct Header
{
	uint64 magic;
	TimestampTz written_at;
} Header;

typedef struct Trailer
{
	uint64 count;
	pg_crc32c crc;
	uint32 unused;
} Trailer;

static void
add_crc(Trailer *trailer, const void *data, Size size)
{
	COMP_CRC32C(trailer->crc, data, size);
}

/* The entries of a set that are in use, with the time they still take. */
static int
copy_set(PawsAllowanceSet *set, bool locked, PawsAllowance copy[PAWS_ALLOWANCE_WAYS])
{
	int count = 0;
	int64 now;

	if (locked)
		LWLockAcquire(&set->lock, LW_SHARED);
	now = paws_clock_ns();
	for (int i = 0; i < PAWS_ALLOWANCE_WAYS; i++)
	{
		if (set->hash[i] == 0 || paws_allowance_idle(&set->entry[i], now))
			continue;
		copy[count] = set->entry[i];
		for (int meter = 0; meter < PAWS_METERS; meter++)
			copy[count].used[meter] = Max(copy[count].used[meter] - now, 0);
		count++;
	}
	if (locked)
		LWLockRelease(&set->lock);
	return count;
}

static bool
write_all(FILE *file, bool locked)
{
	Header header = {.magic = MAGIC, .written_at = GetCurrentTimestamp()};
	Trailer trailer = {0};

	INIT_CRC32C(trailer.crc);
	add_crc(&trailer, &header, sizeof(header));
	if (fwrite(&header, sizeof(header), 1, file) != 1)
		return false;
	for (uint32 i = 0; i < paws_allowance_sets(); i++)
	{
		PawsAllowance copy[PAWS_ALLOWANCE_WAYS];
		int count = copy_set(paws_allowance_set(i), locked, copy);

		if (count == 0)
			continue;
		add_crc(&trailer, copy, count * sizeof(PawsAllowance));
		trailer.count += count;
		if (fwrite(copy, sizeof(PawsAllowance), count, file) != (size_t) count)
			return false;
	}
	FIN_CRC32C(trailer.crc);
	return fwrite(&trailer, sizeof(trailer), 1, file) == 1;
}

bool
paws_allowance_store(bool locked)
{
	static bool complained = false;
	FILE *file = AllocateFile(NEW_PATH, PG_BINARY_W);
	bool good = file != NULL && write_all(file, locked);

	if (file != NULL && FreeFile(file) != 0)
		good = false;
	good = good && durable_rename(NEW_PATH, PATH, DEBUG1) == 0;
	if (!good && !complained)
		ereport_domain(
			LOG, PAWS_LOG_SAFE,
			(errcode_for_file_access(), errmsg("what is used up of allowances could not be written"),
			 errdetail("After a restart subjects begin with what the file said last, or with all."),
			 errhint("Look whether the data directory is writable and has room.")));
	complained = !good;
	return good;
}

/* NULL, or why the file is no good. */
static const char *
check_file(FILE *file, Header *header, uint64 *count)
{
	Trailer found;
	Trailer wanted = {0};
	PawsAllowance entry;
	struct stat st;

	if (fstat(fileno(file), &st) != 0 || fread(header, sizeof(*header), 1, file) != 1)
		return "Its file is too short or cannot be read.";
	if (header->magic != MAGIC)
		return "Its file is of another version.";
	wanted.count = (uint64) (st.st_size - sizeof(Header) - sizeof(Trailer)) / sizeof(PawsAllowance);
	if ((Size) st.st_size < sizeof(Header) + sizeof(Trailer) ||
		(Size) st.st_size != sizeof(Header) + sizeof(Trailer) + wanted.count * sizeof(PawsAllowance))
		return "Its file was cut off.";
	INIT_CRC32C(wanted.crc);
	add_crc(&wanted, header, sizeof(*header));
	for (uint64 i = 0; i < wanted.count; i++)
	{
		if (fread(&entry, sizeof(entry), 1, file) != 1)
			return "Its file cannot be read.";
		add_crc(&wanted, &entry, sizeof(entry));
	}
	FIN_CRC32C(wanted.crc);
	if (fread(&found, sizeof(found), 1, file) != 1 || found.count != wanted.count ||
		!EQ_CRC32C(found.crc, wanted.crc) || found.unused != 0)
		return "Its file is damaged.";
	*count = wanted.count;
	return NULL;
}

/* No time that is written is longer; what is, would overflow when it is added to the clock. */
#define USED_MAX (PG_INT64_MAX / 4)

/* What came back meanwhile, as far as the wall clock can tell. */
static int64
time_since(TimestampTz written_at)
{
	TimestampTz now = GetCurrentTimestamp();

	return now > written_at ? Min(now - written_at, 366 * USECS_PER_DAY) * 1000 : 0;
}

static void
put_entry(PawsAllowance *entry, int64 now, int64 gone)
{
	PawsAllowance *place;
	PawsAllowanceSet *set;
	uint32 hash;

	for (int meter = 0; meter < PAWS_METERS; meter++)
		entry->used[meter] = now + Min(Max(entry->used[meter] - gone, 0), USED_MAX);
	set = paws_allowance_set_of(&entry->key, &hash);
	place = paws_allowance_find(set, hash, &entry->key, now);
	if (place)
		*place = *entry;
}

static const char *
read_all(FILE *file)
{
	Header header;
	PawsAllowance entry;
	uint64 count = 0;
	const char *problem = check_file(file, &header, &count);
	int64 now = paws_clock_ns();

	if (problem != NULL)
		return problem;
	if (fseek(file, sizeof(Header), SEEK_SET) != 0)
		return "Its file cannot be read.";
	for (uint64 i = 0; i < count && fread(&entry, sizeof(entry), 1, file) == 1; i++)
		put_entry(&entry, now, time_since(header.written_at));
	return NULL;
}

void
paws_allowance_load(void)
{
	FILE *file = AllocateFile(PATH, PG_BINARY_R);
	const char *problem = errno == ENOENT ? "There is no file of it." : "Its file cannot be opened.";

	if (file != NULL)
	{
		problem = read_all(file);
		FreeFile(file);
	}
	if (problem != NULL)
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errmsg("nothing is known of what is used up of allowances"),
						errdetail("%s Every subject begins with all that its tier allows.", problem)));
}
