/*
 * store/feed.h - walking over a subject's feed, entry by entry.
 */
#ifndef PAWS_STORE_FEED_H
#define PAWS_STORE_FEED_H

#include "postgres.h"
#include "base/table.h"
#include "store/store.h"

typedef struct PawsFeedWalk
{
	PawsStore *store;
	int64 subject_no;
	Snapshot snapshot;
	PawsScan entries;
	PawsScan documents;
	bool looked; /* documents is open */
} PawsFeedWalk;

/* Begins at the entry at `position`, or the next one after it. The snapshot, registered, outlives the walk;
 * an error in between leaves nothing behind. */
extern void
paws_feed_begin(PawsFeedWalk *walk, PawsStore *store, Snapshot snapshot, int64 subject_no, int64 position);

/* The next entry: what the feed itself knows of it. False at the end. */
extern bool paws_feed_next(PawsFeedWalk *walk, PawsFeedEntry *entry);

/* Fills in the rest, from the document as it is now. The envelope is palloc'd. */
extern void paws_feed_document(PawsFeedWalk *walk, PawsFeedEntry *entry);

extern void paws_feed_end(PawsFeedWalk *walk);

#endif
