/*
 * base/histogram.h - latency histograms with a fixed relative error, in the manner of HdrHistogram.
 *
 * Values are microseconds. Up to 63 each value has a bucket of its own; above, each octave is cut into 32
 * buckets, so a reported percentile is at most 1/32 (3.2 %) above the true value and never below it. Values
 * above 38 hours count in the last bucket; the exact maximum is kept beside. Counters are atomics: recording
 * takes no lock and readers may see a record half-counted for a moment.
 */
#ifndef PAWS_BASE_HISTOGRAM_H
#define PAWS_BASE_HISTOGRAM_H

#include "postgres.h"
#include "port/atomics.h"

#define PAWS_HISTOGRAM_SUB_BITS 5
#define PAWS_HISTOGRAM_OCTAVES  32
#define PAWS_HISTOGRAM_BUCKETS  ((PAWS_HISTOGRAM_OCTAVES + 1) << PAWS_HISTOGRAM_SUB_BITS)

typedef struct PawsHistogram
{
	pg_atomic_uint64 count;
	pg_atomic_uint64 within; /* records at or below the target they were given */
	pg_atomic_uint64 max;
	pg_atomic_uint64 bucket[PAWS_HISTOGRAM_BUCKETS];
} PawsHistogram;

/* The bucket of a value, and the largest value of a bucket. */
extern int paws_histogram_bucket(uint64 value);
extern uint64 paws_histogram_bucket_top(int bucket);

extern void paws_histogram_reset(PawsHistogram *histogram);
extern void paws_histogram_record(PawsHistogram *histogram, uint64 value, uint64 target);

/* The value that `fraction` (0 to 1) of the records do not exceed, within the error above; 0 if there are
 * none. */
extern uint64 paws_histogram_percentile(PawsHistogram *histogram, double fraction);

#endif
