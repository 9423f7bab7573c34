/*
 * store/reseal.h - the stored envelopes of a subject sealed anew under its current key, and removed with the
 * subject.
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_STORE_RESEAL_H
#define PAWS_STORE_RESEAL_H

#include "store/store.h"
#include "vault/key_job.h"

/* One slice of the work on one subject. */
typedef struct PawsReseal
{
	int64 subject_no;
	const uint8 *subject; /* 16 id bytes */
	pg_uuid_t key;        /* the key that envelopes are to name */

	/* the last document looked at, then the last branch, of which it is the position; moved along */
	pg_uuid_t walk;
	int64 walk_position; /* PAWS_WALK_START to begin with */

	int64 bytes; /* of envelopes looked at */
	int broken;  /* did not open; left as they are */
	bool locked; /* somebody else has the subject: nothing was done */
	bool end;    /* nothing beyond */
} PawsReseal;

/*
 * Seals documents and branches anew, up to `limit` of them or a little more than `max_bytes`; revisions,
 * positions and times stay, so no device notices.
 */
extern void paws_store_reseal(PawsStore *store, PawsReseal *reseal, int limit, int64 max_bytes);

/* True if a document or branch of the subject is sealed under this key. */
extern bool paws_store_uses_key(PawsStore *store, int64 subject_no, const pg_uuid_t *key);

/* Removes how far devices have come (bigint[] of their numbers). */
extern void paws_store_forget_devices(PawsStore *store, Datum devices);

/*
 * Removes up to `limit` rows of each table of a subject that is forgotten, and adds to *removed how many;
 * true when none is left. Rows that are locked are left for another call.
 */
extern bool paws_store_forget(PawsStore *store, int64 subject_no, int limit, int64 *removed);

#endif
