/*
 * queue_load.c - producers and consumers of any queue that is spoken to in SQL, with leases and latencies.
 *
 *     queue_load CONNINFO KEY=VALUE...
 *
 *     consumers=N     sessions that take and acknowledge; 0: none
 *     take=SQL        rows to work on; with open= its $1 is what that gave
 *     open=SQL        asked before each take: one value, or NULL when there is nothing
 *     ack=SQL         one parameter for each column in ids=; with open= its $1 is what that gave
 *     ids=NAME,NAME   columns of take that ack is given: of the only row, or with arrays=1 of all rows as
 * arrays payload=NAME    column of take in which marks of producers are looked for idle=USEC       pause of a
 * consumer that found nothing; 0: none, take waits by itself listen=CHANNEL  a consumer that found nothing
 * waits for a notification stop_empty=1    a consumer that found nothing ends rows=N          all end when so
 * many rows were taken put=SQL         one parameter, a payload of 287 bytes that carries a mark form=F how
 * it is written: hex (bytea), text, or json rate=N          payloads a second, evenly spaced; one producer
 *     seconds=S       producer and consumers end after that; consumers first take what is under way, for 2 s
 *     log=FILE        "mark sent acknowledged received" of each payload, microseconds of the monotonic clock
 *
 * Prints: rows taken, seconds, rows a second; and count, p50, p99, p99.9, max in microseconds of each kind of
 * time.
 */
#define _GNU_SOURCE
#include "queue_load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

Options options = {.form = "hex", .payload = "payload"};
_Atomic bool stopping;
_Atomic long taken;
_Atomic int64_t first_take_at, last_taken_at;
Times take_times, ack_times;
int64_t *sent, *acknowledged;
_Atomic int64_t *received;
int marks;

int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void
pause_us(int64_t us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};

	if (us > 0)
		nanosleep(&t, NULL);
}

void
fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a;
	int64_t y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

static void
print(const char *name, int64_t *us, int count)
{
	if (count == 0)
		return;
	qsort(us, count, sizeof(int64_t), compare);
	printf("%s %d %lld %lld %lld %lld\n", name, count, (long long) us[count / 2],
		   (long long) us[(int) ((count - 1) * 0.99)], (long long) us[(int) ((count - 1) * 0.999)],
		   (long long) us[count - 1]);
}

static void
print_latencies(void)
{
	int64_t *us = calloc(marks + 1, sizeof(int64_t));
	int count = 0;

	for (int i = 0; i < marks; i++)
		us[count++] = acknowledged[i] - sent[i];
	print("call_to_ack", us, count);
	count = 0;
	for (int i = 0; i < marks; i++)
		if (received[i] != 0)
			us[count++] = received[i] - sent[i];
	print("call_to_receipt", us, count);
	count = 0;
	for (int i = 0; i < marks; i++)
		if (received[i] != 0)
			us[count++] = received[i] - acknowledged[i];
	print("ack_to_receipt", us, count);
	free(us);
}

static void
write_log(void)
{
	FILE *file = fopen(options.log, "w");

	if (file == NULL)
		fail("log", options.log);
	for (int i = 0; i < marks; i++)
		fprintf(file, "%d %lld %lld %lld\n", i, (long long) sent[i], (long long) acknowledged[i],
				(long long) received[i]);
	fclose(file);
}

static void
set_ids(char *list)
{
	for (char *id = strtok(list, ","); id != NULL && options.nids < MAX_IDS; id = strtok(NULL, ","))
		options.ids[options.nids++] = id;
}

static void
set_option(char *argument)
{
	char *value = strchr(argument, '=');
	struct
	{
		const char *key;
		const char **text;
	} texts[] = {
		{"take", &options.take},       {"open", &options.open},     {"ack", &options.ack},
		{"payload", &options.payload}, {"listen", &options.listen}, {"put", &options.put},
		{"form", &options.form},       {"log", &options.log},
	};

	if (value == NULL)
		fail("usage", argument);
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(argument, texts[i].key) == 0)
		{
			*texts[i].text = *value != '\0' ? value : NULL;
			return;
		}
	if (strcmp(argument, "ids") == 0)
		set_ids(value);
	else if (strcmp(argument, "consumers") == 0)
		options.consumers = atoi(value);
	else if (strcmp(argument, "idle") == 0)
		options.idle = atoi(value);
	else if (strcmp(argument, "arrays") == 0)
		options.arrays = atoi(value) != 0;
	else if (strcmp(argument, "stop_empty") == 0)
		options.stop_empty = atoi(value) != 0;
	else if (strcmp(argument, "rows") == 0)
		options.rows = atol(value);
	else if (strcmp(argument, "rate") == 0)
		options.rate = atof(value);
	else if (strcmp(argument, "seconds") == 0)
		options.seconds = atof(value);
	else
		fail("no such option", argument);
}

/* Until the time is over, and what was put has come, or all consumers found nothing more. */
static void
supervise(pthread_t *threads, bool producing)
{
	int64_t until = now() + (int64_t) (options.seconds * 1e6);

	while (!options.stop_empty && !atomic_load(&stopping) && now() < until)
		pause_us(10000);
	if (producing)
	{
		pthread_join(threads[MAX_CONSUMERS], NULL);
		for (int i = 0; i < 200 && options.consumers > 0 && !atomic_load(&stopping); i++)
		{
			int missing = 0;

			for (int m = 0; m < marks; m++)
				missing += received[m] == 0;
			if (missing == 0)
				break;
			pause_us(10000);
		}
	}
	if (options.stop_empty)
	{
		struct timespec limit;

		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_sec += (int) options.seconds;
		for (int i = 0; i < options.consumers; i++)
			if (pthread_timedjoin_np(threads[i], NULL, &limit) == 0)
				threads[i] = 0;
	}
	atomic_store(&stopping, true);
	for (int i = 0; i < options.consumers; i++)
		if (threads[i] != 0)
			pthread_join(threads[i], NULL);
}

int
main(int argc, char **argv)
{
	pthread_t threads[MAX_CONSUMERS + 1];
	double seconds;

	if (argc < 3)
		fail("usage", "queue_load CONNINFO KEY=VALUE...");
	options.conninfo = argv[1];
	for (int i = 2; i < argc; i++)
		set_option(argv[i]);
	if (options.consumers > MAX_CONSUMERS || options.seconds <= 0)
		fail("usage", "up to 64 consumers, and seconds above 0");
	take_times.us = calloc(MAX_TIMES, sizeof(int64_t));
	ack_times.us = calloc(MAX_TIMES, sizeof(int64_t));
	sent = calloc(MAX_MARKS, sizeof(int64_t));
	acknowledged = calloc(MAX_MARKS, sizeof(int64_t));
	received = calloc(MAX_MARKS, sizeof(*received));
	for (int i = 0; i < options.consumers; i++)
		pthread_create(&threads[i], NULL, consumer, NULL);
	if (options.put != NULL)
		pthread_create(&threads[MAX_CONSUMERS], NULL, producer, NULL);
	supervise(threads, options.put != NULL);
	seconds = (last_taken_at - first_take_at) / 1e6;
	printf("taken %ld %.3f %.1f\n", (long) taken, seconds, seconds > 0 ? taken / seconds : 0);
	print("take", take_times.us, take_times.count < MAX_TIMES ? take_times.count : MAX_TIMES);
	print("ack", ack_times.us, ack_times.count < MAX_TIMES ? ack_times.count : MAX_TIMES);
	print_latencies();
	if (options.log != NULL)
		write_log();
	return 0;
}
