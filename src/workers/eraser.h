/*
 * workers/eraser.h - what follows after a subject was forgotten.
 */
#ifndef PAWS_WORKERS_ERASER_H
#define PAWS_WORKERS_ERASER_H

#include "postgres.h"

/*
 * A slice of it, in the caller's transaction: removes rows, waits for those who may still write some, notes
 * when epochs are gone, signs certificates. Returns the ms until there is more to do, or PAWS_KEEPER_IDLE.
 * Needs SPI connected, and the keys of care and the crisis root usable.
 */
extern long paws_eraser_turn(int slot);

#endif
