/*
 * api/crisis_audit.c - verify_crisis_audit.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/spi.h"
#include "control/rows.h"
#include "crisis/audit.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(paws_verify_crisis_audit);

Datum
paws_verify_crisis_audit(PG_FUNCTION_ARGS)
{
	int slot = paws_database_slot();
	PawsAuditFindings findings;
	PawsRows rows;

	paws_vault_require(PAWS_ROOT_CRISIS);
	paws_spi_begin();
	paws_crisis_audit_verify(slot, &findings);
	paws_spi_end();
	paws_rows_begin(&rows, fcinfo);
	paws_row_datum(&rows, Int64GetDatum(findings.rows));
	paws_row_datum(&rows, Int64GetDatum(findings.keyed));
	paws_row_datum(&rows, Int64GetDatum(findings.late));
	paws_row_datum(&rows, Int64GetDatum(findings.unkeyed));
	paws_row_datum(&rows, Int64GetDatum(findings.wrong));
	paws_row_datum(&rows, Int64GetDatum(findings.doubled));
	paws_row_datum(&rows, Int64GetDatum(findings.missing));
	paws_row_datum(&rows, Int64GetDatum(findings.not_written));
	paws_row_end(&rows);
	return (Datum) 0;
}
