/*
 * vault/keyring_share.c - the newest keyring in shared memory, keys wrapped as in the file.
 *
 * PAWS_LOCK_KEYRING_COPY is held for a copy in memory only, so nobody who needs a key waits for a disk.
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/proc.h"

#include "base/shmem.h"
#include "vault/keyring_private.h"

typedef struct SharedKeyring
{
	pg_atomic_uint64 generation; /* that of the file below; to look without the lock */
	pg_atomic_uint32 trouble; /* number of what was wrong with the file when it was read last; 0: nothing */
	PawsKeyringFile file;
} SharedKeyring;

static SharedKeyring *shared = NULL;

static Size
size(void)
{
	return sizeof(SharedKeyring);
}

static void
attach(void *memory, bool found)
{
	static bool before = false;

	shared = memory;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	pg_atomic_init_u64(&shared->generation, 0);
	pg_atomic_init_u32(&shared->trouble, 0);

	/* after a crash the postmaster has what it read at its start, and others changed the file since */
	if (before)
		paws_keyring_load();
	before = true;
	paws_keyring_copy(&shared->file, paws_keyring_held());
	pg_atomic_write_u64(&shared->generation, shared->file.generation);
}

void
paws_keyring_init(void)
{
	static const PawsSharedPart part = {"paws_sync keyring", size, attach, NULL};

	paws_shmem_offer(&part);
}

void
paws_keyring_refresh(void)
{
	static PawsKeyringFile incoming;
	const PawsKeyringFile *held = paws_keyring_held();

	if (shared == NULL || MyProc == NULL || held->generation == 0 || !paws_keyring_may_hold() ||
		pg_atomic_read_u64(&shared->generation) <= held->generation)
		return;
	LWLockAcquire(paws_lock(PAWS_LOCK_KEYRING_COPY), LW_SHARED);
	paws_keyring_copy(&incoming, &shared->file);
	LWLockRelease(paws_lock(PAWS_LOCK_KEYRING_COPY));
	(void) paws_keyring_adopt(&incoming);
}

void
paws_keyring_publish(void)
{
	const PawsKeyringFile *held = paws_keyring_held();

	if (shared == NULL || MyProc == NULL)
		return;
	LWLockAcquire(paws_lock(PAWS_LOCK_KEYRING_COPY), LW_EXCLUSIVE);
	if (held->generation > shared->file.generation)
	{
		paws_keyring_copy(&shared->file, held);
		pg_atomic_write_u64(&shared->generation, held->generation);
	}
	LWLockRelease(paws_lock(PAWS_LOCK_KEYRING_COPY));
}

bool
paws_keyring_news(uint32 trouble)
{
	return shared != NULL && pg_atomic_exchange_u32(&shared->trouble, trouble) != trouble;
}
