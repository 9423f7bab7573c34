/*
 * workers/canary_look.c - pulling what the canary pushed.
 *
 * The crisis workers do it, since they sleep for the lane all day. It is what pull_crisis_wait does: watch
 * the subject's key, and when it is raised, look with a fresh snapshot, open, and take the cursor along.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/spi.h"
#include "base/wake.h"
#include "base/worker.h"
#include "crisis/canary.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "workers/canary_look.h"

/* More than there can be: what waits in the queue is told once, and a round is one operation. */
#define PAGES_MAX 20

static PawsStatement pull = {
	.sql = "SELECT op_id, kind, code, \"cursor\" FROM paws_sync.pull_crisis($1, $2, 1000, 1048576)",
	.nargs = 2,
	.type_names = {"device", "cursor"},
};

/* How far this process has read, as varlena; of the extension that it belongs to. */
static Datum cursor = 0;
static Oid cursor_identity = InvalidOid;
static int64 listens_to = 0;

static void
keep_cursor(Datum value)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	Datum copy = datumCopy(value, false, -1);

	MemoryContextSwitchTo(old);
	if (cursor != 0)
		pfree(DatumGetPointer(cursor));
	cursor = copy;
}

/* What does not open is nothing that a device would have got; sealed, for want of keys, it is. */
static void
see(int slot, int row)
{
	bool no_id;
	bool no_code;
	Datum op_id = paws_spi_column(row, 1, &no_id);
	bool isnull;
	char *kind = TextDatumGetCString(paws_spi_column(row, 2, &isnull));
	Datum code = paws_spi_column(row, 3, &no_code);

	if (no_id || (!no_code && strcmp(TextDatumGetCString(code), "envelope_rejected") == 0))
		return;
	paws_canary_seen(slot, DatumGetUUIDP(op_id), strcmp(kind, "pending") != 0);
}

/* A page; false if there was nothing. */
static bool
read_page(int slot, const PawsToken *watcher)
{
	Datum args[2] = {PointerGetDatum(watcher), cursor};
	int rows = (int) paws_spi_run(&pull, args, cursor != 0 ? NULL : " n", 0);
	bool isnull;

	for (int row = 0; row < rows; row++)
		see(slot, row);
	if (rows > 0)
		keep_cursor(paws_spi_column(rows - 1, 4, &isnull));
	return rows > 0;
}

static void
read_all(int slot, const PawsToken *watcher)
{
	if (cursor != 0 && cursor_identity != paws_database_identity(slot))
	{
		pfree(DatumGetPointer(cursor));
		cursor = 0;
	}
	cursor_identity = paws_database_identity(slot);
	for (int page = 0; page < PAGES_MAX && read_page(slot, watcher); page++)
		;
}

void
paws_canary_listen(int slot)
{
	PawsToken watcher;
	bool open;
	int64 subject_no = paws_canary_watched(slot, &watcher, &open);

	if (subject_no == listens_to)
		return;
	paws_wake_key_unwatch();
	if (subject_no > 0)
		paws_wake_key_watch(slot, subject_no);
	paws_canary_wait_for(slot, subject_no);
	listens_to = subject_no;
}

void
paws_canary_look(int slot)
{
	PawsToken watcher;
	bool open;

	if (paws_canary_watched(slot, &watcher, &open) == 0 || !open ||
		!paws_worker_begin("paws_sync: look for the canary"))
		return;
	PG_TRY();
	{
		paws_spi_begin();
		read_all(slot, &watcher);
		paws_spi_end();
		paws_worker_commit();
	}
	PG_CATCH();
	{
		paws_worker_abort();
	}
	PG_END_TRY();
}
