/*
 * workers/canary_look.h - the consumer that a canary is meant for.
 */
#ifndef PAWS_WORKERS_CANARY_LOOK_H
#define PAWS_WORKERS_CANARY_LOOK_H

#include "postgres.h"

/* Before a process sleeps: from now on the commit of a canary sets its latch. */
extern void paws_canary_listen(int slot);

/* After it woke: if a canary is under way, pulls as its second device does, and says what it saw. Begins and
 * ends a transaction of its own; an error costs nothing but this look. */
extern void paws_canary_look(int slot);

#endif
