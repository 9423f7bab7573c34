/*
 * base/shmem.h - the registry of shared memory.
 *
 * Each room offers a part in _PG_init: a size, an initialiser and, if it keeps data for each database, a
 * reset. The parts are reserved and attached together by the server's hooks.
 */
#ifndef PAWS_BASE_SHMEM_H
#define PAWS_BASE_SHMEM_H

#include "postgres.h"
#include "storage/lwlock.h"

typedef struct PawsSharedPart
{
	const char *name; /* in pg_shmem_allocations */
	Size (*size)(void);
	void (*attach)(void *memory, bool found); /* initialise when not found; called under AddinShmemInitLock */
	void (*reset)(int slot);                  /* database slot `slot` got a new owner; may be NULL */
} PawsSharedPart;

/* The locks of the extension, one for each purpose. Order when two are needed: as listed. */
typedef enum PawsLock
{
	PAWS_LOCK_DATABASES,    /* the slots of databases and their owners */
	PAWS_LOCK_WORKERS,      /* the slots of workers */
	PAWS_LOCK_CLAIMS,       /* which operations a worker holds */
	PAWS_LOCK_RESERVE,      /* the meters of the byte budget; after a lock of admission */
	PAWS_LOCK_KEYRING,      /* the keyring's file; held over a replacement of it */
	PAWS_LOCK_KEYRING_COPY, /* its copy in shared memory */
	PAWS_LOCK_RAISED,       /* whose work is raised; no other is taken under it */
	PAWS_LOCKS
} PawsLock;

/* Adds a part; `part` must stay valid. Called from _PG_init while preloading. */
extern void paws_shmem_offer(const PawsSharedPart *part);

/* Installs the hooks that reserve and attach all parts. Called from _PG_init after all rooms offered theirs.
 */
extern void paws_shmem_install(void);

/* True if shared memory is attached, that is if the library was preloaded. */
extern bool paws_shmem_ready(void);

/* Errors 55000 with a hint naming shared_preload_libraries unless paws_shmem_ready. */
extern void paws_shmem_require(void);

/* Resets all parts for one database slot. The caller holds PAWS_LOCK_DATABASES exclusively. */
extern void paws_shmem_reset(int slot);

extern LWLock *paws_lock(PawsLock which);

#endif
