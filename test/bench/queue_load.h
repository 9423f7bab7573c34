/*
 * queue_load.h - what the two parts of queue_load share: queue_load.c reads the options, supervises and
 * prints; queue_load_sessions.c is the producer and the consumers, each a thread with a connection of its
 * own.
 */
#ifndef QUEUE_LOAD_H
#define QUEUE_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PAYLOAD_BYTES 287
#define MAX_MARKS     2000000
#define MAX_CONSUMERS 64
#define MAX_TIMES     1000000
#define MAX_IDS       4

typedef struct Times
{
	int64_t *us;
	_Atomic int count;
} Times;

typedef struct Options
{
	const char *conninfo;
	const char *take, *open, *ack, *payload, *listen, *put, *form, *log;
	const char *ids[MAX_IDS];
	int nids, consumers, idle;
	bool arrays, stop_empty;
	long rows;
	double rate, seconds;
} Options;

extern Options options;
extern _Atomic bool stopping;
extern _Atomic long taken;
extern _Atomic int64_t first_take_at, last_taken_at; /* us, 0: none yet */
extern Times take_times, ack_times;
extern int64_t *sent, *acknowledged; /* by mark, us */
extern _Atomic int64_t *received;    /* by mark, us; 0: not yet */
extern int marks;                    /* how many were put */

/* Microseconds of the monotonic clock. */
extern int64_t now(void);
extern void pause_us(int64_t us);
/* Prints both and ends the process. */
extern void fail(const char *what, const char *why) __attribute__((noreturn));
/* Bodies of threads. */
extern void *consumer(void *unused);
extern void *producer(void *unused);

#endif
