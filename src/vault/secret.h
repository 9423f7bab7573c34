/*
 * vault/secret.h - memory for secrets of one process.
 *
 * One slab: guarded, left out of core dumps, locked in memory, and wiped when the process exits. The
 * postmaster makes it and every process inherits it, with what is in it; but a lock is not inherited, so each
 * process takes it again before it uses a secret. Parts of the slab are taken and never given back. Without
 * preload a process makes a slab of its own at the first part.
 *
 * Whether this process has the lock is in view pg_stat_paws_sync_memory (vault/memory_state.h). With
 * paws_sync.require_locked_memory a process that needs a secret and cannot lock it ends with FATAL 53200; the
 * postmaster never does.
 */
#ifndef PAWS_VAULT_SECRET_H
#define PAWS_VAULT_SECRET_H

#include "postgres.h"

/*
 * The size of the slab. With its canary it fills 16 pages of 4 kB, that is 64 kB: the limit on locked memory
 * that unprivileged processes have where nobody raised it. Room for three roots with eight ids, 512 epochs,
 * 256 data keys of 160 bytes, two prepared keys of 448, an expected box, an ephemeral pair, and a few single
 * keys.
 */
#define PAWS_SECRET_BYTES (64 * 1024 - 64)

/*
 * A part of zeros, aligned as palloc aligns. Errors 53200 when the slab is used up or cannot be made; FATAL
 * as above.
 */
extern void *paws_secret_take(Size size);

/* The same, but NULL where paws_secret_take would raise an error: for the postmaster. */
extern void *paws_secret_try_take(Size size);

/* Locks the slab in this process, once; cheap when that was done. To be called before a secret is used. FATAL
 * as above. */
extern void paws_secret_relock(void);

/* True if the slab is locked in this process's memory. Tries to, but never fails. */
extern bool paws_secret_locked(void);

#endif
