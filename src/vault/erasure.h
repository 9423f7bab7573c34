/*
 * vault/erasure.h - forgetting a subject: from the deletion of its keys to a certificate that nobody can read
 * it any more.
 *
 *   deleted    its keys are gone from the database, and from every process at that commit
 *   swept      its rows are gone as well, and nobody is left who might still write some
 *   destroyed  all other keys are under newer epochs, and the epochs that its keys were wrapped under are
 * gone from the keyring: backups and WAL open no more without an old keyring certified  the last backup of
 * such a keyring is gone, too, by what the operator says of their retention
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
	PAWS_ERASURE_SWEPT = 2,
	PAWS_ERASURE_DESTROYED = 3,
	PAWS_ERASURE_CERTIFIED = 4
} PawsErasureState;


typedef struct PawsErasure
{
	pg_uuid_t id;
	const char *subject; /* its token as text, palloc'd */
	int64 subject_no;
	PawsErasureState state;
	int32 keys;
	uint32 care_epoch;
	uint32 crisis_epoch;
	TimestampTz logical_at;
	TimestampTz destroyed_at;     /* 0 before */
	TimestampTz irrecoverable_at; /* 0 before */
	FullTransactionId horizon;
	bytea *signature; /* NULL before it is certified */
} PawsErasure;

/*
 * Deletes the subject's keys of both lanes and notes the erasure, which has begun when the transaction
 * commits. Errors 55000 without the roots of care and crisis.
 */
extern void paws_erasure_begin(Datum subject, int64 subject_no, PawsErasure *erasure);

/* The last erasure of a subject, or the erasure of this id; false if there is none. */
extern bool paws_erasure_of_subject(Datum subject, PawsErasure *erasure);

/* The oldest erasure in a state; false if there is none. */
extern bool paws_erasure_in_state(PawsErasureState state, PawsErasure *erasure);

/* Its rows are gone. */
extern void paws_erasure_swept(const PawsErasure *erasure);

/*
 * All swept erasures whose keys cannot be under these epochs or later ones are destroyed now: nothing older
 * is left in the keyring. Their irrecoverable date is `retention` (us) later.
 */
extern void paws_erasures_destroyed(uint32 care_epoch, uint32 crisis_epoch, int64 retention);

/* Signs the certificate of a destroyed erasure. */
extern void paws_erasure_certify(PawsErasure *erasure);

/* "deleted", "swept", "destroyed", "certified". */
extern const char *paws_erasure_state_name(PawsErasureState state);

#endif
