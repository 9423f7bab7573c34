/*
 * queue/job_history.c - how jobs ended: one table for each day (UTC), made ahead and dropped whole.
 *
 * The tables are no members of the extension, so that dumps hold them like any other; they go with it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/spi.h"
#include "base/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "guard/manifest.h"
#include "miscadmin.h"
#include "queue/job_private.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#define COLUMNS   9
#define NAME_SIZE 32

/* The tables of the last days that this process wrote to. */
#define TABLES 2

typedef struct Day
{
	int date; /* days since 2000; 0: none */
	char name[NAME_SIZE];
	PawsTable table;
} Day;

static Day written_days[TABLES];

static int
date_of(TimestampTz time)
{
	return (int) (time / USECS_PER_DAY);
}

static void
name_of(int date, char name[NAME_SIZE])
{
	int year;
	int month;
	int day;

	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	snprintf(name, NAME_SIZE, "history_%04d%02d%02d", year, month, day);
}

/* NULL if there is no table for the day. */
static PawsTable *
table_of(int date)
{
	Day *day = &written_days[date % TABLES];

	if (day->date != date)
	{
		name_of(date, day->name);
		day->table.schema = "paws_queue";
		day->table.name = day->name;
		day->table.identity = InvalidOid;
		day->date = date;
	}
	if (!OidIsValid(get_relname_relid(day->name, get_namespace_oid("paws_queue", true))))
		return NULL;
	return &day->table;
}

static void
form(const PawsEnded *ended, TimestampTz now, Datum *values, bool *nulls)
{
	const PawsJobRow *row = &ended->row;
	PawsTier tier = (PawsTier) row->tier;

	memset(nulls, 0, COLUMNS * sizeof(bool));
	values[0] = Int64GetDatum(row->id);
	values[1] = TimestampTzGetDatum(paws_manifest_time(PAWS_CLOCK_ORDINARY, tier, row->submitted_at));
	values[2] = TimestampTzGetDatum(paws_manifest_time(PAWS_CLOCK_ORDINARY, tier, now));
	values[3] = Int16GetDatum(row->topic_no);
	values[4] = Int16GetDatum(row->level);
	values[5] = Int16GetDatum(row->klass);
	values[6] = Int16GetDatum(row->attempts);
	values[7] = Int16GetDatum(ended->state);
	values[8] = Int16GetDatum(ended->reason);
}

/* Without a table for today nothing is remembered: the timer makes it ahead, and no job waits for that. */
void
paws_job_remember(const PawsTopic *topic, const PawsEnded *ended, int count)
{
	TimestampTz now = GetCurrentTimestamp();
	PawsTable *table = topic->history > 0 && count > 0 ? table_of(date_of(now)) : NULL;
	Datum *values;
	bool *nulls;
	PawsWriter writer;

	if (table == NULL)
		return;
	values = palloc(count * COLUMNS * sizeof(Datum));
	nulls = palloc(count * COLUMNS * sizeof(bool));
	for (int i = 0; i < count; i++)
		form(&ended[i], now, values + i * COLUMNS, nulls + i * COLUMNS);
	paws_writer_begin(&writer, table, false);
	if (count == 1)
		paws_writer_insert(&writer, values, nulls);
	else
		paws_writer_insert_many(&writer, values, nulls, COLUMNS, count);
	paws_writer_end(&writer);
	pfree(values);
	pfree(nulls);
}

/* It goes with the extension, like a member, and is dumped like none. */
static void
tie_to_extension(Oid table)
{
	ObjectAddress self = {RelationRelationId, table, 0};
	ObjectAddress extension = {ExtensionRelationId, get_extension_oid("paws_sync", false), 0};

	recordDependencyOn(&self, &extension, DEPENDENCY_AUTO);
}

/* Runs what no plan can be kept of, since the name is another one each day. */
static void
run(const char *sql)
{
	if (SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "could not run a statement of the history");
}

static bool
make(int date)
{
	Oid schema = get_namespace_oid("paws_queue", false);
	char name[NAME_SIZE];

	name_of(date, name);
	if (OidIsValid(get_relname_relid(name, schema)))
		return false;
	run(psprintf(
		"CREATE TABLE paws_queue.%s (LIKE paws_queue.history INCLUDING COMMENTS) "
		"WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 500000)",
		name));
	run(psprintf("CREATE INDEX %s_job_idx ON paws_queue.%s USING brin (job) WITH (pages_per_range = 16)",
				 name, name));
	run(psprintf("REVOKE ALL ON TABLE paws_queue.%s FROM PUBLIC", name));
	run(psprintf(
		"COMMENT ON TABLE paws_queue.%s IS 'How jobs ended on one day (UTC); dropped as a whole when no "
		"topic keeps its history for that long.'",
		name));
	CommandCounterIncrement();
	tie_to_extension(get_relname_relid(name, schema));
	return true;
}

/* What a dump was restored from is tied to nothing. */
static PawsStatement find_untied = {
	.sql = "SELECT c.oid::pg_catalog.int8 FROM pg_catalog.pg_class c "
		   "WHERE c.relnamespace OPERATOR(pg_catalog.=) 'paws_queue'::pg_catalog.regnamespace "
		   "AND c.relkind OPERATOR(pg_catalog.=) 'r' "
		   "AND c.relname::pg_catalog.text OPERATOR(pg_catalog.~) '^history_[0-9]{8}$' AND NOT EXISTS "
		   "(SELECT 1 FROM pg_catalog.pg_depend d "
		   "WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass "
		   "AND d.objid OPERATOR(pg_catalog.=) c.oid "
		   "AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass)",
};

int
paws_job_history_ahead(void)
{
	int today = date_of(GetCurrentTimestamp());
	int made = make(today) + make(today + 1);
	int untied = (int) paws_spi_run(&find_untied, NULL, NULL, 0);

	for (int i = 0; i < untied; i++)
		tie_to_extension((Oid) paws_spi_int64(i, 1));
	return made;
}

static PawsStatement list_tables = {
	.sql = "SELECT c.relname::pg_catalog.text FROM pg_catalog.pg_class c "
		   "WHERE c.relnamespace OPERATOR(pg_catalog.=) 'paws_queue'::pg_catalog.regnamespace "
		   "AND c.relkind OPERATOR(pg_catalog.=) 'r' "
		   "AND c.relname::pg_catalog.text OPERATOR(pg_catalog.~) '^history_[0-9]{8}$' ORDER BY 1 DESC",
};

static PawsStatement longest_history = {
	.sql = "SELECT COALESCE(pg_catalog.max(history_us), 0) FROM paws_queue.topic",
};

/* The names of all there are, the latest first; palloc'd. */
static int
list(char ***names)
{
	int count = (int) paws_spi_run(&list_tables, NULL, NULL, 0);
	bool isnull;

	*names = palloc(Max(count, 1) * sizeof(char *));
	for (int i = 0; i < count; i++)
		(*names)[i] = TextDatumGetCString(paws_spi_column(i, 1, &isnull));
	return count;
}

bool
paws_job_history_drop(void)
{
	char oldest[NAME_SIZE];
	char **names;
	int count;
	int64 kept;

	paws_spi_run(&longest_history, NULL, NULL, 1);
	kept = paws_spi_int64(0, 1);
	/* what ended at the end of a day is kept that long as well */
	name_of(date_of(GetCurrentTimestamp() - kept) - 1, oldest);
	count = list(&names);
	if (count == 0 || strcmp(names[count - 1], oldest) > 0)
		return false;
	run(psprintf("DROP TABLE paws_queue.%s", names[count - 1]));
	return true;
}

static bool
recall_from(const char *name, int64 id, PawsJobStatus *status)
{
	char *sql = psprintf("SELECT topic_no, state, level, class, attempts, reason, submitted_at, ended_at "
						 "FROM paws_queue.%s WHERE job OPERATOR(pg_catalog.=) " INT64_FORMAT,
						 name, id);

	run(sql);
	if (SPI_processed == 0)
		return false;
	*status = (PawsJobStatus){
		.topic_no = paws_spi_int16(0, 1),
		.state = (PawsJobState) paws_spi_int16(0, 2),
		.level = paws_spi_int16(0, 3),
		.klass = (PawsClass) paws_spi_int16(0, 4),
		.attempts = paws_spi_int16(0, 5),
		.reason = (PawsJobReason) paws_spi_int16(0, 6),
		.submitted_at = paws_spi_int64(0, 7),
		.ended_at = paws_spi_int64(0, 8),
	};
	return true;
}

bool
paws_job_recall(int64 id, PawsJobStatus *status)
{
	char **names;
	int count = list(&names);

	for (int i = 0; i < count; i++)
		if (recall_from(names[i], id, status))
			return true;
	return false;
}
