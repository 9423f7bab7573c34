/*
 * base/install.c - what the install script calls.
 */
#include "postgres.h"

#include "base/commit.h"
#include "base/shmem.h"
#include "base/worker.h"
#include "fmgr.h"
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(paws_check_preload);

static void
nudge(void *arg)
{
	paws_worker_nudge(*(Oid *) arg);
}

/*
 * So that CREATE EXTENSION fails early and with a reason, and that this database's scheduler looks again when
 * it has committed. Not in a binary upgrade: pg_upgrade creates extensions in a server that preloads what the
 * old one did, and must not depend on more.
 */
Datum
paws_check_preload(PG_FUNCTION_ARGS)
{
	if (!IsBinaryUpgrade)
	{
		paws_shmem_require();
		*(Oid *) paws_at_commit(nudge, sizeof(Oid)) = MyDatabaseId;
	}
	PG_RETURN_VOID();
}
