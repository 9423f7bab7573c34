/*
 * store/page.c - seeds, the feed, and cursors that are no good any more.
 */
#include "postgres.h"

#include "base/spi.h"
#include "store/page.h"
#include "utils/memutils.h"

/* Entries read by one statement. */
#define READ_AHEAD 200

/* A document of the seed that was changed after the seed began: its entry comes in the feed as well. */
typedef struct Told
{
	pg_uuid_t doc_id;
	int64 revision;
} Told;

typedef struct Reader
{
	PawsStore *store;
	const PawsDevice *device;
	PawsLaneCursor *cursor;
	PawsLaneCursor told; /* the cursor that the last row carried */
	PawsPageBudget *budget;
	PawsPageEmit emit;
	void *context;
	PawsFeedEntry entries[READ_AHEAD];
	bytea *envelopes[READ_AHEAD];
	int ntold;
	Told already[READ_AHEAD];
} Reader;

static bool
full(const PawsPageBudget *budget)
{
	return budget->cut || (budget->any && (budget->changes <= 0 || budget->bytes <= 0));
}

/* Asked before the cursor moves; what has no payload may always be told. */
static bool
may_tell(Reader *reader, const PawsFeedEntry *entry, const bytea *envelope)
{
	PawsPageBudget *budget = reader->budget;

	if (envelope && budget->admit)
		budget->cut = !budget->admit(reader->context, entry, VARSIZE_ANY_EXHDR(envelope));
	return !budget->cut;
}

/* Only what comes from another device, and is still so, has a payload to deliver. */
static bool
carries_payload(const Reader *reader, const PawsFeedEntry *entry)
{
	return entry->current && entry->outcome == PAWS_OUTCOME_APPLIED && entry->envelope != NULL &&
		   entry->device_no != reader->device->device_no;
}

/* One bad row costs itself: the page goes on. */
static void
open_payload(Reader *reader, PawsPageRow *row, bytea *envelope)
{
	row->entry.envelope = envelope;
	row->payload = paws_store_hand_out(reader->store, reader->device->subject_no, reader->device->subject.id,
									   &row->entry, &row->code);
	if (row->code)
		row->kind = PAWS_PAGE_UNREADABLE;
}

static void
emit(Reader *reader, PawsPageRow *row, bytea *envelope)
{
	reader->told = *reader->cursor;
	row->after = *reader->cursor;
	/* one whose envelope somebody took away does not open either */
	if (envelope || (row->kind == PAWS_PAGE_CHANGE && !row->entry.deleted))
		open_payload(reader, row, envelope);
	if (row->payload)
		reader->budget->bytes -= VARSIZE_ANY_EXHDR(row->payload);
	reader->budget->changes--;
	reader->budget->any = true;
	reader->emit(reader->context, row);
	if (row->payload && row->payload != envelope)
		pfree(row->payload);
}

/*
 * Copies what the last statement returned out of SPI's memory, for opening an envelope may run a statement.
 * Stops where the payloads would not fit the page; returns how many entries there are.
 */
static int
copy_entries(Reader *reader, int found, void (*read)(int row, PawsFeedEntry *entry), int envelope_column)
{
	int64 bytes = reader->budget->bytes;

	for (int i = 0; i < found; i++)
	{
		PawsFeedEntry *entry = &reader->entries[i];

		read(i, entry);
		reader->envelopes[i] = NULL;
		if (!carries_payload(reader, entry))
			continue;
		if (bytes <= 0 && (reader->budget->any || i > 0))
			return i;
		reader->envelopes[i] = paws_spi_bytea(i, envelope_column);
		bytes -= VARSIZE_ANY_EXHDR(reader->envelopes[i]);
	}
	return found;
}

static void
free_envelopes(Reader *reader, int count)
{
	for (int i = 0; i < count; i++)
		if (reader->envelopes[i])
			pfree(reader->envelopes[i]);
}

static void
remember(Reader *reader, const PawsFeedEntry *entry)
{
	if (entry->position > reader->cursor->position && reader->ntold < READ_AHEAD)
		reader->already[reader->ntold++] = (Told){entry->doc_id, entry->revision};
}

/* In the same page nothing is told twice. In a later one it may be: a device knows it by its revision. */
static bool
told_already(const Reader *reader, const PawsFeedEntry *entry)
{
	for (int i = 0; i < reader->ntold; i++)
		if (reader->already[i].revision == entry->revision &&
			memcmp(&reader->already[i].doc_id, &entry->doc_id, UUID_LEN) == 0)
			return true;
	return false;
}

/* The seed is complete: from here on it is the feed. */
static void
end_seed(PawsLaneCursor *cursor)
{
	cursor->mode = PAWS_CURSOR_FEED;
	memset(&cursor->after, 0, sizeof(cursor->after));
}

/*
 * Documents that were deleted are of no use to a device that starts empty. One document more than may be
 * returned is read, so that the last one carries a cursor into the feed: only that can be acknowledged. True
 * when the seed is at its end.
 */
static bool
read_seed(Reader *reader)
{
	int wanted = Min(READ_AHEAD, Max(reader->budget->changes, 1) + 1);
	int found =
		paws_store_read_documents(reader->store, reader->device->subject_no, &reader->cursor->after, wanted);
	int count = copy_entries(reader, found, paws_store_document_entry, 8);
	bool complete = found < wanted && count == found;
	int last = count - 1;

	while (complete && last >= 0 && reader->entries[last].deleted)
		last--;
	for (int i = 0; i <= last && !full(reader->budget); i++)
	{
		PawsPageRow row = {.kind = PAWS_PAGE_CHANGE, .entry = reader->entries[i]};

		if (!may_tell(reader, &row.entry, reader->envelopes[i]))
			break;
		reader->cursor->after = row.entry.doc_id;
		remember(reader, &row.entry);
		if (complete && i == last)
			end_seed(reader->cursor);
		if (!row.entry.deleted)
			emit(reader, &row, reader->envelopes[i]);
	}
	free_envelopes(reader, count);
	if (complete && !full(reader->budget))
		end_seed(reader->cursor);
	return reader->cursor->mode == PAWS_CURSOR_FEED;
}

/* True at the end of the feed. */
static bool
read_feed(Reader *reader)
{
	int wanted = Min(READ_AHEAD, Max(reader->budget->changes, 1));
	int found =
		paws_store_read_feed(reader->store, reader->device->subject_no, reader->cursor->position, wanted);
	int count = copy_entries(reader, found, paws_store_feed_entry, 14);

	for (int i = 0; i < count && !full(reader->budget); i++)
	{
		PawsPageRow row = {.kind = PAWS_PAGE_CHANGE, .entry = reader->entries[i]};

		if (!may_tell(reader, &row.entry, reader->envelopes[i]))
			break;
		reader->cursor->position = row.entry.position;
		reader->cursor->digest = paws_store_entry_digest(reader->device->subject_no, &row.entry);
		if (row.entry.device_no == reader->device->device_no)
		{
			row.kind = PAWS_PAGE_RECEIPT;
			emit(reader, &row, NULL);
		}
		else if (row.entry.current && row.entry.outcome == PAWS_OUTCOME_APPLIED &&
				 !told_already(reader, &row.entry))
			emit(reader, &row, reader->envelopes[i]);
	}
	free_envelopes(reader, count);
	return found < wanted && count == found;
}

/*
 * Entries that are not for this device give no row, nor does the end of a seed. If the page ends so, the
 * device is told to move on; else its cursor would grow old, and expire. A device that never had a cursor has
 * nothing to move.
 */
static void
tell_position(Reader *reader)
{
	PawsPageRow row = {.kind = PAWS_PAGE_POSITION};
	const PawsLaneCursor *told = &reader->told;

	if (reader->cursor->mode == PAWS_CURSOR_FEED && told->mode != PAWS_CURSOR_START &&
		!full(reader->budget) &&
		(told->mode == PAWS_CURSOR_SEED || told->position != reader->cursor->position))
		emit(reader, &row, NULL);
}

static void
begin_seed(Reader *reader, const PawsBounds *bounds)
{
	memset(reader->cursor, 0, sizeof(*reader->cursor));
	reader->cursor->mode = PAWS_CURSOR_SEED;
	reader->cursor->epoch = bounds->epoch;
	reader->cursor->position = bounds->last;
	reader->cursor->digest = paws_store_digest(reader->store, reader->device->subject_no, bounds->last);
}

/* Why a cursor is no good: what follows it has expired, or it speaks of a history that is not this one. NULL
 * if it is good. */
static const char *
defect(Reader *reader, const PawsBounds *bounds)
{
	PawsLaneCursor *cursor = reader->cursor;

	if (cursor->epoch != bounds->epoch || cursor->position > bounds->last || cursor->position < 0)
		return "cursor_reset";
	if (cursor->position < bounds->expired)
		return "cursor_expired";
	if (cursor->position > bounds->expired &&
		paws_store_digest(reader->store, reader->device->subject_no, cursor->position) != cursor->digest)
		return "cursor_reset";
	return NULL;
}

void
paws_page_read(PawsStore *store, const PawsDevice *device, PawsLaneCursor *cursor, PawsPageBudget *budget,
			   PawsPageEmit emit_row, void *context)
{
	Reader *reader = palloc(sizeof(Reader));
	PawsBounds bounds;
	const char *code;

	reader->store = store;
	reader->device = device;
	reader->cursor = cursor;
	reader->budget = budget;
	reader->emit = emit_row;
	reader->context = context;
	reader->told = *cursor;
	reader->ntold = 0;
	if (!paws_store_bounds(store, device->subject_no, &bounds))
		return;
	if (cursor->mode == PAWS_CURSOR_START)
		begin_seed(reader, &bounds);
	else if ((code = defect(reader, &bounds)) != NULL)
	{
		PawsPageRow row = {.kind = PAWS_PAGE_RESET, .code = code};

		begin_seed(reader, &bounds);
		emit(reader, &row, NULL);
		return;
	}
	while (cursor->mode == PAWS_CURSOR_SEED && !full(budget))
		if (read_seed(reader))
			break;
	while (cursor->mode == PAWS_CURSOR_FEED && !full(budget))
		if (read_feed(reader))
			break;
	tell_position(reader);
	pfree(reader);
}
