/*
 * bench/unaudited.c - takes the place of crisis/audit.c in a build that only the benchmark makes (make
 * UNAUDITED=1): no audit row is written. What the audited build is slower by is the price of the rows.
 */
#include "postgres.h"

#include "crisis/audit.h"
#include "crisis/audit_private.h"

#pragma message("this build audits nothing: it is for measuring alone")

const PawsAuditBook paws_crisis_book = {PAWS_AUDIT_LOG_CRISIS, PAWS_ROOT_CRISIS, "crisis audit rows 1",
										PAWS_CLOCK_CRISIS};

void
paws_crisis_audit_init(void)
{
}

void
paws_crisis_audit(int slot, const PawsCrisisEvent *events, int count)
{
}

void
paws_crisis_audit_changes(int slot, PawsAuditOperation operation, const PawsChange *changes, int count)
{
}

void
paws_crisis_audit_missing(int slot, int64 *untold, int64 *total)
{
	*untold = *total = 0;
}
