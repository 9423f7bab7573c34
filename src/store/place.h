/*
 * store/place.h - where the counter of a subject was seen last.
 *
 * Each batch leaves an old version of the counters that it moves on. While somebody holds back vacuum they
 * all stay, and the index leads through every one of them to the one that counts. So the place of the last is
 * remembered in shared memory. It is a hint: whoever follows it looks whether the subject's row, as its
 * snapshot sees it, lies there.
 */
#ifndef PAWS_STORE_PLACE_H
#define PAWS_STORE_PLACE_H

#include "postgres.h"
#include "storage/itemptr.h"

extern void paws_place_init(void);

/* True if a place is remembered for a subject in a table; what lies there now may be anything, or nothing. */
extern bool paws_place_recall(Oid table, int64 subject_no, ItemPointer place);

extern void paws_place_remember(Oid table, int64 subject_no, ItemPointer place);

#endif
