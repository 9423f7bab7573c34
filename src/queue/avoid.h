/*
 * queue/avoid.h - subjects that a worker finds held by another session, and leaves for a moment.
 *
 * A session that applies what it pushes holds its subject until its commit, and a client may be slow. What
 * waits for that subject would be chosen again and again, and everything behind it never.
 *
 * Of this process alone; needs no SPI and cannot fail.
 */
#ifndef PAWS_QUEUE_AVOID_H
#define PAWS_QUEUE_AVOID_H

#include "postgres.h"

/* Leaves a subject for a millisecond; for longer each time if it is held whenever it is tried. False if there
 * are too many already. */
extern bool paws_avoid(int64 subject_no);

/* True while it is to be left. */
extern bool paws_avoided(int64 subject_no);

/* Milliseconds until the first of them may be tried again; 0 if there is none, and was none when subjects
 * were passed over since this was last asked. */
extern long paws_avoid_wait(void);

#endif
