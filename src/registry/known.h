/*
 * registry/known.h - what this process remembers of devices and subjects; inside the room only.
 *
 * A table of fixed size by token: what needs the place takes it. Nothing in it is secret: tokens, numbers and
 * flags. base/fresh.h says until when it is true.
 */
#ifndef PAWS_REGISTRY_KNOWN_H
#define PAWS_REGISTRY_KNOWN_H

#include "postgres.h"
#include "registry/registry.h"

/* A device that is remembered and did not change; false if it has to be read. `begun` of paws_fresh_begin. */
extern bool paws_known_device(int slot, uint64 begun, const PawsToken *token, PawsDevice *device);
extern void paws_know_device(int slot, uint64 begun, const PawsToken *token, const PawsDevice *device);

/* The number of a subject, or 0. */
extern int64 paws_known_subject(int slot, uint64 begun, const PawsToken *token);
extern void paws_know_subject(int slot, uint64 begun, const PawsToken *token, int64 subject_no);

/* And the other way round; false if it has to be read. */
extern bool paws_known_token(int slot, uint64 begun, int64 subject_no, PawsToken *token);
extern void paws_know_token(int slot, uint64 begun, int64 subject_no, const PawsToken *token);

#endif
