/*
 * crisis/outcome.h - what became of crisis operations: attempts, acknowledgements, refusals, latencies.
 *
 * Counted in shared memory for each database, apart from all that the ordinary lane counts. An attempt is
 * counted when it is made, whatever becomes of its transaction; what is acknowledged, at its commit. What the
 * canary does (crisis/canary.h) is in none of it. Nothing here takes a lock, fails, or needs SPI.
 */
#ifndef PAWS_CRISIS_OUTCOME_H
#define PAWS_CRISIS_OUTCOME_H

#include "postgres.h"
#include "base/histogram.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"

/* Why an operation was not taken. All but the first were well-formed. */
typedef enum PawsRefusal
{
	PAWS_REFUSAL_TOO_LARGE,  /* above paws_sync.crisis_max_payload */
	PAWS_REFUSAL_QUEUE_FULL, /* paws_sync.crisis_queue_max */
	PAWS_REFUSAL_LOCKED,     /* a lock was not to be had in time, or only by a deadlock */
	PAWS_REFUSAL_CANCELED,   /* by the client, its timeout, or an operator */
	PAWS_REFUSAL_STORAGE,    /* no room, or the disk failed */
	PAWS_REFUSAL_KEYS,       /* the subject has no key to seal to, or it does not open */
	PAWS_REFUSAL_CONFLICT,   /* another transaction changed or forgot what this one saw */
	PAWS_REFUSAL_READ_ONLY,  /* a standby, or a transaction that may not write */
	PAWS_REFUSAL_OTHER,
	PAWS_REFUSALS
} PawsRefusal;

typedef struct PawsOutcomes
{
	int64 attempts; /* well-formed; so all but those that are too large */
	int64 acknowledged;
	int64 rolled_back; /* taken, and then undone by their own transaction */
	int64 refused[PAWS_REFUSALS];
	int64 overdue; /* acknowledged, later than PAWS_CRISIS_BUDGET_MS after the call */
	TimestampTz since;
} PawsOutcomes;

extern void paws_outcome_init(void);

/* A closed word, and the refusal that an error stands for. */
extern const char *paws_refusal_name(PawsRefusal refusal);
extern PawsRefusal paws_refusal_of(int sqlstate);

/* Operations are tried now. */
extern void paws_outcome_attempt(int slot, int count);

/* They were not taken. */
extern void paws_outcome_refused(int slot, PawsRefusal refusal, int count);

/* They were taken: acknowledged if the current (sub)transaction commits, else rolled back. */
extern void paws_outcome_taken(int slot, int count);

/* At the commit of the current transaction, the time since the call goes into the lane's histogram. */
extern void paws_outcome_latency_at_commit(int slot, PawsClass klass, TimestampTz since);

extern void paws_outcome_read(int slot, PawsOutcomes *outcomes);

/* Well-formed operations that the lane did not take. */
extern int64 paws_outcome_refusals(const PawsOutcomes *outcomes);

/* How many were refused and rolled back since the last call of this, by whomever. */
extern void paws_outcome_news(int slot, int64 *refused, int64 *rolled_back);

/* The latencies of a class of the crisis lane. */
extern PawsHistogram *paws_outcome_histogram(int slot, PawsClass klass);

/* Starts counting anew. */
extern void paws_outcome_reset(int slot);

#endif
