/*
 * registry/subject_token.c - the token behind a subject's number.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/fresh.h"
#include "base/table.h"
#include "guard/audit_row.h"
#include "guard/mint.h"
#include "registry/known.h"

static PawsTable subjects = {
	.schema = "paws_registry",
	.name = "subject",
	.indexes = {"subject_pkey"},
};

#define SUBJECT_TOKEN 2
#define SUBJECT_SALT  4

/* `salt` may be NULL; `own`: the transaction itself added it. */
static bool
read_subject(int64 subject_no, PawsToken *token, uint8 *salt, bool *own)
{
	PawsKey keys[1] = {{1, BTEqualStrategyNumber, Int64GetDatum(subject_no)}};
	Snapshot snapshot = paws_table_snap(true);
	PawsScan scan;
	bool found;
	bool isnull;

	paws_scan_begin(&scan, &subjects, 0, snapshot, keys, 1);
	found = paws_scan_next(&scan);
	if (found)
	{
		*token = *paws_datum_token(paws_scan_column(&scan, SUBJECT_TOKEN, &isnull));
		*own = paws_scan_is_own(&scan);
		if (salt)
			memcpy(salt, VARDATA(paws_scan_bytea(&scan, SUBJECT_SALT)), PAWS_AUDIT_SALT_BYTES);
	}
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
	return found;
}

bool
paws_registry_subject_salt(int64 subject_no, PawsToken *token, uint8 *salt)
{
	bool own;

	return read_subject(subject_no, token, salt, &own);
}

bool
paws_registry_subject_token(int64 subject_no, PawsToken *token)
{
	int slot = paws_database_slot();
	uint64 begun = paws_fresh_begin(slot);
	bool own;

	if (paws_known_token(slot, begun, subject_no, token))
		return true;
	if (!read_subject(subject_no, token, NULL, &own))
		return false;
	if (!own)
		paws_know_token(slot, begun, subject_no, token);
	return true;
}
