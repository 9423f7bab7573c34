/*
 * crisis/queue.h - the lane's own queue: operations that could not be applied in their caller's transaction.
 *
 * An operation comes here when somebody else holds its subject's counter for longer than
 * PAWS_CRISIS_LOCK_WAIT_MS: an INSERT needs no lock, so nobody holds up a crisis push for longer. It is
 * durable and told to the subject's devices (as pending) from its caller's commit on. Whoever gets hold of
 * the counter next, a push or a crisis worker, applies what waits first, so that nothing overtakes.
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_CRISIS_QUEUE_H
#define PAWS_CRISIS_QUEUE_H

#include "postgres.h"
#include "registry/registry.h"
#include "store/store.h"

/*
 * Adds changes of one subject; wakes its waiters and the crisis workers at commit. One that is seen to wait
 * already is marked as repeated and not added again. Two that are pushed at once may both be added: the
 * second to be applied finds the receipt of the first. Errors 53400 if the queue is full (crisis/room.h).
 */
extern void paws_crisis_queue_put(int slot, PawsChange *changes, int count);

/* True if operations of the subject wait. Costs one look at an index. */
extern bool paws_crisis_queue_waits(int64 subject_no);

/*
 * Applies what waits of a subject in the order in which it came; at most `limit`, and about 16 MB. wait: for
 * whoever holds the subject's counter. False, and nothing done, if somebody else holds the subject's counter,
 * or the keys are missing that tell whether it is genuine. Errors PW003 if it is not. *more is true if there
 * may be more.
 */
extern bool paws_crisis_queue_drain(int slot, int64 subject_no, int limit, bool wait, bool *more);

#define PAWS_CRISIS_DRAIN_MAX 100

/* Subjects after one, in the order of their numbers, of which something waits; how many. */
extern int paws_crisis_queue_subjects(int64 after, int64 *subjects, int max);

/* Counts a failed attempt for the first waiting operation of a subject. After PAWS_CRISIS_ATTEMPTS it stays
 * where it is, still told as pending, and the later ones go on. */
#define PAWS_CRISIS_ATTEMPTS 5

extern void paws_crisis_queue_failed(int64 subject_no);

/*
 * What waits of a device's subject and came from its other devices, in the order in which it came, at most
 * 100 and 16 MB: payloads as in paws_crisis_documents. Nothing is told if `told` is the digest of just these
 * already; else `emit` is called for each and the digest returned. 0 if nothing waits.
 */
typedef void (*PawsPendingEmit)(void *context, const PawsFeedEntry *entry, bytea *payload, const char *code,
								bool last, uint64 digest);

extern uint64 paws_crisis_pending(const PawsDevice *device, uint64 told, PawsPendingEmit emit, void *context);

/* True if an operation of the subject waits that is sealed to this key. */
extern bool paws_crisis_queue_uses_key(int64 subject_no, const pg_uuid_t *key);

/* Drops up to `limit` waiting operations of a subject that is forgotten and adds to *removed how many; true
 * when none is left. */
extern bool paws_crisis_queue_drop_subject(int64 subject_no, int limit, int64 *removed);

/* Operations that wait, those of them that failed too often, and the time of the oldest (0: none). Walks the
 * queue. */
extern void paws_crisis_queue_state(int64 *waiting, int64 *stuck, TimestampTz *oldest);

#endif
