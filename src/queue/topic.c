/*
 * queue/topic.c - topics, cached in each process; defined, paused, dropped.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/errors.h"
#include "base/log_safe.h"
#include "base/settings.h"
#include "base/spi.h"
#include "catalog/pg_type.h"
#include "guard/manifest.h"
#include "queue/job.h"
#include "queue/topic.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

static PawsTopic *topics = NULL; /* by name */
static int ntopics = 0;
static uint64 loaded_version = 0;
static Oid loaded_identity = InvalidOid;

static PawsStatement load_all = {
	.sql = "SELECT topic_no, place, max_attempts, in_flight_per_flow, backoff_us, max_backoff_us, lease_us, "
		   "history_us, dead_letters_us, paused, defined_at, name::pg_catalog.text FROM paws_queue.topic "
		   "ORDER BY name::pg_catalog.text",
};

static PawsStatement lock_topics = {
	.sql = "LOCK TABLE paws_queue.topic IN SHARE ROW EXCLUSIVE MODE",
};

static PawsStatement redefine = {
	.sql = "UPDATE paws_queue.topic SET max_attempts = $2, in_flight_per_flow = $3, backoff_us = $4, "
		   "max_backoff_us = $5, lease_us = $6, history_us = $7, dead_letters_us = $8 "
		   "WHERE name::pg_catalog.text OPERATOR(pg_catalog.=) $1",
	.nargs = 8,
	.types = {TEXTOID, INT2OID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID},
};

static PawsStatement find_place = {
	.sql = "SELECT p.place FROM ROWS FROM (pg_catalog.generate_series(1, $1)) AS p (place) WHERE NOT EXISTS "
		   "(SELECT 1 FROM paws_queue.topic t WHERE t.place OPERATOR(pg_catalog.=) p.place) "
		   "ORDER BY p.place LIMIT 1",
	.nargs = 1,
	.types = {INT4OID},
};

static PawsStatement define = {
	.sql =
		"INSERT INTO paws_queue.topic (name, max_attempts, in_flight_per_flow, backoff_us, max_backoff_us, "
		"lease_us, history_us, dead_letters_us, place, defined_at, paused) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, false)",
	.nargs = 10,
	.types = {TEXTOID, INT2OID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT2OID,
			  TIMESTAMPTZOID},
};

static PawsStatement set_paused = {
	.sql = "UPDATE paws_queue.topic SET paused = $2 WHERE topic_no OPERATOR(pg_catalog.=) $1 "
		   "AND paused OPERATOR(pg_catalog.<>) $2",
	.nargs = 2,
	.types = {INT2OID, BOOLOID},
};

/* Whoever is submitting finishes first, and who comes later sees that the topic is gone. */
static PawsStatement lock_jobs = {
	.sql = "LOCK TABLE paws_queue.job, paws_queue.dead_letter IN SHARE ROW EXCLUSIVE MODE",
};

static PawsStatement find_jobs = {
	.sql = "SELECT 1 FROM paws_queue.job WHERE topic_no OPERATOR(pg_catalog.=) $1 UNION ALL "
		   "SELECT 1 FROM paws_queue.dead_letter WHERE topic_no OPERATOR(pg_catalog.=) $1 LIMIT 1",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement drop_keys = {
	.sql = "DELETE FROM paws_queue.job_key WHERE topic_no OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT2OID},
};

static PawsStatement drop_topic = {
	.sql = "DELETE FROM paws_queue.topic WHERE topic_no OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT2OID},
};

static void
read_topic(int row, PawsTopic *topic)
{
	bool isnull;

	topic->no = paws_spi_int16(row, 1);
	topic->place = paws_spi_int16(row, 2);
	topic->max_attempts = paws_spi_int16(row, 3);
	topic->in_flight_per_flow = paws_spi_int32(row, 4);
	topic->backoff = paws_spi_int64(row, 5);
	topic->max_backoff = paws_spi_int64(row, 6);
	topic->lease = paws_spi_int64(row, 7);
	topic->history = paws_spi_int64(row, 8);
	topic->dead_letters_kept = paws_spi_int64(row, 9);
	topic->paused = paws_spi_bool(row, 10);
	topic->defined_at = paws_spi_int64(row, 11);
	text_to_cstring_buffer(DatumGetTextPP(paws_spi_column(row, 12, &isnull)), topic->name,
						   sizeof(topic->name));
}

/* One without a place in shared memory is none for now: paws_sync.max_topics was lowered, or the row is
 * broken. */
static bool
has_place(const PawsTopic *topic)
{
	if (topic->place >= 1 && topic->place <= paws_max_topics)
		return true;
	ereport_domain(LOG, PAWS_LOG_SAFE,
				   (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("a topic is left out"),
					errdetail("Its place is beyond \"paws_sync.max_topics\"."),
					errhint("Raise \"paws_sync.max_topics\" and restart the server.")));
	return false;
}

static void
load(uint64 version, Oid identity)
{
	int count = (int) paws_spi_run(&load_all, NULL, NULL, 0);

	loaded_version = 0;
	if (topics)
		pfree(topics);
	topics = MemoryContextAllocZero(TopMemoryContext, Max(count, 1) * sizeof(PawsTopic));
	ntopics = 0;
	for (int i = 0; i < count; i++)
	{
		read_topic(i, &topics[ntopics]);
		ntopics += has_place(&topics[ntopics]);
	}
	loaded_version = version;
	loaded_identity = identity;
}

static void
refresh(void)
{
	int slot = paws_database_slot();
	uint64 version = paws_database_version(slot, PAWS_CACHED_TOPICS);
	Oid identity = paws_database_identity(slot);

	if (version != loaded_version || identity != loaded_identity)
		load(version, identity);
}

const PawsTopic *
paws_topic_find(const char *name, Size length)
{
	refresh();
	if (length > PAWS_TOPIC_NAME_MAX)
		return NULL;
	for (int i = 0; i < ntopics; i++)
		if (strncmp(topics[i].name, name, length) == 0 && topics[i].name[length] == '\0')
			return &topics[i];
	return NULL;
}

const PawsTopic *
paws_topic(const char *name, Size length)
{
	const PawsTopic *topic = paws_topic_find(name, length);

	if (topic == NULL)
		ereport(ERROR,
				(errcode(PAWS_ERRCODE_UNKNOWN_TOPIC), errmsg("unknown topic"),
				 errhint(
					 "Define it with paws_sync.define_topic; paws_sync.topics() lists those there are.")));
	return topic;
}

const PawsTopic *
paws_topic_no(int16 no)
{
	refresh();
	for (int i = 0; i < ntopics; i++)
		if (topics[i].no == no)
			return &topics[i];
	return NULL;
}

int
paws_topics(const PawsTopic **all)
{
	refresh();
	*all = topics;
	return ntopics;
}

/* ^[a-z][a-z0-9_]{0,30}$ */
static bool
good_name(const char *name, Size length)
{
	if (length < 1 || length > PAWS_TOPIC_NAME_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	for (Size i = 1; i < length; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '_'))
			return false;
	return true;
}

static int16
free_place(void)
{
	Datum args[1] = {Int32GetDatum(paws_max_topics)};

	if (paws_spi_run(&find_place, args, NULL, 1) == 0)
		ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("too many topics"),
						errhint("Drop one, or raise \"paws_sync.max_topics\" and restart the server.")));
	return (int16) paws_spi_int32(0, 1);
}

void
paws_topic_define(const char *name, Size length, const PawsTopic *definition)
{
	Datum args[10];

	if (!good_name(name, length))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid name of a topic"),
				 errdetail("A name starts with a lower-case letter, has letters, digits and underscores, and "
						   "is at most %d characters long.",
						   PAWS_TOPIC_NAME_MAX)));
	args[0] = PointerGetDatum(cstring_to_text_with_len(name, length));
	args[1] = Int16GetDatum(definition->max_attempts);
	args[2] = Int32GetDatum(definition->in_flight_per_flow);
	args[3] = Int64GetDatum(definition->backoff);
	args[4] = Int64GetDatum(definition->max_backoff);
	args[5] = Int64GetDatum(definition->lease);
	args[6] = Int64GetDatum(definition->history);
	args[7] = Int64GetDatum(definition->dead_letters_kept);
	args[9] = TimestampTzGetDatum(paws_manifest_time(PAWS_CLOCK_SLOW, PAWS_TIER_NONE, GetCurrentTimestamp()));
	paws_spi_run(&lock_topics, NULL, NULL, 0);
	if (paws_spi_run(&redefine, args, NULL, 0) == 0)
	{
		args[8] = Int16GetDatum(free_place());
		paws_spi_run(&define, args, NULL, 0);
	}
	paws_vault_ensure_data_key(PAWS_KEYS_CARE, 0);
	(void) paws_job_history_ahead();
	paws_database_touch(paws_database_slot(), PAWS_CACHED_TOPICS);
}

void
paws_topic_drop(const char *name, Size length)
{
	Datum args[1];

	paws_spi_run(&lock_topics, NULL, NULL, 0);
	args[0] = Int16GetDatum(paws_topic(name, length)->no);
	paws_spi_run(&lock_jobs, NULL, NULL, 0);
	if (paws_spi_run(&find_jobs, args, NULL, 1) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE), errmsg("the topic has jobs or dead letters"),
				 errhint(
					 "Let its workers finish them, or cancel them, and wait until dead letters are redriven "
					 "or too old.")));
	paws_spi_run(&drop_keys, args, NULL, 0);
	paws_spi_run(&drop_topic, args, NULL, 0);
	paws_database_touch(paws_database_slot(), PAWS_CACHED_TOPICS);
}

bool
paws_topic_pause(const char *name, Size length, bool paused)
{
	Datum args[2] = {Int16GetDatum(paws_topic(name, length)->no), BoolGetDatum(paused)};

	if (paws_spi_run(&set_paused, args, NULL, 0) == 0)
		return false;
	paws_database_touch(paws_database_slot(), PAWS_CACHED_TOPICS);
	return true;
}
