/*
 * crisis_sessions.c - pushers, waiting consumers, and the prober of crisis_load.
 */
#define _GNU_SOURCE
#include "crisis_load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_US 5000
#define PROBE_US 50000
#define PUSH(what)                                                                                           \
	"SELECT outcome, receipt, code FROM paws_sync." what "($1::paws_sync.device, $2::pg_catalog.jsonb)"
#define CONSUMER_SQL                                                                                         \
	"SELECT cursor, kind, op_id FROM paws_sync.pull_crisis_wait($1::paws_sync.device, $2::paws_sync.cursor, '500 ms')"

typedef struct Session
{
	PGconn *connection;
	const char *options; /* further conninfo */
	const char *sql;
} Session;

static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static int ready;
static bool open_now;
static int64_t opened_at;
static pthread_mutex_t failures_mutex = PTHREAD_MUTEX_INITIALIZER;

void
open_gate(int threads)
{
	pthread_mutex_lock(&gate_mutex);
	while (ready < threads)
		pthread_cond_wait(&gate_changed, &gate_mutex);
	if (options.mark)
	{
		FILE *mark = fopen(options.mark, "w");

		if (mark == NULL)
			fail("mark", options.mark);
		fclose(mark);
	}
	opened_at = now();
	open_now = true;
	pthread_cond_broadcast(&gate_changed);
	pthread_mutex_unlock(&gate_mutex);
}

static void
wait_for_gate(void)
{
	pthread_mutex_lock(&gate_mutex);
	ready++;
	pthread_cond_broadcast(&gate_changed);
	while (!open_now)
		pthread_cond_wait(&gate_changed, &gate_mutex);
	pthread_mutex_unlock(&gate_mutex);
}

static void
count_failure(const char *state)
{
	const char *shown = state && state[0] ? state : "lost";
	int i = 0;

	pthread_mutex_lock(&failures_mutex);
	while (i < MAX_STATES - 1 && failures[i].count && strcmp(failures[i].state, shown) != 0)
		i++;
	snprintf(failures[i].state, sizeof(failures[i].state), "%s", shown);
	failures[i].count++;
	pthread_mutex_unlock(&failures_mutex);
}

static void
close_session(Session *session)
{
	PQfinish(session->connection);
	session->connection = NULL;
}

/* True if there is a connection with the statement prepared. */
static bool
open_session(Session *session)
{
	char conninfo[1024];
	PGresult *result;

	if (session->connection && PQstatus(session->connection) == CONNECTION_OK)
		return true;
	if (session->connection)
		close_session(session);
	snprintf(conninfo, sizeof(conninfo), "%s connect_timeout=10 %s", options.conninfo,
			 session->options ? session->options : "");
	session->connection = PQconnectdb(conninfo);
	if (PQstatus(session->connection) != CONNECTION_OK)
	{
		close_session(session);
		return false;
	}
	result = PQprepare(session->connection, "s", session->sql, 0, NULL);
	if (PQresultStatus(result) == PGRES_COMMAND_OK)
	{
		PQclear(result);
		return true;
	}
	/* a session whose parsing is cut short is no use */
	count_failure(PQresultErrorField(result, PG_DIAG_SQLSTATE));
	PQclear(result);
	close_session(session);
	return false;
}

static void
require_session(Session *session)
{
	int64_t until = now() + 90000000;

	while (!open_session(session))
	{
		if (now() > until)
			fail("connect", "no connection within 90 seconds");
		pause_us(RETRY_US);
	}
}

static char
base64_digit(unsigned value)
{
	return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[value & 63];
}

/* The payload is the operation's id and letters that hardly shrink. */
static void
make_payload(int operation, char payload[PAYLOAD_BYTES + 1])
{
	uint64_t state = run + (uint64_t) operation * 2654435761u;

	operation_id(operation, payload);
	for (int i = 36; i < PAYLOAD_BYTES; i++)
	{
		state = state * 6364136223846793005u + 1442695040888963407u;
		payload[i] = base64_digit((unsigned) (state >> 40));
	}
	payload[PAYLOAD_BYTES] = '\0';
}

static void
make_operation(int operation, char *json, size_t size)
{
	char payload[PAYLOAD_BYTES + 1];
	char encoded[(PAYLOAD_BYTES + 2) / 3 * 4 + 1];
	char op_id[37], doc_id[37];
	int n = 0;

	make_payload(operation, payload);
	operation_id(operation, op_id);
	document_id(operation, doc_id);
	for (int i = 0; i < PAYLOAD_BYTES; i += 3)
	{
		unsigned a = (unsigned char) payload[i];
		unsigned b = i + 1 < PAYLOAD_BYTES ? (unsigned char) payload[i + 1] : 0;
		unsigned c = i + 2 < PAYLOAD_BYTES ? (unsigned char) payload[i + 2] : 0;

		encoded[n++] = base64_digit(a >> 2);
		encoded[n++] = base64_digit(a << 4 | b >> 4);
		encoded[n++] = i + 1 < PAYLOAD_BYTES ? base64_digit(b << 2 | c >> 6) : '=';
		encoded[n++] = i + 2 < PAYLOAD_BYTES ? base64_digit(c) : '=';
	}
	encoded[n] = '\0';
	snprintf(
		json, size,
		"[{\"op_id\":\"%s\",\"doc_id\":\"%s\",\"collection\":\"faults_safety\",\"base_revision\":0,\"payload\":\"%s\"}]",
		op_id, doc_id, encoded);
}

/* True if it is acknowledged. */
static bool
read_answer(PGresult *result, Operation *operation)
{
	const char *outcome;

	if (options.bare)
		return PQresultStatus(result) == PGRES_COMMAND_OK;
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		return false;
	outcome = PQgetvalue(result, 0, 0);
	if (strcmp(outcome, "accepted") != 0 && strcmp(outcome, "duplicate") != 0)
	{
		count_failure(PQgetvalue(result, 0, 2));
		return false;
	}
	if (PQgetisnull(result, 0, 1))
		operation->queued = true;
	else if (strcmp(PQgetvalue(result, 0, 1), "applied") != 0)
		not_applied++;
	return true;
}

/* One attempt. */
static bool
push_once(Session *session, const char *const *args, Operation *operation)
{
	PGresult *result;
	bool acknowledged;

	operation->attempts++;
	if (!open_session(session))
	{
		count_failure(NULL);
		return false;
	}
	result = PQexecPrepared(session->connection, "s", options.bare ? 1 : 2, args, NULL, NULL, 0);
	acknowledged = read_answer(result, operation);
	if (acknowledged)
		operation->acknowledged_at = now();
	else if (PQresultStatus(result) != PGRES_TUPLES_OK)
		count_failure(PQstatus(session->connection) == CONNECTION_OK
						  ? PQresultErrorField(result, PG_DIAG_SQLSTATE)
						  : NULL);
	PQclear(result);
	if (options.connect)
		close_session(session);
	return acknowledged;
}

/* An outbox: the same operation again until it is acknowledged. */
static void
push(Session *session, int number, int64_t due)
{
	Operation *operation = &operations[number];
	char json[1024];
	char payload[PAYLOAD_BYTES + 1];
	const char *args[2] = {options.bare ? payload : subjects[subject_of(number)].device, json};
	int64_t until;

	make_payload(number, payload);
	make_operation(number, json, sizeof(json));
	operation->called_at = due;
	until = now() + (int64_t) (options.retry * 1e6);
	while (!push_once(session, args, operation))
	{
		if (now() >= until)
		{
			refused++;
			return;
		}
		pause_us(RETRY_US);
	}
}

/* A service keeps its connections, so each has done before what it is asked for. */
static void
warm_up(Session *session, int p)
{
	Operation unused = {0};
	char json[1024];
	char payload[PAYLOAD_BYTES + 1];
	const char *args[2] = {options.bare ? payload : subjects[p % nsubjects].device, json};

	require_session(session);
	make_payload(options.operations + p, payload);
	make_operation(options.operations + p, json, sizeof(json));
	for (int tries = 0; tries < 100 && !push_once(session, args, &unused); tries++)
		pause_us(RETRY_US);
}

/* When an operation is to be called: not all at one moment, unless that is what is wanted. */
static int64_t
due_at(int p, int n)
{
	double spacing = options.rate > 0 ? 1e6 * options.pushers / options.rate : 0;

	return opened_at + (int64_t) (spacing * (n + (options.burst ? 0 : (p + 0.5) / options.pushers)));
}

void *
pusher(void *number)
{
	int p = (int) (intptr_t) number;
	Session session = {.options = options.pusher_options,
					   .sql = options.bare                            ? options.bare
							  : strcmp(options.function, "push") == 0 ? PUSH("push")
																	  : PUSH("push_crisis")};

	if (!options.connect)
		warm_up(&session, p);
	wait_for_gate();
	for (int i = p, n = 0; i < options.operations; i += options.pushers, n++)
	{
		int64_t due = due_at(p, n);
		bool early = now() < due;

		pause_us(due - now());
		push(&session, i, (options.rate > 0 || options.burst) && !early ? due : now());
	}
	finished++;
	/* a session that ends takes time from the others */
	while (!atomic_load(&stopping))
		pause_us(20000);
	if (session.connection)
		close_session(&session);
	return NULL;
}

static void
note_rows(PGresult *result, int64_t at)
{
	for (int row = 0; row < PQntuples(result); row++)
	{
		const char *kind = PQgetvalue(result, row, 1);
		int number = PQgetisnull(result, row, 2) ? -1 : operation_of(PQgetvalue(result, row, 2));

		if (number < 0)
			continue;
		if (operations[number].seen_at == 0)
			operations[number].seen_at = at;
		/* without keys it is told sealed, and again once they are back */
		if (strcmp(kind, "change") == 0)
			operations[number].changes++;
	}
}

void *
consumer(void *number)
{
	Session session = {.sql = CONSUMER_SQL};
	char *cursor = NULL;
	const char *args[2] = {subjects[watched_by((int) (intptr_t) number)].consumer, NULL};
	bool begun = false;

	require_session(&session);
	while (!atomic_load(&stopping))
	{
		PGresult *result;
		int64_t at;

		if (!open_session(&session))
		{
			pause_us(RETRY_US);
			continue;
		}
		args[1] = cursor;
		result = PQexecPrepared(session.connection, "s", 2, args, NULL, NULL, 0);
		at = now();
		if (PQresultStatus(result) == PGRES_TUPLES_OK)
		{
			note_rows(result, at);
			if (PQntuples(result) > 0)
			{
				free(cursor);
				cursor = strdup(PQgetvalue(result, PQntuples(result) - 1, 0));
			}
			/* what was there before is read to its end */
			else if (!begun)
			{
				begun = true;
				wait_for_gate();
			}
		}
		else
			count_failure(PQstatus(session.connection) == CONNECTION_OK
							  ? PQresultErrorField(result, PG_DIAG_SQLSTATE)
							  : NULL);
		PQclear(result);
	}
	close_session(&session);
	free(cursor);
	return NULL;
}

void *
prober(void *unused)
{
	Session session = {.sql =
						   "SELECT FROM paws_sync.crisis_bundle($1::paws_sync.device) WHERE contact = '988'"};
	const char *args[1] = {subjects[0].consumer};

	require_session(&session);
	wait_for_gate();
	while (!atomic_load(&stopping))
	{
		int64_t called_at = now();
		PGresult *result =
			open_session(&session) ? PQexecPrepared(session.connection, "s", 1, args, NULL, NULL, 0) : NULL;
		int64_t took = now() - called_at;

		bundles++;
		if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) == 0)
			bundle_failures++;
		if (took > bundle_longest)
			bundle_longest = took;
		PQclear(result);
		pause_us(PROBE_US - took);
	}
	if (session.connection)
		close_session(&session);
	return NULL;
}
