/*
 * api/pull_crisis.c - pull_crisis and pull_crisis_wait: the crisis lane, and nothing that is not of it.
 */
#include "postgres.h"

#include "api/pull.h"
#include "base/clock.h"
#include "base/database.h"
#include "base/errors.h"
#include "base/reserve.h"
#include "base/spi.h"
#include "crisis/budget.h"
#include "crisis/crisis.h"
#include "crisis/queue.h"
#include "guard/mint.h"

#define CHANGES_MAX 10000
#define BYTES_MAX   (64 * 1024 * 1024)

PG_FUNCTION_INFO_V1(paws_pull_crisis);
PG_FUNCTION_INFO_V1(paws_pull_crisis_wait);

static void
read_applied(PawsPull *pull)
{
	paws_page_read(&paws_crisis_store, &pull->device, &pull->cursor.crisis, &pull->budget, paws_pull_put_row,
				   pull);
}

/* After the documents as they are: what is accepted but not in them yet. */
static void
read_pending(PawsPull *pull)
{
	uint64 now;

	if (pull->budget.any && (pull->budget.changes <= 0 || pull->budget.bytes <= 0))
		return;
	now = paws_crisis_pending(&pull->device, pull->cursor.pending, paws_pull_put_pending, pull);
	/* nothing waits any more: the next row that is told anyway carries it */
	if (now == 0)
		pull->cursor.pending = 0;
}

/* Crisis asks for nothing; it says what it used, if there was anything. */
void
paws_pull_read_crisis_lane(PawsPull *pull)
{
	int64 begun_at = paws_clock_ns();

	pull->budget = (PawsPageBudget){.changes = pull->changes, .bytes = pull->bytes};
	pull->lane = PAWS_LANE_CRISIS;
	pull->crisis_rows = pull->crisis_bytes = 0;
	paws_pull_read_signals(pull);
	if (!pull->budget.any || (pull->budget.changes > 0 && pull->budget.bytes > 0))
		read_applied(pull);
	read_pending(pull);
	if (pull->crisis_rows > 0)
		paws_reserve_crisis_end(begun_at, pull->crisis_bytes);
}

static bool
read_page(PawsPull *pull)
{
	paws_spi_begin();
	paws_pull_read_crisis_lane(pull);
	paws_spi_end();
	return pull->budget.any;
}

static int
bounded_argument(FunctionCallInfo fcinfo, int argument, int max, const char *what)
{
	int value;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
	value = PG_GETARG_INT32(argument);
	if (value < 1 || value > max)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is out of range", what),
						errdetail("It must be between 1 and %d.", max)));
	return value;
}

void
paws_pull_find_device(const PawsToken *token, PawsDevice *device)
{
	paws_spi_begin();
	paws_registry_device(token, device);
	paws_spi_end();
	if (device->revoked)
		ereport(ERROR, (errcode(PAWS_ERRCODE_DEVICE_REVOKED), errmsg("device is revoked"),
						errhint("Register the installation as a new device.")));
}

void
paws_pull_begin(PawsPull *pull, FunctionCallInfo fcinfo, const PawsToken *token, int limits_at)
{
	memset(pull, 0, sizeof(*pull));
	pull->changes = bounded_argument(fcinfo, limits_at, CHANGES_MAX, "max_changes");
	pull->bytes = bounded_argument(fcinfo, limits_at + 1, BYTES_MAX, "max_bytes");
	if (!PG_ARGISNULL(1))
		paws_cursor_from_datum(PG_GETARG_DATUM(1), &pull->cursor);
	pull->slot = paws_database_slot();
	paws_pull_find_device(token, &pull->device);
	paws_rows_begin(&pull->rows, fcinfo);
	pull->row_context = AllocSetContextCreate(CurrentMemoryContext, "paws_sync row", ALLOCSET_DEFAULT_SIZES);
}

/* Without keys too: what cannot be opened is handed out sealed. */
Datum
paws_pull_crisis(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument_crisis(fcinfo, 0, PAWS_TOKEN_DEVICE);
	PawsCrisisTime time = paws_crisis_take_time();
	PawsPull pull;

	paws_pull_begin(&pull, fcinfo, token, 2);
	(void) read_page(&pull);
	paws_crisis_end_time(&time);
	return (Datum) 0;
}

Datum
paws_pull_crisis_wait(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument_crisis(fcinfo, 0, PAWS_TOKEN_DEVICE);
	PawsCrisisTime time = paws_crisis_take_time();
	PawsPull pull;

	paws_pull_wait_and_read(&pull, fcinfo, token, 2, read_page);
	paws_crisis_end_time(&time);
	return (Datum) 0;
}
