/*
 * queue/pause.h - levels that operators paused: nobody serves them until they are resumed. What is pushed
 * meanwhile is accepted and waits. Crisis is never paused: levels 9 and 10 are not served from here.
 *
 * Read from a table, cached in the process, read anew when somebody changed it. Needs SPI connected.
 */
#ifndef PAWS_QUEUE_PAUSE_H
#define PAWS_QUEUE_PAUSE_H

#include "postgres.h"
#include "guard/codes.h"

/* [level], good until the next call. */
extern const bool *paws_paused_levels(void);

/* False if it was so already. Holds from the commit on. */
extern bool paws_pause_level(int level);
extern bool paws_resume_level(int level);

#endif
