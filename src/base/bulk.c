/*
 * base/bulk.c - when the next slice of work in bulk may begin.
 */
#include "postgres.h"

#include "base/bulk.h"
#include "base/clock.h"
#include "base/settings.h"
#include "datatype/timestamp.h"
#include "executor/instrument.h"

static int64 resume_at = 0; /* by paws_clock */

long
paws_bulk_wait(void)
{
	int64 left = resume_at - paws_clock();

	return left > 0 ? (long) ((left + 999) / 1000) : 0;
}

uint64
paws_bulk_begin(void)
{
	return pgWalUsage.wal_bytes;
}

/* Kept in microseconds, so that no rounding adds to the rate. */
uint64
paws_bulk_end(uint64 begun)
{
	uint64 bytes = pgWalUsage.wal_bytes - begun;

	resume_at =
		Max(resume_at, paws_clock()) + (int64) (bytes * USECS_PER_SEC / ((uint64) paws_bulk_wal_rate * 1024));
	return bytes;
}

/* Twice as many at most: a slice that wrote little may have been one with little to do. */
int
paws_bulk_pieces(int pieces, uint64 bytes, int most)
{
	uint64 wanted = (uint64) pieces * PAWS_BULK_SLICE_BYTES / Max(bytes, 1);

	return (int) Max(Min(Min(wanted, (uint64) pieces * 2), (uint64) most), 1);
}
