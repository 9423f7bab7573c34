/*
 * control/health.h - how the crisis lane is: what is looked at for alarms, and one word for all of it.
 */
#ifndef PAWS_CONTROL_HEALTH_H
#define PAWS_CONTROL_HEALTH_H

#include "postgres.h"
#include "datatype/timestamp.h"

typedef enum PawsLaneState
{
	PAWS_LANE_OK,
	PAWS_LANE_DEGRADED,  /* it answers in time, but an alarm is raised */
	PAWS_LANE_DOWN,      /* its canary fails, or is not heard of */
	PAWS_LANE_STARTING,  /* no canary yet */
	PAWS_LANE_UNWATCHED, /* the canary is off, or no device was registered yet; no alarm is raised */
	PAWS_LANE_STANDBY    /* in recovery: reads are served, and nothing else is looked at */
} PawsLaneState;

/* What waits in the lane's queue, as the table says it. */
typedef struct PawsLaneQueue
{
	int64 waiting;
	int64 stuck;
	TimestampTz oldest; /* 0: nothing waits */
} PawsLaneQueue;

/* A word, and a sentence. */
extern const char *paws_lane_state_name(PawsLaneState state);
extern PawsLaneState paws_health_state(int slot);
extern char *paws_health_describe(int slot);

/* Looks at everything that alarms are raised for, but for what only an outsider can see. Needs no SPI. */
extern void paws_health_look(int slot, const PawsLaneQueue *queue);

/* What an outsider sees: that the canary of a database is not heard of any more. Called once a second by a
 * process that never waits for a commit. */
extern void paws_health_look_from_outside(Oid database);

/* A canary is just started: it is given time to be heard of. */
extern void paws_health_expect(Oid database);

#endif
