/*
 * store/page.h - what a device has not seen yet, page by page.
 *
 * A device starts with a seed (all documents, by id) and goes on with the feed from where it stood when the
 * seed began; so what changes during the seed comes after it. Reading writes nothing.
 */
#ifndef PAWS_STORE_PAGE_H
#define PAWS_STORE_PAGE_H

#include "registry/registry.h"
#include "store/store.h"

typedef enum PawsCursorMode
{
	PAWS_CURSOR_START = 0,
	PAWS_CURSOR_SEED = 1,
	PAWS_CURSOR_FEED = 2
} PawsCursorMode;

/* A device's place in one lane. Stored in cursors, so the layout is a format: fixed width, no padding. */
typedef struct PawsLaneCursor
{
	int64 epoch;
	int64 position;  /* feed: last entry read; seed: where the feed goes on after it */
	uint64 digest;   /* of the entry at position; 0 if there is none */
	pg_uuid_t after; /* seed: last document read */
	uint8 mode;
	uint8 unused[7];
} PawsLaneCursor;

typedef enum PawsPageKind
{
	PAWS_PAGE_CHANGE,     /* a document as it is now */
	PAWS_PAGE_RECEIPT,    /* what became of an operation of this device */
	PAWS_PAGE_RESET,      /* the cursor is no good: begin anew */
	PAWS_PAGE_UNREADABLE, /* a change whose envelope was not opened; the others come all the same */
	PAWS_PAGE_POSITION    /* nothing for this device, but the cursor is further on */
} PawsPageKind;

typedef struct PawsPageRow
{
	PawsPageKind kind;
	PawsFeedEntry entry;
	const char *code;     /* reset: cursor_expired, cursor_reset; unreadable: envelope_rejected, sealed */
	bytea *payload;       /* change: opened; NULL for a deletion; sealed: the envelope */
	PawsLaneCursor after; /* the lane's cursor once this row is processed */
} PawsPageRow;

/* Whether an entry whose envelope has `bytes` may be told. The context is that of PawsPageEmit. */
typedef bool (*PawsPageAdmit)(void *context, const PawsFeedEntry *entry, int64 bytes);

/* What a page may still hold; a page has at least one row if there is anything that may be told. */
typedef struct PawsPageBudget
{
	int changes;
	int64 bytes;
	bool any;
	PawsPageAdmit admit; /* NULL: everything may */
	bool cut;            /* the page ends before an entry that may not */
} PawsPageBudget;

typedef void (*PawsPageEmit)(void *context, const PawsPageRow *row);

/*
 * Reads on from `cursor`, calls `emit` for each row and moves the cursor along. Needs SPI connected.
 */
extern void paws_page_read(PawsStore *store, const PawsDevice *device, PawsLaneCursor *cursor,
						   PawsPageBudget *budget, PawsPageEmit emit, void *context);

#endif
