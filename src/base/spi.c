/*
 * base/spi.c - saved plans, typed columns.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "jit/jit.h"
#include "optimizer/cost.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* A schema that the install script creates, so that its oid changes whenever the extension is created anew.
 */
#define IDENTITY_SCHEMA "paws_registry"
#define API_SCHEMA      "paws_sync"
#define SCHEMA_MARK     "@schema@"

/* Asked for at each turn, so it is kept until a schema changes. */
static Oid known_identity;
static bool is_known = false;
static uint64 changes = 0; /* of schemas, that were heard of */

static void
forget_identity(Datum arg, int cache, uint32 hash)
{
	is_known = false;
	changes++;
}

Oid
paws_extension_identity(void)
{
	static bool watching = false;
	uint64 before = changes;
	Oid found;

	if (is_known)
		return known_identity;
	if (!watching)
		CacheRegisterSyscacheCallback(NAMESPACENAME, forget_identity, (Datum) 0);
	watching = true;
	found = get_namespace_oid(IDENTITY_SCHEMA, true);
	known_identity = found;
	is_known = changes == before;
	return found;
}

uint64
paws_extension_changes(void)
{
	return changes;
}

void
paws_spi_begin(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
paws_spi_end(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not disconnect from SPI");
}

/* The statement's text with the schema put in; palloc'd. */
static char *
text_of(const PawsStatement *statement)
{
	StringInfoData text;
	const char *rest = statement->sql;
	const char *mark;

	initStringInfo(&text);
	while ((mark = strstr(rest, SCHEMA_MARK)) != NULL)
	{
		appendBinaryStringInfo(&text, rest, mark - rest);
		appendStringInfoString(&text, statement->schema);
		rest = mark + strlen(SCHEMA_MARK);
	}
	appendStringInfoString(&text, rest);
	return text.data;
}

static Oid
type_of(const PawsStatement *statement, int i)
{
	if (OidIsValid(statement->types[i]))
		return statement->types[i];
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(statement->type_names[i]),
						   ObjectIdGetDatum(get_namespace_oid(API_SCHEMA, false)));
}

static void
prepare(PawsStatement *statement, Oid identity)
{
	Oid types[PAWS_SPI_ARGS_MAX];
	SPIPlanPtr plan;

	if (statement->plan)
	{
		SPI_freeplan(statement->plan);
		statement->plan = NULL;
	}
	for (int i = 0; i < statement->nargs; i++)
		types[i] = type_of(statement, i);
	plan = SPI_prepare_cursor(text_of(statement), statement->nargs, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep a plan");
	statement->plan = plan;
	statement->identity = identity;
}

static int
execute(PawsStatement *statement, const Datum *args, const char *nulls, long max_rows)
{
	if (statement->latest)
		return SPI_execute_snapshot(statement->plan, (Datum *) args, nulls, GetLatestSnapshot(),
									InvalidSnapshot, false, false, max_rows);
	return SPI_execute_plan(statement->plan, (Datum *) args, nulls, statement->read_only, max_rows);
}

/*
 * Runs the plan with a planner that goes by indexes alone. Our tables are empty at install and full minutes
 * later, so statistics are wrong when plans are made: a queue that was planned while empty would be scanned
 * whole for ever, or collected into a bitmap and sorted for its first row. The settings are process variables
 * of the planner; they are put back however the plan ends.
 */
static int
execute_by_index(PawsStatement *statement, const Datum *args, const char *nulls, long max_rows)
{
	bool seqscan = enable_seqscan;
	bool bitmapscan = enable_bitmapscan;
	bool hashjoin = enable_hashjoin;
	bool mergejoin = enable_mergejoin;
	bool jit = jit_enabled;
	int result = 0;

	PG_TRY();
	{
		enable_seqscan = enable_bitmapscan = enable_hashjoin = enable_mergejoin = jit_enabled = false;
		result = execute(statement, args, nulls, max_rows);
	}
	PG_FINALLY();
	{
		enable_seqscan = seqscan;
		enable_bitmapscan = bitmapscan;
		enable_hashjoin = hashjoin;
		enable_mergejoin = mergejoin;
		jit_enabled = jit;
	}
	PG_END_TRY();
	return result;
}

static void
ensure_prepared(PawsStatement *statement)
{
	Oid identity = paws_extension_identity();

	if (statement->plan == NULL || statement->identity != identity)
		prepare(statement, identity);
}

void
paws_spi_walk(PawsStatement *statement, const Datum *args, long batch, void (*visit)(void *arg, uint64 rows),
			  void *arg)
{
	Portal portal;

	ensure_prepared(statement);
	portal = SPI_cursor_open(NULL, statement->plan, (Datum *) args, NULL, statement->read_only);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, batch);
		if (SPI_processed == 0)
			break;
		visit(arg, SPI_processed);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = NULL;
	SPI_cursor_close(portal);
}

uint64
paws_spi_run(PawsStatement *statement, const Datum *args, const char *nulls, long max_rows)
{
	int result;

	ensure_prepared(statement);
	if (SPI_tuptable)
	{
		SPI_freetuptable(SPI_tuptable);
		SPI_tuptable = NULL;
	}
	result = execute_by_index(statement, args, nulls, max_rows);
	if (result < 0)
		elog(ERROR, "could not run a statement: %s", SPI_result_code_string(result));
	return SPI_processed;
}

Datum
paws_spi_column(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

int64
paws_spi_int64(uint64 row, int column)
{
	bool isnull;
	Datum value = paws_spi_column(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

int32
paws_spi_int32(uint64 row, int column)
{
	bool isnull;
	Datum value = paws_spi_column(row, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

int16
paws_spi_int16(uint64 row, int column)
{
	bool isnull;
	Datum value = paws_spi_column(row, column, &isnull);

	return isnull ? 0 : DatumGetInt16(value);
}

bool
paws_spi_bool(uint64 row, int column)
{
	bool isnull;
	Datum value = paws_spi_column(row, column, &isnull);

	return isnull ? false : DatumGetBool(value);
}

bool
paws_spi_isnull(uint64 row, int column)
{
	bool isnull;

	(void) paws_spi_column(row, column, &isnull);
	return isnull;
}

void *
paws_spi_alloc(Size size)
{
	return SPI_palloc(size);
}

bytea *
paws_spi_bytea(uint64 row, int column)
{
	bool isnull;
	Datum value = paws_spi_column(row, column, &isnull);
	bytea *plain;
	bytea *copy;

	if (isnull)
		return NULL;
	plain = DatumGetByteaPP(value);
	copy = SPI_palloc(VARHDRSZ + VARSIZE_ANY_EXHDR(plain));
	SET_VARSIZE(copy, VARHDRSZ + VARSIZE_ANY_EXHDR(plain));
	memcpy(VARDATA(copy), VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
	return copy;
}

Datum
paws_spi_array(const Datum *values, const bool *nulls, int count, Oid type)
{
	int16 length;
	bool by_value;
	char align;
	int lower = 1;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array((Datum *) values, (bool *) nulls, 1, &count, &lower, type,
											  length, by_value, align));
}
