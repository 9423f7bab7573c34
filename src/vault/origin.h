/*
 * vault/origin.h - epochs of other databases that keys of this one are, or were, wrapped under.
 *
 * A database that was restored or cloned reads under epochs of its origin until an epochs rotation wraps its
 * keys under its own. Backups of it, and of its origin, still open under those of the origin, and only their
 * owner destroys them; so they are noted, and no erasure is complete while one of them is in the keyring.
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_VAULT_ORIGIN_H
#define PAWS_VAULT_ORIGIN_H

#include "vault/vault.h"

/* Notes an epoch unless it is this database's own. */
extern void paws_origin_note(PawsRoot root, uint32 epoch);

/* Notes what stored keys are wrapped under now. */
extern void paws_origin_note_stored(void);

/* If this epoch is another database's: notes it, and all of that database's up to it. */
extern void paws_origin_note_owner(PawsRoot root, uint32 epoch);

/* Where noted epochs are: gone from the keyring, there, and if so whether this database owns them by now. */
typedef enum PawsOriginState
{
	PAWS_ORIGIN_GONE,
	PAWS_ORIGIN_OWN,
	PAWS_ORIGIN_FOREIGN /* at least one */
} PawsOriginState;

extern PawsOriginState paws_origin_state(void);

/*
 * Makes this database the owner of all that is noted or used, which it destroys then with its next rotation.
 * Returns how many epochs it took. Errors 55006 if their owner is a database of this server that is there;
 * otherwise like paws_keyring_make_epoch. Does not depend on the transaction.
 */
extern int paws_origin_adopt(void);

#endif
