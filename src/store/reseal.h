/*
 * store/reseal.h - the stored envelopes of a subject sealed anew under its current key, and removed with the
 * subject.
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_STORE_RESEAL_H
#define PAWS_STORE_RESEAL_H

#include "store/store.h"

/* One slice of the work on one subject. */
typedef struct PawsReseal
{
	int64 subject_no;
	const uint8 *subject; /* 16 id bytes */
	pg_uuid_t key;        /* the key that envelopes are to name */
	pg_uuid_t walk;       /* the last document looked at; moved along */
	int64 bytes;          /* of envelopes looked at */
	int broken;           /* did not open; left as they are */
	bool locked;          /* somebody else has the subject: nothing was done */
	bool end;             /* nothing beyond */
} PawsReseal;

/*
 * Seals up to `limit` documents and branches anew; revisions, positions and times stay, so no device notices.
 */
extern void paws_store_reseal(PawsStore *store, PawsReseal *reseal, int limit);

/* True if a document or branch of the subject is sealed under this key. */
extern bool paws_store_uses_key(PawsStore *store, int64 subject_no, const pg_uuid_t *key);

/* Removes how far the devices of a subject have come; before these are removed from the registry. */
extern void paws_store_forget_devices(PawsStore *store, int64 subject_no);

/*
 * Removes up to `limit` rows of each table of a subject that is forgotten; true if there may be more. Rows
 * that are locked are left for another call.
 */
extern bool paws_store_forget(PawsStore *store, int64 subject_no, int limit);

#endif
