/*
 * control/status.c - the state of the installation in a few rows that a person can read.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/spi.h"
#include "base/worker.h"
#include "commands/dbcommands.h"
#include "control/health.h"
#include "control/rows.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "queue/admission.h"
#include "queue/depth.h"
#include "queue/flow.h"
#include "queue/pause.h"
#include "vault/keyring.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(paws_status);

static void
put(PawsRows *rows, const char *component, const char *state, const char *detail)
{
	paws_row_text(rows, component);
	paws_row_text(rows, state);
	paws_row_text(rows, detail);
	paws_row_end(rows);
}

static bool
root_differs(PawsRoot root)
{
	PawsRootMatch match;

	if (root == PAWS_ROOT_BILLING)
		return false; /* nothing is sealed under it */
	paws_spi_begin();
	match = paws_vault_match_root(root);
	paws_spi_end();
	return match == PAWS_ROOT_DIFFERS;
}

static void
put_keys(PawsRows *rows, PawsRoot root)
{
	const char *component = psprintf("keys %s", paws_root_name(root));

	if (!paws_vault_ready(root))
		put(rows, component, "none", paws_vault_explain(root));
	else if (paws_require_locked_memory && !paws_vault_memory_locked())
		put(rows, component, "unlocked",
			"memory cannot be locked, so by paws_sync.require_locked_memory no key may be used");
	else if (root_differs(root))
		put(rows, component, "wrong", "root key or keyring are not those that this database was used with");
	else
		put(rows, component, "ready",
			paws_vault_memory_locked()
				? "locked in this process's memory"
				: "not locked in memory; raise the limit on locked memory of the server");
}

static char *
count_keyring(void)
{
	PawsKeyringEntry entry;
	int epochs = 0;
	int destroyed = 0;
	int closed = 0;

	for (int i = 0; paws_keyring_entry(i, &entry); i++)
	{
		epochs += entry.kind == PAWS_KEYRING_EPOCH;
		destroyed += entry.kind == PAWS_KEYRING_DESTROYED;
		closed += entry.kind != PAWS_KEYRING_DESTROYED && !paws_keyring_opens(i);
	}
	return psprintf("generation " UINT64_FORMAT ", %d epochs, %d destroyed, %d keys that do not open",
					paws_keyring_generation(), epochs, destroyed, closed);
}

static void
put_keyring(PawsRows *rows)
{
	if (paws_keyring_problem() != NULL)
		put(rows, "keyring", "none", paws_keyring_explain());
	else if (paws_keyring_file_problem() != NULL)
		put(rows, "keyring", "memory", psprintf("%s; %s", count_keyring(), paws_keyring_file_explain()));
	else
		put(rows, "keyring", "ready", count_keyring());
}

static bool
is_listed(void)
{
	const char *name = get_database_name(MyDatabaseId);
	ListCell *cell;

	foreach (cell, paws_settings_databases())
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

static void
put_workers(PawsRows *rows)
{
	int schedulers = paws_worker_count(PAWS_WORKER_SCHEDULER, MyDatabaseId);
	int timers = paws_worker_count(PAWS_WORKER_TIMER, MyDatabaseId);
	int pool = paws_worker_count(PAWS_WORKER_POOL, MyDatabaseId);

	if (!is_listed())
		put(rows, "workers", "off", "this database is not in paws_sync.databases");
	else if (schedulers == 0 || timers == 0 || pool < paws_pool_size)
		put(rows, "workers", "starting",
			psprintf("%d of %d pool workers; if it stays so, raise max_worker_processes", pool,
					 paws_pool_size));
	else
		put(rows, "workers", "ready", psprintf("%d pool workers", pool));
}

/* What waits, what is paused, and whether turns were lost. */
static char *
describe_queue(int slot)
{
	StringInfoData text;
	int64 total = 0;
	const bool *paused;
	const char *before = "; paused: ";
	uint64 displaced = paws_flow_displaced(slot);

	for (int level = PAWS_LEVEL_MIN; level <= PAWS_LEVEL_ORDINARY_MAX; level++)
	{
		PawsDepth depth;

		paws_depth_read(slot, level, &depth);
		total += depth.depth;
	}
	initStringInfo(&text);
	appendStringInfo(&text, INT64_FORMAT " operations wait", total);
	paws_spi_begin();
	paused = paws_paused_levels();
	paws_spi_end();
	for (int level = PAWS_LEVEL_ORDINARY_MAX; level >= PAWS_LEVEL_MIN; level--)
		if (paused[level])
		{
			appendStringInfo(&text, "%s%s", before, paws_level_name(level));
			before = ", ";
		}
	if (displaced > 0)
		appendStringInfo(&text, "; " UINT64_FORMAT " turns forgotten for want of room in paws_sync.max_flows",
						 displaced);
	return text.data;
}

static void
put_queue(PawsRows *rows, int slot)
{
	put(rows, "queue", paws_depth_counted(slot) ? "ready" : "counting", describe_queue(slot));
}

static void
put_admission(PawsRows *rows, int slot)
{
	PawsAdmissionCounts total;

	paws_admission_total(slot, &total);
	put(rows, "admission", total.untracked ? "open" : "ready",
		psprintf(INT64_FORMAT " operations limited, " INT64_FORMAT " let through for want of room in "
							  "paws_sync.max_subjects_limited",
				 total.limited, total.untracked));
}

Datum
paws_status(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();
	PawsRows rows;

	paws_rows_begin(&rows, fcinfo);
	put(&rows, "library", "loaded", PAWS_SYNC_VERSION);
	for (int root = 1; root <= PAWS_ROOTS; root++)
		put_keys(&rows, (PawsRoot) root);
	put_keyring(&rows);
	put_workers(&rows);
	put_queue(&rows, slot);
	put_admission(&rows, slot);
	put(&rows, "crisis lane", paws_lane_state_name(paws_health_state(slot)), paws_health_describe(slot));
	return (Datum) 0;
}
