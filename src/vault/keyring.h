/*
 * vault/keyring.h - the keyring: base secrets and key-encryption epochs, wrapped under the roots, in a file
 * outside the data directory.
 *
 * A *base secret* is random, one for each root (with a number, for its successors), and is never destroyed:
 * all keys that must outlive a root (tokens, subject ids, seals, outer layers) derive from it. An *epoch* is
 * a random key that wraps data keys; it belongs to one root and one database, its *owner* (system identifier
 * and oid), and only the owner destroys it. A database that was restored or cloned goes on reading under
 * epochs of its origin and makes its own for what it writes.
 *
 * The postmaster reads the file at start, processes inherit what it opened. Shared memory holds the lines as
 * they are in the file, keys wrapped: a process takes them over when their generation moved, so nobody needs
 * the file to learn of a change. The file is read again before each change, by the launcher when it is
 * another one, by a process that is asked for an epoch that it does not know, and on a standby, where no
 * launcher runs, for any epoch; when that fails, everybody goes on with what is in memory.
 *
 * Servers may share a file: a standby and its primary, or clones. Changes lock its folder against one
 * another.
 *
 * No lock is held by the caller of any of these; changes take PAWS_LOCK_KEYRING.
 */
#ifndef PAWS_VAULT_KEYRING_H
#define PAWS_VAULT_KEYRING_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "vault/keyring_format.h"
#include "vault/keyring_wrap.h"
#include "vault/roots.h"

/*
 * Reads the keyring, or makes it if there is no file and a root is loaded. Called by the postmaster after
 * paws_roots_load; never raises an error.
 */
extern void paws_keyring_load(void);

/*
 * One closed word why no keyring is loaded, NULL if it is; and a sentence. Static strings. The words:
 * "unset", "missing" (or it cannot be read or made), "link", "owner", "mode", "place" (in the data
 * directory), "folder" (others may write in it), "busy" (somebody keeps it locked), "garbage", "full" (longer
 * than a keyring may be), "memory" (none for secrets).
 */
extern const char *paws_keyring_problem(void);
extern const char *paws_keyring_explain(void);

/* What to do about one of these words, or one of the two below. Static. */
extern const char *paws_keyring_hint(const char *problem);

/*
 * Why a loaded root has no base secret here, NULL if it has one: the words above, "wrong_root" (it does not
 * open under this root) or "no_base" (none could be added).
 */
extern const char *paws_keyring_root_problem(PawsRoot root);
extern const char *paws_keyring_root_explain(PawsRoot root);

/*
 * What is wrong with the file now, NULL if it is what is in memory: the words above or "other" (an older
 * keyring, or that of another server). Nobody needs the file until the next change or start.
 */
extern const char *paws_keyring_file_problem(void);
extern const char *paws_keyring_file_explain(void);

/* Looks whether the file changed, takes over what is new in it and logs once what is wrong with it. */
extern void paws_keyring_watch(void);

/* Offers the shared memory. Called from _PG_init while preloading. */
extern void paws_keyring_init(void);

/* The base secret that everything derives from. */
#define PAWS_FIRST_BASE 1

/* Copies a base secret by its number; false if it is not in memory. The caller wipes its copy. */
extern bool paws_keyring_base(PawsRoot root, uint32 number, uint8_t key[PAWS_KEYRING_KEY_BYTES]);

/* The newest epoch of this database, 0 if it has none yet. Needs a database. */
extern uint32 paws_keyring_current_epoch(PawsRoot root);

/* The highest number that an epoch of a root had. A stored key under a higher one shows that the keyring is
 * an older copy: the epoch may come back. */
extern uint32 paws_keyring_highest(PawsRoot root);

/*
 * Makes a new epoch of this database and returns its number, above all numbers of this root; durable in the
 * file when it returns, and known to all processes. Does not depend on the transaction. Errors 55000 without
 * this root, 58030 with a hint if the file cannot be replaced (nothing changes then).
 */
extern uint32 paws_keyring_make_epoch(PawsRoot root);

/* The same, but returns the newest one if there is one. */
extern uint32 paws_keyring_ensure_epoch(PawsRoot root);

/*
 * The newest epoch of this database if it is a newer one than `before`; else a new one, with a number above
 * `above` as well. So whoever noted the newest one may repeat this and gets one new epoch. Errors like
 * paws_keyring_make_epoch.
 */
extern uint32 paws_keyring_succeed_epoch(PawsRoot root, uint32 before, uint32 above);

/* Copies the key of an epoch; false if the keyring does not have it, or no longer. The caller wipes it. */
extern bool paws_keyring_epoch_key(PawsRoot root, uint32 epoch, uint8_t key[PAWS_KEYRING_KEY_BYTES]);

/*
 * Destroys all epochs of this database below `before`: takes them out of the file, overwrites the file that
 * was, and leaves a line with the time for each. Returns how many this call destroyed; repeating it is
 * harmless. Errors like paws_keyring_make_epoch, and 55006 where paws_keyring_claim is false.
 */
extern int paws_keyring_destroy_epochs(PawsRoot root, uint32 before);

/*
 * True if this server is the one of its identity that may destroy epochs in the keyring; false if another
 * one was when it was asked first: a copy of this one, or the one that this is a copy of. Either way until
 * it ends. Not for use during recovery. Where the file system has no such locks, everybody is the one.
 */
extern bool paws_keyring_claim(void);

/* True if the epoch was destroyed, and when. */
extern bool paws_keyring_destroyed(PawsRoot root, uint32 epoch, TimestampTz *at);

/* Makes this database the owner of an epoch that belongs to another one; false if there is no such epoch. */
extern bool paws_keyring_adopt_epoch(PawsRoot root, uint32 epoch);

/* Entries not wrapped under the current id of their root; and wraps them all anew. Errors like
 * paws_keyring_make_epoch. */
extern int paws_keyring_count_stale(PawsRoot root);
extern int paws_keyring_rewrap(PawsRoot root);

/* What the keyring holds, for views: no secrets. */
typedef struct PawsKeyringEntry
{
	PawsKeyringKind kind;
	PawsRoot root;
	uint32 number;
	uint32 root_id; /* that wraps it; 0 for a destroyed one */
	uint64 system;  /* the owner; 0 for a base secret */
	Oid database;
	TimestampTz made_at; /* or destroyed */
	bool own;            /* it belongs to this database */
} PawsKeyringEntry;

/* Entry `index` from 0; false beyond the last. And, in the same transaction, whether its key opens. */
extern bool paws_keyring_entry(int index, PawsKeyringEntry *entry);
extern bool paws_keyring_opens(int index);

/* Moves with every change of the file. */
extern uint64 paws_keyring_generation(void);

#endif
