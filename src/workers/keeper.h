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
 * A slice of what follows after forgetting, and one of what is to be done with keys, each in a transaction of
 * its own if it is time for it; errors are caught, and what failed is tried again later. Returns the ms until
 * there is more to do, which hold the WAL to paws_sync.bulk_wal_rate, or PAWS_KEEPER_IDLE. To be called once
 * the queue is counted.
 */
extern long paws_keeper_turn(int slot);

#endif
