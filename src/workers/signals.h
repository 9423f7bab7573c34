/*
 * workers/signals.h - what the crisis workers do by the clock: items that nobody claimed in time, signals
 * that expired.
 */
#ifndef PAWS_WORKERS_SIGNALS_H
#define PAWS_WORKERS_SIGNALS_H

#include "postgres.h"

/* One turn, called outside a transaction: looks if something is due, or changed, and does a slice, in
 * transactions of its own. Returns the ms until something may be due; a failure costs a turn. */
extern long paws_signals_turn(int slot);

#endif
