/*
 * crisis_load.c - crisis operations at a steady rate, each with a consumer that waits for it, in turn with bare
 * INSERTs of the same payload by the same session.
 *
 *     crisis_load CONNINFO KEY=VALUE...
 *
 *     subjects=1,2,3   rows of bench.device; each has a session that pushes and one that waits on another device
 *     count=10000      crisis operations in all
 *     rate=200         of them in a second, in all; as many INSERTs come between them
 *     payload=TEXT     bytes of the payload, as base64
 *     hex=TEXT         the same as a bytea, for the INSERT
 *     each=0           1: also what each subject saw, as NAME.N
 *
 * Prints, for each kind of time, its name, the samples and p50, p99, p99.9, max in microseconds; then how many
 * operations were lost, came twice, were refused, and were sent late since the one before took so long. The times:
 * call_to_ack and call_to_visible of crisis operations, ack_to_visible between the two, and bare_call_to_ack.
 */
#define _GNU_SOURCE
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAIRS_MAX  64
#define REST_US    1500 /* a consumer that just asked surely sleeps after that */
#define PATIENCE_S 30

enum Series
{
	BARE_ACK,
	CALL_TO_ACK,
	CALL_TO_VISIBLE,
	ACK_TO_VISIBLE,
	NSERIES
};

static const char *const names[NSERIES] = {"bare_call_to_ack", "call_to_ack", "call_to_visible",
										   "ack_to_visible"};

/* One operation, or one INSERT. */
typedef struct Sent
{
	int64_t called_at; /* us */
	int64_t acknowledged_at;
	int64_t seen_at;
	int times_seen;
	int pair;
} Sent;

typedef struct Pair
{
	int subject;
	char *device;
	char *other;
	char *cursor;
	PGconn *pusher;
	PGconn *waiter;
	int64_t due_at;
	int64_t asked_at;
	int current; /* index of the operation under way, or -1 */
	bool bare;   /* what is sent next */
	bool busy;   /* the pusher waits for an answer */
	int64_t bare_at;
} Pair;

typedef struct Load
{
	const char *conninfo;
	const char *payload;
	const char *hex;
	int count;
	double rate;
	int each;
	Pair pairs[PAIRS_MAX];
	int npairs;
	Sent *sent;
	int nsent;
	Sent *bare;
	int nbare;
	long late;
	long refused;
	long strange; /* rows of operations that nobody here sent */
	uint64_t run; /* in the first half of each op_id */
} Load;

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

static PGconn *
open_session(const char *conninfo, const char *const *statements)
{
	PGconn *session = PQconnectdb(conninfo);

	if (PQstatus(session) != CONNECTION_OK)
		fail("connect", PQerrorMessage(session));
	for (int i = 0; statements[i]; i += 2)
	{
		PGresult *result = PQprepare(session, statements[i], statements[i + 1], 0, NULL);

		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			fail(statements[i], PQresultErrorMessage(result));
		PQclear(result);
	}
	if (PQsetnonblocking(session, 1) != 0)
		fail("connect", PQerrorMessage(session));
	return session;
}

static void
ask(PGconn *session, const char *name, int nargs, const char *const *args)
{
	if (!PQsendQueryPrepared(session, name, nargs, args, NULL, NULL, 0) || PQflush(session) != 0)
		fail(name, PQerrorMessage(session));
}

/* The answer if it has come whole; errors end the run, for an operation that was refused is counted by its
 * outcome. */
static PGresult *
answer(PGconn *session)
{
	PGresult *result;
	PGresult *more;

	if (!PQconsumeInput(session))
		fail("read", PQerrorMessage(session));
	if (PQisBusy(session))
		return NULL;
	result = PQgetResult(session);
	if (result == NULL)
		return NULL;
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		fail("answer", PQresultErrorMessage(result));
	while ((more = PQgetResult(session)) != NULL)
		PQclear(more);
	return result;
}

static void
wait_for_page(Pair *pair)
{
	const char *args[2] = {pair->other, pair->cursor};

	ask(pair->waiter, "wait", 2, args);
	pair->asked_at = now();
}

static void
keep_cursor(Pair *pair, PGresult *page)
{
	int rows = PQntuples(page);

	if (rows == 0)
		return;
	free(pair->cursor);
	pair->cursor = strdup(PQgetvalue(page, rows - 1, 0));
}

/* What the device has not seen of earlier runs. */
static void
catch_up(Pair *pair)
{
	int rows = 1;

	while (rows > 0)
	{
		const char *args[2] = {pair->other, pair->cursor};
		PGresult *page = PQexecPrepared(pair->waiter, "pull", 2, args, NULL, NULL, 0);

		if (PQresultStatus(page) != PGRES_TUPLES_OK)
			fail("pull_crisis", PQresultErrorMessage(page));
		rows = PQntuples(page);
		keep_cursor(pair, page);
		PQclear(page);
	}
}

static void
find_devices(Pair *pair)
{
	char number[12];
	const char *args[1] = {number};
	PGresult *result;

	snprintf(number, sizeof(number), "%d", pair->subject);
	result = PQexecParams(pair->pusher, "SELECT device, other FROM bench.device WHERE n = $1::integer", 1,
						  NULL, args, NULL, NULL, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		fail("bench.device", "no such subject");
	pair->device = strdup(PQgetvalue(result, 0, 0));
	pair->other = strdup(PQgetvalue(result, 0, 1));
	PQclear(result);
	pair->current = -1;
}

static void
open_pair(Load *load, Pair *pair)
{
	static const char *const pushing[] = {
		"bare", "INSERT INTO bench.bare (payload) VALUES ($1::bytea)", "push",
		"SELECT outcome FROM paws_sync.push_crisis($1::paws_sync.device, $2::jsonb)", NULL};
	static const char *const waiting[] = {
		"pull", "SELECT cursor, op_id FROM paws_sync.pull_crisis($1::paws_sync.device, $2::paws_sync.cursor)",
		"wait",
		"SELECT cursor, op_id FROM paws_sync.pull_crisis_wait($1::paws_sync.device, $2::paws_sync.cursor, '1 s')",
		NULL};

	pair->pusher = open_session(load->conninfo, pushing);
	pair->waiter = open_session(load->conninfo, waiting);
	find_devices(pair);
	catch_up(pair);
	wait_for_page(pair);
}

/* The number of the operation is the end of its op_id. */
static void
push(Load *load, Pair *pair)
{
	char operation[4096];
	const char *args[2] = {pair->device, operation};
	unsigned a = (unsigned) (load->run >> 32);
	unsigned b = (unsigned) (load->run >> 16 & 0xffff);
	unsigned c = (unsigned) (load->run & 0xffff);

	pair->current = load->nsent++;
	snprintf(operation, sizeof(operation),
			 "[{\"op_id\":\"%08x-%04x-%04x-8000-%012x\",\"collection\":\"bench_safety\","
			 "\"doc_id\":\"%08x-%04x-%04x-9000-%012x\",\"base_revision\":0,\"payload\":\"%s\"}]",
			 a, b, c, pair->current, a, b, c, pair->current, load->payload);
	load->sent[pair->current] = (Sent){.pair = (int) (pair - load->pairs), .called_at = now()};
	ask(pair->pusher, "push", 2, args);
}

static void
insert(Load *load, Pair *pair)
{
	const char *args[1] = {load->hex};

	pair->bare_at = now();
	ask(pair->pusher, "bare", 1, args);
}

/* Not always at the same distance; what cannot be sent in time is sent as soon as it can. */
static void
send_what_is_due(Load *load, Pair *pair)
{
	int64_t t = now();
	double gap = 1e6 * load->npairs / load->rate / 2;

	if (pair->busy || pair->current >= 0 || t < pair->due_at || t < pair->asked_at + REST_US ||
		(!pair->bare && load->nsent >= load->count))
		return;
	if (t > pair->due_at + gap)
		load->late++;
	if (pair->bare)
		insert(load, pair);
	else
		push(load, pair);
	pair->busy = true;
	pair->due_at = t + (int64_t) (gap * (0.5 + (double) random() / RAND_MAX));
}

static void
take_acknowledgement(Load *load, Pair *pair)
{
	PGresult *result = answer(pair->pusher);
	int64_t t = now();

	if (result == NULL)
		return;
	pair->busy = false;
	if (pair->bare)
		load->bare[load->nbare++] =
			(Sent){.pair = (int) (pair - load->pairs), .called_at = pair->bare_at, .acknowledged_at = t};
	else
	{
		int n = load->nsent - 1;

		while (load->sent[n].pair != pair - load->pairs)
			n--;
		load->sent[n].acknowledged_at = t;
		if (PQntuples(result) != 1 || strcmp(PQgetvalue(result, 0, 0), "accepted") != 0)
		{
			load->refused++;
			pair->current = -1;
		}
	}
	pair->bare = !pair->bare && load->nbare < load->count;
	PQclear(result);
}

static void
see(Load *load, Pair *pair, const char *op_id, int64_t t)
{
	char start[32];
	int n;

	snprintf(start, sizeof(start), "%08x-%04x-%04x-8000-", (unsigned) (load->run >> 32),
			 (unsigned) (load->run >> 16 & 0xffff), (unsigned) (load->run & 0xffff));
	n = (int) strtol(op_id + 24, NULL, 16);
	if (strncmp(op_id, start, 24) != 0 || n < 0 || n >= load->nsent)
	{
		load->strange++;
		return;
	}
	if (load->sent[n].times_seen++ == 0)
		load->sent[n].seen_at = t;
	if (n == pair->current)
		pair->current = -1;
}

static void
take_page(Load *load, Pair *pair)
{
	PGresult *page = answer(pair->waiter);
	int64_t t = now();

	if (page == NULL)
		return;
	for (int row = 0; row < PQntuples(page); row++)
		see(load, pair, PQgetvalue(page, row, 1), t);
	keep_cursor(pair, page);
	PQclear(page);
	wait_for_page(pair);
}

static bool
under_way(const Load *load)
{
	for (int i = 0; i < load->npairs; i++)
		if (load->pairs[i].busy || load->pairs[i].current >= 0)
			return true;
	return load->nsent < load->count;
}

/* Until the next is due, in microseconds. */
static int64_t
pause_of(const Load *load)
{
	int64_t t = now();
	int64_t pause = 10000;

	for (int i = 0; i < load->npairs; i++)
	{
		const Pair *pair = &load->pairs[i];
		int64_t at = pair->due_at > pair->asked_at + REST_US ? pair->due_at : pair->asked_at + REST_US;

		if (!pair->busy && pair->current < 0 && at - t < pause)
			pause = at - t;
	}
	return pause > 0 ? pause : 0;
}

static void
run(Load *load)
{
	int64_t progress_at = now();
	int done = -1;

	while (under_way(load))
	{
		struct pollfd fds[2 * PAIRS_MAX];
		int64_t pause;
		struct timespec timeout;

		for (int i = 0; i < load->npairs; i++)
			send_what_is_due(load, &load->pairs[i]);
		for (int i = 0; i < load->npairs; i++)
		{
			fds[2 * i] = (struct pollfd){.fd = PQsocket(load->pairs[i].pusher), .events = POLLIN};
			fds[2 * i + 1] = (struct pollfd){.fd = PQsocket(load->pairs[i].waiter), .events = POLLIN};
		}
		pause = pause_of(load);
		timeout = (struct timespec){pause / 1000000, pause % 1000000 * 1000};
		if (ppoll(fds, 2 * load->npairs, &timeout, NULL) < 0)
			fail("poll", "interrupted");
		for (int i = 0; i < load->npairs; i++)
		{
			if (fds[2 * i + 1].revents)
				take_page(load, &load->pairs[i]);
			if (fds[2 * i].revents)
				take_acknowledgement(load, &load->pairs[i]);
		}
		if (load->nsent + load->nbare != done)
			progress_at = now();
		done = load->nsent + load->nbare;
		if (now() > progress_at + PATIENCE_S * INT64_C(1000000))
			return; /* what is missing is counted as lost */
	}
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a;
	int64_t y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

static void
print_series(const char *name, int subject, int64_t *samples, int count)
{
	qsort(samples, count, sizeof(int64_t), compare);
	if (count == 0)
		return;
	printf(subject ? "%s.%d" : "%s", name, subject);
	printf(" %d %lld %lld %lld %lld\n", count, (long long) samples[count / 2],
		   (long long) samples[(int) ((count - 1) * 0.99)], (long long) samples[(int) ((count - 1) * 0.999)],
		   (long long) samples[count - 1]);
}

/* All, or with a pair those of that one. */
static void
print_times(const Load *load, int pair)
{
	int64_t *samples = malloc((load->count + 1) * sizeof(int64_t));

	for (int series = 0; series < NSERIES; series++)
	{
		const Sent *all = series == BARE_ACK ? load->bare : load->sent;
		int nall = series == BARE_ACK ? load->nbare : load->nsent;
		int n = 0;

		for (int i = 0; i < nall; i++)
		{
			const Sent *sent = &all[i];
			int64_t from = series == ACK_TO_VISIBLE ? sent->acknowledged_at : sent->called_at;
			int64_t to =
				series == BARE_ACK || series == CALL_TO_ACK ? sent->acknowledged_at : sent->seen_at;

			if ((pair < 0 || sent->pair == pair) && from != 0 && to != 0)
				samples[n++] = to - from;
		}
		print_series(names[series], pair < 0 ? 0 : load->pairs[pair].subject, samples, n);
	}
	free(samples);
}

static void
print_counts(const Load *load)
{
	int lost = 0;
	int twice = 0;

	for (int i = 0; i < load->nsent; i++)
	{
		lost += load->sent[i].acknowledged_at != 0 && load->sent[i].times_seen == 0;
		twice += load->sent[i].times_seen > 1;
	}
	printf("sent %d\nlost %ld\ntwice %ld\nrefused %ld\nlate %ld\n", load->nsent, lost - load->refused,
		   twice + load->strange, load->refused, load->late);
}

static void
read_arguments(Load *load, int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
	{
		char *value = strchr(argv[i], '=');

		if (value == NULL)
			fail("usage", argv[i]);
		*value++ = '\0';
		if (strcmp(argv[i], "count") == 0)
			load->count = atoi(value);
		else if (strcmp(argv[i], "rate") == 0)
			load->rate = atof(value);
		else if (strcmp(argv[i], "payload") == 0)
			load->payload = value;
		else if (strcmp(argv[i], "hex") == 0)
			load->hex = value;
		else if (strcmp(argv[i], "each") == 0)
			load->each = atoi(value);
		else if (strcmp(argv[i], "subjects") == 0)
			for (char *word = strtok(value, ","); word && load->npairs < PAIRS_MAX; word = strtok(NULL, ","))
				load->pairs[load->npairs++].subject = atoi(word);
		else
			fail("usage", argv[i]);
	}
}

int
main(int argc, char **argv)
{
	static Load load = {.count = 10000, .rate = 200};
	struct timespec t;

	if (argc < 2)
		fail("usage", "crisis_load CONNINFO KEY=VALUE...");
	load.conninfo = argv[1];
	read_arguments(&load, argc, argv);
	if (load.npairs == 0 || load.payload == NULL || load.hex == NULL || load.count < 1 || load.rate <= 0 ||
		strlen(load.payload) > 3000)
		fail("usage", "subjects, payload and hex must be given");
	clock_gettime(CLOCK_REALTIME, &t);
	load.run = (uint64_t) t.tv_sec << 24 ^ (uint64_t) t.tv_nsec;
	srandom((unsigned) t.tv_nsec);
	load.sent = calloc(load.count + 1, sizeof(Sent));
	load.bare = calloc(load.count + PAIRS_MAX, sizeof(Sent));
	for (int i = 0; i < load.npairs; i++)
		open_pair(&load, &load.pairs[i]);
	for (int i = 0; i < load.npairs; i++)
		load.pairs[i].due_at = now() + (int64_t) (1e6 * i / load.rate) + 10000;
	run(&load);
	print_times(&load, -1);
	if (load.each)
		for (int i = 0; i < load.npairs; i++)
			print_times(&load, i);
	print_counts(&load);
	return 0;
}
