/*
 * base/guarded.c - a subtransaction with a lock timeout.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/guarded.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

static void
run_with_lock_timeout(void (*run)(void *arg), void *arg)
{
	int nest = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", CppAsString2(PAWS_GUARDED_LOCK_TIMEOUT_MS), PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	run(arg);
	AtEOXact_GUC(true, nest);
}

bool
paws_is_held(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		   sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED;
}

bool
paws_run_guarded(void (*run)(void *arg), void *arg, bool (*forgive)(int sqlstate))
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool good = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run_with_lock_timeout(run, arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || !forgive(error->sqlerrcode))
			ReThrowError(error);
		FreeErrorData(error);
		good = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return good;
}
