/*
 * workers/eraser.h - what follows after a subject was forgotten.
 */
#ifndef PAWS_WORKERS_ERASER_H
#define PAWS_WORKERS_ERASER_H

#include "postgres.h"

/*
 * A slice of it, in the caller's transaction: sweeps the subject's rows, asks for new epochs when it is time
 * to destroy the old ones, signs certificates. Returns the ms until there is more to do, or PAWS_KEEPER_IDLE.
 * Needs SPI connected.
 */
extern long paws_eraser_turn(int slot);

#endif
