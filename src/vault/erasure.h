/*
 * vault/erasure.h - forgetting a subject: from the deletion of its keys to a certificate that nobody can read
 * it any more.
 *
 *   deleted    its keys are gone from the database, and from every process at that commit
 *   cleared    its rows are gone as well
 *   settling   those who were at work when it was forgotten, and may still write for it, are waited for
 *   swept      nobody is left who could, and what they wrote is gone
 *   destroyed  every epoch that its keys may have been wrapped under is gone from the keyring; backups and
 *              WAL open no more without an old keyring
 *   certified  the last backup of such a keyring is gone, too, by what the operator says of their retention
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_VAULT_ERASURE_H
#define PAWS_VAULT_ERASURE_H

#include "access/transam.h"
#include "datatype/timestamp.h"
#include "utils/uuid.h"
#include "vault/vault.h"

/* Stored; never given anew. */
typedef enum PawsErasureState
{
	PAWS_ERASURE_DELETED = 1,
	PAWS_ERASURE_CLEARED = 2,
	PAWS_ERASURE_SETTLING = 3,
	PAWS_ERASURE_SWEPT = 4,
	PAWS_ERASURE_DESTROYED = 5,
	PAWS_ERASURE_CERTIFIED = 6
} PawsErasureState;

typedef struct PawsErasure
{
	pg_uuid_t id;
	const char *subject; /* its token as text, palloc'd */
	int64 subject_no;
	PawsErasureState state;
	int32 keys;
	uint32 care_epoch; /* newest epochs of this database that its keys may have been wrapped under */
	uint32 crisis_epoch;
	TimestampTz logical_at;
	TimestampTz destroyed_at;     /* 0 before */
	TimestampTz irrecoverable_at; /* 0 before */
	FullTransactionId settling;   /* the transaction that began to wait */
	Datum devices;                /* numbers of its devices, bigint[] */
	bytea *signature;             /* NULL before it is certified */
} PawsErasure;

/*
 * Deletes the subject's keys of both lanes and notes the erasure, which has begun when the transaction
 * commits. Its devices must still be there. Errors 55000 without the roots of care and crisis.
 */
extern void paws_erasure_begin(Datum subject, int64 subject_no, Datum devices, PawsErasure *erasure);

/* The last erasure of a subject; false if there is none. */
extern bool paws_erasure_of_subject(Datum subject, PawsErasure *erasure);

/* Up to `max` erasures in a state, oldest first; returns how many. Of destroyed ones, those that have become
 * irrecoverable. */
extern int paws_erasures_in_state(PawsErasureState state, PawsErasure *erasures, int max);

/* Its rows are gone for a first time. */
extern void paws_erasure_cleared(const PawsErasure *erasure);

/* All cleared ones settle from now on; returns how many they are. */
extern int paws_erasures_settle(void);

/* Nobody is left who could write for it, and its rows are gone. Deletes what keys were made for it since. */
extern void paws_erasure_swept(const PawsErasure *erasure);

/*
 * Those swept ones are destroyed whose keys can have been wrapped under nothing that is in the keyring; their
 * irrecoverable date is `retention` (us) from now. Returns how many they are.
 */
extern int paws_erasures_destroyed(int64 retention);

/* True if a swept erasure of before `since` waits for epochs that this database can destroy. */
extern bool paws_erasures_wait_for_epochs(TimestampTz since);

/* Signs the certificate of a destroyed erasure. */
extern void paws_erasure_certify(const PawsErasure *erasure);

/* "deleted" up to and while it settles, "swept", "destroyed", "certified". */
extern const char *paws_erasure_state_name(PawsErasureState state);

#endif
