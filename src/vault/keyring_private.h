/*
 * vault/keyring_private.h - what the files of the keyring share.
 */
#ifndef PAWS_VAULT_KEYRING_PRIVATE_H
#define PAWS_VAULT_KEYRING_PRIVATE_H

#include "vault/keyring.h"
#include "vault/keyring_file.h"

/* keyring_memory.c: what this process has. */

/* Takes the memory for the keys, once; false if there is none. For the postmaster. */
extern bool paws_keyring_prepare(void);

/* False in a process that must not open keys, since its memory is not locked; see paws_secret_relock. */
extern bool paws_keyring_may_hold(void);

/*
 * Opens what it can of a keyring and makes it the one of this process. NULL; or nothing changed and "other"
 * if it is not a successor of the one that the process has, "wrong_root" if it is wrapped under an id that
 * this server does not have.
 */
extern const char *paws_keyring_adopt(const PawsKeyringFile *file);

/* The keyring of this process; generation 0 if it has none. */
extern const PawsKeyringFile *paws_keyring_held(void);

/* The opened key of a line of it, NULL if it does not open. */
extern const uint8_t *paws_keyring_key(int index);

/* Takes what opens epochs out of this process's memory; and tells whether that was done, and the keyring not
 * taken over anew since. */
extern void paws_keyring_trim(void);
extern bool paws_keyring_trimmed(void);

/* Wipes a copy of a keyring. */
extern void paws_keyring_wipe(PawsKeyringFile *file);

/* Wraps a key into a line under the current id of its root, or a new random one; sets root_id and wrapped.
 * False if the root is not loaded. */
extern bool paws_keyring_seal(PawsKeyringLine *line, const uint8_t key[PAWS_KEYRING_KEY_BYTES]);
extern bool paws_keyring_seal_new(PawsKeyringLine *line);

/* The newest epoch of this database in it that is open, 0 if there is none. */
extern uint32 paws_keyring_newest(PawsRoot root);

/* True if the line is of an epoch of this database, destroyed or not. */
extern bool paws_keyring_own(const PawsKeyringLine *line);

/* Copies a keyring: its lines, and zeros over lines that were. */
extern void paws_keyring_copy(PawsKeyringFile *to, const PawsKeyringFile *from);

/* Now, as keyrings count time; and back. */
extern int64 paws_keyring_now(void);
extern TimestampTz paws_keyring_time(int64 time);

/* keyring_share.c: shared memory. */

/* Takes over what others made, if there is anything new. To be called before a look at base secrets. */
extern void paws_keyring_refresh(void);

/* And takes over what opens epochs, until the end of the transaction. Before a look at anything else. */
extern void paws_keyring_complete(void);

/* Gives others what this process has, if it is newer. */
extern void paws_keyring_publish(void);

/* Remembers what was wrong with the file when it was read last (0: nothing); true if that was not known. */
extern bool paws_keyring_news(uint32 trouble);

/* That another server of the same identity was there first, to be kept until this one ends. */
extern void paws_keyring_come_second(void);
extern bool paws_keyring_came_second(void);

/* keyring_claim.c: opens the file that servers with one keyring lock, or makes it. For the postmaster. */
extern void paws_keyring_prepare_claim(const PawsKeyringPlace *place);

/* keyring.c: the file. */

/*
 * Reads the file into this process's memory and publishes it. NULL, or a problem word with errno. The caller
 * holds PAWS_LOCK_KEYRING, unless nobody else runs.
 */
extern const char *paws_keyring_read_again(const PawsKeyringPlace *place);

/* Writes the successor of the keyring of this process, adopts and publishes it. False with errno set, and
 * nothing changed, if it cannot be written. The caller holds PAWS_LOCK_KEYRING exclusively, unless nobody
 * else runs. */
extern bool paws_keyring_write(const PawsKeyringPlace *place, PawsKeyringFile *next, bool destroy);

/* Remembers how the last reading ended (NULL: well), and logs it if no process knew. */
extern void paws_keyring_note(const char *problem);

/* keyring_problem.c: a sentence for a problem word, and its number from 1. */
extern const char *paws_keyring_sentence(const char *problem);
extern uint32 paws_keyring_problem_number(const char *problem);

#endif
