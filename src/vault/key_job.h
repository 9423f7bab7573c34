/*
 * vault/key_job.h - rotations as rows: what is to be done with keys, and how far it has come.
 *
 * The row is the whole state: it is changed in the transaction that does a slice of the work, so a job goes
 * on after a crash where it was. One job is worked on at a time, the oldest first, by the scheduler.
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_VAULT_KEY_JOB_H
#define PAWS_VAULT_KEY_JOB_H

#include "access/transam.h"
#include "datatype/timestamp.h"
#include "utils/uuid.h"
#include "vault/vault.h"

/* Stored; never given anew. */
typedef enum PawsKeyJobKind
{
	PAWS_KEY_JOB_EPOCHS = 1,    /* new epochs, all keys under them, the old ones destroyed */
	PAWS_KEY_JOB_DATA_KEYS = 2, /* new keys for all subjects, all documents under them */
	PAWS_KEY_JOB_ROOTS = 3      /* the keyring under the current ids of the roots */
} PawsKeyJobKind;

/*
 * Stored; never given anew.
 *
 * epochs: requested, making_epochs, rewrapping, settling_writers, rewrapping_rest, settling_readers,
 * destroying. data_keys: requested, making_keys, settling_writers, settling_queue, resealing,
 * settling_readers, deleting_keys. roots: requested.
 */
typedef enum PawsKeyPhase
{
	PAWS_KEY_PHASE_REQUESTED = 1,
	PAWS_KEY_PHASE_REWRAPPING = 2,
	PAWS_KEY_PHASE_SETTLING_WRITERS = 3, /* until nobody is left who may write under what was before */
	PAWS_KEY_PHASE_REWRAPPING_REST = 4,
	PAWS_KEY_PHASE_SETTLING_READERS = 5, /* until nobody is left who may read what was before */
	PAWS_KEY_PHASE_DESTROYING = 6,
	PAWS_KEY_PHASE_MAKING_KEYS = 7,
	PAWS_KEY_PHASE_RESEALING = 8,
	PAWS_KEY_PHASE_DELETING_KEYS = 9,
	PAWS_KEY_PHASE_FINISHED = 10,
	PAWS_KEY_PHASE_MAKING_EPOCHS = 11,
	PAWS_KEY_PHASE_SETTLING_QUEUE = 12 /* until nothing waits that was sealed under what was before */
} PawsKeyPhase;

/* The walk has not begun, or is over documents; their branches come after them. */
#define PAWS_WALK_START     (-2)
#define PAWS_WALK_DOCUMENTS (-1)

typedef struct PawsKeyJob
{
	int64 id;
	PawsKeyJobKind kind;
	PawsKeyPhase phase;
	PawsKeyHome home; /* whose keys are being walked over */
	int64 done;
	int64 total;
	int64 left; /* what could not be done: it did not open, or is still in use */

	/* where walks are: the last subject; the last key, or the last of its documents and branches */
	int64 walk_subject;
	pg_uuid_t walk_key;
	int64 walk_position; /* of a branch, or one of the above */

	/* making_epochs: the newest ones before; later: those that the job made, 0 for data keys */
	uint32 care_epoch;
	uint32 crisis_epoch;

	FullTransactionId entered; /* the transaction that began the phase */
	int64 bound;               /* settling_queue: the last id that may have been sealed before */
} PawsKeyJob;

/* Asks for a job; returns the id of one of that kind that has not begun, if there is one. Errors 40001 if two
 * ask at once in transactions of one snapshot. */
extern int64 paws_key_job_request(PawsKeyJobKind kind);

/* The job to work on, locked; false if there is none. */
extern bool paws_key_job_load(PawsKeyJob *job);

/* Writes back what a slice changed. A finished job gets its time, and as its total what it came to. */
extern void paws_key_job_save(PawsKeyJob *job);

/* Begins a phase: its walks start anew. */
extern void paws_key_job_enter(PawsKeyJob *job, PawsKeyPhase phase);

/* True if a job of this kind waits or is worked on. */
extern bool paws_key_job_pending(PawsKeyJobKind kind);

/* When the last job of this kind was finished that left something over, 0 if the last one left nothing. */
extern TimestampTz paws_key_job_left_over_at(PawsKeyJobKind kind);

#endif
