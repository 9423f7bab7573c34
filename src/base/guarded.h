/*
 * base/guarded.h - running something that must not harm what the transaction did before.
 */
#ifndef PAWS_BASE_GUARDED_H
#define PAWS_BASE_GUARDED_H

#include "postgres.h"

/*
 * How long guarded work waits for a lock, and for a row: that takes two, the place of the next in line and
 * the end of the transaction that has it.
 */
#define PAWS_GUARDED_LOCK_TIMEOUT_MS 25
#define PAWS_GUARDED_ROW_WAIT_MS     (2 * PAWS_GUARDED_LOCK_TIMEOUT_MS)

/*
 * Runs `run` in a subtransaction with a bound on waiting for locks. True if it succeeded; false if it failed
 * with an error that `forgive` accepts by its SQLSTATE, and everything it did in the database is undone.
 * Other errors pass on, as does a cancel always. SPI may be connected and stays so.
 */
extern bool paws_run_guarded(void (*run)(void *arg), void *arg, bool (*forgive)(int sqlstate));

/* For `forgive`: another transaction is at it, or was since this one's snapshot. */
extern bool paws_is_held(int sqlstate);

#endif
