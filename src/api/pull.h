/*
 * api/pull.h - between the files that answer pull and its kin.
 *
 * What serves pull_crisis knows of the crisis lane alone: the ordinary one and its allowances are in pull.c.
 */
#ifndef PAWS_API_PULL_H
#define PAWS_API_PULL_H

#include "postgres.h"
#include "api/cursor.h"
#include "control/rows.h"
#include "fmgr.h"
#include "guard/codes.h"
#include "guard/token.h"
#include "registry/registry.h"
#include "store/page.h"

/* One call being answered. */
typedef struct PawsPull
{
	int slot;
	PawsDevice device;
	PawsCursor cursor;
	PawsLane lane; /* being read */
	int changes;   /* bounds of a page */
	int bytes;
	PawsPageBudget budget; /* of the page being read: what it may still hold */
	int64 crisis_rows;     /* of this page */
	int64 crisis_bytes;
	int64 retry_after; /* in microseconds; not 0: the last page ends before what may not be told yet */
	void (*told)(struct PawsPull *pull, int64 bytes); /* after each row of the ordinary lane */
	PawsRows rows;
	MemoryContext row_context;
} PawsPull;

/* Reads a page on from the cursor, by a snapshot of its own. True if there was anything. */
typedef bool (*PawsPullRead)(PawsPull *pull);

/*
 * Begins an answer: the cursor is argument 1, max_changes and max_bytes are arguments `limits_at` and the one
 * after it. Errors 22004 and 22023 for these, PW002 if the device is unknown, PW004 if it is revoked.
 */
extern void paws_pull_begin(PawsPull *pull, FunctionCallInfo fcinfo, const PawsToken *token, int limits_at);

/* The device behind a token; errors as above. */
extern void paws_pull_find_device(const PawsToken *token, PawsDevice *device);

/* Begins a page, and reads what the crisis lane has. Needs SPI connected. */
extern void paws_pull_read_crisis_lane(PawsPull *pull);

/*
 * begin and read, and again whenever something of the subject commits, until there is anything or the time
 * is over: argument `timeout_at`, at most paws_sync.max_wait_with_snapshot. The limits come after it. Errors
 * 25001 unless each look has a snapshot of its own.
 */
extern void paws_pull_wait_and_read(PawsPull *pull, FunctionCallInfo fcinfo, const PawsToken *token,
									int timeout_at, PawsPullRead read);

/* Puts a row of a page, as a PawsPageEmit. The context is the PawsPull. */
extern void paws_pull_put_row(void *context, const PawsPageRow *row);

/* Puts what waits in the crisis queue, as a PawsPendingEmit. */
extern bool paws_pull_put_pending(void *context, const PawsFeedEntry *entry, bytea *payload, const char *code,
								  uint64 digest);

/* Tells of crisis signals that the cursor does not know of, or that they ended. Needs SPI connected. */
extern void paws_pull_read_signals(PawsPull *pull);

/* A row of these: a signal (with code "ended", that none is open), or a document as it is now. */
typedef struct PawsSignalRow
{
	const char *kind;
	const pg_uuid_t *signal; /* NULL: not about one; good until the row is put, as all here */
	PawsFeedEntry entry;     /* of a document */
	bytea *payload;
	const char *code;
	TimestampTz at;
} PawsSignalRow;

extern void paws_pull_put_signal(PawsPull *pull, const PawsSignalRow *row);

/* Puts the row that ends a page before what may not be told yet. */
extern void paws_pull_put_limited(PawsPull *pull, PawsReason reason);

#endif
