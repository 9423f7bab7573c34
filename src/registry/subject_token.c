/*
 * registry/subject_token.c - the token behind a subject's number.
 */
#include "postgres.h"

#include "base/table.h"
#include "guard/audit_row.h"
#include "guard/mint.h"
#include "registry/registry.h"

static PawsTable subjects = {
	.schema = "paws_registry",
	.name = "subject",
	.indexes = {"subject_pkey"},
};

#define SUBJECT_TOKEN 2
#define SUBJECT_SALT  4

bool
paws_registry_subject_salt(int64 subject_no, PawsToken *token, uint8 *salt)
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
		if (salt)
			memcpy(salt, VARDATA(paws_scan_bytea(&scan, SUBJECT_SALT)), PAWS_AUDIT_SALT_BYTES);
	}
	paws_scan_end(&scan);
	paws_table_unsnap(snapshot);
	return found;
}

bool
paws_registry_subject_token(int64 subject_no, PawsToken *token)
{
	return paws_registry_subject_salt(subject_no, token, NULL);
}
