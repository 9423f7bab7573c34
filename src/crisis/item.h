/*
 * crisis/item.h - work for responders: rows of the crisis lane that claim hands out before all jobs.
 *
 * An item waits, is claimed for a while under a fence, and ends when it is completed or cancelled; nothing
 * else ends it. One that nobody claims by its deadline, or that failed PAWS_ITEM_ATTEMPTS times, is
 * escalated: it is marked, and the log, and whoever listens, are told. Unlike a job's, a claim is in the row:
 * it survives a crash, and goes with the transaction that made it. Ids are negative.
 *
 * All functions need SPI connected. Times are microseconds, or TimestampTz. What is returned is allocated in
 * the memory context that was current before SPI was connected. Those that write error 25006 in a read-only
 * transaction.
 */
#ifndef PAWS_CRISIS_ITEM_H
#define PAWS_CRISIS_ITEM_H

#include "postgres.h"
#include "crisis/signal.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"
#include "guard/token.h"
#include "utils/uuid.h"

/* The topic of signals; always there. */
#define PAWS_RESPONSE_TOPIC "crisis_response"

/* The longest name of a topic. */
#define PAWS_ITEM_TOPIC_MAX 31

/* Failed attempts after which an item is escalated. */
#define PAWS_ITEM_ATTEMPTS 5

/* How long a claim lasts that does not say it, and how long an item rests that failed. */
#define PAWS_ITEM_LEASE   (5 * INT64CONST(60) * 1000000)
#define PAWS_ITEM_BACKOFF (10 * INT64CONST(1000000))

/* True if a topic of this name is there, for the crisis lane; the name may be anything. */
extern bool paws_item_topic(const char *name, Size length);

/* Makes a name known, or forgets it: with define_topic and drop_topic. Errors 22023 for that of signals;
 * 55006 if items of the topic wait that is to be forgotten. */
extern void paws_item_topic_define(const char *name, Size length);
extern void paws_item_topic_drop(const char *name, Size length);

/* ---- putting ---- */

/* The item of a signal that is new. */
extern void paws_item_put_signal(int slot, const PawsSignal *signal);

/* A signal became more severe: its item that waits becomes so as well; if none does, there is another one. */
extern void paws_item_raise(int slot, const PawsSignal *signal);

typedef struct PawsItemSubmission
{
	/* what is asked for */
	const char *topic; /* as paws_item_topic knows it */
	Size topic_length;
	PawsClass klass;  /* of the crisis lane */
	int64 subject_no; /* 0: none */
	const PawsToken *subject;
	const uint8 *payload;
	Size payload_length;
	const char *key; /* idempotency key; NULL: none. Only its digest is kept, and none without keys. */
	Size key_length;
	TimestampTz not_before; /* 0: at once */

	/* the answer */
	int64 id;
	bool duplicate; /* of the first one with the key; state is where that stands */
	PawsJobState state;
} PawsItemSubmission;

/* Puts an item. Waits for a transaction that is just using the same key. Errors as paws_vault_seal does. */
extern void paws_item_submit(int slot, PawsItemSubmission *submission);

/* The urgency of a class of the crisis lane. */
extern int16 paws_item_level(PawsClass klass);

/* ---- claiming ---- */

typedef struct PawsClaimedItem
{
	int64 id;
	int64 fence;
	char topic[PAWS_ITEM_TOPIC_MAX + 1];
	int16 level;
	PawsClass klass;
	int32 attempt; /* from 1 */
	bytea *payload;
	bool has_subject;
	PawsToken subject;
	TimestampTz submitted_at;
	TimestampTz claimed_until;
} PawsClaimedItem;

/*
 * Claims up to `max` items of topics (a text[]) for `lease` microseconds (0: PAWS_ITEM_LEASE), most urgent
 * first and in each level the oldest; those that another transaction is claiming are passed over. Returns how
 * many, in palloc'd `items`. The payload of a signal's item is a JSON object of codes; one that does not open
 * is put off, and left to be escalated. Costs nothing while there are no items.
 */
extern int paws_items_claim(int slot, Datum topics, int max, int64 lease, PawsClaimedItem **items);

/* ---- what a responder says of an item ---- */

/* Answers completed or lost, in the caller's transaction. */
extern PawsJobOutcome paws_item_complete(int slot, int64 id, int64 fence);

/* Retried, or lost; available again after `retry_after` microseconds (-1: PAWS_ITEM_BACKOFF). */
extern PawsJobOutcome
paws_item_fail(int slot, int64 id, int64 fence, int64 retry_after, PawsJobReason reason);

/* Released or lost; snoozed or lost. The deadline stays. */
extern PawsJobOutcome paws_item_release(int slot, int64 id, int64 fence);
extern PawsJobOutcome paws_item_snooze(int slot, int64 id, int64 fence, int64 delay);

/* Extended or lost; *until: its new end. */
extern PawsJobOutcome paws_item_extend(int64 id, int64 fence, int64 lease, TimestampTz *until);

/* Cancelled or not_found, whoever has it. */
extern PawsJobOutcome paws_item_cancel(int slot, int64 id);

/* Cancels the items of a signal that nobody has. */
extern void paws_items_cancel_signal(const pg_uuid_t *signal);

typedef struct PawsItemStatus
{
	char topic[PAWS_ITEM_TOPIC_MAX + 1];
	PawsJobState state;
	int16 level;
	PawsClass klass;
	int32 attempts;
	PawsJobReason reason;
	TimestampTz submitted_at;
	TimestampTz not_before; /* 0: none, as below */
	TimestampTz claimed_until;
	TimestampTz ended_at;
} PawsItemStatus;

extern bool paws_item_status(int64 id, PawsItemStatus *status);

/* ---- the crisis workers' ---- */

/* Marks what is past its deadline and not claimed, up to `max`; how many. */
extern int paws_items_escalate(int slot, int max);

/* When the next one is due; DT_NOEND: none is. */
extern TimestampTz paws_items_next_deadline(int slot);

/* ---- for keys ---- */

/* How far a walk over items that were written without keys came. */
typedef enum PawsItemsLate
{
	PAWS_ITEMS_SEALED, /* there are no more */
	PAWS_ITEMS_MORE,
	PAWS_ITEMS_LOCKED /* somebody is at the next one */
} PawsItemsLate;

/* One slice of it; `walk` begins at 0, and is moved along. Needs the crisis root usable. */
extern PawsItemsLate paws_items_seal_late(int64 *walk, int limit);

/* True if an item of the subject (0: of none) is sealed to this key. */
extern bool paws_items_use_key(int64 subject_no, const pg_uuid_t *key);

#endif
