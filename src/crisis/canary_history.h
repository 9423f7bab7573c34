/*
 * crisis/canary_history.h - who the canary is, and for how much of the time the lane was there.
 *
 * One row for each hour in which there was something to tell, for 31 days: how much of it is accounted for,
 * and during how much of that the lane was there. What nobody could measure, since the server was down, is
 * accounted for as not there when it is up again. All functions need SPI connected.
 */
#ifndef PAWS_CRISIS_CANARY_HISTORY_H
#define PAWS_CRISIS_CANARY_HISTORY_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/token.h"

typedef struct PawsCanaryIdentity
{
	int64 subject_no;
	PawsToken device;  /* pushes */
	PawsToken watcher; /* pulls */
} PawsCanaryIdentity;

/* The collection of what it pushes; its class is safety. */
#define PAWS_CANARY_COLLECTION "paws_sync_canary"

/* False if the database has none yet, or if somebody was forgotten who was it. */
extern bool paws_canary_identity(PawsCanaryIdentity *identity);

/* Makes one, in place of what is left of another. Errors 55000 unless the keys of care and crisis are those
 * of the database: so only once a device was registered. */
extern void paws_canary_make_identity(PawsCanaryIdentity *identity);

/* True if one can be made. */
extern bool paws_canary_can_be_made(void);

/* One account of the last `elapsed` microseconds, of which the lane was there for the last `there`. -1: since
 * the last account in the table, however long ago, unless the canary was off then. */
typedef struct PawsCanaryAccount
{
	int64 elapsed;
	int64 there;
	bool round; /* it ends with a round: */
	bool failed;
	int64 latency; /* microseconds */
	bool running;  /* false: the canary is off from now on, and time is not accounted for */
} PawsCanaryAccount;

/* Adds it to the rows of its hours, and drops those that are too old. Writes nothing if there is nothing to
 * add. */
extern void paws_canary_account(const PawsCanaryAccount *account);

/* How much of the hours that began within so many days is accounted for, and for how much the lane was there;
 * microseconds. */
extern void paws_canary_availability(int days, int64 *measured, int64 *there);

/* Drops entries of the canary's own feed that are older than an hour: what nobody needs must not grow. */
extern void paws_canary_trim(int64 subject_no);

#endif
