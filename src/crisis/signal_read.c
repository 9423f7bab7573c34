/*
 * crisis/signal_read.c - open signals as devices and the scheduler see them; and what is kept no more.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/database.h"
#include "base/spi.h"
#include "base/table.h"
#include "catalog/pg_type.h"
#include "crisis/attention.h"
#include "crisis/signal.h"
#include "utils/timestamp.h"

/* Columns, in the order of signal.sql. */
enum
{
	SIGNAL_ID = 1,
	SIGNAL_SUBJECT_NO,
	SIGNAL_TWIN,
	SIGNAL_RAISED_AT,
	SIGNAL_EXPIRES_AT,
	SIGNAL_ENDED_AT,
	SIGNAL_SOURCE,
	SIGNAL_SEVERITY,
	SIGNAL_STATE
};

static PawsTable signals = {.schema = "paws_crisis", .name = "signal", .indexes = {"signal_open_idx"}};

static PawsStatement next_expiry = {
	.sql = "SELECT expires_at FROM paws_crisis.signal WHERE state OPERATOR(pg_catalog.=) 1 "
		   "ORDER BY expires_at LIMIT 1",
};

static PawsStatement subjects_in_crisis = {
	.sql = "SELECT subject_no, pg_catalog.max(expires_at) FROM paws_crisis.signal "
		   "WHERE state OPERATOR(pg_catalog.=) 1 AND expires_at OPERATOR(pg_catalog.>) $1 "
		   "GROUP BY subject_no ORDER BY subject_no LIMIT $2",
	.nargs = 2,
	.types = {TIMESTAMPTZOID, INT8OID},
};

#define SWEEP(table, id)                                                                                     \
	{                                                                                                        \
		.sql = "DELETE FROM paws_crisis." table " WHERE " id " OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT " id \
			   " FROM paws_crisis." table                                                                    \
			   " WHERE ended_at OPERATOR(pg_catalog.<) $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",                \
		.nargs = 2, .types = {                                                                               \
			TIMESTAMPTZOID,                                                                                  \
			INT8OID                                                                                          \
		}                                                                                                    \
	}

#define DROP(table, id)                                                                                      \
	{                                                                                                        \
		.sql = "DELETE FROM paws_crisis." table " WHERE " id " OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT " id \
			   " FROM paws_crisis." table                                                                    \
			   " WHERE subject_no OPERATOR(pg_catalog.=) $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",              \
		.nargs = 2, .types = {                                                                               \
			INT8OID,                                                                                         \
			INT8OID                                                                                          \
		}                                                                                                    \
	}

static PawsStatement sweep[2] = {SWEEP("signal", "signal_id"), SWEEP("item", "id")};
static PawsStatement drop[2] = {DROP("signal", "signal_id"), DROP("item", "id")};

static PawsStatement left_over = {
	.sql = "SELECT 1 FROM paws_crisis.signal WHERE subject_no OPERATOR(pg_catalog.=) $1 "
		   "UNION ALL SELECT 1 FROM paws_crisis.item WHERE subject_no OPERATOR(pg_catalog.=) $1 LIMIT 1",
	.nargs = 1,
	.types = {INT8OID},
};

static void
read_signal(PawsScan *scan, PawsSignal *signal)
{
	bool isnull;

	memcpy(&signal->id, DatumGetUUIDP(paws_scan_column(scan, SIGNAL_ID, &isnull)), UUID_LEN);
	signal->subject_no = paws_scan_int64(scan, SIGNAL_SUBJECT_NO);
	signal->source = (PawsSource) paws_scan_int16(scan, SIGNAL_SOURCE);
	signal->severity = (PawsSeverity) paws_scan_int16(scan, SIGNAL_SEVERITY);
	signal->raised_at = paws_scan_int64(scan, SIGNAL_RAISED_AT);
	signal->expires_at = paws_scan_int64(scan, SIGNAL_EXPIRES_AT);
}

int
paws_signals_open(int64 subject_no, PawsSignal *open, int max)
{
	PawsKey key = {.column = 1, .strategy = BTEqualStrategyNumber, .value = Int64GetDatum(subject_no)};
	TimestampTz now = 0;
	Snapshot snapshot;
	PawsScan scan;
	uint64 seen;
	int count = 0;

	if (!paws_signals_maybe(paws_database_slot(), &seen))
		return 0;
	snapshot = paws_table_snap(false);
	paws_scan_begin(&scan, &signals, 0, snapshot, &key, 1);
	while (count < max && paws_scan_next(&scan))
	{
		if (now == 0)
			now = GetCurrentTimestamp();
		/* an index that is part of a table may lead to what has left it */
		if (paws_scan_int16(&scan, SIGNAL_STATE) != PAWS_SIGNAL_OPEN ||
			paws_scan_int64(&scan, SIGNAL_EXPIRES_AT) <= now)
			continue;
		read_signal(&scan, &open[count++]);
	}
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
	return count;
}

uint64
paws_signals_digest(const PawsSignal *open, int count)
{
	crypto_generichash_state hash;
	unsigned char bytes[crypto_generichash_BYTES_MIN];
	uint64 digest;

	crypto_generichash_init(&hash, NULL, 0, sizeof(bytes));
	for (int i = 0; i < count; i++)
	{
		unsigned char severity = (unsigned char) open[i].severity;

		crypto_generichash_update(&hash, open[i].id.data, UUID_LEN);
		crypto_generichash_update(&hash, &severity, 1);
	}
	crypto_generichash_final(&hash, bytes, sizeof(bytes));
	memcpy(&digest, bytes, sizeof(digest));
	return digest ? digest : 1;
}

TimestampTz
paws_signals_next_expiry(void)
{
	return paws_spi_run(&next_expiry, NULL, NULL, 1) > 0 ? paws_spi_int64(0, 1) : DT_NOEND;
}

int
paws_signals_subjects(PawsInCrisis *subjects, int max)
{
	Datum args[2] = {TimestampTzGetDatum(GetCurrentTimestamp()), Int64GetDatum(max)};
	int count = (int) paws_spi_run(&subjects_in_crisis, args, NULL, 0);

	for (int i = 0; i < count; i++)
		subjects[i] = (PawsInCrisis){paws_spi_int64(i, 1), paws_spi_int64(i, 2)};
	return count;
}

int
paws_signals_sweep(int limit)
{
	Datum args[2] = {TimestampTzGetDatum(GetCurrentTimestamp() - PAWS_SIGNAL_KEPT_DAYS * USECS_PER_DAY),
					 Int64GetDatum(limit)};
	int removed = 0;

	for (int i = 0; i < (int) lengthof(sweep); i++)
		removed += (int) paws_spi_run(&sweep[i], args, NULL, 0);
	return removed;
}

bool
paws_signals_drop_subject(int64 subject_no, int limit, int64 *removed)
{
	Datum args[2] = {Int64GetDatum(subject_no), Int64GetDatum(limit)};

	for (int i = 0; i < (int) lengthof(drop); i++)
		*removed += (int64) paws_spi_run(&drop[i], args, NULL, 0);
	return paws_spi_run(&left_over, args, NULL, 1) == 0;
}
