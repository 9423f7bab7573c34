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
	bool wait;      /* for keys that somebody has locked; else they are left for the next walk */
	pg_uuid_t walk; /* the last key looked at; moved along */
	int done;
	int broken; /* did not open; left as they are */
	bool end;   /* nothing beyond */
} PawsRewrap;

/* Wraps up to `limit` keys anew. */
extern void paws_vault_rewrap(PawsRewrap *rewrap, int limit);

/* How many keys there are, and how many of them are not under an epoch. */
extern int64 paws_vault_count_keys(PawsKeyHome home);
extern int64 paws_vault_count_stale(PawsKeyHome home, uint32 epoch);

/* True if a key that is not under `epoch` is under one that the keyring has: with its epoch it would go. */
extern bool paws_vault_needs_old_epochs(PawsKeyHome home, uint32 epoch);

#endif
