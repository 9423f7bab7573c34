/*
 * crisis/canary.h - the lane's test of itself: an operation that goes through all of it, again and again.
 *
 * The canary (workers/canary.c) is a client like any other: it calls push_crisis with a device of its own, of
 * a subject of its own. Those who wait for it, the crisis workers, call pull_crisis with another device of
 * that subject when its commit wakes them. What passes between the two, how it went, and how it went before,
 * is in shared memory here; for how much of the time the lane was there, in paws_crisis.canary
 * (canary_history.h).
 *
 * Nothing here needs SPI. Times by paws_clock are of this boot of the machine.
 */
#ifndef PAWS_CRISIS_CANARY_H
#define PAWS_CRISIS_CANARY_H

#include "postgres.h"
#include "base/histogram.h"
#include "crisis/budget.h"
#include "datatype/timestamp.h"
#include "guard/token.h"
#include "utils/uuid.h"

/* True in the process that is the canary: what it pushes is in no count but its own. */
extern bool paws_canary_here;

/* True there while its operation is to go by way of the lane's queue, as if its counter were held. */
extern bool paws_canary_by_queue;

/* From here on it is late; a round that takes longer than the whole budget has failed. */
#define PAWS_CANARY_SLOW_MS (PAWS_CRISIS_BUDGET_MS / 2)

typedef enum PawsCanaryResult
{
	PAWS_CANARY_NONE, /* no round since the start of the server */
	PAWS_CANARY_GOOD,
	PAWS_CANARY_LATE,      /* visible, but later than PAWS_CRISIS_BUDGET_MS after the call */
	PAWS_CANARY_UNAPPLIED, /* visible in time, but no crisis worker took it out of the queue */
	PAWS_CANARY_REFUSED,   /* the push failed */
	PAWS_CANARY_LOST       /* pushed, and not to be seen */
} PawsCanaryResult;

/* How it went so far. */
typedef struct PawsCanaryState
{
	PawsCanaryResult result; /* of the last round */
	int64 latency;           /* of the last round, microseconds from call to consumer */
	TimestampTz ended_at;    /* of the last round; 0: none since the start */
	int64 ended_clock;       /* the same by paws_clock */
	int64 worst;             /* within the last hour, microseconds; -1: no round */
	int64 rounds;            /* since the start of the server */
	int64 failed;            /* of them, those that were not good */
	int64 alive_clock;       /* when the canary was last heard of; 0: never */
	bool waits; /* no device was registered yet, or not with keys that are here: no round can be */
} PawsCanaryState;

extern void paws_canary_init(void);

/* The canary is alive, and whether it waits for something to be there that a round needs. */
extern void paws_canary_alive(int slot, bool waits);

/* Both its devices are known. True if they were not before: then nobody waits yet. */
extern bool paws_canary_introduce(int slot, int64 subject_no, const PawsToken *watcher);

/* True if this is the subject of the canary; false as well before it was introduced. */
extern bool paws_canary_is(int slot, int64 subject_no);

/*
 * What a consumer waits for: the subject to watch, and the device to pull with. 0 if there is nobody yet.
 * *open: a round is under way that was not seen whole.
 */
extern int64 paws_canary_watched(int slot, PawsToken *watcher, bool *open);

/* From now on this process waits for the canaries of a subject, until it ends; 0: for none. */
extern void paws_canary_wait_for(int slot, int64 subject_no);

/* A round begins: its latency counts from here. From now to its end consumers look. */
extern void paws_canary_begin(int slot, const pg_uuid_t *op_id, bool by_queue);

/* A consumer has an operation in its hands; nothing happens unless it is that of the round under way. */
extern void paws_canary_seen(int slot, const pg_uuid_t *op_id, bool applied);

/* True once the round was seen, and applied if it goes by way of the queue; microseconds from its begin to
 * when it was first seen, or -1. False as well while nobody waits: then *nobody is true. */
extern bool paws_canary_arrived(int slot, int64 *latency, bool *nobody);

/* The round is over. */
extern void paws_canary_end(int slot, PawsCanaryResult result, int64 latency);

extern void paws_canary_read(int slot, PawsCanaryState *state);

/* All rounds since the start of the server. */
extern PawsHistogram *paws_canary_histogram(int slot);

/*
 * How much time there is to account for since the last account, in microseconds, and how much of it the lane
 * was there: all of it if the last round and this one were good and nothing was left out between them, else
 * nothing. First of a server: elapsed is -1, for only the history knows when the last one was.
 */
extern void paws_canary_elapsed(int slot, bool good, int64 *elapsed, int64 *there);

/* The account is kept. */
extern void paws_canary_accounted(int slot, bool good);

/* The canary is off: the next account begins anew. */
extern void paws_canary_unaccounted(int slot);

#endif
