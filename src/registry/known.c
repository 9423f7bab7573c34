/*
 * registry/known.c - devices and subjects that this process remembers; what is changed in their tables.
 */
#include "postgres.h"

#include "base/fresh.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "registry/known.h"
#include "utils/rel.h"

#define PLACES 256

typedef struct KnownDevice
{
	PawsFresh fresh;
	PawsToken token;
	PawsDevice device;
} KnownDevice;

typedef struct KnownSubject
{
	PawsFresh fresh;
	PawsToken token;
	int64 subject_no;
} KnownSubject;

static KnownDevice devices[PLACES];
static KnownSubject subjects[PLACES];
static KnownSubject tokens[PLACES]; /* by number */

PG_FUNCTION_INFO_V1(paws_subject_changed);

/* The end of an id: the beginning may be a bucket that devices of one subject share. */
static uint32
place_of(const PawsToken *token)
{
	uint32 part;

	memcpy(&part, token->id + PAWS_TOKEN_ID_BYTES - sizeof(part), sizeof(part));
	return part % PLACES;
}

static bool
is_known(int slot, uint64 begun, const PawsFresh *fresh, const PawsToken *known, const PawsToken *token)
{
	return begun != 0 && paws_fresh_is(slot, fresh) && memcmp(known, token, sizeof(*token)) == 0;
}

bool
paws_known_device(int slot, uint64 begun, const PawsToken *token, PawsDevice *device)
{
	const KnownDevice *known = &devices[place_of(token)];

	if (!is_known(slot, begun, &known->fresh, &known->token, token))
		return false;
	*device = known->device;
	return true;
}

void
paws_know_device(int slot, uint64 begun, const PawsToken *token, const PawsDevice *device)
{
	KnownDevice *known = &devices[place_of(token)];

	if (!paws_fresh_note(slot, begun, device->subject_no, &known->fresh))
		return;
	known->token = *token;
	known->device = *device;
}

int64
paws_known_subject(int slot, uint64 begun, const PawsToken *token)
{
	const KnownSubject *known = &subjects[place_of(token)];

	return is_known(slot, begun, &known->fresh, &known->token, token) ? known->subject_no : 0;
}

void
paws_know_subject(int slot, uint64 begun, const PawsToken *token, int64 subject_no)
{
	KnownSubject *known = &subjects[place_of(token)];

	if (!paws_fresh_note(slot, begun, subject_no, &known->fresh))
		return;
	known->token = *token;
	known->subject_no = subject_no;
}

bool
paws_known_token(int slot, uint64 begun, int64 subject_no, PawsToken *token)
{
	const KnownSubject *known = &tokens[(uint64) subject_no % PLACES];

	if (begun == 0 || known->subject_no != subject_no || !paws_fresh_is(slot, &known->fresh))
		return false;
	*token = known->token;
	return true;
}

void
paws_know_token(int slot, uint64 begun, int64 subject_no, const PawsToken *token)
{
	KnownSubject *known = &tokens[(uint64) subject_no % PLACES];

	if (!paws_fresh_note(slot, begun, subject_no, &known->fresh))
		return;
	known->token = *token;
	known->subject_no = subject_no;
}

static void
subject_changed(HeapTuple tuple, TupleDesc descriptor)
{
	bool isnull;
	Datum value = SPI_getbinval(tuple, descriptor, SPI_fnumber(descriptor, "subject_no"), &isnull);

	if (!isnull)
		paws_fresh_changed(DatumGetInt64(value));
}

/* However a row was changed, by hand too. An update may give a row to another subject. */
Datum
paws_subject_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function is to be called as a trigger")));
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
	{
		paws_fresh_changed(PAWS_FRESH_ALL);
		return PointerGetDatum(NULL);
	}
	subject_changed(trigger->tg_trigtuple, trigger->tg_relation->rd_att);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		subject_changed(trigger->tg_newtuple, trigger->tg_relation->rd_att);
	return PointerGetDatum(NULL);
}
