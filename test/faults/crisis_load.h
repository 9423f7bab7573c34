/*
 * crisis_load.h - what the parts of crisis_load share: crisis_load.c reads the options, supervises and
 * prints; crisis_sessions.c is the pushers, the waiting consumers and the prober, each a thread with a
 * connection of its own; crisis_check.c verifies afterwards what became of each operation.
 */
#ifndef CRISIS_LOAD_H
#define CRISIS_LOAD_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PAYLOAD_BYTES 287
#define MAX_PUSHERS   2048
#define MAX_STATES    16

/* One operation; times are microseconds of the monotonic clock, 0: not yet. */
typedef struct Operation
{
	int64_t called_at; /* when it was due, if the one before it was late */
	int64_t acknowledged_at;
	_Atomic int64_t seen_at; /* by a waiting consumer, pending or applied */
	_Atomic int changes;     /* how often a consumer was told that it is applied */
	int attempts;
	bool queued; /* accepted without a receipt */
} Operation;

typedef struct Subject
{
	char device[64];   /* pushes */
	char consumer[64]; /* waits */
	char verifier[64]; /* reads everything afterwards */
} Subject;

typedef struct Options
{
	const char *conninfo;
	const char *subjects, *log, *pusher_options, *function, *bare, *mark;
	int pushers, consumers, operations;
	double rate;  /* operations a second of all pushers; 0: one after the other */
	double retry; /* seconds for which a push that failed is repeated */
	bool connect, burst, check, probe, receipts;
} Options;

/* Failed calls by SQLSTATE; "lost" stands for a connection that broke, or was not to be had. */
typedef struct Failures
{
	char state[6];
	long count;
} Failures;

extern Options options;
extern Operation *operations;
extern Subject *subjects;
extern int nsubjects;
extern uint64_t run; /* in each operation's id */
extern _Atomic bool stopping;
extern _Atomic int finished; /* pushers */
extern _Atomic int not_applied, refused, bundles, bundle_failures;
extern _Atomic int64_t bundle_longest;
extern Failures failures[MAX_STATES];

/* Microseconds of the monotonic clock. */
extern int64_t now(void);
extern void pause_us(int64_t us);
/* Prints both and ends the process. */
extern void fail(const char *what, const char *why) __attribute__((noreturn));
/* Ids of an operation and of its document: 36 characters and a zero. */
extern void operation_id(int operation, char id[37]);
extern void document_id(int operation, char id[37]);
/* Which operation of this run it is, or -1. */
extern int operation_of(const char *id);

/* The subject that a consumer waits for: spread over all of them. */
extern int watched_by(int consumer);
/* Of which subject an operation is; its pusher is its number modulo theirs. */
extern int subject_of(int operation);

/* Bodies of threads; the argument is the number of the pusher or consumer. */
extern void *pusher(void *number);
extern void *consumer(void *number);
extern void *prober(void *unused);
/* Lets the pushers begin, all at once. */
extern void open_gate(int threads);

/* Reads the log, asks the server about every operation, prints lost and duplicated. */
extern int check(void);

#endif
