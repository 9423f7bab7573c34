/*
 * vault/secret.h - memory for secrets of one process.
 *
 * Areas are guarded, left out of core dumps, locked in memory, and wiped when the process exits. An area made
 * by the postmaster is inherited by every process, but its lock is not: paws_secret_relock takes it again.
 * Areas are few and never freed (one each for root key, mint key and cached data keys), since each costs
 * several pages.
 */
#ifndef PAWS_VAULT_SECRET_H
#define PAWS_VAULT_SECRET_H

#include "postgres.h"

/* An area of zeros. Errors 53200 without memory; a lock that fails is no error, see paws_secret_locked. */
extern void *paws_secret_alloc(Size size);

/* The same, but NULL where paws_secret_alloc would raise an error: for the postmaster. */
extern void *paws_secret_try_alloc(Size size);

/* Locks inherited areas in this process, once; cheap when that was done. Call it before a secret is used. */
extern void paws_secret_relock(void);

/* True if every area of this process is locked in memory. */
extern bool paws_secret_locked(void);

#endif
