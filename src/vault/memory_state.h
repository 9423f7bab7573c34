/*
 * vault/memory_state.h - which processes hold secrets, and whether they locked them: in shared memory, for
 * view pg_stat_paws_sync_memory. It holds no secret.
 */
#ifndef PAWS_VAULT_MEMORY_STATE_H
#define PAWS_VAULT_MEMORY_STATE_H

#include "postgres.h"

typedef enum PawsMemoryState
{
	PAWS_MEMORY_NONE = 0, /* used no secret so far */
	PAWS_MEMORY_LOCKED,
	PAWS_MEMORY_UNLOCKED
} PawsMemoryState;

/* Offers the shared memory. Called from _PG_init while preloading. */
extern void paws_memory_state_init(void);

/* What this process has, in bytes; forgotten when it exits. Without preload nothing is kept. */
extern void paws_memory_report(PawsMemoryState state, Size bytes);

/* What the process of this id reported. */
extern PawsMemoryState paws_memory_state(int pid, uint64 *bytes);

/* "none", "locked" or "unlocked". */
extern const char *paws_memory_state_name(PawsMemoryState state);

#endif
