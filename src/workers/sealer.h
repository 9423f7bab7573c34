/*
 * workers/sealer.h - seals for what the crisis lane wrote without keys, put on by the scheduler.
 */
#ifndef PAWS_WORKERS_SEALER_H
#define PAWS_WORKERS_SEALER_H

#include "postgres.h"

/* Nothing is to be done before the next regular look. */
#define PAWS_SEALER_IDLE (-1)

/*
 * One slice, in a transaction of its own; errors are caught. Returns the ms to wait before the next slice,
 * which hold its WAL to paws_sync.bulk_wal_rate, or PAWS_SEALER_IDLE.
 */
extern long paws_sealer_turn(int slot);

#endif
