/*
 * base/histogram.c - bucket arithmetic and counting.
 */
#include "postgres.h"

#include "base/histogram.h"
#include "port/pg_bitutils.h"

#define SUB_BUCKETS (1 << PAWS_HISTOGRAM_SUB_BITS)

/*
 * A value of n bits above PAWS_HISTOGRAM_SUB_BITS + 1 is shifted right until that many bits are left; the
 * shift is the octave and the bits below the leading one the place in it.
 */
int
paws_histogram_bucket(uint64 value)
{
	int shift;
	int bucket;

	if (value < 2 * SUB_BUCKETS)
		return (int) value;
	shift = pg_leftmost_one_pos64(value) - PAWS_HISTOGRAM_SUB_BITS;
	bucket = shift * SUB_BUCKETS + (int) (value >> shift);
	return Min(bucket, PAWS_HISTOGRAM_BUCKETS - 1);
}

uint64
paws_histogram_bucket_top(int bucket)
{
	int shift;

	if (bucket < 2 * SUB_BUCKETS)
		return bucket;
	shift = bucket / SUB_BUCKETS - 1;
	return (((uint64) (bucket % SUB_BUCKETS + SUB_BUCKETS + 1)) << shift) - 1;
}

void
paws_histogram_reset(PawsHistogram *histogram)
{
	pg_atomic_write_u64(&histogram->count, 0);
	pg_atomic_write_u64(&histogram->within, 0);
	pg_atomic_write_u64(&histogram->max, 0);
	for (int i = 0; i < PAWS_HISTOGRAM_BUCKETS; i++)
		pg_atomic_write_u64(&histogram->bucket[i], 0);
}

void
paws_histogram_record(PawsHistogram *histogram, uint64 value, uint64 target)
{
	uint64 max = pg_atomic_read_u64(&histogram->max);

	pg_atomic_fetch_add_u64(&histogram->bucket[paws_histogram_bucket(value)], 1);
	pg_atomic_fetch_add_u64(&histogram->count, 1);
	if (value <= target)
		pg_atomic_fetch_add_u64(&histogram->within, 1);
	while (value > max && !pg_atomic_compare_exchange_u64(&histogram->max, &max, value))
		;
}

uint64
paws_histogram_percentile(PawsHistogram *histogram, double fraction)
{
	uint64 count = pg_atomic_read_u64(&histogram->count);
	uint64 max = pg_atomic_read_u64(&histogram->max);
	uint64 rank;
	uint64 seen = 0;

	if (count == 0)
		return 0;
	rank = (uint64) (fraction * (double) count);
	if ((double) rank < fraction * (double) count || rank == 0)
		rank++;
	for (int i = 0; i < PAWS_HISTOGRAM_BUCKETS; i++)
	{
		seen += pg_atomic_read_u64(&histogram->bucket[i]);
		if (seen >= rank)
			return Min(paws_histogram_bucket_top(i), max);
	}
	return max;
}
