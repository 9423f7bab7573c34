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
 * The postmaster reads the file at start, processes inherit what it opened. A process reads it again when the
 * shared generation moved, or when it is asked for an epoch that it does not know and the file is another
 * one; when that fails, it keeps what it has.
 *
 * No lock is held by the caller of any of these; changes take PAWS_LOCK_KEYRING.
 */
#ifndef PAWS_VAULT_KEYRING_H
#define PAWS_VAULT_KEYRING_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "vault/roots.h"

#define PAWS_KEYRING_KEY_BYTES 32

/*
 * Reads the keyring, or makes it if there is no file and a root is loaded. Called by the postmaster after
 * paws_roots_load; never raises an error.
 */
extern void paws_keyring_load(void);

/* One closed word why no keyring is loaded, NULL if it is; and a sentence. Static strings. */
extern const char *paws_keyring_problem(void);
extern const char *paws_keyring_explain(void);

/* Copies a base secret, number 1 being the first; false if it is not in memory. The caller wipes its copy. */
extern bool paws_keyring_base(PawsRoot root, uint32 number, uint8_t key[PAWS_KEYRING_KEY_BYTES]);

/* The newest epoch of this database, 0 if it has none yet. Needs a database. */
extern uint32 paws_keyring_current_epoch(PawsRoot root);

/*
 * Makes a new epoch of this database and returns its number, above all numbers of this root; durable in the
 * file when it returns, and known to all processes. Does not depend on the transaction. Errors 55000 without
 * this root, 58030 with a hint if the file cannot be replaced (nothing changes then).
 */
extern uint32 paws_keyring_make_epoch(PawsRoot root);

/* The same, but returns the newest one if there is one. */
extern uint32 paws_keyring_ensure_epoch(PawsRoot root);

/* Copies the key of an epoch; false if the keyring does not have it, or no longer. The caller wipes it. */
extern bool paws_keyring_epoch_key(PawsRoot root, uint32 epoch, uint8_t key[PAWS_KEYRING_KEY_BYTES]);

/*
 * Destroys all epochs of this database below `before`: takes them out of the file, overwrites the file that
 * was, and leaves a line with the time for each. Returns how many this call destroyed; repeating it is
 * harmless. Errors like paws_keyring_make_epoch.
 */
extern int paws_keyring_destroy_epochs(PawsRoot root, uint32 before);

/* True if the epoch was destroyed, and when. */
extern bool paws_keyring_destroyed(PawsRoot root, uint32 epoch, TimestampTz *at);

/* Makes this database the owner of an epoch that belongs to another one; false if there is no such epoch. */
extern bool paws_keyring_adopt_epoch(PawsRoot root, uint32 epoch);

/* Entries not wrapped under the current id of their root; and wraps them all anew. Errors like
 * paws_keyring_make_epoch. */
extern int paws_keyring_count_stale(PawsRoot root);
extern int paws_keyring_rewrap(PawsRoot root);

/* What the keyring holds, for views: no secrets. */
typedef enum PawsKeyringKind
{
	PAWS_KEYRING_BASE = 1,
	PAWS_KEYRING_EPOCH = 2,
	PAWS_KEYRING_DESTROYED = 3
} PawsKeyringKind;

typedef struct PawsKeyringEntry
{
	PawsKeyringKind kind;
	PawsRoot root;
	uint32 number;
	uint32 root_id; /* that wraps it; 0 for a destroyed one */
	uint64 system;  /* the owner; 0 for a base secret */
	Oid database;
	TimestampTz made_at; /* or destroyed */
	bool open;           /* its key is in this process's memory */
} PawsKeyringEntry;

/* Entry `index` from 0; false beyond the last. */
extern bool paws_keyring_entry(int index, PawsKeyringEntry *entry);

/* Moves with every change of the file. */
extern uint64 paws_keyring_generation(void);

#endif
