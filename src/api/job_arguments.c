/*
 * api/job_arguments.c - reading what functions about jobs are given.
 */
#include "postgres.h"

#include "api/job_arguments.h"
#include "base/settings.h"
#include "utils/array.h"
#include "utils/timestamp.h"

PawsBytes
paws_job_bytes(Datum value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

	return (PawsBytes){(const uint8 *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)};
}

void
paws_job_not_null(FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
}

int
paws_job_count(FunctionCallInfo fcinfo, int argument, int max, const char *what)
{
	int value;

	paws_job_not_null(fcinfo, argument, what);
	value = PG_GETARG_INT32(argument);
	if (value < 1 || value > max)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is out of range", what),
						errdetail("It must be between 1 and %d.", max)));
	return value;
}

int64
paws_job_number(FunctionCallInfo fcinfo, int argument, const char *what)
{
	paws_job_not_null(fcinfo, argument, what);
	return PG_GETARG_INT64(argument);
}

/* In floating point, since an interval may be longer than 2^63 microseconds. */
static double
microseconds(const Interval *interval)
{
	return (double) interval->time +
		   ((double) interval->day + (double) interval->month * DAYS_PER_MONTH) * (double) USECS_PER_DAY;
}

static const char *
in_words(int64 value)
{
	if (value >= 2 * USECS_PER_DAY)
		return psprintf(INT64_FORMAT " days", (int64) (value / USECS_PER_DAY));
	return psprintf("%g seconds", (double) value / USECS_PER_SEC);
}

int64
paws_job_interval(FunctionCallInfo fcinfo, int argument, int64 min, int64 max, const char *what)
{
	double value;

	paws_job_not_null(fcinfo, argument, what);
	value = microseconds(PG_GETARG_INTERVAL_P(argument));
	if (value < (double) min || value > (double) max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is out of range", what),
				 max < PG_INT64_MAX ? errdetail("It must be between %s and %s.", in_words(min), in_words(max))
									: errdetail("It must not be negative.")));
	return (int64) value;
}

bool
paws_job_key_fits(PawsBytes key)
{
	return key.length > 0 && key.length <= PAWS_JOB_KEY_MAX;
}

PawsBytes
paws_job_key(Datum value, const char *what)
{
	PawsBytes key = paws_job_bytes(value);

	if (!paws_job_key_fits(key))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is empty or too long", what),
						errdetail("It must have 1 to %d bytes.", PAWS_JOB_KEY_MAX)));
	return key;
}

TimestampTz
paws_job_begin(Datum value, const char *what)
{
	TimestampTz time = DatumGetTimestampTz(value);

	if (TIMESTAMP_IS_NOEND(time))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be infinity", what),
						errhint("Submit the job when it is known when it is to run.")));
	return TIMESTAMP_IS_NOBEGIN(time) ? 0 : time;
}

/* What has ended long ago must not read as never. */
TimestampTz
paws_job_end(Datum value)
{
	TimestampTz time = DatumGetTimestampTz(value);

	return TIMESTAMP_IS_NOEND(time) ? 0 : Max(time, 1);
}

PawsClass
paws_job_class(FunctionCallInfo fcinfo, int argument)
{
	PawsClass klass;

	paws_job_not_null(fcinfo, argument, "class");
	klass = paws_class_from_datum(PG_GETARG_DATUM(argument));
	if (paws_class_lane(klass) == PAWS_LANE_CRISIS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("jobs cannot be of a class of the crisis lane"),
						errhint("What a person in crisis needs goes through push_crisis; use session or "
								"interactive for urgent jobs.")));
	return klass;
}

static void
require_few(int count)
{
	if (count > paws_max_operations)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many jobs in one call"),
						errdetail("One call takes at most %d.", paws_max_operations),
						errhint("Make several calls, or raise \"paws_sync.max_operations_per_call\".")));
}

PawsJobColumn
paws_job_column(FunctionCallInfo fcinfo, int argument, int16 length, bool by_value, char align, int *count)
{
	PawsJobColumn column = {.count = -1};
	ArrayType *array;

	if (PG_ARGISNULL(argument))
		return column;
	array = PG_GETARG_ARRAYTYPE_P(argument);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("arrays must have one dimension")));
	require_few(ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &column.values, &column.nulls,
					  &column.count);
	if (*count < 0)
		*count = column.count;
	if (*count != column.count)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("arrays differ in length"),
						errhint("Give each job one element in every array.")));
	return column;
}
