/*
 * crisis/audit_read.c - verifying the crisis lane's audit rows, and the MACs of those written without keys.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "crisis/audit.h"
#include "crisis/audit_private.h"
#include "utils/uuid.h"

#define READ_AT_ONCE 1000

#define ROWS                                                                                                 \
	"SELECT xact, chain, number, at, place, operation, object, class, result, keyed, actor, subject, "       \
	"before, after, mac FROM paws_crisis.audit "

static PawsStatement read_all = {.sql = ROWS "ORDER BY chain, place, xact"};

/* A place beyond the end of a chain was not given by us. */
static PawsStatement read_unkeyed = {
	.sql = ROWS "WHERE mac IS NULL AND place OPERATOR(pg_catalog.>=) 0 AND place OPERATOR(pg_catalog.<) $1 "
				"ORDER BY chain, place LIMIT $2",
	.nargs = 2,
	.types = {INT4OID, INT8OID},
};

static PawsStatement put_macs = {
	.sql = "UPDATE paws_crisis.audit a SET mac = n.mac, keyed = 2 FROM ROWS FROM (" PAWS_SETS_3
		   ") AS n (chain, place, mac) WHERE a.chain OPERATOR(pg_catalog.=) n.chain "
		   "AND a.place OPERATOR(pg_catalog.=) n.place AND a.mac IS NULL",
	.nargs = 3,
	.types = {INT8ARRAYOID, INT4ARRAYOID, BYTEAARRAYOID},
};

static void
read_pseudonym(int row, int column, uint8 *pseudonym)
{
	bool isnull;
	Datum value = paws_spi_column(row, column, &isnull);

	if (!isnull)
		memcpy(pseudonym, DatumGetUUIDP(value), PAWS_AUDIT_PSEUDONYM_BYTES);
}

/* False for NULL, and for what is no digest. */
static bool
read_digest(int row, int column, uint8 *digest)
{
	bytea *value = paws_spi_bytea(row, column);

	if (value == NULL || VARSIZE(value) - VARHDRSZ != PAWS_AUDIT_DIGEST_BYTES)
		return false;
	memcpy(digest, VARDATA(value), PAWS_AUDIT_DIGEST_BYTES);
	return true;
}

/* A row as it stands in the table. */
typedef struct Stored
{
	PawsAuditRow row;
	PawsAuditKeyed keyed;
	bool has_mac;
	uint8 mac[PAWS_AUDIT_MAC_BYTES];
} Stored;

static void
read_row(int i, Stored *stored)
{
	PawsAuditRow *row = &stored->row;

	memset(stored, 0, sizeof(*stored));
	row->log = paws_crisis_book.log;
	row->xact = (uint64) paws_spi_int64(i, 1);
	row->chain = paws_spi_int64(i, 2);
	row->number = paws_spi_int64(i, 3);
	row->at = paws_spi_int64(i, 4);
	row->place = paws_spi_int32(i, 5);
	row->operation = paws_spi_int16(i, 6);
	row->object = paws_spi_int16(i, 7);
	row->klass = paws_spi_int16(i, 8);
	row->result = paws_spi_int16(i, 9);
	stored->keyed = (PawsAuditKeyed) paws_spi_int16(i, 10);
	read_pseudonym(i, 11, row->actor);
	read_pseudonym(i, 12, row->subject);
	(void) read_digest(i, 13, row->before);
	(void) read_digest(i, 14, row->after);
	stored->has_mac = read_digest(i, 15, stored->mac);
}

/* Where a walk over all rows stands. */
typedef struct Verifying
{
	PawsAuditReader reader;
	PawsAuditFindings *findings;
	bool begun;
	int64 chain;
	int32 place; /* of the last row */
} Verifying;

/* Every place of a chain from the first on is there once. */
static void
check_place(Verifying *verifying, const PawsAuditRow *row)
{
	bool same = verifying->begun && verifying->chain == row->chain;
	int64 expected = same ? (int64) verifying->place + 1 : 0;

	if (same && row->place == verifying->place)
		verifying->findings->doubled++;
	else
		verifying->findings->missing += Max((int64) row->place - expected, 0);
	verifying->begun = true;
	verifying->chain = row->chain;
	verifying->place = row->place;
}

static bool
is_genuine(Verifying *verifying, const Stored *stored)
{
	uint8 mac[PAWS_AUDIT_MAC_BYTES];

	if (stored->row.place < 0 || stored->row.place >= PAWS_AUDIT_CHAIN_ROWS || stored->row.chain < 0)
		return false;
	paws_audit_expected(&verifying->reader, &stored->row, mac);
	return sodium_memcmp(mac, stored->mac, sizeof(mac)) == 0;
}

static void
verify_rows(void *arg, uint64 rows)
{
	Verifying *verifying = arg;
	PawsAuditFindings *findings = verifying->findings;

	for (uint64 i = 0; i < rows; i++)
	{
		Stored stored;

		read_row((int) i, &stored);
		findings->rows++;
		check_place(verifying, &stored.row);
		if (!stored.has_mac)
			findings->unkeyed++;
		else if (!is_genuine(verifying, &stored))
			findings->wrong++;
		else if (stored.keyed == PAWS_AUDIT_KEYED_LATE)
			findings->late++;
		else
			findings->keyed++;
		if (stored.row.operation == PAWS_AUDIT_GAP)
			findings->not_written += stored.row.number;
	}
}

void
paws_crisis_audit_verify(int slot, PawsAuditFindings *findings)
{
	Verifying verifying = {.reader = {.book = &paws_crisis_book}, .findings = findings};
	int64 untold;
	int64 total;

	paws_vault_require_usable(paws_crisis_book.root);
	memset(findings, 0, sizeof(*findings));
	paws_spi_walk(&read_all, NULL, READ_AT_ONCE, verify_rows, &verifying);
	paws_audit_reader_end(&verifying.reader);
	paws_crisis_audit_missing(slot, &untold, &total);
	findings->not_written += untold;
}

static Datum
mac_datum(PawsAuditReader *reader, const PawsAuditRow *row)
{
	bytea *mac = palloc(VARHDRSZ + PAWS_AUDIT_MAC_BYTES);

	SET_VARSIZE(mac, VARHDRSZ + PAWS_AUDIT_MAC_BYTES);
	paws_audit_expected(reader, row, (uint8 *) VARDATA(mac));
	return PointerGetDatum(mac);
}

int
paws_crisis_audit_seal_late(int limit)
{
	PawsAuditReader reader = {.book = &paws_crisis_book};
	Datum found[2] = {Int32GetDatum(PAWS_AUDIT_CHAIN_ROWS), Int64GetDatum(limit)};
	int count = (int) paws_spi_run(&read_unkeyed, found, NULL, 0);
	Datum *columns[3];
	Datum args[3];

	for (int c = 0; c < 3; c++)
		columns[c] = palloc(Max(count, 1) * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		Stored stored;

		read_row(i, &stored);
		columns[0][i] = Int64GetDatum(stored.row.chain);
		columns[1][i] = Int32GetDatum(stored.row.place);
		columns[2][i] = mac_datum(&reader, &stored.row);
	}
	paws_audit_reader_end(&reader);
	if (count == 0)
		return 0;
	args[0] = paws_spi_array(columns[0], NULL, count, INT8OID);
	args[1] = paws_spi_array(columns[1], NULL, count, INT4OID);
	args[2] = paws_spi_array(columns[2], NULL, count, BYTEAOID);
	paws_spi_run(&put_macs, args, NULL, 0);
	return count;
}
