/*
 * base/database.h - one slot of shared memory for each database that uses the extension.
 *
 * A slot is found by the database's oid and belongs to one installation of the extension (its identity). When
 * the extension was dropped and created again, the first to notice resets what the rooms keep in the slot.
 */
#ifndef PAWS_BASE_DATABASE_H
#define PAWS_BASE_DATABASE_H

#include "postgres.h"
#include "port/atomics.h"

/* What processes cache and must read anew when somebody changed it. */
typedef enum PawsCached
{
	PAWS_CACHED_COLLECTIONS,
	PAWS_CACHED_POLICY,
	PAWS_CACHED_TOPICS,
	PAWS_CACHED_PAUSES,
	PAWS_CACHED_KEYS, /* opened data keys: some were deleted or superseded */
	PAWS_CACHED_KINDS
} PawsCached;

extern void paws_database_init(void);

/*
 * The slot of the current database; taken at first use. Errors: 55000 when not preloaded or when the
 * extension is not installed, 53400 with a hint when all slots are taken.
 */
extern int paws_database_slot(void);

/* The slot that a database has, or -1. Needs no connection to it. */
extern int paws_database_find(Oid database);

/* The database of a slot, InvalidOid for a free one. */
extern Oid paws_database_oid(int slot);

/* The installation that owns the slot now; counters of another installation are not to be touched. */
extern Oid paws_database_identity(int slot);

/* Frees the slot of a dropped database. */
extern void paws_database_forget(Oid database);

/*
 * The version of something cached. paws_database_touch raises it when the current transaction commits, and at
 * once for this process. A process compares the version it loaded at with the current one.
 */
extern uint64 paws_database_version(int slot, PawsCached kind);

/* The same for what is read by statements that see the latest, whatever the transaction's isolation. */
extern uint64 paws_database_version_latest(int slot, PawsCached kind);
extern void paws_database_touch(int slot, PawsCached kind);

/*
 * A database whose workers are withdrawn has none started until it is resumed; running ones leave at their
 * next turn. Withdrawing a database without a slot is noted just as well.
 */
extern void paws_database_withdraw(Oid database);
extern void paws_database_resume(Oid database);
extern bool paws_database_withdrawn(Oid database);

#endif
