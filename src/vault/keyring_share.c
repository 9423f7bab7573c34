/*
 * vault/keyring_share.c - the newest keyring in shared memory, keys wrapped as in the file.
 *
 * PAWS_LOCK_KEYRING_COPY is held for a copy in memory only, so nobody who needs a key waits for a disk.
 */
#include "postgres.h"

#include <sodium.h>

#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/proc.h"

#include "base/shmem.h"
#include "vault/keyring_private.h"

#define DIGEST_BYTES 32

typedef struct SharedKeyring
{
	pg_atomic_uint64 generation; /* that of the file below; to look without the lock */
	pg_atomic_uint32 trouble; /* number of what was wrong with the file when it was read last; 0: nothing */
	PawsKeyringFile file;
	uint8_t digest[DIGEST_BYTES]; /* of the file: whoever is killed while writing it leaves another one */
} SharedKeyring;

static SharedKeyring *shared = NULL;

static void
compute_digest(const PawsKeyringFile *file, uint8_t digest[DIGEST_BYTES])
{
	crypto_generichash(digest, DIGEST_BYTES, (const uint8_t *) file,
					   offsetof(PawsKeyringFile, lines) + (size_t) file->count * sizeof(PawsKeyringLine),
					   NULL, 0);
}

/* Makes it what all processes go by. */
static void
put(const PawsKeyringFile *file)
{
	paws_keyring_copy(&shared->file, file);
	compute_digest(&shared->file, shared->digest);
	pg_atomic_write_u64(&shared->generation, file->generation);
}

/*
 * In the postmaster, when the shared memory goes, as after a crash: what others put there is newer than what
 * was read at the start, and the file may be out of reach now.
 */
static void
take_over(int code, Datum arg)
{
	const PawsKeyringFile *file = &shared->file;
	uint8_t digest[DIGEST_BYTES];

	if (paws_keyring_held()->generation == 0 || file->count < 0 ||
		file->count > (int) lengthof(file->lines) || file->entries < 0 || file->entries > file->count)
		return;
	compute_digest(file, digest);
	if (memcmp(digest, shared->digest, sizeof(digest)) == 0)
		(void) paws_keyring_adopt(file);
}

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

	/* after a crash: other servers may have changed the file since */
	if (before)
		paws_keyring_load();
	before = true;
	put(paws_keyring_held());
	on_shmem_exit(take_over, (Datum) 0);
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
		put(held);
	LWLockRelease(paws_lock(PAWS_LOCK_KEYRING_COPY));
}

bool
paws_keyring_news(uint32 trouble)
{
	return shared != NULL && pg_atomic_exchange_u32(&shared->trouble, trouble) != trouble;
}
