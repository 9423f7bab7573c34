/*
 * crisis/signal_audit.c - what the lane's own log says of signals and items.
 */
#include "postgres.h"

#include "crisis/audit.h"
#include "crisis/item.h"
#include "crisis/signal_audit.h"
#include "port/pg_bswap.h"

PawsClass
paws_signal_class(PawsSeverity severity)
{
	return severity >= PAWS_SEVERITY_HIGH ? PAWS_CLASS_EMERGENCY : PAWS_CLASS_SAFETY;
}

static bool
is_over(PawsAuditOperation operation)
{
	return operation == PAWS_AUDIT_RESOLVED || operation == PAWS_AUDIT_LAPSED;
}

void
paws_signal_audit(int slot, PawsAuditOperation operation, const PawsSignal *signal)
{
	uint8 bytes[UUID_LEN + 2];
	PawsAuditContent content = {.bytes = bytes, .length = sizeof(bytes)};
	PawsClass klass = paws_signal_class(signal->severity);
	PawsCrisisEvent event = {.operation = operation,
							 .object = PAWS_AUDIT_SIGNAL,
							 .klass = klass,
							 .result = (int16) signal->severity,
							 .number = is_over(operation) ? 0 : paws_item_level(klass),
							 .subject_no = signal->subject_no};

	memcpy(bytes, signal->id.data, UUID_LEN);
	bytes[UUID_LEN] = (uint8) signal->source;
	bytes[UUID_LEN + 1] = (uint8) signal->severity;
	if (is_over(operation))
		event.before = content;
	else
		event.after = content;
	paws_crisis_audit(slot, &event, 1);
}

void
paws_item_audit(int slot, PawsAuditOperation operation, int64 id, PawsClass klass, int64 subject_no,
				int16 result, int64 number)
{
	uint64 name = pg_hton64((uint64) id);
	PawsAuditContent content = {.bytes = &name, .length = sizeof(name)};
	PawsCrisisEvent event = {.operation = operation,
							 .object = PAWS_AUDIT_ITEM,
							 .klass = klass,
							 .result = result,
							 .number = number,
							 .subject_no = subject_no};

	if (operation == PAWS_AUDIT_FINISHED)
		event.before = content;
	else
		event.after = content;
	paws_crisis_audit(slot, &event, 1);
}
