/*
 * workers/keeper.h - rotation and erasure: the jobs of the vault, carried out over all rooms by the
 * scheduler.
 */
#ifndef PAWS_WORKERS_KEEPER_H
#define PAWS_WORKERS_KEEPER_H

#include "postgres.h"

/* Nothing is to be done before the next regular look. */
#define PAWS_KEEPER_IDLE (-1)

/*
 * One slice of what is to be done with keys, in a transaction of its own; errors are caught. Returns the ms
 * to wait before the next slice, which hold its WAL to paws_sync.bulk_wal_rate, or PAWS_KEEPER_IDLE.
 */
extern long paws_keeper_turn(int slot);

#endif
