/*
 * registry/registry.h - subjects, devices and collections: what both lanes read. Nothing here knows of tiers.
 *
 * All functions need SPI connected unless they say otherwise. Numbers (subject_no, device_no, collection_no)
 * are internal: they never leave the database, tokens do.
 */
#ifndef PAWS_REGISTRY_H
#define PAWS_REGISTRY_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "guard/codes.h"
#include "guard/token.h"

typedef struct PawsDevice
{
	int64 device_no;
	int64 subject_no;
	PawsToken subject;
	bool revoked;
	bool crisis_only;
} PawsDevice;

#define PAWS_COLLECTION_NAME_MAX 31

typedef struct PawsCollection
{
	int16 no;
	PawsClass klass;
	PawsConflictPolicy on_conflict;
	PawsSealingPolicy sealing;
	bool compressible; /* payloads are compressed before they are sealed, as the tier says */
	char name[PAWS_COLLECTION_NAME_MAX + 1];
} PawsCollection;

/* The device behind a verified token. Errors PW002 if it was never registered here. Without SPI. */
extern void paws_registry_device(const PawsToken *token, PawsDevice *device);

/* The number of a subject, 0 if it was never seen; ensure makes it if need be. */
extern int64 paws_registry_subject(const PawsToken *token);
extern int64 paws_registry_ensure_subject(const PawsToken *token);

/* The same for the crisis lane: waits only briefly for another transaction that is making it. Errors 40001
 * then, from paws_registry_busy. */
extern int64 paws_registry_ensure_subject_soon(const PawsToken *token);
extern void paws_registry_busy(void) pg_attribute_noreturn();

/* The token of a subject; false if it is not known, or forgotten. As it is now, whatever the transaction
 * sees. */
extern bool paws_registry_subject_token(int64 subject_no, PawsToken *token);

/* The same, with the salt of the subject's audit rows (PAWS_AUDIT_SALT_BYTES), which goes with the subject.
 */
extern bool paws_registry_subject_salt(int64 subject_no, PawsToken *token, uint8 *salt);

/* A subject as a walk over all of them shows it. */
typedef struct PawsSubject
{
	int64 subject_no;
	PawsToken subject;
} PawsSubject;

/* Up to `max` subjects after one, in the order of their numbers; how many there are in all. */
extern int paws_registry_walk(int64 after, PawsSubject *subjects, int max);
extern int64 paws_registry_count_subjects(void);

/*
 * The number of a subject, which is locked to the commit against registering devices and against being
 * forgotten; 0 if it was never seen, or is forgotten.
 */
extern int64 paws_registry_lock_subject(const PawsToken *token);

/* The numbers of a subject's devices, bigint[]; palloc'd. */
extern Datum paws_registry_device_numbers(int64 subject_no);

/* Removes a subject and its devices: their tokens are unknown from the commit on. */
extern void paws_registry_forget(int64 subject_no);

/* Unrevoked devices of a subject that are not crisis-only; it stays so until the commit. Errors 40001 if the
 * subject was forgotten meanwhile. */
extern int paws_registry_count_devices(int64 subject_no);

/* True if a subject has fewer of these than so many, and others that are crisis-only; locks nothing. */
extern bool paws_registry_has_room(int64 subject_no, int max_devices);

/* Adds a device; returns its number. */
extern int64
paws_registry_add_device(const PawsToken *device, int64 subject_no, PawsPlatform platform, bool crisis_only);

/* Gives full service to as many crisis-only devices of a subject, oldest first, as its number of devices has
 * room for. */
extern void paws_registry_promote(int64 subject_no, int max_devices);

/* Revokes it; false if it was revoked before. */
extern bool paws_registry_revoke(int64 device_no);

/*
 * Collections are cached in the process and read anew when someone changed them. NULL if there is none. The
 * pointers are good until the next call. `length` of the name may be anything.
 */
extern const PawsCollection *paws_registry_collection(const char *name, Size length);
extern const PawsCollection *paws_registry_collection_no(int16 no);

/*
 * Defines a collection, or changes all but the name of one within its lane; no and name of the definition are
 * not looked at. Errors 22023 on a bad name, PW005 when the change would move documents to the other lane.
 */
extern void paws_registry_define(const char *name, Size length, const PawsCollection *definition);

#endif
