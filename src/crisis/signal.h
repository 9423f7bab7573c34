/*
 * crisis/signal.h - crisis signals: that a person is in a crisis, until it is resolved or expires.
 *
 * A signal writes paws_crisis alone, and waits for nobody for longer than PAWS_CRISIS_LOCK_WAIT_MS. From its
 * commit on every device of the subject is told of it first, responders have an item (item.h), and the
 * scheduler carries it to the ordinary lane (workers/carry.h).
 *
 * All functions need SPI connected unless they say otherwise.
 */
#ifndef PAWS_CRISIS_SIGNAL_H
#define PAWS_CRISIS_SIGNAL_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"
#include "utils/uuid.h"

/* Written into tables: never given anew. */
typedef enum PawsSignalState
{
	PAWS_SIGNAL_OPEN = 1,
	PAWS_SIGNAL_RESOLVED = 2,
	PAWS_SIGNAL_EXPIRED = 3
} PawsSignalState;

typedef struct PawsSignal
{
	pg_uuid_t id;
	int64 subject_no;
	PawsSource source;
	PawsSeverity severity;
	TimestampTz raised_at;
	TimestampTz expires_at;
} PawsSignal;

/*
 * Raises a signal, or, while one of the same subject and source is open, gives that: its severity rises, but
 * never falls, and its expiry is set anew. *id: the signal. Two are open only if another transaction was
 * raising the same, and held that up for too long. Errors 25006 in a read-only transaction.
 */
extern void
paws_signal_raise(int slot, int64 subject_no, PawsSource source, PawsSeverity severity, pg_uuid_t *id);

/* Ends a signal, with its twins if it has any, and cancels those of its items that nobody claimed. False if
 * there is no such signal, or it has ended. Waits for a transaction that is at it. */
extern bool paws_signal_resolve(int slot, const pg_uuid_t *id);

/* The open signals of a subject, at most `max`, in an order that stays; as the transaction sees them. Without
 * SPI, and without a write. */
#define PAWS_SIGNALS_SHOWN 32

extern int paws_signals_open(int64 subject_no, PawsSignal *signals, int max);

/* Never 0: names the signals and how severe they are. */
extern uint64 paws_signals_digest(const PawsSignal *signals, int count);

/* Ends what has expired, up to `limit`; how many. */
extern int paws_signals_expire(int slot, int limit);

/* When the next open signal expires; DT_NOEND: none is open. */
extern TimestampTz paws_signals_next_expiry(void);

/* A subject that is in a crisis: until when at the latest. */
typedef struct PawsInCrisis
{
	int64 subject_no;
	TimestampTz until;
} PawsInCrisis;

/* All of them, up to `max`, by their numbers. */
extern int paws_signals_subjects(PawsInCrisis *subjects, int max);

/* Removes what ended so long ago that it is kept no more (PAWS_SIGNAL_KEPT_DAYS), up to `limit` signals and
 * as many items; how many. */
#define PAWS_SIGNAL_KEPT_DAYS 30

extern int paws_signals_sweep(int limit);

/* Drops signals and items of a subject that is forgotten, up to `limit` of each, and adds to *removed how
 * many; true when none is left. */
extern bool paws_signals_drop_subject(int64 subject_no, int limit, int64 *removed);

#endif
