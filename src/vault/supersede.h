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
 * Makes a key of the next version for a subject, which is sealed with from the commit on; nothing for a
 * subject that has none. Errors 55000 without the root.
 */
extern void paws_vault_supersede(PawsKeyHome home, int64 subject_no);

/* The id of a subject's newest key; false if it has none. */
extern bool paws_vault_newest_key(PawsKeyHome home, int64 subject_no, pg_uuid_t *id);

/* Up to `max` keys of a subject that are not its newest; returns how many there are in `ids`. */
extern int paws_vault_superseded(PawsKeyHome home, int64 subject_no, pg_uuid_t *ids, int max);

/* Deletes one key; or all of a subject, returning how many it had. All processes drop what they cached, at
 * commit. */
extern void paws_vault_delete_key(PawsKeyHome home, const pg_uuid_t *id);
extern int paws_vault_delete_keys(PawsKeyHome home, int64 subject_no);

#endif
