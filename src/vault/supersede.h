/*
 * vault/supersede.h - newer keys for subjects, and the end of older ones.
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_VAULT_SUPERSEDE_H
#define PAWS_VAULT_SUPERSEDE_H

#include "utils/uuid.h"
#include "vault/vault.h"

/*
 * Makes a key of the next version for a subject; nothing for a subject that has none. Processes seal with it
 * from the commit of paws_vault_keys_changed on, at the latest. Errors 55000 without the root.
 */
extern void paws_vault_supersede(PawsKeyHome home, int64 subject_no);

/* The id of a subject's newest key; false if it has none. */
extern bool paws_vault_newest_key(PawsKeyHome home, int64 subject_no, pg_uuid_t *id);

/* True if a key is there and opens. */
extern bool
paws_vault_key_opens(PawsKeyHome home, int64 subject_no, const uint8_t id[PAWS_DATA_KEY_ID_BYTES]);

/* True if a key is there, under an epoch that the keyring does not have yet: it is an older copy. */
extern bool
paws_vault_key_is_ahead(PawsKeyHome home, int64 subject_no, const uint8_t id[PAWS_DATA_KEY_ID_BYTES]);

/* Up to `max` keys of a subject that are not its newest; returns how many there are in `ids`. */
extern int paws_vault_superseded(PawsKeyHome home, int64 subject_no, pg_uuid_t *ids, int max);

/* Deletes one key. Processes may keep it in their caches until paws_vault_keys_changed. */
extern void paws_vault_delete_key(PawsKeyHome home, const pg_uuid_t *id);

/* Deletes all keys of a subject and returns how many it had; they are gone from all processes at commit. */
extern int paws_vault_delete_keys(PawsKeyHome home, int64 subject_no);

/* All processes drop what they cached, at commit. Once for many keys: each time all of them read anew. */
extern void paws_vault_keys_changed(void);

#endif
