/*
 * crisis/audit_private.h - the table of audit rows, between the files that write and read it.
 */
#ifndef PAWS_CRISIS_AUDIT_PRIVATE_H
#define PAWS_CRISIS_AUDIT_PRIVATE_H

#include "postgres.h"
#include "guard/audit_chain.h"

#define PAWS_AUDIT_COLUMNS 15

extern const PawsAuditBook paws_crisis_book;

#endif
