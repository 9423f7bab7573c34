/*
 * control/stats.c - lanes and workers, as views show them.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/spi.h"
#include "base/worker.h"
#include "commands/dbcommands.h"
#include "control/rows.h"
#include "queue/depth.h"
#include "queue/job.h"
#include "queue/pause.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(paws_stat_lanes);
PG_FUNCTION_INFO_V1(paws_stat_workers);

Datum
paws_stat_lanes(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();
	TimestampTz now = GetCurrentTimestamp();
	const bool *paused;
	PawsTopicStats jobs;
	PawsRows rows;

	paws_spi_begin();
	paused = paws_paused_levels();
	paws_job_totals(slot, &jobs);
	paws_spi_end();
	paws_rows_begin(&rows, fcinfo);
	for (int level = PAWS_LEVEL_ORDINARY_MAX; level >= PAWS_LEVEL_MIN; level--)
	{
		PawsDepth depth;

		paws_depth_read(slot, level, &depth);
		paws_row_text(&rows, paws_lane_name(PAWS_LANE_ORDINARY));
		paws_row_datum(&rows, Int16GetDatum(level));
		paws_row_datum(&rows, Int32GetDatum(level));
		paws_row_datum(&rows, Int64GetDatum(depth.depth));
		if (depth.oldest)
			paws_row_interval(&rows, Max(now - depth.oldest, 0));
		else
			paws_row_null(&rows);
		paws_row_datum(&rows, Float8GetDatum(depth.in_rate));
		paws_row_datum(&rows, Float8GetDatum(depth.out_rate));
		paws_row_datum(&rows, BoolGetDatum(paused[level]));
		paws_row_datum(&rows, Int64GetDatum(jobs.waiting[level]));
		paws_row_end(&rows);
	}
	return (Datum) 0;
}

static const char *
state_of(PawsWorkerSlot *slot)
{
	if (slot->pid == 0)
		return "starting";
	return pg_atomic_read_u32(&slot->busy) ? "working" : "idle";
}

Datum
paws_stat_workers(PG_FUNCTION_ARGS)
{
	PawsRows rows;

	paws_rows_begin(&rows, fcinfo);
	(void) paws_database_slot();
	for (int i = 0; i < paws_worker_slots(); i++)
	{
		PawsWorkerSlot slot;

		if (!paws_worker_read(i, &slot))
			continue;
		paws_row_text(&rows, paws_worker_kind_name(slot.kind));
		paws_row_text(&rows, OidIsValid(slot.database) ? get_database_name(slot.database) : NULL);
		if (slot.pid)
			paws_row_datum(&rows, Int32GetDatum(slot.pid));
		else
			paws_row_null(&rows);
		paws_row_text(&rows, state_of(&slot));
		paws_row_datum(&rows, Int64GetDatum((int64) pg_atomic_read_u64(&slot.batches)));
		paws_row_datum(&rows, Int64GetDatum((int64) pg_atomic_read_u64(&slot.operations)));
		paws_row_datum(&rows, Int64GetDatum((int64) pg_atomic_read_u64(&slot.errors)));
		paws_row_timestamp(&rows, slot.started_at);
		paws_row_timestamp(&rows, (TimestampTz) pg_atomic_read_u64(&slot.active_at));
		paws_row_end(&rows);
	}
	return (Datum) 0;
}
