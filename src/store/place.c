/*
 * store/place.c - one atomic for each of so many subjects: sixteen bits of a hash, and the place.
 */
#include "postgres.h"

#include "base/shmem.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "store/place.h"

/* 128 kB; of two subjects with the same number the later one is remembered. */
#define PLACES 16384

#define PLACE_BITS  48
#define OFFSET_BITS 16

static pg_atomic_uint64 *places = NULL;

static Size
size(void)
{
	return PLACES * sizeof(pg_atomic_uint64);
}

static void
attach(void *memory, bool found)
{
	places = memory;
	for (int i = 0; !found && i < PLACES; i++)
		pg_atomic_init_u64(&places[i], 0);
}

void
paws_place_init(void)
{
	static const PawsSharedPart part = {"paws_sync places", size, attach, NULL};

	paws_shmem_offer(&part);
}

static uint64
hash_of(Oid table, int64 subject_no)
{
	uint64 key[2] = {((uint64) MyDatabaseId << 32) | table, (uint64) subject_no};

	return hash_bytes_extended((const unsigned char *) key, sizeof(key), 0);
}

bool
paws_place_recall(Oid table, int64 subject_no, ItemPointer place)
{
	uint64 hash = hash_of(table, subject_no);
	uint64 known = pg_atomic_read_u64(&places[hash % PLACES]);
	OffsetNumber offset = (OffsetNumber) known;

	if (known >> PLACE_BITS != hash >> PLACE_BITS || offset == InvalidOffsetNumber)
		return false;
	ItemPointerSet(place, (BlockNumber) (known >> OFFSET_BITS), offset);
	return true;
}

void
paws_place_remember(Oid table, int64 subject_no, ItemPointer place)
{
	uint64 hash = hash_of(table, subject_no);

	pg_atomic_write_u64(&places[hash % PLACES],
						((hash >> PLACE_BITS) << PLACE_BITS) |
							((uint64) ItemPointerGetBlockNumber(place) << OFFSET_BITS) |
							ItemPointerGetOffsetNumber(place));
}
