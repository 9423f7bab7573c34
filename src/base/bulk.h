/*
 * base/bulk.h - flow control of the WAL that this process writes for work in bulk.
 *
 * A commit that cannot wait flushes all WAL before it, whosoever's it is. So work that nobody waits for
 * (rotations, erasures, expiry, late seals) is cut into slices of about PAWS_BULK_SLICE_BYTES and pauses
 * after each as long as paws_sync.bulk_wal_rate wants, all kinds of it together.
 */
#ifndef PAWS_BASE_BULK_H
#define PAWS_BASE_BULK_H

#include "postgres.h"

/* What one transaction aims to write at most. */
#define PAWS_BULK_SLICE_BYTES (256 * 1024)

/* Milliseconds until the next slice of whatever kind may begin; 0: now. */
extern long paws_bulk_wait(void);

/* Before a slice, and after its transaction: what was written between the two has its pause. Returns the
 * bytes.
 */
extern uint64 paws_bulk_begin(void);
extern uint64 paws_bulk_end(uint64 begun);

/* How many pieces the next slice should have, after one of `pieces` wrote `bytes`: 1 to `most`. */
extern int paws_bulk_pieces(int pieces, uint64 bytes, int most);

#endif
