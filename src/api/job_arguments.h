/*
 * api/job_arguments.h - the arguments of functions about jobs and topics: read, and refused if they are none.
 *
 * Errors: 22004 for NULL where there must be something, 22023 for what is out of range, 2202E and 22023 for
 * arrays of more than one dimension or of unequal lengths, 54000 for too many elements. No value is in a
 * message.
 */
#ifndef PAWS_API_JOB_ARGUMENTS_H
#define PAWS_API_JOB_ARGUMENTS_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "guard/codes.h"
#include "guard/token.h"

/* Bounds of times, in microseconds. */
#define PAWS_LEASE_MIN (100 * INT64CONST(1000))
#define PAWS_LEASE_MAX USECS_PER_DAY
#define PAWS_PAUSE_MAX (366 * USECS_PER_DAY)

/* Most jobs in one claim, and most dead letters in one answer. */
#define PAWS_CLAIM_MAX   1000
#define PAWS_LETTERS_MAX 10000

/* The longest key or ordering key, in bytes. */
#define PAWS_JOB_KEY_MAX 1024

/* Bytes or characters of an argument, where they are; NULL if there are none. */
typedef struct PawsBytes
{
	const uint8 *data;
	Size length;
} PawsBytes;

extern PawsBytes paws_job_bytes(Datum value);

/* Errors 22004 on NULL. */
extern void paws_job_not_null(FunctionCallInfo fcinfo, int argument, const char *what);

/* An integer between 1 and max. */
extern int paws_job_count(FunctionCallInfo fcinfo, int argument, int max, const char *what);

/* The number of a job, or a fence. */
extern int64 paws_job_number(FunctionCallInfo fcinfo, int argument, const char *what);

/* An interval of at least min and at most max, in microseconds; days have 24 hours, months 30 days. */
extern int64 paws_job_interval(FunctionCallInfo fcinfo, int argument, int64 min, int64 max, const char *what);

/* True if a key or ordering key has 1 to PAWS_JOB_KEY_MAX bytes; and one that must have. */
extern bool paws_job_key_fits(PawsBytes key);
extern PawsBytes paws_job_key(Datum value, const char *what);

/* When a job may run: 0 for -infinity; errors on infinity. And when it may no more: 0 for infinity. */
extern TimestampTz paws_job_begin(Datum value, const char *what);
extern TimestampTz paws_job_end(Datum value);

/* The class of a job: errors for those of the crisis lane, with a hint. */
extern PawsClass paws_job_class(FunctionCallInfo fcinfo, int argument);

/* An array argument. */
typedef struct PawsJobColumn
{
	int count; /* -1: was not given */
	Datum *values;
	bool *nulls;
} PawsJobColumn;

/*
 * The elements of an array argument of one dimension, of a type that the caller names by its storage. With
 * `count` at 0 or more, as many as that; else count is set.
 */
extern PawsJobColumn
paws_job_column(FunctionCallInfo fcinfo, int argument, int16 length, bool by_value, char align, int *count);

static inline bool
paws_job_missing(const PawsJobColumn *column, int i)
{
	return column->count < 0 || column->nulls[i];
}

#endif
