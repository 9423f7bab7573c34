/*
 * control/health.c - looks at the crisis lane, and the views of what was seen.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/clock.h"
#include "base/database.h"
#include "base/guarded.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/storage.h"
#include "base/worker.h"
#include "common/relpath.h"
#include "control/alarm.h"
#include "control/health.h"
#include "control/rows.h"
#include "crisis/budget.h"
#include "crisis/canary.h"
#include "crisis/canary_history.h"
#include "crisis/outcome.h"
#include "crisis/queue.h"
#include "crisis/room.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

/* An operation that waits longer in the queue than that: somebody holds its subject. */
#define OLD_MS 5000

/* The canary takes a turn every few seconds; a round takes two seconds at most, unless its commit waits. */
#define SILENT_S 15

/* What is promised of every day and every month. */
#define OBJECTIVE 0.9999

PG_FUNCTION_INFO_V1(paws_stat_crisis);
PG_FUNCTION_INFO_V1(paws_stat_crisis_refusals);
PG_FUNCTION_INFO_V1(paws_stat_alarms);

static const char *const state_names[] = {
	[PAWS_LANE_OK] = "ok",
	[PAWS_LANE_DEGRADED] = "degraded",
	[PAWS_LANE_DOWN] = "down",
	[PAWS_LANE_STARTING] = "starting",
	[PAWS_LANE_UNWATCHED] = "unwatched",
	[PAWS_LANE_STANDBY] = "standby",
};

const char *
paws_lane_state_name(PawsLaneState state)
{
	return state_names[state];
}

static void
look_at_canary(int slot)
{
	PawsCanaryState canary;
	bool known;
	int64 slow = PAWS_CANARY_SLOW_MS * INT64CONST(1000);
	int64 budget = PAWS_CRISIS_BUDGET_MS * INT64CONST(1000);

	paws_canary_read(slot, &canary);
	known = canary.result != PAWS_CANARY_NONE;
	paws_alarm_judge(slot, PAWS_ALARM_CANARY_SLOW, known && canary.latency > slow, canary.latency, slow);
	paws_alarm_judge(slot, PAWS_ALARM_CANARY_FAILING, known && canary.result != PAWS_CANARY_GOOD,
					 canary.latency, budget);
	paws_alarm_judge(slot, PAWS_ALARM_CANARY_SILENT, false, 0, SILENT_S);
}

static void
look_at_outcomes(int slot)
{
	int64 refused;
	int64 rolled_back;

	paws_outcome_news(slot, &refused, &rolled_back);
	paws_alarm_judge(slot, PAWS_ALARM_REFUSED, refused > 0, refused, 0);
	paws_alarm_judge(slot, PAWS_ALARM_ROLLED_BACK, rolled_back > 0, rolled_back, 0);
}

/* One that is just replaced is not missing. */
static void
look_at_workers(int slot)
{
	static bool missed = false;
	int running = paws_worker_running(PAWS_WORKER_CRISIS, MyDatabaseId);
	bool missing = running < PAWS_CRISIS_WORKERS;

	paws_alarm_judge(slot, PAWS_ALARM_CRISIS_WORKERS, missing && missed, running, PAWS_CRISIS_WORKERS);
	missed = missing;
}

static void
look_at_queue(int slot, const PawsLaneQueue *queue)
{
	int64 age = queue->oldest ? Max(GetCurrentTimestamp() - queue->oldest, 0) / 1000 : 0;
	int64 half = ((int64) paws_crisis_queue_max + 1) / 2;
	int64 waiting = Max(queue->waiting, paws_room_waiting(slot));

	paws_alarm_judge(slot, PAWS_ALARM_QUEUE_OLD, age > OLD_MS, age, OLD_MS);
	paws_alarm_judge(slot, PAWS_ALARM_QUEUE_STUCK, queue->stuck > 0, queue->stuck, 0);
	paws_alarm_judge(slot, PAWS_ALARM_QUEUE_FILLING, waiting >= half, waiting, half);
}

static int64
free_mb(const char *path)
{
	int64 bytes = paws_storage_free(path);

	return bytes < 0 ? PG_INT64_MAX : bytes / (1024 * 1024);
}

/* The data directory has what a crisis operation writes beside its tables, the database's folder the tables.
 */
static void
look_at_storage(int slot)
{
	char *folder = GetDatabasePath(MyDatabaseId, MyDatabaseTableSpace);
	int64 data = Min(free_mb("."), free_mb(folder));
	int64 wal = free_mb("pg_wal");

	pfree(folder);
	paws_alarm_judge(slot, PAWS_ALARM_STORAGE_DATA, data < paws_storage_alarm, data, paws_storage_alarm);
	paws_alarm_judge(slot, PAWS_ALARM_STORAGE_WAL, wal < paws_storage_alarm, wal, paws_storage_alarm);
}

void
paws_health_look(int slot, const PawsLaneQueue *queue)
{
	look_at_canary(slot);
	look_at_outcomes(slot);
	look_at_workers(slot);
	look_at_queue(slot, queue);
	look_at_storage(slot);
}

/* Seconds since the canary was heard of; 0 if it never was. */
static int64
silence(const PawsCanaryState *canary)
{
	return canary->alive_clock ? (paws_clock() - canary->alive_clock) / USECS_PER_SEC : 0;
}

void
paws_health_look_from_outside(Oid database)
{
	int slot = paws_database_find(database);
	PawsCanaryState canary;

	if (slot < 0)
		return;
	paws_canary_read(slot, &canary);
	if (silence(&canary) > SILENT_S)
		paws_alarm_judge(slot, PAWS_ALARM_CANARY_SILENT, true, silence(&canary), SILENT_S);
}

void
paws_health_expect(Oid database)
{
	int slot = paws_database_find(database);

	if (slot >= 0)
		paws_canary_alive(slot, true);
}

/* True if rounds should come and do not. */
static bool
is_silent(const PawsCanaryState *canary)
{
	int64 longest = 2 * (int64) paws_canary_interval + SILENT_S;

	return silence(canary) > SILENT_S ||
		   (canary->ended_clock > 0 && (paws_clock() - canary->ended_clock) / USECS_PER_SEC > longest);
}

PawsLaneState
paws_health_state(int slot)
{
	PawsCanaryState canary;
	bool alarmed = paws_alarm_count(slot) > 0;

	if (RecoveryInProgress())
		return PAWS_LANE_STANDBY;
	paws_canary_read(slot, &canary);
	if (paws_canary_interval > 0 && !canary.waits)
	{
		if (is_silent(&canary) || (canary.result != PAWS_CANARY_NONE && canary.result != PAWS_CANARY_GOOD &&
								   canary.result != PAWS_CANARY_UNAPPLIED))
			return PAWS_LANE_DOWN;
		if (canary.result == PAWS_CANARY_NONE)
			return alarmed ? PAWS_LANE_DEGRADED : PAWS_LANE_STARTING;
		return alarmed ? PAWS_LANE_DEGRADED : PAWS_LANE_OK;
	}
	return alarmed ? PAWS_LANE_DEGRADED : PAWS_LANE_UNWATCHED;
}

/* What is read of the lane's tables; these may be locked. */
typedef struct Stored
{
	PawsLaneQueue queue;
	int64 measured[2]; /* within a day, and within 30 */
	int64 there[2];
} Stored;

static void
read_stored(void *arg)
{
	Stored *stored = arg;

	paws_canary_availability(1, &stored->measured[0], &stored->there[0]);
	paws_canary_availability(30, &stored->measured[1], &stored->there[1]);
	paws_crisis_queue_state(&stored->queue.waiting, &stored->queue.stuck, &stored->queue.oldest);
}

static bool
forgive_all(int sqlstate)
{
	return true;
}

/* False if the tables are locked, or cannot be read. */
static bool
read_guarded(Stored *stored)
{
	bool good;

	memset(stored, 0, sizeof(*stored));
	paws_spi_begin();
	good = paws_run_guarded(read_stored, stored, forgive_all);
	paws_spi_end();
	return good;
}

static void
append_availability(StringInfo text, const Stored *stored)
{
	static const int days[2] = {1, 30};

	for (int i = 0; i < 2; i++)
		if (stored->measured[i] > 0)
			appendStringInfo(text, "; there %.3f %% of %d %s",
							 100.0 * (double) stored->there[i] / (double) stored->measured[i], days[i],
							 days[i] == 1 ? "day" : "days");
}

static void
append_alarms(StringInfo text, int slot)
{
	const char *before = "; alarms: ";

	for (int i = 0; i < PAWS_ALARMS; i++)
	{
		PawsAlarmState state;

		paws_alarm_read(slot, (PawsAlarm) i, &state);
		if (!state.raised)
			continue;
		appendStringInfo(text, "%s%s", before, paws_alarm_text((PawsAlarm) i)->name);
		before = ", ";
	}
}

char *
paws_health_describe(int slot)
{
	PawsCanaryState canary;
	PawsOutcomes outcomes;
	Stored stored;
	StringInfoData text;

	paws_canary_read(slot, &canary);
	paws_outcome_read(slot, &outcomes);
	initStringInfo(&text);
	if (paws_canary_interval == 0)
		appendStringInfoString(&text, "the canary is off");
	else if (canary.result == PAWS_CANARY_NONE)
		appendStringInfoString(&text, canary.waits ? "the canary waits for a device to be registered"
												   : "no canary yet");
	else
		appendStringInfo(&text, "canary %.1f ms, at worst %.1f ms in an hour",
						 (double) canary.latency / 1000.0, (double) Max(canary.worst, 0) / 1000.0);
	appendStringInfo(&text,
					 "; of " INT64_FORMAT " operations " INT64_FORMAT " acknowledged, " INT64_FORMAT
					 " refused, " INT64_FORMAT " rolled back, " INT64_FORMAT " overdue",
					 outcomes.attempts, outcomes.acknowledged, paws_outcome_refusals(&outcomes),
					 outcomes.rolled_back, outcomes.overdue);
	if (read_guarded(&stored))
		append_availability(&text, &stored);
	append_alarms(&text, slot);
	return text.data;
}

static void
put_ms(PawsRows *rows, bool known, int64 microseconds)
{
	if (known)
		paws_row_datum(rows, Float8GetDatum((double) microseconds / 1000.0));
	else
		paws_row_null(rows);
}

static void
put_ratio(PawsRows *rows, int64 part, int64 whole)
{
	if (whole > 0)
		paws_row_datum(rows, Float8GetDatum((double) part / (double) whole));
	else
		paws_row_null(rows);
}

static void
put_count(PawsRows *rows, bool known, int64 count)
{
	if (known)
		paws_row_datum(rows, Int64GetDatum(count));
	else
		paws_row_null(rows);
}

static void
put_canary(PawsRows *rows, int slot)
{
	PawsCanaryState canary;
	PawsHistogram *histogram = paws_canary_histogram(slot);

	paws_canary_read(slot, &canary);
	put_ms(rows, canary.ended_at != 0, canary.latency);
	paws_row_timestamp(rows, canary.ended_at);
	put_ms(rows, canary.worst >= 0, canary.worst);
	put_ms(rows, canary.rounds > 0, (int64) paws_histogram_percentile(histogram, 0.99));
	paws_row_datum(rows, Int64GetDatum(canary.rounds));
	paws_row_datum(rows, Int64GetDatum(canary.failed));
}

/* What is under way counts as nothing yet. */
static void
put_outcomes(PawsRows *rows, int slot, TimestampTz *since)
{
	PawsOutcomes outcomes;
	int64 refused;

	paws_outcome_read(slot, &outcomes);
	refused = paws_outcome_refusals(&outcomes);
	paws_row_datum(rows, Int64GetDatum(outcomes.attempts));
	paws_row_datum(rows, Int64GetDatum(outcomes.acknowledged));
	paws_row_datum(rows, Int64GetDatum(refused));
	paws_row_datum(rows, Int64GetDatum(outcomes.rolled_back));
	paws_row_datum(rows, Int64GetDatum(outcomes.overdue));
	put_ratio(rows, outcomes.acknowledged, outcomes.acknowledged + refused + outcomes.rolled_back);
	*since = outcomes.since;
}

Datum
paws_stat_crisis(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();
	TimestampTz since;
	Stored stored;
	bool known = read_guarded(&stored);
	PawsRows rows;

	paws_rows_begin(&rows, fcinfo);
	paws_row_text(&rows, paws_lane_state_name(paws_health_state(slot)));
	put_canary(&rows, slot);
	put_outcomes(&rows, slot, &since);
	put_count(&rows, known, stored.queue.waiting);
	put_count(&rows, known, stored.queue.stuck);
	if (stored.queue.oldest)
		paws_row_interval(&rows, Max(GetCurrentTimestamp() - stored.queue.oldest, 0));
	else
		paws_row_null(&rows);
	put_ratio(&rows, stored.there[0], stored.measured[0]);
	put_ratio(&rows, stored.there[1], stored.measured[1]);
	paws_row_datum(&rows, Float8GetDatum(OBJECTIVE));
	paws_row_timestamp(&rows, since);
	paws_row_end(&rows);
	return (Datum) 0;
}

Datum
paws_stat_crisis_refusals(PG_FUNCTION_ARGS)
{
	PawsOutcomes outcomes;
	PawsRows rows;

	paws_outcome_read(paws_database_slot(), &outcomes);
	paws_rows_begin(&rows, fcinfo);
	for (int i = 0; i < PAWS_REFUSALS; i++)
	{
		paws_row_text(&rows, paws_refusal_name((PawsRefusal) i));
		paws_row_datum(&rows, BoolGetDatum(i != PAWS_REFUSAL_TOO_LARGE));
		paws_row_datum(&rows, Int64GetDatum(outcomes.refused[i]));
		paws_row_end(&rows);
	}
	return (Datum) 0;
}

Datum
paws_stat_alarms(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();
	PawsRows rows;

	paws_rows_begin(&rows, fcinfo);
	for (int i = 0; i < PAWS_ALARMS; i++)
	{
		const PawsAlarmText *text = paws_alarm_text((PawsAlarm) i);
		PawsAlarmState state;

		paws_alarm_read(slot, (PawsAlarm) i, &state);
		paws_row_text(&rows, text->name);
		paws_row_datum(&rows, BoolGetDatum(state.raised));
		paws_row_timestamp(&rows, state.since);
		paws_row_datum(&rows, Int64GetDatum(state.times));
		paws_row_datum(&rows, Int64GetDatum(state.measured));
		paws_row_datum(&rows, Int64GetDatum(state.threshold));
		paws_row_text(&rows, text->unit);
		paws_row_text(&rows, state.raised ? text->hint : NULL);
		paws_row_end(&rows);
	}
	return (Datum) 0;
}
