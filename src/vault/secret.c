/*
 * vault/secret.c - guarded and locked memory.
 */
#include "postgres.h"

#include <sodium.h>

#include "miscadmin.h"
#include "storage/ipc.h"

#include "vault/secret.h"

#define AREAS_MAX 4

typedef struct SecretArea
{
	void *at;
	Size size;
} SecretArea;

static SecretArea areas[AREAS_MAX];
static int area_count = 0;
static int locked_by = 0; /* process id that took the locks */
static bool all_locked = true;

static void
wipe_areas(int code, Datum arg)
{
	for (int i = 0; i < area_count; i++)
		sodium_memzero(areas[i].at, areas[i].size);
}

void
paws_secret_relock(void)
{
	if (locked_by == MyProcPid)
		return;
	all_locked = true;
	for (int i = 0; i < area_count; i++)
		if (sodium_mlock(areas[i].at, areas[i].size) != 0)
			all_locked = false;
	on_proc_exit(wipe_areas, (Datum) 0);
	locked_by = MyProcPid;
}

void *
paws_secret_try_alloc(Size size)
{
	void *at;

	if (area_count >= AREAS_MAX || sodium_init() < 0)
		return NULL;
	paws_secret_relock();
	at = sodium_malloc(size);
	if (at == NULL)
		return NULL;
	sodium_memzero(at, size);

	/* sodium_malloc does not tell whether its lock succeeded; locking again does. */
	if (sodium_mlock(at, size) != 0)
		all_locked = false;
	areas[area_count].at = at;
	areas[area_count].size = size;
	area_count++;
	return at;
}

void *
paws_secret_alloc(Size size)
{
	void *at = paws_secret_try_alloc(size);

	if (at == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("no guarded memory for secrets"),
						errhint("Check the limits on memory and on memory mappings of the server process.")));
	return at;
}

bool
paws_secret_locked(void)
{
	paws_secret_relock();
	return all_locked;
}
