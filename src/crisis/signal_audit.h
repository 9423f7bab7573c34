/*
 * crisis/signal_audit.h - audit rows of signals and items (crisis/audit.h).
 */
#ifndef PAWS_CRISIS_SIGNAL_AUDIT_H
#define PAWS_CRISIS_SIGNAL_AUDIT_H

#include "postgres.h"
#include "crisis/signal.h"
#include "guard/codes.h"

/* What became of a signal: raised, worsened, resolved or lapsed. Digested: its id, source and severity. Needs
 * SPI connected, and what the last run returned is gone. */
extern void paws_signal_audit(int slot, PawsAuditOperation operation, const PawsSignal *signal);

/* What became of an item; result and number as guard/codes.h says. Digested: its id. */
extern void paws_item_audit(int slot, PawsAuditOperation operation, int64 id, PawsClass klass,
							int64 subject_no, int16 result, int64 number);

/* The class of a signal's item. */
extern PawsClass paws_signal_class(PawsSeverity severity);

#endif
