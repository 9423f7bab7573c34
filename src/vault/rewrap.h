/*
 * vault/rewrap.h - stored keys wrapped anew under another epoch, a slice at a time.
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_VAULT_REWRAP_H
#define PAWS_VAULT_REWRAP_H

#include "utils/uuid.h"
#include "vault/vault.h"

/* One slice of the walk over the keys of a home. */
typedef struct PawsRewrap
{
	PawsKeyHome home;
	uint32 epoch;   /* the one they are to be under */
	pg_uuid_t walk; /* the last key looked at; moved along */
	int done;
	int broken; /* did not open; left as they are */
	bool end;   /* nothing beyond */
} PawsRewrap;

/* Wraps up to `limit` keys anew. Those that somebody has locked are left for another walk. Errors 55000 if
 * the keyring does not have the epoch. */
extern void paws_vault_rewrap(PawsRewrap *rewrap, int limit);

/* How many keys there are, and how many of them are not under an epoch. */
extern int64 paws_vault_count_keys(PawsKeyHome home);
extern int64 paws_vault_count_stale(PawsKeyHome home, uint32 epoch);

/* What keys are wrapped under, ascending; palloc'd. Returns how many epochs. */
extern int paws_vault_stored_epochs(PawsKeyHome home, uint32 **epochs);

/* The highest number of an epoch that a key is under, in the keyring or not; 0 if there is no key. */
extern uint32 paws_vault_highest_epoch(PawsKeyHome home);

/*
 * True if a key is under an epoch that the keyring does not have yet: it is an older copy. Until the right
 * one is back, or a rotation was asked for, no key may be made: what is wrapped now under the newest epoch
 * there is would be lost with the right one, which has that destroyed.
 */
extern bool paws_vault_keyring_is_older(PawsKeyHome home);

/* True if a key is under an epoch of this database below `epoch` that is in the keyring: with it the key
 * would go for ever. */
extern bool paws_vault_needs_old_epochs(PawsKeyHome home, uint32 epoch);

#endif
