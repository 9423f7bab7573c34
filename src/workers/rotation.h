/*
 * workers/rotation.h - the kinds of rotations, between the keeper's files.
 *
 * Each function does one slice of the phase that its job is in, in the caller's transaction, and enters the
 * next phase at its end; a settling phase is over when it is called. Returns the ms until it is worth to go
 * on. Needs SPI connected, and the keys of care and the crisis root usable.
 */
#ifndef PAWS_WORKERS_ROTATION_H
#define PAWS_WORKERS_ROTATION_H

#include "vault/key_job.h"

/* How long to wait for others before the next look. */
#define PAWS_SETTLE_MS 200

extern long paws_rotate_epochs(PawsKeyJob *job);
extern long paws_rotate_data_keys(PawsKeyJob *job);
extern long paws_rotate_roots(PawsKeyJob *job);

#endif
