/*
 * store/statements.c - the SQL of the store, once for both lanes; and its tables, for what does without SQL.
 *
 * Sets come as arrays of equal length. unnest stands in ROWS FROM, because only the unqualified name may take
 * several arguments and workers have an empty search_path.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/store.h"
#include "store/store_private.h"

StaticAssertDecl(PAWS_STORE_LAST_STATEMENT < PAWS_STORE_STATEMENTS, "PAWS_STORE_STATEMENTS is too small");

#define EQ " OPERATOR(pg_catalog.=) "

#define KEY_OF(envelope) "pg_catalog.substring(" envelope ", 17, 16)"
#define FORGET(table)                                                                                        \
	{                                                                                                        \
		.sql = "DELETE FROM @schema@." table " WHERE ctid" EQ "ANY (ARRAY(SELECT ctid FROM @schema@." table  \
			   " WHERE subject_no" EQ "$1 LIMIT $2 FOR UPDATE SKIP LOCKED))",                                \
		.nargs = 2, .types = {                                                                               \
			INT8OID,                                                                                         \
			INT8OID                                                                                          \
		}                                                                                                    \
	}

static const PawsStatement templates[] = {
	[PAWS_STORE_ENSURE_COUNTER] =
		{
			.sql =
				"INSERT INTO @schema@.counter (subject_no) VALUES ($1) ON CONFLICT (subject_no) DO NOTHING",
			.nargs = 1,
			.types = {INT8OID},
		},
	[PAWS_STORE_LOCK_SKIP] =
		{
			.sql = "SELECT subject_no, position FROM @schema@.counter "
				   "WHERE subject_no" EQ "ANY ($1) ORDER BY subject_no FOR UPDATE SKIP LOCKED",
			.nargs = 1,
			.types = {INT8ARRAYOID},
		},
	[PAWS_STORE_INSERT_BRANCHES] =
		{
			.sql =
				"INSERT INTO @schema@.branch (subject_no, doc_id, op_id, collection, base_revision, deleted, position, "
				"envelope, kept_at) SELECT * FROM ROWS FROM (" PAWS_SETS_9 ") AS c",
			.nargs = 9,
			.types = {INT8ARRAYOID, UUIDARRAYOID, UUIDARRAYOID, INT2ARRAYOID, INT8ARRAYOID, BOOLARRAYOID,
					  INT8ARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID},
		},
	[PAWS_STORE_ADVANCE] =
		{
			.sql = "UPDATE @schema@.counter n SET position = c.position "
				   "FROM ROWS FROM (" PAWS_SETS_2 ") AS c (subject_no, position) WHERE n.subject_no" EQ
				   "c.subject_no",
			.nargs = 2,
			.types = {INT8ARRAYOID, INT8ARRAYOID},
		},
	[PAWS_STORE_RECEIPTS] =
		{
			.sql = "SELECT c.n, f.outcome, f.reason, f.revision, f.finished_at "
				   "FROM ROWS FROM (" PAWS_SET(2) ") WITH ORDINALITY AS c (op_id, n) "
												  "JOIN @schema@.feed f ON f.device_no" EQ "$1 AND f.op_id" EQ
												  "c.op_id",
			.nargs = 2,
			.types = {INT8OID, UUIDARRAYOID},
		},
	[PAWS_STORE_DOCUMENTS] =
		{
			.sql =
				"SELECT d.doc_id, d.collection, d.revision, d.deleted, d.changed_at, d.op_id, d.base_revision, d.envelope, "
				"d.seal, d.position FROM @schema@.document d WHERE d.subject_no" EQ
				"$1 AND d.doc_id OPERATOR(pg_catalog.>) $2 "
				"ORDER BY d.doc_id LIMIT $3",
			.nargs = 3,
			.types = {INT8OID, UUIDOID, INT8OID},
		},
	/* $3 bounds what is looked at for a subject; LIMIT keeps the planner from joining in another order */
	[PAWS_STORE_EXPIRE_FEED] =
		{
			.sql =
				"WITH gone AS (DELETE FROM @schema@.feed f USING (SELECT c.subject_no, o.position "
				"FROM ROWS FROM (" PAWS_SETS_2 ") AS c (subject_no, cutoff) CROSS JOIN LATERAL "
				"(SELECT e.position, e.finished_at FROM @schema@.feed e WHERE e.subject_no" EQ "c.subject_no "
				"ORDER BY e.position LIMIT $3) o WHERE o.finished_at OPERATOR(pg_catalog.<) c.cutoff) x "
				"WHERE f.subject_no" EQ "x.subject_no AND f.position" EQ "x.position "
				"RETURNING f.subject_no, f.position), g AS (SELECT subject_no, pg_catalog.max(position) AS position, "
				"pg_catalog.count(*) AS entries FROM gone GROUP BY subject_no), "
				"raised AS (UPDATE @schema@.counter n SET expired = GREATEST(n.expired, g.position) FROM g "
				"WHERE n.subject_no" EQ "g.subject_no) "
				"SELECT COALESCE(pg_catalog.max(entries), 0::pg_catalog.int8) FROM g",
			.nargs = 3,
			.types = {INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8OID},
		},
	/* nobody waits for a tombstone's lock, neither we nor whoever rewrites the document for long */
	[PAWS_STORE_EXPIRE_TOMBSTONES] =
		{
			.sql =
				"DELETE FROM @schema@.document d USING (SELECT t.subject_no, t.doc_id FROM ROWS FROM (" PAWS_SETS_2
				") AS c (subject_no, passed) JOIN @schema@.document t ON t.subject_no" EQ "c.subject_no "
				"WHERE t.deleted AND t.position OPERATOR(pg_catalog.<=) c.passed FOR UPDATE OF t SKIP LOCKED) x "
				"WHERE d.subject_no" EQ "x.subject_no AND d.doc_id" EQ "x.doc_id",
			.nargs = 2,
			.types = {INT8ARRAYOID, INT8ARRAYOID},
		},
	[PAWS_STORE_ACKNOWLEDGE] =
		{
			.sql =
				"INSERT INTO @schema@.acknowledged AS a (device_no, position, acknowledged_at) "
				"VALUES ($1, $2, $3) ON CONFLICT (device_no) DO UPDATE "
				"SET position = GREATEST(a.position, EXCLUDED.position), acknowledged_at = EXCLUDED.acknowledged_at",
			.nargs = 3,
			.types = {INT8OID, INT8OID, TIMESTAMPTZOID},
		},
	[PAWS_STORE_WALK] =
		{
			.sql =
				"SELECT n.subject_no, COALESCE((SELECT pg_catalog.min(COALESCE(a.position, 0)) FROM paws_registry.device d "
				"LEFT JOIN @schema@.acknowledged a ON a.device_no" EQ "d.device_no WHERE d.subject_no" EQ
				"n.subject_no "
				"AND d.revoked_at IS NULL AND COALESCE(a.acknowledged_at, d.registered_at) OPERATOR(pg_catalog.>) $2), n.position) "
				"FROM @schema@.counter n WHERE n.subject_no OPERATOR(pg_catalog.>) $1 ORDER BY n.subject_no LIMIT $3",
			.nargs = 3,
			.types = {INT8OID, TIMESTAMPTZOID, INT8OID},
		},
	/* every suite's header has the key's id at this place */
	[PAWS_STORE_FIND_OLD_DOCUMENT] =
		{
			.sql =
				"SELECT doc_id, 0::pg_catalog.int8, collection, op_id, base_revision, revision, envelope, seal "
				"FROM @schema@.document WHERE subject_no" EQ "$1 AND envelope IS NOT NULL "
				"AND " KEY_OF(
					"envelope") " OPERATOR(pg_catalog.<>) $2 AND doc_id OPERATOR(pg_catalog.>=) $3 "
								"AND (doc_id OPERATOR(pg_catalog.<>) $3 OR $4) ORDER BY doc_id LIMIT 1",
			.nargs = 4,
			.types = {INT8OID, BYTEAOID, UUIDOID, BOOLOID},
		},
	[PAWS_STORE_FIND_OLD_BRANCH] =
		{
			.sql = "SELECT doc_id, position, collection, op_id, base_revision, 0::pg_catalog.int8, envelope, "
				   "NULL::pg_catalog.bytea FROM @schema@.branch WHERE subject_no" EQ "$1 "
				   "AND envelope IS NOT NULL AND " KEY_OF(
					   "envelope") " OPERATOR(pg_catalog.<>) $2 "
								   "AND ROW (doc_id, position) OPERATOR(pg_catalog.>) ROW ($3, $4) "
								   "ORDER BY doc_id, position LIMIT 1",
			.nargs = 4,
			.types = {INT8OID, BYTEAOID, UUIDOID, INT8OID},
		},
	[PAWS_STORE_FIND_UNSEALED] =
		{
			.sql =
				"SELECT doc_id, collection, op_id, base_revision, revision, envelope "
				"FROM @schema@.document WHERE subject_no" EQ "$1 AND envelope IS NOT NULL AND seal IS NULL "
				"AND doc_id OPERATOR(pg_catalog.>) $2 ORDER BY doc_id LIMIT 1",
			.nargs = 2,
			.types = {INT8OID, UUIDOID},
		},
	[PAWS_STORE_SEAL_LATE] =
		{
			.sql = "UPDATE @schema@.document SET envelope = $3, seal = $4 WHERE subject_no" EQ "$1 "
				   "AND doc_id" EQ "$2",
			.nargs = 4,
			.types = {INT8OID, UUIDOID, BYTEAOID, BYTEAOID},
		},
	[PAWS_STORE_RESEAL_DOCUMENT] =
		{
			.sql = "UPDATE @schema@.document SET envelope = $3, seal = $4 WHERE subject_no" EQ "$1 "
				   "AND doc_id" EQ "$2",
			.nargs = 4,
			.types = {INT8OID, UUIDOID, BYTEAOID, BYTEAOID},
		},
	[PAWS_STORE_RESEAL_BRANCH] =
		{
			.sql = "UPDATE @schema@.branch SET envelope = $3 WHERE subject_no" EQ "$1 AND doc_id" EQ "$2 "
				   "AND position" EQ "$4",
			.nargs = 4,
			.types = {INT8OID, UUIDOID, BYTEAOID, INT8OID},
		},
	[PAWS_STORE_USES_KEY] =
		{
			.sql = "SELECT 1 FROM @schema@.document WHERE subject_no" EQ "$1 AND " KEY_OF("envelope") EQ
			"$2 "
			"UNION ALL SELECT 1 FROM @schema@.branch WHERE subject_no" EQ "$1 AND " KEY_OF("envelope") EQ
			"$2 LIMIT 1",
			.nargs = 2,
			.types = {INT8OID, BYTEAOID},
		},
	[PAWS_STORE_HAS_SUBJECT] =
		{
			.sql = "SELECT 1 FROM @schema@.document WHERE subject_no" EQ
				   "$1 UNION ALL SELECT 1 FROM @schema@.branch WHERE subject_no" EQ
				   "$1 UNION ALL SELECT 1 FROM @schema@.feed WHERE subject_no" EQ
				   "$1 UNION ALL SELECT 1 FROM @schema@.counter WHERE subject_no" EQ "$1 LIMIT 1",
			.nargs = 1,
			.types = {INT8OID},
		},
	[PAWS_STORE_FORGET_DOCUMENTS] = FORGET("document"),
	[PAWS_STORE_FORGET_BRANCHES] = FORGET("branch"),
	[PAWS_STORE_FORGET_FEED] = FORGET("feed"),
	[PAWS_STORE_FORGET_COUNTER] = FORGET("counter"),
	[PAWS_STORE_FORGET_ACKNOWLEDGED] =
		{
			.sql = "DELETE FROM @schema@.acknowledged WHERE device_no" EQ "ANY ($1)",
			.nargs = 1,
			.types = {INT8ARRAYOID},
		},
};

uint64
paws_store_run(PawsStore *store, PawsStoreStatement which, const Datum *args, const char *nulls)
{
	PawsStatement *statement = &store->statement[which];

	if (statement->sql == NULL)
	{
		*statement = templates[which];
		statement->schema = store->schema;
	}
	return paws_spi_run(statement, args, nulls, 0);
}

static const PawsTable tables[PAWS_STORE_TABLES] = {
	[PAWS_TABLE_COUNTER] = {.name = "counter", .indexes = {"counter_pkey"}, .columns = COUNTER_COLUMNS},
	[PAWS_TABLE_DOCUMENT] = {.name = "document", .indexes = {"document_pkey"}, .columns = DOCUMENT_COLUMNS},
	[PAWS_TABLE_FEED] = {.name = "feed",
						 .indexes = {"feed_receipt_idx", "feed_pkey"},
						 .columns = FEED_COLUMNS},
	[PAWS_TABLE_BRANCH] = {.name = "branch"},
	[PAWS_TABLE_EPOCH] = {.name = "cursor_epoch", .indexes = {"cursor_epoch_pkey"}, .columns = EPOCH_COLUMNS},
};

PawsTable *
paws_store_table(PawsStore *store, PawsStoreTable which)
{
	PawsTable *table = &store->table[which];

	if (table->name == NULL)
	{
		*table = tables[which];
		table->schema = store->schema;
	}
	return table;
}
