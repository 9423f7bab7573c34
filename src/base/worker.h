/*
 * base/worker.h - the one skeleton of all background workers.
 *
 * A worker has a slot in shared memory, taken under PAWS_LOCK_WORKERS by whoever starts it, so that wanted
 * and running can be compared at any time. The slot's generation tells a late exiter that the slot belongs to
 * a successor by now.
 */
#ifndef PAWS_BASE_WORKER_H
#define PAWS_BASE_WORKER_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"

typedef enum PawsWorkerKind
{
	PAWS_WORKER_LAUNCHER,
	PAWS_WORKER_SCHEDULER,
	PAWS_WORKER_POOL,
	PAWS_WORKER_TIMER,
	PAWS_WORKER_CRISIS,
	PAWS_WORKER_CANARY,
	PAWS_WORKER_KINDS
} PawsWorkerKind;

/* One slot. pid 0 and generation unchanged: starting; the statistics are written by the worker alone. */
typedef struct PawsWorkerSlot
{
	PawsWorkerKind kind; /* these under PAWS_LOCK_WORKERS */
	bool used;
	bool stopping; /* asked to leave */
	uint32 generation;
	Oid database; /* InvalidOid for the launcher */
	int pid;
	int64 asked_at; /* when it was asked to start, by paws_clock */
	TimestampTz started_at;
	pg_atomic_uint32 busy;
	pg_atomic_uint64 batches;
	pg_atomic_uint64 operations;
	pg_atomic_uint64 errors;
	pg_atomic_uint64 active_at; /* TimestampTz of the last work */
} PawsWorkerSlot;

/* What a kind of worker does. The turn returns the ms until the next one, if no latch comes first. */
typedef struct PawsWorkerMain
{
	PawsWorkerKind kind;
	const char *entry; /* exported C function */
	long (*turn)(void);
	void (*before_sleep)(void); /* may be NULL: last look before the latch; may set MyLatch */
} PawsWorkerMain;

extern void paws_worker_init(void);

/* Registers the static launcher; from _PG_init. */
extern void paws_worker_register_launcher(const char *entry);

/* Number of slots, and a copy of one of them. False if the slot is free. */
extern int paws_worker_slots(void);
extern bool paws_worker_read(int index, PawsWorkerSlot *copy);

/* "launcher", "scheduler", "pool", "timer", "crisis", "canary". */
extern const char *paws_worker_kind_name(PawsWorkerKind kind);

/* Crisis workers of a database, always. */
#define PAWS_CRISIS_WORKERS 2

/* Workers that a database has beside its pool: a scheduler, a timer, a canary, and the crisis workers. */
#define PAWS_FIXED_WORKERS (3 + PAWS_CRISIS_WORKERS)

/* How many workers of a kind a database has, running or asked for; and how many of them run. */
extern int paws_worker_count(PawsWorkerKind kind, Oid database);
extern int paws_worker_running(PawsWorkerKind kind, Oid database);

/*
 * Starts a worker for a database; false if there was no slot or the server had no process to spare
 * (max_worker_processes). The caller's latch is set when the worker starts or ends.
 */
extern bool paws_worker_start(PawsWorkerKind kind, const char *entry, Oid database);

/* Asks workers of a kind and database (InvalidOid: any) beyond the first `keep` to leave. */
extern void paws_worker_stop(PawsWorkerKind kind, Oid database, int keep);

/* Sets the latches of all workers, so that each takes a turn. */
extern void paws_worker_nudge(Oid database);

/* The body of a worker's entry point: sets up, then turns for ever. Ends by proc_exit. */
extern void paws_worker_run(const PawsWorkerMain *worker, Datum main_arg) pg_attribute_noreturn();

/* The calling worker's own slot (for its statistics), its number, and the database slot it serves; -1 before
 * the extension was found. */
extern PawsWorkerSlot *paws_worker_self(void);
extern int paws_worker_index(void);
extern int paws_worker_database_slot(void);

/*
 * Between these the worker is in a transaction as the extension's owner under a restricted security context,
 * with the extension locked against DROP. Begin returns false, with no transaction open, when the extension
 * is not installed here.
 */
extern bool paws_worker_begin(const char *activity);
extern void paws_worker_commit(void);
/* After an error was caught with PG_TRY: ends the transaction, and forgets the error after one line in the
 * log. */
extern void paws_worker_abort(void);

#endif
