/*
 * vault/secret.c - guarded and locked memory.
 */
#include "postgres.h"

#include <sodium.h>

#include "miscadmin.h"
#include "storage/ipc.h"

#include "base/settings.h"
#include "vault/memory_state.h"
#include "vault/secret.h"

static uint8_t *slab = NULL;
static Size taken = 0;
static int locked_by = 0; /* process id that tried to take the lock */
static bool locked = false;

static void
wipe_slab(int code, Datum arg)
{
	if (slab != NULL)
		sodium_memzero(slab, PAWS_SECRET_BYTES);
}

/* sodium_malloc locks, but does not tell whether that succeeded; and a child has to lock anew. */
static void
lock_slab(void)
{
	if (slab == NULL || locked_by == MyProcPid)
		return;
	locked = sodium_mlock(slab, PAWS_SECRET_BYTES) == 0;
	on_proc_exit(wipe_slab, (Datum) 0);
	locked_by = MyProcPid;
	paws_memory_report(locked ? PAWS_MEMORY_LOCKED : PAWS_MEMORY_UNLOCKED, taken);
}

bool
paws_secret_locked(void)
{
	lock_slab();
	return slab != NULL && locked;
}

void
paws_secret_relock(void)
{
	lock_slab();
	if (paws_require_locked_memory && IsUnderPostmaster && slab != NULL && !locked)
		ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("memory for secrets could not be locked"),
						errhint("Raise the limit on locked memory of the server's user, or switch "
								"\"paws_sync.require_locked_memory\" off.")));
}

void *
paws_secret_try_take(Size size)
{
	uint8_t *part;

	if (slab == NULL)
	{
		if (sodium_init() < 0)
			return NULL;
		slab = sodium_malloc(PAWS_SECRET_BYTES);
		if (slab == NULL)
			return NULL;
		sodium_memzero(slab, PAWS_SECRET_BYTES);
	}
	lock_slab();
	if (size > PAWS_SECRET_BYTES || MAXALIGN(size) > PAWS_SECRET_BYTES - taken)
		return NULL;
	part = slab + taken;
	taken += MAXALIGN(size);
	paws_memory_report(locked ? PAWS_MEMORY_LOCKED : PAWS_MEMORY_UNLOCKED, taken);
	return part;
}

void *
paws_secret_take(Size size)
{
	void *part = paws_secret_try_take(size);

	paws_secret_relock();
	if (part == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("no guarded memory for secrets"),
						errhint("Check the limits on memory and on memory mappings of the server process.")));
	return part;
}
