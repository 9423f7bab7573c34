/*
 * api/topics.c - kinds of jobs: defined, listed, paused, dropped; and levels, paused for jobs and devices
 * alike.
 */
#include "postgres.h"

#include "api/job_arguments.h"
#include "base/database.h"
#include "base/spi.h"
#include "control/rows.h"
#include "crisis/item.h"
#include "queue/topic.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

#define ATTEMPTS_MAX  1000
#define IN_FLIGHT_MAX 1000000

/* Bounds of times, in microseconds. */
#define BACKOFF_MAX      USECS_PER_DAY
#define LONGEST_PAUSE    (30 * USECS_PER_DAY)
#define HISTORY_MAX      (366 * USECS_PER_DAY)
#define DEAD_LETTERS_MIN USECS_PER_HOUR
#define DEAD_LETTERS_MAX (3660 * USECS_PER_DAY)

PG_FUNCTION_INFO_V1(paws_define_topic);
PG_FUNCTION_INFO_V1(paws_drop_topic);
PG_FUNCTION_INFO_V1(paws_topics_list);
PG_FUNCTION_INFO_V1(paws_pause_topic);
PG_FUNCTION_INFO_V1(paws_resume_topic);

static PawsBytes
name_argument(FunctionCallInfo fcinfo, int argument)
{
	paws_job_not_null(fcinfo, argument, "name");
	return paws_job_bytes(PG_GETARG_DATUM(argument));
}

static int32
in_flight_argument(FunctionCallInfo fcinfo, int argument)
{
	int32 value;

	paws_job_not_null(fcinfo, argument, "in_flight_per_flow");
	value = PG_GETARG_INT32(argument);
	if (value < 0 || value > IN_FLIGHT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("in_flight_per_flow is out of range"),
				 errdetail("It must be between 0, for any number, and %d.", IN_FLIGHT_MAX)));
	return value;
}

Datum
paws_define_topic(PG_FUNCTION_ARGS)
{
	PawsBytes name = name_argument(fcinfo, 0);
	PawsTopic definition = {
		.max_attempts = (int16) paws_job_count(fcinfo, 1, ATTEMPTS_MAX, "max_attempts"),
		.backoff = paws_job_interval(fcinfo, 2, 0, BACKOFF_MAX, "backoff"),
		.max_backoff = paws_job_interval(fcinfo, 3, 0, LONGEST_PAUSE, "max_backoff"),
		.lease = paws_job_interval(fcinfo, 4, PAWS_LEASE_MIN, PAWS_LEASE_MAX, "lease"),
		.in_flight_per_flow = in_flight_argument(fcinfo, 5),
		.history = paws_job_interval(fcinfo, 6, 0, HISTORY_MAX, "history"),
		.dead_letters_kept =
			paws_job_interval(fcinfo, 7, DEAD_LETTERS_MIN, DEAD_LETTERS_MAX, "dead_letters_kept"),
	};

	if (definition.max_backoff < definition.backoff)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_backoff is less than backoff")));
	paws_vault_require(PAWS_ROOT_CARE);
	(void) paws_database_slot();
	paws_spi_begin();
	paws_vault_require_root(PAWS_ROOT_CARE);
	paws_topic_define((const char *) name.data, name.length, &definition);
	paws_item_topic_define((const char *) name.data, name.length);
	paws_spi_end();
	PG_RETURN_VOID();
}

Datum
paws_drop_topic(PG_FUNCTION_ARGS)
{
	PawsBytes name = name_argument(fcinfo, 0);

	(void) paws_database_slot();
	paws_spi_begin();
	paws_topic_drop((const char *) name.data, name.length);
	paws_item_topic_drop((const char *) name.data, name.length);
	paws_spi_end();
	PG_RETURN_VOID();
}

/* In days and the rest, as define_topic is given it. */
static void
put_interval(PawsRows *rows, int64 microseconds)
{
	Interval *interval = palloc0(sizeof(Interval));

	interval->day = (int32) (microseconds / USECS_PER_DAY);
	interval->time = microseconds % USECS_PER_DAY;
	paws_row_datum(rows, IntervalPGetDatum(interval));
}

Datum
paws_topics_list(PG_FUNCTION_ARGS)
{
	const PawsTopic *topics;
	PawsRows rows;
	int count;

	(void) paws_database_slot();
	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	count = paws_topics(&topics);
	for (int i = 0; i < count; i++)
	{
		paws_row_text(&rows, topics[i].name);
		paws_row_datum(&rows, Int32GetDatum(topics[i].max_attempts));
		put_interval(&rows, topics[i].backoff);
		put_interval(&rows, topics[i].max_backoff);
		put_interval(&rows, topics[i].lease);
		paws_row_datum(&rows, Int32GetDatum(topics[i].in_flight_per_flow));
		put_interval(&rows, topics[i].history);
		put_interval(&rows, topics[i].dead_letters_kept);
		paws_row_datum(&rows, BoolGetDatum(topics[i].paused));
		paws_row_timestamp(&rows, topics[i].defined_at);
		paws_row_end(&rows);
	}
	paws_spi_end();
	return (Datum) 0;
}

static Datum
set_paused(FunctionCallInfo fcinfo, bool paused)
{
	PawsBytes name = name_argument(fcinfo, 0);
	bool changed;

	(void) paws_database_slot();
	paws_spi_begin();
	changed = paws_topic_pause((const char *) name.data, name.length, paused);
	paws_spi_end();
	PG_RETURN_BOOL(changed);
}

Datum
paws_pause_topic(PG_FUNCTION_ARGS)
{
	return set_paused(fcinfo, true);
}

Datum
paws_resume_topic(PG_FUNCTION_ARGS)
{
	return set_paused(fcinfo, false);
}
