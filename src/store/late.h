/*
 * store/late.h - what was written without keys is sealed as the rest, once they are there.
 *
 * Needs SPI connected, and the keys of the store usable.
 */
#ifndef PAWS_STORE_LATE_H
#define PAWS_STORE_LATE_H

#include "store/store.h"

/* One slice of the work on one subject. */
typedef struct PawsLate
{
	int64 subject_no;
	const uint8 *subject; /* 16 id bytes */
	pg_uuid_t walk;       /* the last document looked at; moved along */
	int64 bytes;          /* of envelopes looked at */
	bool locked;          /* somebody else has the subject: to be come back to */
	bool end;             /* nothing beyond */
} PawsLate;

/*
 * Documents without a revision seal get one, and the best suite, until about `max_bytes` were looked at;
 * their revisions, positions and times stay, so no device notices. What does not open is passed over. A
 * subject that has none is not locked.
 */
extern void paws_store_seal_late(PawsStore *store, PawsLate *late, int64 max_bytes);

#endif
