/*
 * control/horizon.h - what keeps dead rows from being removed, and since when.
 *
 * A dead row stays while anybody might still see it. Who that is stands in the server's views, but for
 * prepared transactions alone does it say since when (of sessions it is not kept with track_activities off,
 * of slots never). So the scheduler notes every so often which transaction is the next; the noted times lie
 * the further apart the older they are, and are kept in shared memory alone.
 */
#ifndef PAWS_CONTROL_HORIZON_H
#define PAWS_CONTROL_HORIZON_H

#include "postgres.h"

extern void paws_horizon_init(void);

/* Notes the number of the next transaction and the time. Called by schedulers, as often as they like. */
extern void paws_horizon_note(void);

#endif
