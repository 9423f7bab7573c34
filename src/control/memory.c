/*
 * control/memory.c - which processes hold secrets in locked memory.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/shmem.h"
#include "control/rows.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/backend_status.h"
#include "vault/memory_state.h"

PG_FUNCTION_INFO_V1(paws_stat_memory);

static void
put_process(PawsRows *rows, int pid, const char *kind)
{
	uint64 bytes;
	PawsMemoryState state = paws_memory_state(pid, &bytes);

	paws_row_datum(rows, Int32GetDatum(pid));
	paws_row_text(rows, kind);
	paws_row_text(rows, paws_memory_state_name(state));
	paws_row_datum(rows, Int64GetDatum((int64) bytes));
	paws_row_end(rows);
}

static const char *
kind_of(const PgBackendStatus *process)
{
	const char *kind = NULL;

	if (process->st_backendType == B_BG_WORKER)
		kind = GetBackgroundWorkerTypeByPid(process->st_procpid);
	return kind != NULL ? kind : GetBackendTypeDesc(process->st_backendType);
}

Datum
paws_stat_memory(PG_FUNCTION_ARGS)
{
	PawsRows rows;
	int processes;

	paws_shmem_require();
	paws_rows_begin(&rows, fcinfo);
	processes = pgstat_fetch_stat_numbackends();
	if (IsUnderPostmaster)
		put_process(&rows, PostmasterPid, "postmaster");
	for (int i = 1; i <= processes; i++)
	{
		const PgBackendStatus *process = &PAWS_LOCAL_BACKEND(i)->backendStatus;

		put_process(&rows, process->st_procpid, kind_of(process));
	}
	return (Datum) 0;
}
