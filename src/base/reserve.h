/*
 * base/reserve.h - what is kept back for the crisis lane: of the byte budget, and of the pool's time.
 *
 * Crisis asks nobody; it reports what it used, in atomics of its own. Ordinary work may use all but
 * paws_sync.crisis_reserve, and beyond that what of the reserve is idle: it is lent as long as crisis was
 * quiet for one batch (20 ms), and taken back as soon as it is not. All of it is for the server as a whole,
 * and nothing here fails. Needs no SPI.
 */
#ifndef PAWS_BASE_RESERVE_H
#define PAWS_BASE_RESERVE_H

#include "postgres.h"
#include "datatype/timestamp.h"

/* The longest batch, and so the time within which the reserve is back. */
#define PAWS_BATCH_NS INT64CONST(20000000)

typedef enum PawsResource
{
	PAWS_RESOURCE_WORKER_TIME, /* microseconds */
	PAWS_RESOURCE_BYTES,       /* of payloads, in both directions */
	PAWS_RESOURCES
} PawsResource;

typedef struct PawsReserveState
{
	bool held; /* crisis was at work within the last batch: nothing is lent */
	int64 used_by_crisis;
	int64 used_by_ordinary;
	int64 lent;      /* of that, what was beyond the ordinary share */
	int64 held_back; /* pauses of workers; bytes that the budget refused */
	TimestampTz since;
} PawsReserveState;

extern void paws_reserve_init(void);

/* Crisis work begins, and has ended: what it took is added up, with the bytes of its payloads. Returns the
 * clock, for the second call. An error in between costs nothing but the sum. No locks. */
extern int64 paws_reserve_crisis_begin(void);
extern void paws_reserve_crisis_end(int64 begun_at, int64 bytes);

/*
 * Takes `bytes` of the budget for ordinary work. False if it has nothing left now, with the nanoseconds after
 * which it will; a payload larger than what is left is let through, and paid for afterwards. Without a budget
 * always true. Waits for PAWS_LOCK_RESERVE alone.
 */
extern bool paws_reserve_take(int64 bytes, int64 *wait);

/* Corrects what was taken, where the true size showed only later. */
extern void paws_reserve_correct(int64 bytes);

/* True while crisis was at work within the last batch. No locks. */
extern bool paws_reserve_is_held(void);

/* Adds up bytes that ordinary work moved. */
extern void paws_reserve_count(int64 bytes);

/* Around a batch of a pool worker; the second returns how many milliseconds it has to rest now so that the
 * reserve is free, mostly 0. */
extern void paws_reserve_batch_begin(void);
extern long paws_reserve_batch_end(void);

extern void paws_reserve_read(PawsResource resource, PawsReserveState *state);

/* Starts counting anew; what is held and lent goes on. */
extern void paws_reserve_reset(void);

#endif
