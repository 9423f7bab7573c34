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
 * Applies what waits of a subject in the order in which it came; at most `limit`, and about 16 MB. *more is
 * true if there is more. False, and nothing done, if somebody else holds the subject's counter, or the keys
 * are missing that tell whether the first is genuine. Errors PW003 if it is not. whole, for who has something
 * to apply after it: waits for whoever holds the counter; false, and nothing done, if there is more.
 */
extern bool paws_crisis_queue_drain(int slot, int64 subject_no, int limit, bool whole, bool *more);

#define PAWS_CRISIS_DRAIN_MAX 100

/* Subjects after one, in the order of their numbers, of which something waits; how many. */
extern int paws_crisis_queue_subjects(int64 after, int64 *subjects, int max);

/* Counts a failed attempt for the first waiting operation of a subject. After PAWS_CRISIS_ATTEMPTS it stays
 * where it is, still told as pending, and the later ones go on. */
#define PAWS_CRISIS_ATTEMPTS 5

extern void paws_crisis_queue_failed(int64 subject_no);

/*
 * Takes an operation that waits, and the digest of all up to it. False: no more of them now. Payload and code
 * as in paws_crisis_documents, good until the return.
 */
typedef bool (*PawsPendingEmit)(void *context, const PawsFeedEntry *entry, bytea *payload, const char *code,
								uint64 digest);

/*
 * What waits of a device's subject and came from its other devices, in the order of the ids. `told` is the
 * digest that the device was given last, 0 for none: if it is of the first ones still, those after them are
 * emitted, else all. So one that commits late, with a lower id, is never missed. Returns the digest up to
 * where it was told; 0 if nothing waits.
 */

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
