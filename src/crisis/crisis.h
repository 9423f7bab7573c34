/*
 * crisis/crisis.h - the crisis lane. It reads paws_registry and paws_crisis and nothing else: no tier, no
 * limit, no queue of the ordinary lane is on this path.
 *
 * All functions need SPI connected.
 */
#ifndef PAWS_CRISIS_H
#define PAWS_CRISIS_H

#include "postgres.h"
#include "registry/registry.h"
#include "store/store.h"

/* The lane's documents, feed and receipts. */
extern PawsStore paws_crisis_store;

/*
 * Applies changes of one subject in the caller's own transaction: they are durable and visible when it
 * commits, and waiters wake then. Fills in the answers of each change; one with a receipt already is marked
 * as repeated. If somebody holds the subject's counter for longer than PAWS_CRISIS_LOCK_WAIT_MS they are put
 * into the lane's queue instead, and marked as queued: durable and visible, as pending, when the caller
 * commits.
 */
extern void paws_crisis_apply(int slot, PawsChange *changes, int count);

/* One document: `payload` in clear with code NULL, the envelope with code "sealed" while keys are missing,
 * NULL with "envelope_rejected" if it does not open. Both are good until the return. */
typedef void (*PawsDocumentEmit)(void *context, const PawsFeedEntry *entry, bytea *payload, const char *code);

/*
 * Hands out the documents of a device's subject as they are now: safety before emergency, the newest first,
 * at most 100 and about 16 MB. Writes nothing. NULL, or why they could not all be read: "busy" for a lock
 * that lasted or another failure, "envelope_rejected" if the subject's key does not open. *held: it was a
 * lock, so the next call may do better. The transaction goes on then.
 */
extern const char *
paws_crisis_documents(const PawsDevice *device, PawsDocumentEmit emit, void *context, bool *held);

/* One slice of the walk that drops tombstones; entries of the crisis feed never expire. Moves `walk`, the
 * last subject looked at, along. True at the end. */
extern bool paws_crisis_expire(int64 *walk);

#endif
