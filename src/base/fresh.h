/*
 * base/fresh.h - how a process learns that what it remembers of a subject has changed.
 *
 * A shared counter for each of a fixed number of groups of subjects. Whoever changes a subject raises its
 * group's counter once the change is committed and visible; whoever remembers something of it notes the
 * counter, and believes itself only while that is the same. So a change costs those few something who
 * remember a subject of the group, and asking costs no lock.
 *
 * What a transaction reads of its own changes, by an older snapshot, or on a standby, whom nobody tells of
 * commits, is never remembered and never answered from memory: paws_fresh_begin gives 0 then.
 */
#ifndef PAWS_BASE_FRESH_H
#define PAWS_BASE_FRESH_H

#include "postgres.h"

/* Kept beside what is remembered; all zeros: nothing is. */
typedef struct PawsFresh
{
	Oid identity; /* of the extension it was read from */
	uint32 group;
	uint64 version;
} PawsFresh;

/* In place of a number: all subjects. */
#define PAWS_FRESH_ALL (-1)

extern void paws_fresh_init(void);

/* Before the snapshot by which something is read: what paws_fresh_note asks for. 0: memory is not to be used
 * now, neither asked nor filled. */
extern uint64 paws_fresh_begin(int slot);

/* After it was read. False, and `fresh` cleared, if a subject was changed meanwhile. */
extern bool paws_fresh_note(int slot, uint64 begun, int64 subject_no, PawsFresh *fresh);

/* True if nothing changed since paws_fresh_note. The caller asked paws_fresh_begin in this call. */
extern bool paws_fresh_is(int slot, const PawsFresh *fresh);

/* The current transaction changes a subject, or PAWS_FRESH_ALL: others learn it at its commit. Without shared
 * memory nothing is remembered, so nothing is done. PREPARE TRANSACTION is refused from then on. */
extern void paws_fresh_changed(int64 subject_no);

#endif
