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
#include "utils/uuid.h"
#include "vault/vault.h"

/* Stored; never given anew. */
typedef enum PawsKeyJobKind
{
	PAWS_KEY_JOB_EPOCHS = 1,    /* new epochs, all keys under them, the old ones destroyed */
	PAWS_KEY_JOB_DATA_KEYS = 2, /* new keys for all subjects, all documents under them */
	PAWS_KEY_JOB_ROOTS = 3      /* the keyring under the current ids of the roots */
} PawsKeyJobKind;

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
	PAWS_KEY_PHASE_FINISHED = 10
} PawsKeyPhase;

typedef struct PawsKeyJob
{
	int64 id;
	PawsKeyJobKind kind;
	PawsKeyPhase phase;
	PawsKeyHome home; /* whose keys are being walked over */
	int64 done;
	int64 total;
	int64 left;         /* what could not be done: it did not open, or is still in use */
	pg_uuid_t walk_key; /* where the walks are */
	int64 walk_subject;
	uint32 care_epoch; /* what the job made */
	uint32 crisis_epoch;
	FullTransactionId horizon; /* settling: transactions and snapshots before it have to be over */
} PawsKeyJob;

/* Asks for a job; returns the id of one of that kind that has not begun, if there is one. */
extern int64 paws_key_job_request(PawsKeyJobKind kind);

/* The job to work on, locked; false if there is none. */
extern bool paws_key_job_load(PawsKeyJob *job);

/* Writes back what a slice changed; a finished job gets its time. */
extern void paws_key_job_save(const PawsKeyJob *job);

/* Begins a phase: its walks start anew, and its horizon is now. */
extern void paws_key_job_enter(PawsKeyJob *job, PawsKeyPhase phase);

/* True if a job of this kind waits or is worked on. */
extern bool paws_key_job_pending(PawsKeyJobKind kind);

/*
 * True once no transaction of before the horizon runs and no snapshot of before it is held, in this database
 * or on a standby that feeds back. The transaction that asks has a snapshot itself, so it must have begun
 * after the horizon.
 */
extern bool paws_key_settled(FullTransactionId horizon);

#endif
