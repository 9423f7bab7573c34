/*
 * control/keyring.c - what the keyring holds, as a set of rows.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/shmem.h"
#include "control/rows.h"
#include "miscadmin.h"
#include "vault/keyring.h"

PG_FUNCTION_INFO_V1(paws_keyring_rows);

static const char *
kind_name(PawsKeyringKind kind)
{
	switch (kind)
	{
		case PAWS_KEYRING_BASE:
			return "base";
		case PAWS_KEYRING_EPOCH:
			return "epoch";
		case PAWS_KEYRING_DESTROYED:
			return "destroyed";
	}
	return NULL;
}

Datum
paws_keyring_rows(PG_FUNCTION_ARGS)
{
	PawsKeyringEntry entry;
	PawsRows rows;

	paws_shmem_require();
	paws_rows_begin(&rows, fcinfo);
	for (int i = 0; paws_keyring_entry(i, &entry); i++)
	{
		paws_row_text(&rows, kind_name(entry.kind));
		paws_row_text(&rows, paws_root_name(entry.root));
		paws_row_datum(&rows, Int32GetDatum((int32) entry.number));
		if (entry.root_id != 0)
			paws_row_datum(&rows, Int32GetDatum((int32) entry.root_id));
		else
			paws_row_null(&rows);
		if (entry.kind != PAWS_KEYRING_BASE)
			paws_row_datum(&rows, BoolGetDatum(entry.own));
		else
			paws_row_null(&rows);
		paws_row_timestamp(&rows, entry.made_at);
		paws_row_datum(&rows, BoolGetDatum(paws_keyring_opens(i)));
		paws_row_end(&rows);
	}
	return (Datum) 0;
}
