/*
 * api/job_status.c - where jobs stand: one, the dead letters of a topic, and what waits in all topics.
 */
#include "postgres.h"

#include "api/job_arguments.h"
#include "base/database.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "control/rows.h"
#include "control/topic_rates.h"
#include "crisis/item.h"
#include "queue/job.h"

PG_FUNCTION_INFO_V1(paws_job_status_row);
PG_FUNCTION_INFO_V1(paws_dead_letters);
PG_FUNCTION_INFO_V1(paws_redrive);
PG_FUNCTION_INFO_V1(paws_discard);
PG_FUNCTION_INFO_V1(paws_stat_topics);

static void
put_status(PawsRows *rows, int64 job, const PawsJobStatus *status)
{
	const PawsTopic *topic = paws_topic_no(status->topic_no);

	paws_row_datum(rows, Int64GetDatum(job));
	paws_row_text(rows, topic ? topic->name : NULL);
	paws_row_label(rows, paws_job_state_name(status->state));
	paws_row_datum(rows, Int16GetDatum(status->level));
	paws_row_label(rows, paws_class_name(status->klass));
	paws_row_datum(rows, Int32GetDatum(status->attempts));
	paws_row_label(rows, paws_job_reason_name(status->reason));
	paws_row_timestamp(rows, status->submitted_at);
	paws_row_timestamp(rows, status->not_before);
	paws_row_timestamp(rows, status->leased_until);
	paws_row_timestamp(rows, status->ended_at);
	paws_row_end(rows);
}

/* Of the crisis lane. */
static void
put_item_status(PawsRows *rows, int64 job)
{
	PawsItemStatus status;

	if (!paws_item_status(job, &status))
		return;
	paws_row_datum(rows, Int64GetDatum(job));
	paws_row_text(rows, status.topic);
	paws_row_label(rows, paws_job_state_name(status.state));
	paws_row_datum(rows, Int16GetDatum(status.level));
	paws_row_label(rows, paws_class_name(status.klass));
	paws_row_datum(rows, Int32GetDatum(status.attempts));
	paws_row_label(rows, paws_job_reason_name(status.reason));
	paws_row_timestamp(rows, status.submitted_at);
	paws_row_timestamp(rows, status.state == PAWS_JOB_SCHEDULED ? status.not_before : 0);
	paws_row_timestamp(rows, status.state == PAWS_JOB_RUNNING ? status.claimed_until : 0);
	paws_row_timestamp(rows, status.ended_at);
	paws_row_end(rows);
}

Datum
paws_job_status_row(PG_FUNCTION_ARGS)
{
	int64 job = paws_job_number(fcinfo, 0, "job");
	int slot = paws_database_slot();
	PawsJobStatus status;
	PawsRows rows;

	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	if (job < 0)
		put_item_status(&rows, job);
	else if (paws_job_status(slot, job, &status))
		put_status(&rows, job, &status);
	paws_spi_end();
	return (Datum) 0;
}

/* As found; the pointer would not outlive what is done with it. */
static PawsTopic
topic_argument(FunctionCallInfo fcinfo, int argument)
{
	PawsBytes name = paws_job_bytes(PG_GETARG_DATUM(argument));

	return *paws_topic((const char *) name.data, name.length);
}

Datum
paws_dead_letters(PG_FUNCTION_ARGS)
{
	int max = paws_job_count(fcinfo, 1, PAWS_LETTERS_MAX, "max");
	PawsDeadLetter *letters;
	PawsTopic topic;
	PawsRows rows;
	int count;

	paws_job_not_null(fcinfo, 0, "topic");
	(void) paws_database_slot();
	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	topic = topic_argument(fcinfo, 0);
	count = paws_job_dead_letters(&topic, max, &letters);
	for (int i = 0; i < count; i++)
	{
		paws_row_datum(&rows, Int64GetDatum(letters[i].id));
		paws_row_label(&rows, paws_class_name(letters[i].klass));
		paws_row_datum(&rows, Int16GetDatum(letters[i].level));
		paws_row_datum(&rows, Int32GetDatum(letters[i].attempts));
		paws_row_label(&rows, paws_job_reason_name(letters[i].reason));
		paws_row_timestamp(&rows, letters[i].submitted_at);
		paws_row_timestamp(&rows, letters[i].dead_at);
		paws_row_end(&rows);
	}
	paws_spi_end();
	return (Datum) 0;
}

/* The numbers of jobs in an array; NULL if none is given. */
static int64 *
numbers_argument(FunctionCallInfo fcinfo, int argument, int *count)
{
	PawsJobColumn column;
	int64 *numbers;

	*count = -1;
	column = paws_job_column(fcinfo, argument, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, count);
	if (column.count < 0)
		return NULL;
	numbers = palloc(Max(column.count, 1) * sizeof(int64));
	for (int i = 0; i < column.count; i++)
	{
		if (column.nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("an element of jobs is null")));
		numbers[i] = DatumGetInt64(column.values[i]);
	}
	return numbers;
}

typedef int64 (*DeadVerb)(int slot, const PawsTopic *topic, const int64 *ids, int count, int max);

/* Does it with the named dead letters, or the oldest. */
static int64
with_dead_letters(FunctionCallInfo fcinfo, DeadVerb verb)
{
	int max = paws_job_count(fcinfo, 2, PAWS_LETTERS_MAX, "max");
	int count;
	int64 *jobs = numbers_argument(fcinfo, 1, &count);
	int slot = paws_database_slot();
	PawsTopic topic;
	int64 done;

	paws_job_not_null(fcinfo, 0, "topic");
	paws_spi_begin();
	topic = topic_argument(fcinfo, 0);
	done = verb(slot, &topic, jobs, Max(count, 0), max);
	paws_spi_end();
	return done;
}

Datum
paws_redrive(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(with_dead_letters(fcinfo, paws_job_redrive));
}

Datum
paws_discard(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(with_dead_letters(fcinfo, paws_job_discard));
}

static Datum
levels_array(const PawsTopicStats *stats)
{
	Datum values[PAWS_LEVEL_ORDINARY_MAX];

	for (int level = PAWS_LEVEL_MIN; level <= PAWS_LEVEL_ORDINARY_MAX; level++)
		values[level - 1] = Int64GetDatum(stats->waiting[level]);
	return paws_spi_array(values, NULL, PAWS_LEVEL_ORDINARY_MAX, INT8OID);
}

static void
put_topic(PawsRows *rows, int slot, const PawsTopic *topic)
{
	PawsTopicStats stats;
	PawsTopicRates rates;
	int64 open = 0;

	paws_job_stats(slot, topic, &stats);
	paws_topic_rates(slot, topic, &rates);
	for (int level = PAWS_LEVEL_MIN; level <= PAWS_LEVEL_ORDINARY_MAX; level++)
		open += stats.waiting[level];
	paws_row_text(rows, topic->name);
	paws_row_datum(rows, BoolGetDatum(topic->paused));
	/* the two are not read at one moment */
	paws_row_datum(rows, Int64GetDatum(Max(open - stats.running, 0)));
	paws_row_datum(rows, levels_array(&stats));
	paws_row_datum(rows, Int64GetDatum(stats.delayed));
	paws_row_datum(rows, Int64GetDatum(stats.running));
	paws_row_datum(rows, Int64GetDatum(stats.dead));
	paws_row_datum(rows, Float8GetDatum(rates.in));
	paws_row_datum(rows, Float8GetDatum(rates.out));
	paws_row_end(rows);
}

Datum
paws_stat_topics(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();
	const PawsTopic *topics;
	PawsRows rows;
	int count;

	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	count = paws_topics(&topics);
	for (int i = 0; i < count; i++)
		put_topic(&rows, slot, &topics[i]);
	paws_spi_end();
	return (Datum) 0;
}
