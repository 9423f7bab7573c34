/*
 * api/pull.c - pull, pull_wait, pull_crisis, pull_crisis_wait and ack: the crisis lane first, then the
 * ordinary one.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "api/cursor.h"
#include "base/clock.h"
#include "base/database.h"
#include "base/errors.h"
#include "base/guarded.h"
#include "base/reserve.h"
#include "base/settings.h"
#include "base/spi.h"
#include "base/wake.h"
#include "care/care.h"
#include "control/rows.h"
#include "crisis/crisis.h"
#include "crisis/queue.h"
#include "guard/mint.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "queue/admission.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

#define CHANGES_MAX 10000
#define BYTES_MAX   (64 * 1024 * 1024)

/* On a standby nobody wakes us: commits happen elsewhere. */
#define STANDBY_POLL_MS 50

PG_FUNCTION_INFO_V1(paws_pull);
PG_FUNCTION_INFO_V1(paws_pull_wait);
PG_FUNCTION_INFO_V1(paws_pull_crisis);
PG_FUNCTION_INFO_V1(paws_pull_crisis_wait);
PG_FUNCTION_INFO_V1(paws_ack);

typedef struct Pull
{
	int slot;
	PawsDevice device;
	PawsTier tier; /* looked up when the first payload is to be told; before that PAWS_TIER_NONE */
	PawsCursor cursor;
	PawsLane lane; /* being read */
	int changes;
	int bytes;
	PawsAsk ask;       /* the payload that was asked for last; not admitted: the page ends before it */
	bool asked;        /* for the row that comes next */
	int64 crisis_rows; /* of this page */
	int64 crisis_bytes;
	PawsRows rows;
	MemoryContext row_context;
} Pull;

static const char *
kind_name(PawsPageKind kind)
{
	switch (kind)
	{
		case PAWS_PAGE_CHANGE:
			return "change";
		case PAWS_PAGE_RECEIPT:
			return "receipt";
		case PAWS_PAGE_RESET:
			return "reset";
		case PAWS_PAGE_UNREADABLE:
			return "unreadable";
		case PAWS_PAGE_POSITION:
			return "position";
	}
	return NULL;
}

/* Collection and all that is about one document. */
static void
put_document(PawsRows *rows, const PawsPageRow *row)
{
	const PawsCollection *collection = paws_registry_collection_no(row->entry.collection);

	paws_row_text(rows, collection ? collection->name : NULL);
	paws_row_datum(rows, UUIDPGetDatum(&row->entry.doc_id));
	if (row->entry.outcome != PAWS_OUTCOME_ACCEPTED) /* what is pending has none yet */
		paws_row_datum(rows, Int64GetDatum(row->entry.revision));
	else
		paws_row_null(rows);
	paws_row_datum(rows, BoolGetDatum(row->entry.deleted));
	if (row->payload)
		paws_row_datum(rows, PointerGetDatum(row->payload));
	else
		paws_row_null(rows);
	paws_row_datum(rows, UUIDPGetDatum(&row->entry.op_id));
	paws_row_label(rows, paws_outcome_name(row->entry.outcome));
	paws_row_text(rows, row->code ? row->code : paws_reason_name(row->entry.reason));
	paws_row_timestamp(rows, row->entry.finished_at);
}

/* Nothing of a document: only what is in the code. */
static void
put_code(PawsRows *rows, const char *code)
{
	for (int i = 0; i < 7; i++)
		paws_row_null(rows);
	paws_row_text(rows, code);
	paws_row_null(rows);
}

/* Something of the last page was not told. */
static bool
is_cut(const Pull *pull)
{
	return pull->ask.retry_after > 0;
}

static void
forget_ask(Pull *pull)
{
	pull->ask = (PawsAsk){0};
	pull->asked = false;
}

/* What a row really moved, for whoever keeps account of it. */
static void
account(Pull *pull, const PawsPageRow *row)
{
	int64 bytes = row->payload ? VARSIZE_ANY_EXHDR(row->payload) : 0;

	if (pull->lane == PAWS_LANE_CRISIS)
	{
		pull->crisis_rows++;
		pull->crisis_bytes += bytes;
	}
	if (pull->asked)
		paws_admission_correct(pull->slot, pull->device.subject_no, pull->tier, &pull->ask, bytes);
	pull->asked = false;
}

/* Each row carries the cursor to store once the row is processed. */
static void
put_row(void *context, const PawsPageRow *row)
{
	Pull *pull = context;
	PawsCursor cursor = pull->cursor;
	MemoryContext old = MemoryContextSwitchTo(pull->row_context);

	account(pull, row);
	if (pull->lane == PAWS_LANE_CRISIS)
		cursor.crisis = row->after;
	else
		cursor.ordinary = row->after;
	paws_row_datum(&pull->rows, paws_cursor_datum(&cursor));
	paws_row_text(&pull->rows, paws_lane_name(pull->lane));
	paws_row_text(&pull->rows, kind_name(row->kind));
	if (row->kind == PAWS_PAGE_RESET || row->kind == PAWS_PAGE_POSITION)
		put_code(&pull->rows, row->code);
	else
		put_document(&pull->rows, row);
	paws_row_null(&pull->rows);
	paws_row_end(&pull->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(pull->row_context);
}

/* The last row of a page that an allowance ended: the cursor is before what was not told. */
static void
put_limited(Pull *pull)
{
	if (!is_cut(pull))
		return;
	paws_row_datum(&pull->rows, paws_cursor_datum(&pull->cursor));
	paws_row_text(&pull->rows, paws_lane_name(PAWS_LANE_ORDINARY));
	paws_row_text(&pull->rows, "limited");
	put_code(&pull->rows, paws_reason_name(pull->ask.reason));
	paws_row_interval(&pull->rows, pull->ask.retry_after);
	paws_row_end(&pull->rows);
}

/* Whether a payload of the ordinary lane may be told; the page ends before one that may not. */
static bool
may_tell(void *context, const PawsFeedEntry *entry, int64 bytes)
{
	Pull *pull = context;
	const PawsCollection *collection = paws_registry_collection_no(entry->collection);

	if (pull->tier == PAWS_TIER_NONE)
		pull->tier = paws_care_tier(pull->device.subject_no);
	pull->ask = (PawsAsk){.klass = collection ? collection->klass : PAWS_CLASS_STANDARD, .bytes = bytes};
	paws_admission_pull(pull->slot, pull->device.subject_no, pull->tier, &pull->ask);
	pull->asked = pull->ask.admitted;
	return pull->asked;
}

/* A page being read: what it may still hold. */
typedef struct PageRead
{
	Pull *pull;
	PawsPageBudget budget;
} PageRead;

static void
read_applied(PageRead *read)
{
	Pull *pull = read->pull;

	paws_page_read(&paws_crisis_store, &pull->device, &pull->cursor.crisis, &read->budget, put_row, pull);
}

/* What waits in the crisis queue. The last one's cursor says that all of them were told. */
static void
put_pending(void *context, const PawsFeedEntry *entry, bytea *payload, const char *code, bool last,
			uint64 digest)
{
	PageRead *read = context;
	Pull *pull = read->pull;
	PawsPageRow row = {.entry = *entry, .payload = payload, .code = code};
	MemoryContext old = MemoryContextSwitchTo(pull->row_context);

	if (last)
		pull->cursor.pending = digest;
	account(pull, &row);
	paws_row_datum(&pull->rows, paws_cursor_datum(&pull->cursor));
	paws_row_text(&pull->rows, paws_lane_name(PAWS_LANE_CRISIS));
	paws_row_text(&pull->rows, "pending");
	put_document(&pull->rows, &row);
	paws_row_null(&pull->rows);
	paws_row_end(&pull->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(pull->row_context);
	read->budget.any = true;
	read->budget.changes--;
	read->budget.bytes -= payload ? VARSIZE_ANY_EXHDR(payload) : 0;
}

/* After the documents as they are: what is accepted but not in them yet. */
static void
read_pending(PageRead *read)
{
	Pull *pull = read->pull;
	uint64 now;

	if (read->budget.any && (read->budget.changes <= 0 || read->budget.bytes <= 0))
		return;
	now = paws_crisis_pending(&pull->device, pull->cursor.pending, put_pending, read);
	/* nothing waits any more: the next row that is told anyway carries it */
	if (now == 0)
		pull->cursor.pending = 0;
}

/* Crisis asks for nothing; it says what it used, if there was anything. */
static void
read_crisis(PageRead *read)
{
	Pull *pull = read->pull;
	int64 begun_at = paws_clock_ns();

	pull->lane = PAWS_LANE_CRISIS;
	pull->crisis_rows = pull->crisis_bytes = 0;
	read_applied(read);
	read_pending(read);
	if (pull->crisis_rows > 0)
		paws_reserve_crisis_end(begun_at, pull->crisis_bytes);
}

static void
read_ordinary(void *arg)
{
	PageRead *read = arg;

	read->pull->lane = PAWS_LANE_ORDINARY;
	read->budget.admit = may_tell;
	paws_page_read(&paws_care_store, &read->pull->device, &read->pull->cursor.ordinary, &read->budget,
				   put_row, read->pull);
}

static bool
is_lock_timeout(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

/* What the crisis lane has to say is delivered whatever ails the ordinary one; the next pull tells of that.
 */
static bool
forgive_all(int sqlstate)
{
	return true;
}

/*
 * True if there was anything. The ordinary lane's tables may be locked for long by an operator's command;
 * then the page is what the crisis lane has, and the next pull looks again.
 */
static bool
read_page(Pull *pull)
{
	PageRead read = {.pull = pull, .budget = {.changes = pull->changes, .bytes = pull->bytes}};
	PawsLaneCursor before = pull->cursor.ordinary;

	forget_ask(pull);
	paws_spi_begin();
	read_crisis(&read);
	if (!pull->device.crisis_only &&
		(!read.budget.any || (read.budget.changes > 0 && read.budget.bytes > 0)) &&
		!paws_run_guarded(read_ordinary, &read, read.budget.any ? forgive_all : is_lock_timeout))
	{
		pull->cursor.ordinary = before; /* rows that are out carry cursors of their own */
		forget_ask(pull);
	}
	paws_spi_end();
	return read.budget.any;
}

/* True if there was anything. Nothing ordinary is looked at. */
static bool
read_crisis_page(Pull *pull)
{
	PageRead read = {.pull = pull, .budget = {.changes = pull->changes, .bytes = pull->bytes}};

	paws_spi_begin();
	read_crisis(&read);
	paws_spi_end();
	return read.budget.any;
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

static void
find_device(const PawsToken *token, PawsDevice *device)
{
	paws_spi_begin();
	paws_registry_device(token, device);
	paws_spi_end();
	if (device->revoked)
		ereport(ERROR, (errcode(PAWS_ERRCODE_DEVICE_REVOKED), errmsg("device is revoked"),
						errhint("Register the installation as a new device.")));
}

static void
begin_pull(Pull *pull, FunctionCallInfo fcinfo, const PawsToken *token, int limits_at)
{
	memset(pull, 0, sizeof(*pull));
	pull->changes = bounded_argument(fcinfo, limits_at, CHANGES_MAX, "max_changes");
	pull->bytes = bounded_argument(fcinfo, limits_at + 1, BYTES_MAX, "max_bytes");
	if (!PG_ARGISNULL(1))
		paws_cursor_from_datum(PG_GETARG_DATUM(1), &pull->cursor);
	pull->slot = paws_database_slot();
	find_device(token, &pull->device);
	paws_rows_begin(&pull->rows, fcinfo);
	pull->row_context = AllocSetContextCreate(CurrentMemoryContext, "paws_sync row", ALLOCSET_DEFAULT_SIZES);
}

Datum
paws_pull(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument(fcinfo, 0, PAWS_TOKEN_DEVICE);
	Pull pull;

	paws_vault_require(PAWS_ROOT_CARE);
	begin_pull(&pull, fcinfo, token, 2);
	(void) read_page(&pull);
	put_limited(&pull);
	return (Datum) 0;
}

/* Without keys too: what cannot be opened is handed out sealed. */
Datum
paws_pull_crisis(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument_crisis(fcinfo, 0, PAWS_TOKEN_DEVICE);
	Pull pull;

	begin_pull(&pull, fcinfo, token, 2);
	(void) read_crisis_page(&pull);
	return (Datum) 0;
}

/* In milliseconds, at most paws_sync.max_wait_with_snapshot: the caller's snapshot holds back vacuum for that
 * long. */
static long
wait_argument(FunctionCallInfo fcinfo, int argument)
{
	Interval *interval;
	double ms;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("timeout must not be null")));
	interval = PG_GETARG_INTERVAL_P(argument);
	ms = (double) interval->time / 1000.0 +
		 (interval->day + interval->month * 30.0) * (double) SECS_PER_DAY * 1000.0;
	if (ms < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("timeout is negative")));
	return (long) Min(ms, (double) paws_max_wait_with_snapshot);
}

/* A subject that is forgotten while its device waits has no keys any more; nor is there a device then. */
static void
notice_forgotten(Pull *pull, const PawsToken *token, uint64 *keys)
{
	uint64 now = paws_database_version_latest(paws_database_slot(), PAWS_CACHED_KEYS);

	if (now != *keys || RecoveryInProgress())
		find_device(token, &pull->device);
	*keys = now;
}

/* The latch is reset before each look, so what is committed after the look sets it again. */
static void
wait_for_page(Pull *pull, bool (*read)(Pull *pull), long timeout, const PawsToken *token, uint64 keys)
{
	int64 deadline = paws_clock() + timeout * 1000;

	for (;;)
	{
		long left;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		notice_forgotten(pull, token, &keys);
		if (read(pull))
			return;
		left = (long) ((deadline - paws_clock() + 999) / 1000);
		if (left <= 0)
			return;
		if (RecoveryInProgress())
			left = Min(left, STANDBY_POLL_MS);
		if (is_cut(pull))
			left = Min(left, pull->ask.retry_after / 1000 + 1);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION);
	}
}

static void
require_fresh_snapshots(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(
			ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("pull_wait needs transaction isolation level read committed"),
			 errhint(
				 "In a transaction with one snapshot nothing new can appear; use READ COMMITTED, or pull.")));
}

/* Looks at once, and then whenever something of the subject commits. */
static void
wait_and_read(FunctionCallInfo fcinfo, const PawsToken *token, bool (*read)(Pull *pull))
{
	long timeout = wait_argument(fcinfo, 2);
	uint64 keys = paws_database_version_latest(paws_database_slot(), PAWS_CACHED_KEYS);
	Pull pull;

	begin_pull(&pull, fcinfo, token, 3);
	paws_wake_key_watch(paws_database_slot(), pull.device.subject_no);
	PG_TRY();
	{
		wait_for_page(&pull, read, timeout, token, keys);
	}
	PG_FINALLY();
	{
		paws_wake_key_unwatch();
	}
	PG_END_TRY();
	put_limited(&pull);
}

Datum
paws_pull_wait(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument(fcinfo, 0, PAWS_TOKEN_DEVICE);

	require_fresh_snapshots();
	paws_vault_require(PAWS_ROOT_CARE);
	wait_and_read(fcinfo, token, read_page);
	return (Datum) 0;
}

Datum
paws_pull_crisis_wait(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument_crisis(fcinfo, 0, PAWS_TOKEN_DEVICE);

	require_fresh_snapshots();
	wait_and_read(fcinfo, token, read_crisis_page);
	return (Datum) 0;
}

/* A cursor in the middle of a seed acknowledges nothing: the device does not have all documents yet. */
static void
acknowledge(PawsStore *store, const PawsDevice *device, const PawsLaneCursor *cursor, PawsTier tier)
{
	PawsBounds bounds;

	if (cursor->mode != PAWS_CURSOR_FEED || !paws_store_bounds(store, device->subject_no, &bounds))
		return;
	if (cursor->epoch != bounds.epoch || cursor->position < 0 || cursor->position > bounds.last ||
		(cursor->position > bounds.expired &&
		 paws_store_digest(store, device->subject_no, cursor->position) != cursor->digest))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cursor is not of this history"),
						errhint("Pull with the cursor; the answer says where to begin anew.")));
	paws_store_acknowledge(store, device->device_no, cursor->position, tier);
}

Datum
paws_ack(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument(fcinfo, 0, PAWS_TOKEN_DEVICE);
	PawsDevice device;
	PawsCursor cursor;

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("cursor must not be null")));
	paws_cursor_from_datum(PG_GETARG_DATUM(1), &cursor);
	(void) paws_database_slot();
	find_device(token, &device);
	paws_spi_begin();
	acknowledge(&paws_crisis_store, &device, &cursor.crisis, PAWS_TIER_NONE);
	acknowledge(&paws_care_store, &device, &cursor.ordinary, paws_care_tier(device.subject_no));
	paws_spi_end();
	PG_RETURN_VOID();
}
