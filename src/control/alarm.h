/*
 * control/alarm.h - what is announced before the crisis lane breaks its promise.
 *
 * An alarm has a name that never changes. When it is raised and when it is over, the server's log has a line,
 * and NOTIFY on channel paws_sync_alarm says "NAME raised" or "NAME over"; pg_stat_paws_sync_alarms shows
 * them all. It is raised at once, and over when there was no cause for a while, so that what comes and goes
 * is told once. The state is in shared memory for each database. Needs no SPI unless it says so.
 */
#ifndef PAWS_CONTROL_ALARM_H
#define PAWS_CONTROL_ALARM_H

#include "postgres.h"
#include "datatype/timestamp.h"

#define PAWS_ALARM_CHANNEL "paws_sync_alarm"

typedef enum PawsAlarm
{
	PAWS_ALARM_CANARY_SLOW,
	PAWS_ALARM_CANARY_FAILING,
	PAWS_ALARM_CANARY_SILENT,
	PAWS_ALARM_REFUSED,
	PAWS_ALARM_ROLLED_BACK,
	PAWS_ALARM_CRISIS_WORKERS,
	PAWS_ALARM_QUEUE_OLD,
	PAWS_ALARM_QUEUE_STUCK,
	PAWS_ALARM_QUEUE_FILLING,
	PAWS_ALARM_STORAGE_DATA,
	PAWS_ALARM_STORAGE_WAL,
	PAWS_ALARMS
} PawsAlarm;

/* What is constant of an alarm. */
typedef struct PawsAlarmText
{
	const char *name;
	const char *unit; /* of what is measured */
	const char *detail;
	const char *hint;
} PawsAlarmText;

typedef struct PawsAlarmState
{
	bool raised;
	TimestampTz since; /* of raised; 0: it never changed since the start of the server */
	int64 times;       /* raised since then */
	int64 measured;    /* at the last look */
	int64 threshold;
} PawsAlarmState;

extern void paws_alarm_init(void);

extern const PawsAlarmText *paws_alarm_text(PawsAlarm alarm);

/* A look at the cause. Raises the alarm, or lets it be over after a while. */
extern void paws_alarm_judge(int slot, PawsAlarm alarm, bool cause, int64 measured, int64 threshold);

extern void paws_alarm_read(int slot, PawsAlarm alarm, PawsAlarmState *state);

/* How many are raised. */
extern int paws_alarm_count(int slot);

/* True if there is something that was not notified yet; and the notifying, in a transaction, at whose commit
 * it goes out. If it aborts there is something to notify again. */
extern bool paws_alarm_untold(int slot);
extern void paws_alarm_notify(int slot);

#endif
