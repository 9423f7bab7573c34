/*
 * bench/crisis_seal.c - latencies of the crisis lane's push and pull with warm and cold keys, and at the size
 * ceiling, beside a bare commit. One connection string as the only argument; prints rows of a table.
 */
#include <libpq-fe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS_MAX 1000

static PGconn *conn;
static const char *conninfo;

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static PGresult *
run(const char *sql, int nparams, const char *const *params)
{
	PGresult *result = PQexecParams(conn, sql, nparams, NULL, params, NULL, NULL, 1);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		fprintf(stderr, "%s", PQerrorMessage(conn));
		exit(1);
	}
	return result;
}

static char *
one_value(const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	char *value;

	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
	{
		fprintf(stderr, "%s: %s", sql, PQerrorMessage(conn));
		exit(1);
	}
	value = strdup(PQgetvalue(result, 0, 0));
	PQclear(result);
	return value;
}

static void
connect_anew(void)
{
	if (conn != NULL)
		PQfinish(conn);
	conn = PQconnectdb(conninfo);
	if (PQstatus(conn) != CONNECTION_OK)
	{
		fprintf(stderr, "%s", PQerrorMessage(conn));
		exit(1);
	}
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
report(const char *label, double *ms, int n)
{
	qsort(ms, n, sizeof(double), compare);
	printf("| %-46s | %4d | %6.2f | %6.2f | %6.2f |\n", label, n, ms[n / 2], ms[n * 99 / 100], ms[n - 1]);
	fflush(stdout);
}

/* Payload of `bytes` as hexadecimal text for bytea. */
static char *
payload(size_t bytes)
{
	char *text = malloc(2 * bytes + 3);

	strcpy(text, "\\x");
	for (size_t i = 0; i < bytes; i++)
		memcpy(text + 2 + 2 * i, "6d", 2);
	text[2 + 2 * bytes] = '\0';
	return text;
}

static char *
device(int n, const char *column)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT %s FROM bench.device WHERE n = %d", column, n);
	return one_value(sql);
}

#define PUSH                                                                                                 \
	"SELECT outcome FROM paws_sync.push_many($1, ARRAY[gen_random_uuid()], '{bench_safety}', "               \
	"ARRAY[gen_random_uuid()], '{0}', ARRAY[$2::bytea])"
#define PULL "SELECT count(payload), max(code) FROM paws_sync.pull($1, NULL, 1)"

/* Each turn works on a subject of its own, so that with cold keys none is in a cache. */
static void
measure(const char *label, const char *sql, const char *column, int first, int runs, const char *data,
		int fresh_session)
{
	static double ms[RUNS_MAX];

	for (int i = 0; i < runs; i++)
	{
		char *token = device(first + i, column);
		const char *params[2] = {token, data};
		double began;

		if (fresh_session)
		{
			connect_anew();
			PQclear(PQexec(conn, "SELECT count(*) FROM paws_sync.collections")); /* catalogs, not keys */
		}
		began = now_ms();
		PQclear(run(sql, data != NULL ? 2 : 1, params));
		ms[i] = now_ms() - began;
		free(token);
	}
	report(label, ms, runs);
}

static void
rotate(void)
{
	char *job = one_value("SELECT paws_sync.rotate_keys('data_keys')");
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT finished_at IS NOT NULL FROM paws_sync.pg_stat_progress_paws_sync_keys "
			 "WHERE job = %s", job);
	for (;;)
	{
		struct timespec pause = {0, 100 * 1000 * 1000};
		char *finished = one_value(sql);

		if (finished[0] == 't')
			break;
		nanosleep(&pause, NULL);
	}
}

int
main(int argc, char **argv)
{
	char *small = payload(1024);
	char *ceiling = payload(1024 * 1024);

	if (argc != 2)
		return 2;
	conninfo = argv[1];
	connect_anew();
	PQclear(PQexec(conn, "CREATE TABLE IF NOT EXISTS bench.commit (payload bytea)"));
	measure("bare INSERT of 1 KiB, durable", "INSERT INTO bench.commit SELECT $2::bytea WHERE $1::text IS NOT NULL",
			"device", 1, 500, small, 0);
	measure("push of 1 KiB, keys warm", PUSH, "device", 1, 500, small, 0);
	measure("push of 1 KiB again, keys warm", PUSH, "device", 1, 250, small, 0);
	measure("pull of 1 KiB, keys cold (first of the subject)", PULL, "other", 251, 250, NULL, 0);
	measure("pull of 1 KiB, keys warm", PULL, "other", 251, 250, NULL, 0);
	rotate();
	measure("push of 1 KiB after a rotation, keys cold", PUSH, "device", 1, 500, small, 0);
	measure("pull of 1 KiB after a rotation, keys cold", PULL, "other", 1, 250, NULL, 0);
	measure("bare INSERT of 1 MiB, durable", "INSERT INTO bench.commit SELECT $2::bytea WHERE $1::text IS NOT NULL",
			"device", 501, 50, ceiling, 0);
	measure("push of 1 MiB, the ceiling", PUSH, "device", 501, 50, ceiling, 0);
	measure("pull of 1 MiB, the ceiling", PULL, "other", 501, 50, NULL, 0);
	PQfinish(conn);
	return 0;
}
