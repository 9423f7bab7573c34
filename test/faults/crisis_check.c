/*
 * crisis_check.c - what became of the operations of a log: each that was acknowledged has one receipt that
 * says applied, and one document with what was pushed, which a device that never read anything is told once.
 */
#define _GNU_SOURCE
#include "crisis_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE 500

typedef struct Found
{
	int receipts, documents, entries;
	bool acknowledged;
} Found;

static Found *found;

static PGresult *
ask(PGconn *connection, const char *sql, int nargs, const char *const *args)
{
	PGresult *result = PQexecParams(connection, sql, nargs, NULL, args, NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail("check", PQresultErrorMessage(result));
	return result;
}

static void
read_log(void)
{
	FILE *file = fopen(options.log, "r");
	unsigned long long number;
	long long called, acknowledged, seen;
	char id[37];
	int queued;
	int room = 1024;

	if (file == NULL || fscanf(file, "%llu %d", &number, &options.pushers) != 2)
		fail("log", options.log);
	run = number;
	found = calloc(room, sizeof(Found));
	while (fscanf(file, "%36s %d %lld %lld %lld", id, &queued, &called, &acknowledged, &seen) == 5)
	{
		if (options.operations == room)
			found = realloc(found, (room *= 2) * sizeof(Found));
		found[options.operations++] = (Found){.acknowledged = acknowledged != 0};
	}
	fclose(file);
}

static const char *
device_of(int operation)
{
	return subjects[subject_of(operation)].device;
}

/* Receipts of a subject's device, by slices. */
static void
read_receipts(PGconn *connection, int subject)
{
	char *ids = malloc(SLICE * 37 + 3);
	const char *args[2] = {subjects[subject].device, ids};

	for (int i = 0; i < options.operations;)
	{
		int n = 0;
		PGresult *result;
		char *at = ids;

		*at++ = '{';
		for (; i < options.operations && n < SLICE; i++)
			if (device_of(i) == subjects[subject].device)
			{
				operation_id(i, at);
				at[36] = ',';
				at += 37;
				n++;
			}
		if (n == 0)
			continue;
		at[-1] = '}';
		at[0] = '\0';
		result = ask(
			connection,
			"SELECT op_id FROM paws_sync.receipts($1::paws_sync.device, $2::uuid[]) WHERE outcome = 'applied'",
			2, args);
		for (int row = 0; row < PQntuples(result); row++)
		{
			int number = operation_of(PQgetvalue(result, row, 0));

			if (number >= 0)
				found[number].receipts++;
		}
		PQclear(result);
	}
	free(ids);
}

/* All that a subject has, to a device that reads it for the first time. */
static void
read_documents(PGconn *connection, int subject)
{
	const char *args[2] = {subjects[subject].verifier, NULL};
	char *cursor = NULL;

	for (;;)
	{
		PGresult *result;
		int rows;

		args[1] = cursor;
		result = ask(connection,
					 "SELECT cursor, op_id, convert_from(payload, 'UTF8') LIKE op_id || '%' "
					 "FROM paws_sync.pull_crisis($1::paws_sync.device, $2::paws_sync.cursor, 2000, 16777216) "
					 "WHERE kind IN ('change', 'position', 'receipt')",
					 2, args);
		rows = PQntuples(result);
		for (int row = 0; row < rows; row++)
		{
			int number = PQgetisnull(result, row, 1) ? -1 : operation_of(PQgetvalue(result, row, 1));

			if (number >= 0 && strcmp(PQgetvalue(result, row, 2), "t") == 0)
				found[number].documents++;
		}
		free(cursor);
		cursor = rows > 0 ? strdup(PQgetvalue(result, rows - 1, 0)) : NULL;
		PQclear(result);
		if (rows == 0)
			return;
	}
}

static void
read_entries(PGconn *connection)
{
	char id[37];
	const char *args[1] = {id};
	PGresult *result;

	operation_id(0, id);
	id[24] = '\0'; /* what all ids of this run begin with */
	result =
		ask(connection, "SELECT op_id FROM paws_crisis.feed WHERE starts_with(op_id::text, $1)", 1, args);
	for (int row = 0; row < PQntuples(result); row++)
	{
		int number = operation_of(PQgetvalue(result, row, 0));

		if (number >= 0)
			found[number].entries++;
	}
	PQclear(result);
}

/* What waits in the lane's queue is applied soon, now that nothing is in its way. */
static void
wait_for_queue(PGconn *connection)
{
	for (int tries = 0;; tries++)
	{
		PGresult *result = ask(connection, "SELECT FROM paws_crisis.operation LIMIT 1", 0, NULL);
		int waiting = PQntuples(result);

		PQclear(result);
		if (waiting == 0)
			return;
		if (tries == 300)
		{
			printf("stuck 1\n");
			return;
		}
		pause_us(100000);
	}
}

int
check(void)
{
	PGconn *connection = PQconnectdb(options.conninfo);
	long lost = 0, duplicated = 0, gaps;
	PGresult *result;

	if (PQstatus(connection) != CONNECTION_OK)
		fail("connect", PQerrorMessage(connection));
	read_log();
	wait_for_queue(connection);
	for (int i = 0; i < nsubjects; i++)
	{
		if (options.receipts)
			read_receipts(connection, i);
		read_documents(connection, i);
	}
	read_entries(connection);
	for (int i = 0; i < options.operations; i++)
	{
		lost += found[i].acknowledged && ((options.receipts && found[i].receipts == 0) ||
										  found[i].documents == 0 || found[i].entries == 0);
		duplicated += found[i].receipts > 1 || found[i].documents > 1 || found[i].entries > 1;
	}
	result = ask(
		connection,
		"SELECT count(*) FROM (SELECT FROM paws_crisis.feed GROUP BY subject_no HAVING count(*) <> max(position)) g",
		0, NULL);
	gaps = atol(PQgetvalue(result, 0, 0));
	PQclear(result);
	printf("lost %ld\nduplicated %ld\nfeed_gaps %ld\n", lost, duplicated, gaps);
	PQfinish(connection);
	return 0;
}
