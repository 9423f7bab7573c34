/*
 * queue_load_sessions.c - the producer and the consumers of queue_load.
 */
#define _GNU_SOURCE
#include "queue_load.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
note(Times *times, int64_t us)
{
	int at = atomic_fetch_add(&times->count, 1);

	if (at < MAX_TIMES)
		times->us[at] = us;
}

static PGconn *
session(void)
{
	PGconn *connection = PQconnectdb(options.conninfo);

	if (PQstatus(connection) != CONNECTION_OK)
		fail("connect", PQerrorMessage(connection));
	return connection;
}

static void
prepare(PGconn *connection, const char *name, const char *sql)
{
	PGresult *result;

	if (sql == NULL)
		return;
	result = PQprepare(connection, name, sql, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail(name, PQresultErrorMessage(result));
	PQclear(result);
}

static PGresult *
ask(PGconn *connection, const char *name, int nargs, const char *const *args)
{
	PGresult *result = PQexecPrepared(connection, name, nargs, args, NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		fail(name, PQresultErrorMessage(result));
	return result;
}

/* ---- consumers ---- */

/* The mark in a payload as text, or -1: 'T' and ten digits, in JSON behind {"p":", and in a bytea as
 * hexadecimal. */
static long
mark_of(const char *value)
{
	char digits[11] = "";

	if (value[0] == '\\' && value[1] == 'x')
	{
		if (strncmp(value + 2, "543", 3) != 0)
			return -1;
		for (int i = 0; i < 10; i++)
			digits[i] = value[5 + 2 * i];
		return atol(digits);
	}
	value = strstr(value, "T0");
	return value != NULL ? atol(strncpy(digits, value + 1, 10)) : -1;
}

static void
receive(PGresult *rows, int64_t at)
{
	int column = PQfnumber(rows, options.payload);

	if (column < 0)
		fail("payload", "take has no such column");
	for (int i = 0; i < PQntuples(rows); i++)
	{
		long mark = mark_of(PQgetvalue(rows, i, column));

		if (mark >= 0 && mark < MAX_MARKS)
			atomic_store(&received[mark], at);
	}
}

/* One column of all rows as the text of an array; of values that need no quotes. */
static char *
array_of(PGresult *rows, int column)
{
	int n = PQntuples(rows);
	size_t size = 3;
	char *text, *end;

	for (int i = 0; i < n; i++)
		size += PQgetlength(rows, i, column) + 1;
	text = end = malloc(size);
	*end++ = '{';
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			*end++ = ',';
		end = stpcpy(end, PQgetvalue(rows, i, column));
	}
	strcpy(end, "}");
	return text;
}

static void
acknowledge(PGconn *connection, PGresult *rows, const char *opened)
{
	const char *args[MAX_IDS];
	char *made[MAX_IDS] = {0};
	int64_t began = now();

	if (options.ack == NULL)
		return;
	if (opened != NULL)
		PQclear(ask(connection, "ack", 1, &opened));
	else
	{
		for (int i = 0; i < options.nids; i++)
		{
			int column = PQfnumber(rows, options.ids[i]);

			if (column < 0)
				fail("ids", "take has no such column");
			if (options.arrays)
				args[i] = made[i] = array_of(rows, column);
			else
				args[i] = PQgetvalue(rows, 0, column);
		}
		PQclear(ask(connection, "ack", options.nids, args));
		for (int i = 0; i < options.nids; i++)
			free(made[i]);
	}
	note(&ack_times, now() - began);
}

/* Takes and acknowledges once; the number of rows, or -1 when there was nothing to open. */
static int
turn(PGconn *connection)
{
	char *opened = NULL;
	PGresult *rows;
	int64_t began = now();
	int64_t none = 0;
	int n;

	atomic_compare_exchange_strong(&first_take_at, &none, began);
	if (options.open != NULL)
	{
		PGresult *result = ask(connection, "open", 0, NULL);

		if (PQntuples(result) == 1 && !PQgetisnull(result, 0, 0))
			opened = strdup(PQgetvalue(result, 0, 0));
		PQclear(result);
		if (opened == NULL)
			return -1;
	}
	rows = ask(connection, "take", opened != NULL, (const char *const *) &opened);
	n = PQntuples(rows);
	if (n > 0)
	{
		int64_t at = now();

		note(&take_times, at - began);
		receive(rows, at);
	}
	if (n > 0 || opened != NULL)
		acknowledge(connection, rows, opened);
	if (n > 0)
	{
		atomic_store(&last_taken_at, now());
		if (atomic_fetch_add(&taken, n) + n >= options.rows && options.rows > 0)
			atomic_store(&stopping, true);
	}
	PQclear(rows);
	free(opened);
	return n;
}

static void
await_notification(PGconn *connection)
{
	struct pollfd fd = {.fd = PQsocket(connection), .events = POLLIN};
	PGnotify *notification;

	if (poll(&fd, 1, 500) < 0 || !PQconsumeInput(connection))
		fail("listen", PQerrorMessage(connection));
	while ((notification = PQnotifies(connection)) != NULL)
		PQfreemem(notification);
}

void *
consumer(void *unused)
{
	PGconn *connection = session();

	prepare(connection, "take", options.take);
	prepare(connection, "open", options.open);
	prepare(connection, "ack", options.ack);
	if (options.listen != NULL)
	{
		char sql[200];

		snprintf(sql, sizeof(sql), "LISTEN %s", options.listen);
		PQclear(PQexec(connection, sql));
	}
	while (!atomic_load(&stopping))
	{
		int n = turn(connection);

		if (n > 0)
			continue;
		if (options.stop_empty && n <= 0)
			break;
		if (n == 0 && options.open != NULL) /* an empty batch: the next one may be full */
			continue;
		if (options.listen != NULL)
			await_notification(connection);
		else
			pause_us(options.idle);
	}
	PQfinish(connection);
	return NULL;
}

/* ---- the producer ---- */

static void
write_payload(char *out, int mark)
{
	char body[PAYLOAD_BYTES + 1];
	bool json = strcmp(options.form, "json") == 0;
	int length = PAYLOAD_BYTES - (json ? 8 : 0);
	unsigned seed = 7;

	snprintf(body, sizeof(body), "T%010d", mark);
	for (int i = 11; i < length; i++) /* letters that do not shrink to nothing when compressed */
	{
		seed = seed * 1103515245u + 12345u;
		body[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSUVWXYZ123456789"[(seed >> 16) % 60];
	}
	body[length] = '\0';
	if (json)
		sprintf(out, "{\"p\":\"%s\"}", body);
	else if (strcmp(options.form, "text") == 0)
		strcpy(out, body);
	else
	{
		out += sprintf(out, "\\x");
		for (int i = 0; i < length; i++)
			out += sprintf(out, "%02x", (unsigned char) body[i]);
	}
}

void *
producer(void *unused)
{
	PGconn *connection = session();
	char payload[2 * PAYLOAD_BYTES + 3];
	const char *args[1] = {payload};
	int64_t began;
	int wanted = (int) (options.rate * options.seconds);

	if (wanted > MAX_MARKS)
		fail("rate", "too many payloads");
	prepare(connection, "put", options.put);
	pause_us(300000); /* until the consumers are there */
	began = now();
	for (int i = 0; i < wanted && !atomic_load(&stopping); i++)
	{
		pause_us(began + (int64_t) (i * 1e6 / options.rate) - now());
		write_payload(payload, i);
		sent[i] = now();
		PQclear(ask(connection, "put", 1, args));
		acknowledged[i] = now();
		marks = i + 1;
	}
	PQfinish(connection);
	return NULL;
}
