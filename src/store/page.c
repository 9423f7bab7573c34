/*
 * store/page.c - seeds, the feed, and cursors that are no good any more.
 */
#include "postgres.h"

#include "base/spi.h"
#include "store/feed.h"
#include "store/page.h"
#include "utils/memutils.h"

/* Documents of a seed read by one statement. */
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
	Snapshot snapshot;
	const PawsDevice *device;
	PawsLaneCursor *cursor;
	PawsLaneCursor told; /* the cursor that the last row carried */
	PawsPageBudget *budget;
	PawsPageEmit emit;
	void *context;
	PawsFeedEntry *entries; /* of a seed, [READ_AHEAD] */
	bytea **envelopes;
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

static int
read_documents(Reader *reader, int wanted)
{
	if (reader->entries == NULL)
	{
		reader->entries = palloc(READ_AHEAD * sizeof(PawsFeedEntry));
		reader->envelopes = palloc(READ_AHEAD * sizeof(bytea *));
	}
	return paws_store_read_documents(reader->store, reader->device->subject_no, &reader->cursor->after,
									 wanted);
}

/*
 * Copies what the last statement returned out of SPI's memory, for opening an envelope may run a statement.
 * Stops where the payloads would not fit the page; returns how many entries there are.
 */
static int
copy_documents(Reader *reader, int found)
{
	int64 bytes = reader->budget->bytes;

	for (int i = 0; i < found; i++)
	{
		PawsFeedEntry *entry = &reader->entries[i];

		paws_store_document_entry(i, entry);
		reader->envelopes[i] = NULL;
		if (!carries_payload(reader, entry))
			continue;
		if (bytes <= 0 && (reader->budget->any || i > 0))
			return i;
		reader->envelopes[i] = paws_spi_bytea(i, 8);
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
	int found = read_documents(reader, wanted);
	int count = copy_documents(reader, found);
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

/* Of its own operations a device is told what became of them, of others the document if it is still so. */
static void
tell_entry(Reader *reader, PawsPageRow *row)
{
	if (row->entry.device_no == reader->device->device_no)
	{
		row->kind = PAWS_PAGE_RECEIPT;
		emit(reader, row, NULL);
	}
	else if (row->entry.current && row->entry.outcome == PAWS_OUTCOME_APPLIED &&
			 !told_already(reader, &row->entry))
		emit(reader, row, carries_payload(reader, &row->entry) ? row->entry.envelope : NULL);
}

/* To the end of the feed, or of the page. */
static void
read_feed(Reader *reader)
{
	PawsFeedWalk walk;
	PawsPageRow row;

	paws_feed_begin(&walk, reader->store, reader->snapshot, reader->device->subject_no,
					reader->cursor->position + 1);
	while (!full(reader->budget) && paws_feed_next(&walk, &row.entry))
	{
		bytea *envelope;

		row = (PawsPageRow){.kind = PAWS_PAGE_CHANGE, .entry = row.entry};
		if (row.entry.device_no != reader->device->device_no)
			paws_feed_document(&walk, &row.entry);
		envelope = row.entry.envelope;
		if (!may_tell(reader, &row.entry, carries_payload(reader, &row.entry) ? envelope : NULL))
			break;
		reader->cursor->position = row.entry.position;
		reader->cursor->digest = paws_store_entry_digest(reader->device->subject_no, &row.entry);
		tell_entry(reader, &row);
		if (envelope)
			pfree(envelope);
	}
	paws_feed_end(&walk);
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
	reader->cursor->digest =
		paws_store_digest(reader->store, reader->snapshot, reader->device->subject_no, bounds->last);
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
		paws_store_digest(reader->store, reader->snapshot, reader->device->subject_no, cursor->position) !=
			cursor->digest)
		return "cursor_reset";
	return NULL;
}

static void
read_page(Reader *reader)
{
	PawsLaneCursor *cursor = reader->cursor;
	PawsBounds bounds;
	const char *code;

	if (!paws_store_bounds(reader->store, reader->snapshot, reader->device->subject_no, &bounds))
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
	if (cursor->mode == PAWS_CURSOR_SEED)
	{
		while (!full(reader->budget) && !read_seed(reader))
			;
		/* a seed's statements have snapshots of their own: the feed is not to be read by an older one */
		paws_table_unsnap(reader->snapshot);
		reader->snapshot = paws_table_snap(false);
	}
	if (cursor->mode == PAWS_CURSOR_FEED && !full(reader->budget))
		read_feed(reader);
	tell_position(reader);
}

void
paws_page_read(PawsStore *store, const PawsDevice *device, PawsLaneCursor *cursor, PawsPageBudget *budget,
			   PawsPageEmit emit_row, void *context)
{
	Reader *reader = palloc(sizeof(Reader));

	reader->store = store;
	reader->entries = NULL;
	reader->snapshot = paws_table_snap(false);
	reader->device = device;
	reader->cursor = cursor;
	reader->budget = budget;
	reader->emit = emit_row;
	reader->context = context;
	reader->told = *cursor;
	reader->ntold = 0;
	read_page(reader);
	paws_table_unsnap(reader->snapshot);
	if (reader->entries)
	{
		pfree(reader->entries);
		pfree(reader->envelopes);
	}
	pfree(reader);
}
