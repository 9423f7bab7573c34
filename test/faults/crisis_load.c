/*
 * crisis_load.c - crisis pushes beside waiting consumers, and what became of each of them.
 *
 *     crisis_load CONNINFO KEY=VALUE...
 *
 *     subjects=FILE     "pushing-device waiting-device verifying-device" a line; pushers share them out
 *     pushers=N         sessions that push; default 16
 *     consumers=N       sessions in pull_crisis_wait, each for another subject; default: for all
 *     operations=N      so many in all
 *     rate=N            a second in all, evenly spaced; 0: each pusher without a pause
 *     burst=1           all pushers push at the same moments; with rate=0 everything is due at once
 *     connect=1         a new connection for each push; else each session has pushed once before
 *     retry=SECONDS     a push that fails is repeated for so long; 0: it is refused; default 60
 *     pusher_options=C  further conninfo of the pushers
 *     function=F        push_crisis (default) or push
 *     probe=1           crisis_bundle is asked for every 50 ms as well
 *     bare=SQL          that instead of a push, with one parameter; nobody waits
 *     mark=FILE         is made when the first push is about to begin
 *     log=FILE          "id queued called acknowledged seen" of each operation, microseconds
 *     check=1           pushes nothing: reads the log and verifies it
 *     receipts=0        not by receipts(), which reads the ordinary lane too
 *
 * An operation is called when it is sent, or when it was due while its pusher was still busy with the one
 * before. Prints, in microseconds where it is a time: sent, acknowledged, refused, queued, unseen,
 * told_twice, not_applied; "failed SQLSTATE count"; gap, the longest time in which nothing was acknowledged;
 * and count, p50, p99, p99.9, max of each kind of time.
 */
#define _GNU_SOURCE
#include "crisis_load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

Options options = {.pushers = 16, .consumers = -1, .retry = 60, .function = "push_crisis", .receipts = true};
Operation *operations;
Subject *subjects;
int nsubjects;
uint64_t run;
_Atomic bool stopping;
_Atomic int finished;
_Atomic int not_applied, refused, bundles, bundle_failures;
_Atomic int64_t bundle_longest;
Failures failures[MAX_STATES];

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

static void
put_id(char id[37], unsigned kind, int operation)
{
	snprintf(id, 37, "%08x-%04x-4%03x-8%03x-%04x%08x", (unsigned) (run >> 32),
			 (unsigned) (run >> 16 & 0xffff), (unsigned) (run & 0xfff), kind, 0, (unsigned) operation);
}

void
operation_id(int operation, char id[37])
{
	put_id(id, 0, operation);
}

void
document_id(int operation, char id[37])
{
	put_id(id, 1, operation);
}

int
operation_of(const char *id)
{
	char first[37];
	int operation;

	if (strlen(id) != 36)
		return -1;
	operation = (int) strtol(id + 28, NULL, 16);
	operation_id(operation, first);
	return operation >= 0 && operation < options.operations && strcmp(first, id) == 0 ? operation : -1;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a;
	int64_t y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

/* The smallest that so large a part is not above. */
static long long
quantile(const int64_t *us, int count, double part)
{
	int rank = (int) (part * count + 0.999999);

	return us[rank < 1 ? 0 : rank > count ? count - 1 : rank - 1];
}

static void
print(const char *name, int64_t *us, int count)
{
	if (count == 0)
		return;
	qsort(us, count, sizeof(int64_t), compare);
	printf("%s %d %lld %lld %lld %lld\n", name, count, quantile(us, count, 0.5), quantile(us, count, 0.99),
		   quantile(us, count, 0.999), (long long) us[count - 1]);
}

static void
print_times(void)
{
	int64_t *us = calloc(options.operations + 1, sizeof(int64_t));
	int count = 0;

	for (int i = 0; i < options.operations; i++)
		if (operations[i].acknowledged_at)
			us[count++] = operations[i].acknowledged_at - operations[i].called_at;
	print("call_to_ack", us, count);
	count = 0;
	for (int i = 0; i < options.operations; i++)
		if (operations[i].acknowledged_at && operations[i].seen_at)
			us[count++] = operations[i].seen_at - operations[i].called_at;
	print("call_to_visible", us, count);
	count = 0;
	for (int i = 0; i < options.operations; i++)
		if (operations[i].acknowledged_at && operations[i].seen_at)
			us[count++] = operations[i].seen_at - operations[i].acknowledged_at;
	print("ack_to_visible", us, count);
	free(us);
}

int
subject_of(int operation)
{
	return (options.pushers < nsubjects ? operation : operation % options.pushers) % nsubjects;
}

int
watched_by(int consumer)
{
	return (int) ((int64_t) consumer * nsubjects / options.consumers);
}

/* Whether a consumer waits for what this operation's pusher pushes. */
static bool
watched(int operation)
{
	int subject;

	if (options.bare || options.consumers == 0)
		return false;
	subject = subject_of(operation);
	/* the only consumer that could */
	return watched_by((int) (((int64_t) subject * options.consumers + nsubjects - 1) / nsubjects)) == subject;
}

static void
print_gap(void)
{
	int64_t *at = calloc(options.operations + 1, sizeof(int64_t));
	int64_t longest = 0;
	int count = 0;

	for (int i = 0; i < options.operations; i++)
		if (operations[i].acknowledged_at)
			at[count++] = operations[i].acknowledged_at;
	qsort(at, count, sizeof(int64_t), compare);
	for (int i = 1; i < count; i++)
		if (at[i] - at[i - 1] > longest)
			longest = at[i] - at[i - 1];
	printf("gap %lld\n", (long long) longest);
	free(at);
}

static void
print_counts(void)
{
	long sent = 0, acknowledged = 0, queued = 0, unseen = 0, twice = 0;

	for (int i = 0; i < options.operations; i++)
	{
		Operation *operation = &operations[i];

		sent += operation->called_at != 0;
		acknowledged += operation->acknowledged_at != 0;
		queued += operation->queued;
		unseen += operation->acknowledged_at != 0 && watched(i) && operation->seen_at == 0;
		twice += operation->changes > 1;
	}
	printf("sent %ld\nacknowledged %ld\nrefused %d\nqueued %ld\nunseen %ld\ntold_twice %ld\nnot_applied %d\n",
		   sent, acknowledged, refused, queued, unseen, twice, not_applied);
	for (int i = 0; i < MAX_STATES && failures[i].count; i++)
		printf("failed %s %ld\n", failures[i].state, failures[i].count);
	if (options.probe)
		printf("bundles %d %d %lld\n", bundles, bundle_failures, (long long) bundle_longest);
}

static void
write_log(void)
{
	FILE *file = options.log ? fopen(options.log, "w") : NULL;
	char id[37];

	if (file == NULL)
		fail("log", options.log ? options.log : "none");
	fprintf(file, "%llu %d\n", (unsigned long long) run, options.pushers);
	for (int i = 0; i < options.operations; i++)
	{
		operation_id(i, id);
		fprintf(file, "%s %d %lld %lld %lld\n", id, operations[i].queued, (long long) operations[i].called_at,
				(long long) operations[i].acknowledged_at, (long long) operations[i].seen_at);
	}
	fclose(file);
}

static void
read_subjects(void)
{
	FILE *file = fopen(options.subjects, "r");

	if (file == NULL)
		fail("subjects", options.subjects);
	subjects = calloc(MAX_PUSHERS, sizeof(Subject));
	while (nsubjects < MAX_PUSHERS && fscanf(file, "%63s %63s %63s", subjects[nsubjects].device,
											 subjects[nsubjects].consumer, subjects[nsubjects].verifier) == 3)
		nsubjects++;
	fclose(file);
	if (nsubjects == 0)
		fail("subjects", "there are none");
}

static bool
set_number(const char *key, const char *value)
{
	struct
	{
		const char *key;
		int *number;
	} numbers[] = {
		{"pushers", &options.pushers},
		{"consumers", &options.consumers},
		{"operations", &options.operations},
	};
	struct
	{
		const char *key;
		bool *flag;
	} flags[] = {
		{"connect", &options.connect}, {"burst", &options.burst},       {"check", &options.check},
		{"probe", &options.probe},     {"receipts", &options.receipts},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(key, numbers[i].key) == 0)
			return *numbers[i].number = atoi(value), true;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(key, flags[i].key) == 0)
			return *flags[i].flag = atoi(value) != 0, true;
	if (strcmp(key, "rate") == 0)
		return options.rate = atof(value), true;
	if (strcmp(key, "retry") == 0)
		return options.retry = atof(value), true;
	return false;
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
		{"subjects", &options.subjects}, {"log", &options.log},
		{"function", &options.function}, {"pusher_options", &options.pusher_options},
		{"bare", &options.bare},         {"mark", &options.mark},
	};

	if (value == NULL)
		fail("usage", argument);
	*value++ = '\0';
	if (set_number(argument, value))
		return;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(argument, texts[i].key) == 0)
		{
			*texts[i].text = value;
			return;
		}
	fail("no such option", argument);
}

/* What was acknowledged is with a consumer soon, or will never be. */
static void
wait_until_seen(void)
{
	for (int tries = 0; tries < 1000; tries++)
	{
		int unseen = 0;

		for (int i = 0; i < options.operations; i++)
			unseen += operations[i].acknowledged_at != 0 && watched(i) && operations[i].seen_at == 0;
		if (unseen == 0)
			return;
		pause_us(10000);
	}
}

static void
carry_out(void)
{
	pthread_t *threads = calloc(options.pushers + options.consumers + 1, sizeof(pthread_t));
	pthread_attr_t small;
	int n = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 * 1024);
	for (int i = 0; i < options.pushers; i++)
		pthread_create(&threads[n++], &small, pusher, (void *) (intptr_t) i);
	for (int i = 0; i < options.consumers && !options.bare; i++)
		pthread_create(&threads[n++], &small, consumer, (void *) (intptr_t) i);
	if (options.probe)
		pthread_create(&threads[n++], &small, prober, NULL);
	open_gate(n);
	while (atomic_load(&finished) < options.pushers)
		pause_us(10000);
	wait_until_seen();
	atomic_store(&stopping, true);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

int
main(int argc, char **argv)
{
	if (argc < 3)
		fail("usage", "crisis_load CONNINFO KEY=VALUE...");
	options.conninfo = argv[1];
	for (int i = 2; i < argc; i++)
		set_option(argv[i]);
	if (!options.bare)
		read_subjects();
	if (options.check)
		return check();
	if (options.pushers < 1 || options.pushers > MAX_PUSHERS || options.operations < 1)
		fail("usage", "1 to 2048 pushers, and operations");
	if (options.consumers < 0 || options.consumers > nsubjects)
		options.consumers = nsubjects;
	if (getrandom(&run, sizeof(run), 0) != sizeof(run))
		fail("getrandom", "no random bytes");
	operations = calloc(options.operations, sizeof(Operation));
	carry_out();
	print_counts();
	print_gap();
	print_times();
	if (options.log)
		write_log();
	return 0;
}
