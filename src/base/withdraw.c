/*
 * base/withdraw.c - DROP DATABASE, ALTER DATABASE … RENAME / SET TABLESPACE and CREATE DATABASE … TEMPLATE
 * need a database without connections. Our workers are connections, so they leave before the command and come
 * back if it fails or is done.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/database.h"
#include "base/shmem.h"
#include "base/withdraw.h"
#include "base/worker.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#define PATIENCE_MS   5000
#define LOOK_AGAIN_MS 5

static ProcessUtility_hook_type previous_hook = NULL;

/* CREATE DATABASE copies its template, template1 unless it names one. */
static const char *
template_of(CreatedbStmt *statement)
{
	ListCell *cell;

	foreach (cell, statement->options)
	{
		DefElem *option = lfirst(cell);

		if (strcmp(option->defname, "template") == 0 && option->arg)
			return defGetString(option);
	}
	return "template1";
}

static bool
moves_tablespace(AlterDatabaseStmt *statement)
{
	ListCell *cell;

	foreach (cell, statement->options)
		if (strcmp(((DefElem *) lfirst(cell))->defname, "tablespace") == 0)
			return true;
	return false;
}

/* The name of the database that the command needs for itself, or NULL. */
static const char *
database_wanted(Node *statement)
{
	if (IsA(statement, DropdbStmt))
		return castNode(DropdbStmt, statement)->dbname;
	if (IsA(statement, CreatedbStmt))
		return template_of(castNode(CreatedbStmt, statement));
	if (IsA(statement, RenameStmt) && castNode(RenameStmt, statement)->renameType == OBJECT_DATABASE)
		return castNode(RenameStmt, statement)->subname;
	if (IsA(statement, AlterDatabaseStmt) && moves_tablespace(castNode(AlterDatabaseStmt, statement)))
		return castNode(AlterDatabaseStmt, statement)->dbname;
	return NULL;
}

static bool
is_template(Oid database)
{
	HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	bool template = HeapTupleIsValid(tuple) && ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return template;
}

/* Nobody may stop the workers of a database by a command that will be refused anyway. */
static bool
may_withdraw(Node *statement, Oid database)
{
	if (!IsA(statement, RenameStmt) && IsTransactionBlock())
		return false;
	if (IsA(statement, CreatedbStmt))
		return have_createdb_privilege() && (is_template(database) || PAWS_OWNS_DATABASE(database));
	return PAWS_OWNS_DATABASE(database);
}

static bool
workers_left(Oid database)
{
	for (int kind = 0; kind < PAWS_WORKER_KINDS; kind++)
		if (paws_worker_count(kind, database) > 0)
			return true;
	return false;
}

/* Running workers leave at their next turn; those just starting find no slot or leave likewise. */
static void
wait_for_workers(Oid database)
{
	for (int waited = 0; waited < PATIENCE_MS && workers_left(database); waited += LOOK_AGAIN_MS)
	{
		paws_worker_nudge(database);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_AGAIN_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
run_previous(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
			 ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	if (previous_hook)
		previous_hook(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
}

/* Also when the session is terminated in the middle: nobody else would give the database its workers back. */
static void
resume(int code, Datum database)
{
	paws_database_resume(DatumGetObjectId(database));
	paws_worker_nudge(InvalidOid); /* the launcher looks again */
}

static void
utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	const char *name = paws_shmem_ready() ? database_wanted(pstmt->utilityStmt) : NULL;
	Oid database = name ? get_database_oid(name, true) : InvalidOid;

	if (!OidIsValid(database) || !may_withdraw(pstmt->utilityStmt, database))
	{
		run_previous(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		return;
	}
	paws_database_withdraw(database);
	PG_ENSURE_ERROR_CLEANUP(resume, ObjectIdGetDatum(database));
	{
		wait_for_workers(database);
		run_previous(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		if (IsA(pstmt->utilityStmt, DropdbStmt) && !OidIsValid(get_database_oid(name, true)))
			paws_database_forget(database);
	}
	PG_END_ENSURE_ERROR_CLEANUP(resume, ObjectIdGetDatum(database));
	resume(0, ObjectIdGetDatum(database));
}

void
paws_withdraw_init(void)
{
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}
