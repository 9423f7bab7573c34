/*
 * crisis/audit.h - the crisis lane's own log: an audit row for each change, in the change's transaction.
 *
 * Its table (paws_crisis.audit) has no unique index, no sequence, no check and no trigger, and is locked only
 * if that takes no wait. So a row costs one tuple of heap, and nobody is held up by whoever reads, seals or
 * holds the log. What cannot be written, because the table is locked exclusively, altered or gone, is counted
 * when its transaction commits, the log is told, and the next row that can be written says how many are
 * missing (PAWS_AUDIT_GAP).
 *
 * Rows are of the form of guard/audit_row.h. They have no tier and no context: the lane knows neither.
 */
#ifndef PAWS_CRISIS_AUDIT_H
#define PAWS_CRISIS_AUDIT_H

#include "postgres.h"
#include "guard/audit_row.h"
#include "guard/codes.h"
#include "store/store.h"

/* What was done. `before` and `after` are digested with the subject's salt; what they are made of is up to
 * the caller, in a fixed order. */
typedef struct PawsCrisisEvent
{
	PawsAuditOperation operation;
	PawsAuditObject object;
	PawsClass klass;  /* 0: of none */
	int16 result;     /* of the vocabulary that goes with the operation (guard/codes.h); 0: none */
	int64 number;     /* likewise */
	int64 subject_no; /* 0: about nobody */
	PawsAuditContent before;
	PawsAuditContent after;
} PawsCrisisEvent;

/* Shared memory: how many rows are missing. Called from _PG_init while preloading. */
extern void paws_crisis_audit_init(void);

/*
 * Writes rows, in their order; they become visible with the current (sub)transaction. Waits for no lock, asks
 * no limit, and needs no keys: without them rows are marked, and get their MAC after the next start with
 * keys. Fails only where any other row of the lane would: out of disk or memory, or in a read-only
 * transaction. Needs SPI connected. Refuses PREPARE TRANSACTION.
 */
extern void paws_crisis_audit(int slot, const PawsCrisisEvent *events, int count);

/*
 * The same for changes of one subject, after they were applied (operation PAWS_AUDIT_APPLIED or
 * PAWS_AUDIT_DRAINED) or put into the queue (PAWS_AUDIT_QUEUED). Repeats, those that were skipped, and what
 * the canary writes, which is about nobody, have no row.
 */
extern void
paws_crisis_audit_changes(int slot, PawsAuditOperation operation, const PawsChange *changes, int count);

/* Rows that are missing and not yet told by a row, and all since the server's start. Without SPI. */
extern void paws_crisis_audit_missing(int slot, int64 *untold, int64 *total);

/* What a walk over all rows found. Numbers of rows. */
typedef struct PawsAuditFindings
{
	int64 rows;
	int64 keyed;       /* with a good MAC, from their beginning */
	int64 late;        /* with a good MAC that came later */
	int64 unkeyed;     /* without a MAC */
	int64 wrong;       /* whose MAC does not fit: made up, or changed */
	int64 doubled;     /* at a place that another row has */
	int64 missing;     /* taken out of chains; what was cut off at the end of one does not show */
	int64 not_written; /* that the lane itself could not write, as it says */
} PawsAuditFindings;

/* Reads all rows, sorted. Needs SPI connected; errors 55000 unless the crisis keys are usable. */
extern void paws_crisis_audit_verify(int slot, PawsAuditFindings *findings);

/* Gives up to `limit` rows their MAC that were written without keys; how many. For after a start with keys:
 * processes that had none are gone, so nobody adds to their chains. Needs SPI connected, and the crisis keys
 * usable. */
extern int paws_crisis_audit_seal_late(int limit);

#endif
