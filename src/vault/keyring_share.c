/*
 * vault/keyring_share.c - the newest keyring in shared memory, keys wrapped as in the file.
 *
 * PAWS_LOCK_KEYRING_COPY is held for a copy in memory only, so nobody who needs a key waits for a disk.
 */
#include "postgres.h"

#include <sodium.h>

#include "access/xact.h"
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
	pg_atomic_uint32 came_second; /* not 0: see keyring_claim.c */
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

/* Makes what this process has what all processes go by. */
static void
put(void)
{
	const PawsKeyringFile *held = paws_keyring_held();

	paws_keyring_copy(&shared->file, held);
	compute_digest(&shared->file, shared->digest);
	pg_atomic_write_u64(&shared->generation, held->generation);
}

/*
 * In the postmaster after a crash, if neither what was in shared memory nor the file is good: all that is
 * left are base secrets. Epochs come with the file, which must be taken for a newer one then.
 */
static void
put_bases(void)
{
	PawsKeyringFile *file = &shared->file;

	put();
	for (int i = file->entries - 1; i >= 0; i--)
		if (file->lines[i].kind == PAWS_KEYRING_EPOCH)
			paws_keyring_remove(file, i);
	file->generation = 1;
	compute_digest(file, shared->digest);
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
	pg_atomic_init_u32(&shared->came_second, 0);

	/* after a crash: other servers may have changed the file since */
	if (before)
		paws_keyring_load();
	before = true;
	if (paws_keyring_trimmed())
		put_bases();
	else
		put();
	paws_keyring_trim();
	on_shmem_exit(take_over, (Datum) 0);
}

void
paws_keyring_init(void)
{
	static const PawsSharedPart part = {"paws_sync keyring", size, attach, NULL};

	paws_shmem_offer(&part);
}

static void
at_transaction_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		paws_keyring_trim();
}

static void
trim_at_end(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(at_transaction_event, NULL);
	registered = true;
}

/* Takes over what is in shared memory. */
static void
take(void)
{
	static PawsKeyringFile incoming;

	trim_at_end();
	LWLockAcquire(paws_lock(PAWS_LOCK_KEYRING_COPY), LW_SHARED);
	paws_keyring_copy(&incoming, &shared->file);
	LWLockRelease(paws_lock(PAWS_LOCK_KEYRING_COPY));
	(void) paws_keyring_adopt(&incoming);
	paws_keyring_wipe(&incoming);
}

static bool
may_take(void)
{
	return shared != NULL && MyProc != NULL && paws_keyring_held()->generation != 0 &&
		   paws_keyring_may_hold();
}

void
paws_keyring_refresh(void)
{
	if (may_take() && pg_atomic_read_u64(&shared->generation) > paws_keyring_held()->generation)
		take();
}

void
paws_keyring_complete(void)
{
	if (may_take() &&
		(paws_keyring_trimmed() || pg_atomic_read_u64(&shared->generation) > paws_keyring_held()->generation))
		take();
}

void
paws_keyring_publish(void)
{
	if (shared == NULL || MyProc == NULL || paws_keyring_trimmed())
		return;
	LWLockAcquire(paws_lock(PAWS_LOCK_KEYRING_COPY), LW_EXCLUSIVE);
	if (paws_keyring_held()->generation > shared->file.generation)
		put();
	LWLockRelease(paws_lock(PAWS_LOCK_KEYRING_COPY));
}

bool
paws_keyring_news(uint32 trouble)
{
	return shared != NULL && pg_atomic_exchange_u32(&shared->trouble, trouble) != trouble;
}

void
paws_keyring_come_second(void)
{
	if (shared != NULL)
		pg_atomic_write_u32(&shared->came_second, 1);
}

bool
paws_keyring_came_second(void)
{
	return shared != NULL && pg_atomic_read_u32(&shared->came_second) != 0;
}
