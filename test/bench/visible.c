/*
 * visible.c - how long a change takes to a session that waits for it, with an empty queue.
 *
 *     visible CONNINFO COUNT PAYLOAD_HEX
 *
 * In turn: a bare INSERT, a push of an ordinary operation, a push of a crisis operation, while a second
 * session is in pull_wait on another device of the same subject. Prints, for each series, a line with its
 * name, the samples and p50, p99, max in microseconds.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum Series
{
	BARE_ACKNOWLEDGED,
	PUSH_ACKNOWLEDGED,
	PUSH_VISIBLE,
	PUSH_VISIBLE_AFTER,
	CRISIS_ACKNOWLEDGED,
	CRISIS_VISIBLE,
	CRISIS_VISIBLE_AFTER,
	NSERIES
};

static const char *const names[NSERIES] = {
	"bare_call_to_ack",   "push_call_to_ack",       "push_call_to_visible",  "push_ack_to_visible",
	"crisis_call_to_ack", "crisis_call_to_visible", "crisis_ack_to_visible",
};

typedef struct Session
{
	PGconn *connection;
	int64_t answered_at; /* us */
	PGresult *result;
} Session;

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void
open_session(Session *session, const char *conninfo)
{
	session->connection = PQconnectdb(conninfo);
	if (PQstatus(session->connection) != CONNECTION_OK)
		fail("connect", PQerrorMessage(session->connection));
}

static void
prepare(Session *session, const char *name, const char *sql)
{
	PGresult *result = PQprepare(session->connection, name, sql, 0, NULL);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail(name, PQresultErrorMessage(result));
	PQclear(result);
}

static void
ask(Session *session, const char *name, int nargs, const char *const *args)
{
	session->answered_at = 0;
	if (!PQsendQueryPrepared(session->connection, name, nargs, args, NULL, NULL, 0) ||
		PQflush(session->connection) != 0)
		fail(name, PQerrorMessage(session->connection));
}

/* Takes what has come; notes when the answer was complete. */
static void
take(Session *session)
{
	PGresult *more;

	if (!PQconsumeInput(session->connection))
		fail("read", PQerrorMessage(session->connection));
	if (PQisBusy(session->connection))
		return;
	session->answered_at = now();
	session->result = PQgetResult(session->connection);
	if (PQresultStatus(session->result) != PGRES_TUPLES_OK &&
		PQresultStatus(session->result) != PGRES_COMMAND_OK)
		fail("answer", PQresultErrorMessage(session->result));
	while ((more = PQgetResult(session->connection)) != NULL)
		PQclear(more);
}

static void
wait_for(Session *sessions, int count)
{
	for (;;)
	{
		struct pollfd fds[2];
		Session *open[2];
		int n = 0;

		for (int i = 0; i < count; i++)
			if (sessions[i].answered_at == 0)
			{
				open[n] = &sessions[i];
				fds[n++] = (struct pollfd){.fd = PQsocket(sessions[i].connection), .events = POLLIN};
			}
		if (n == 0)
			return;
		if (poll(fds, n, 10000) <= 0)
			fail("poll", "no answer within 10 seconds");
		for (int i = 0; i < n; i++)
			if (fds[i].revents)
				take(open[i]);
	}
}

static void
pause_us(long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&t, NULL);
}

static char *
value(Session *session, const char *sql)
{
	PGresult *result = PQexec(session->connection, sql);
	char *text;

	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		fail(sql, PQresultErrorMessage(result));
	text = strdup(PQgetvalue(result, 0, 0));
	PQclear(result);
	return text;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a;
	int64_t y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

static void
print(const char *name, int64_t *samples, int count)
{
	qsort(samples, count, sizeof(int64_t), compare);
	printf("%s %d %lld %lld %lld\n", name, count, (long long) samples[count / 2],
		   (long long) samples[(int) ((count - 1) * 0.99)], (long long) samples[count - 1]);
}

/* Reads to the end of what the waiting device has not seen; returns its cursor. */
static char *
catch_up(Session *waiter, const char *device, char *cursor)
{
	const char *args[2] = {device, cursor};

	for (;;)
	{
		int rows;

		ask(waiter, "pull", 2, args);
		wait_for(waiter, 1);
		rows = PQntuples(waiter->result);
		if (rows > 0)
			cursor = strdup(PQgetvalue(waiter->result, rows - 1, 0));
		PQclear(waiter->result);
		args[1] = cursor;
		if (rows == 0)
			return cursor;
	}
}

/* One push while the waiter waits; `first` is the first of the three series it fills. */
static char *
push_once(Session *sessions, const char *statement, const char *const *args, const char *waiting_device,
		  char *cursor, int64_t **samples, int first, int n)
{
	const char *wait_args[2] = {waiting_device, cursor};
	int64_t called_at;
	int rows;

	ask(&sessions[1], "wait", 2, wait_args);
	/* so that it surely sleeps, and not always at the same distance */
	pause_us(3000 + random() % 3000);
	called_at = now();
	ask(&sessions[0], statement, 2, args);
	wait_for(sessions, 2);
	rows = PQntuples(sessions[1].result);
	if (rows == 0)
		fail("pull_wait", "it ended without a change");
	samples[first][n] = sessions[0].answered_at - called_at;
	samples[first + 1][n] = sessions[1].answered_at - called_at;
	samples[first + 2][n] = sessions[1].answered_at - sessions[0].answered_at;
	cursor = strdup(PQgetvalue(sessions[1].result, rows - 1, 0));
	PQclear(sessions[0].result);
	PQclear(sessions[1].result);
	return cursor;
}

#define PUSH(collection)                                                                                     \
	"SELECT outcome FROM paws_sync.push_many($1::paws_sync.device, ARRAY[pg_catalog.gen_random_uuid()], "    \
	"ARRAY['" collection "'], ARRAY[pg_catalog.gen_random_uuid()], ARRAY[0::bigint], ARRAY[$2::bytea])"

int
main(int argc, char **argv)
{
	Session sessions[2] = {0};
	int64_t *samples[NSERIES];
	int count = argc == 4 ? atoi(argv[2]) : 0;
	char *device;
	char *other;
	char *cursor;
	const char *push_args[2];

	if (count < 1)
		fail("usage", "visible CONNINFO COUNT PAYLOAD_HEX");
	for (int i = 0; i < NSERIES; i++)
		samples[i] = calloc(count, sizeof(int64_t));
	for (int i = 0; i < 2; i++)
		open_session(&sessions[i], argv[1]);
	device = value(&sessions[0], "SELECT device FROM bench.device WHERE n = 1");
	other = value(&sessions[0], "SELECT other FROM bench.device WHERE n = 1");
	prepare(&sessions[0], "bare", "INSERT INTO bench.bare (payload) VALUES ($1::bytea)");
	prepare(&sessions[0], "push", PUSH("bench_interactive"));
	prepare(&sessions[0], "crisis", PUSH("bench_safety"));
	prepare(&sessions[1], "pull",
			"SELECT cursor FROM paws_sync.pull($1::paws_sync.device, $2::paws_sync.cursor)");
	prepare(&sessions[1], "wait",
			"SELECT cursor FROM paws_sync.pull_wait($1::paws_sync.device, $2::paws_sync.cursor, '60 s')");
	push_args[0] = device;
	push_args[1] = argv[3];
	cursor = catch_up(&sessions[1], other, NULL);
	for (int n = 0; n < count; n++)
	{
		int64_t called_at = now();

		ask(&sessions[0], "bare", 1, push_args + 1);
		wait_for(sessions, 1);
		PQclear(sessions[0].result);
		samples[BARE_ACKNOWLEDGED][n] = sessions[0].answered_at - called_at;
		cursor = push_once(sessions, "push", push_args, other, cursor, samples, PUSH_ACKNOWLEDGED, n);
		cursor = push_once(sessions, "crisis", push_args, other, cursor, samples, CRISIS_ACKNOWLEDGED, n);
	}
	for (int i = 0; i < NSERIES; i++)
		print(names[i], samples[i], count);
	return 0;
}
