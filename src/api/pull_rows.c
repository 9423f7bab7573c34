/*
 * api/pull_rows.c - the rows that pull and its kin return.
 */
#include "postgres.h"

#include "api/pull.h"
#include "utils/builtins.h"

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

/* A row of a page begins: what it moves is counted, and the cursor to store once it is processed is put. */
static void
begin_row(PawsPull *pull, const PawsCursor *cursor, const char *kind, const bytea *payload)
{
	int64 bytes = payload ? VARSIZE_ANY_EXHDR(payload) : 0;

	if (pull->lane == PAWS_LANE_CRISIS)
	{
		pull->crisis_rows++;
		pull->crisis_bytes += bytes;
	}
	else if (pull->told)
		pull->told(pull, bytes);
	paws_row_datum(&pull->rows, paws_cursor_datum(cursor));
	paws_row_text(&pull->rows, paws_lane_name(pull->lane));
	paws_row_text(&pull->rows, kind);
}

static void
end_row(PawsPull *pull)
{
	paws_row_null(&pull->rows);
	paws_row_end(&pull->rows);
}

void
paws_pull_put_row(void *context, const PawsPageRow *row)
{
	PawsPull *pull = context;
	PawsCursor cursor = pull->cursor;
	MemoryContext old = MemoryContextSwitchTo(pull->row_context);

	if (pull->lane == PAWS_LANE_CRISIS)
		cursor.crisis = row->after;
	else
		cursor.ordinary = row->after;
	begin_row(pull, &cursor, kind_name(row->kind), row->payload);
	if (row->kind == PAWS_PAGE_RESET || row->kind == PAWS_PAGE_POSITION)
		put_code(&pull->rows, row->code);
	else
		put_document(&pull->rows, row);
	end_row(pull);
	MemoryContextSwitchTo(old);
	MemoryContextReset(pull->row_context);
}

bool
paws_pull_put_pending(void *context, const PawsFeedEntry *entry, bytea *payload, const char *code,
					  uint64 digest)
{
	PawsPull *pull = context;
	PawsPageRow row = {.entry = *entry, .payload = payload, .code = code};
	MemoryContext old = MemoryContextSwitchTo(pull->row_context);

	pull->cursor.pending = digest;
	begin_row(pull, &pull->cursor, "pending", payload);
	put_document(&pull->rows, &row);
	end_row(pull);
	MemoryContextSwitchTo(old);
	MemoryContextReset(pull->row_context);
	pull->budget.any = true;
	pull->budget.changes--;
	pull->budget.bytes -= payload ? VARSIZE_ANY_EXHDR(payload) : 0;
	return pull->budget.changes > 0 && pull->budget.bytes > 0;
}

/* The cursor is before what was not told. */
void
paws_pull_put_limited(PawsPull *pull, PawsReason reason)
{
	paws_row_datum(&pull->rows, paws_cursor_datum(&pull->cursor));
	paws_row_text(&pull->rows, paws_lane_name(PAWS_LANE_ORDINARY));
	paws_row_text(&pull->rows, "limited");
	put_code(&pull->rows, paws_reason_name(reason));
	paws_row_interval(&pull->rows, pull->retry_after);
	paws_row_end(&pull->rows);
}

static void
put_signal(PawsRows *rows, const PawsSignalRow *row)
{
	for (int i = 0; i < 5; i++)
		paws_row_null(rows);
	if (row->signal)
		paws_row_datum(rows, UUIDPGetDatum(row->signal));
	else
		paws_row_null(rows);
	paws_row_null(rows);
	paws_row_text(rows, row->code);
	paws_row_timestamp(rows, row->at);
}

void
paws_pull_put_signal(PawsPull *pull, const PawsSignalRow *row)
{
	PawsPageRow document = {.entry = row->entry, .payload = row->payload, .code = row->code};
	MemoryContext old = MemoryContextSwitchTo(pull->row_context);

	begin_row(pull, &pull->cursor, row->kind, row->payload);
	if (strcmp(row->kind, "document") == 0)
		put_document(&pull->rows, &document);
	else
		put_signal(&pull->rows, row);
	end_row(pull);
	MemoryContextSwitchTo(old);
	MemoryContextReset(pull->row_context);
}
