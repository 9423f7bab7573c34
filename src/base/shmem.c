/*
 * base/shmem.c - reserves and attaches the parts that the rooms offer.
 */
#include "postgres.h"

#include "base/shmem.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#define PARTS_MAX 32
#define TRANCHE   "paws_sync"

static const PawsSharedPart *parts[PARTS_MAX];
static int nparts = 0;
static bool attached = false;
static LWLockPadded *locks = NULL;

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

void
paws_shmem_offer(const PawsSharedPart *part)
{
	if (nparts >= PARTS_MAX)
		elog(FATAL, "too many parts of shared memory");
	parts[nparts++] = part;
}

static void
request(void)
{
	Size total = 0;

	if (previous_request)
		previous_request();
	for (int i = 0; i < nparts; i++)
		total = add_size(total, MAXALIGN(parts[i]->size()));
	RequestAddinShmemSpace(total);
	RequestNamedLWLockTranche(TRANCHE, PAWS_LOCKS);
}

static void
startup(void)
{
	if (previous_startup)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < nparts; i++)
	{
		bool found;
		void *memory = ShmemInitStruct(parts[i]->name, parts[i]->size(), &found);

		parts[i]->attach(memory, found);
	}
	locks = GetNamedLWLockTranche(TRANCHE);
	LWLockRelease(AddinShmemInitLock);
	attached = true;
}

void
paws_shmem_install(void)
{
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

bool
paws_shmem_ready(void)
{
	return attached;
}

void
paws_shmem_require(void)
{
	if (!attached)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("paws_sync is not preloaded"),
				 errhint("Add paws_sync to \"shared_preload_libraries\" and restart the server.")));
}

void
paws_shmem_reset(int slot)
{
	for (int i = 0; i < nparts; i++)
		if (parts[i]->reset)
			parts[i]->reset(slot);
}

LWLock *
paws_lock(PawsLock which)
{
	return &locks[which].lock;
}
