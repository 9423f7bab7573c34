/*
 * registry/subjects.c - walking over subjects, and forgetting one.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type.h"
#include "guard/mint.h"
#include "registry/registry.h"
#include "utils/array.h"

static PawsStatement walk = {
	.sql = "SELECT subject_no, subject FROM paws_registry.subject WHERE subject_no OPERATOR(pg_catalog.>) $1 "
		   "ORDER BY subject_no LIMIT $2",
	.nargs = 2,
	.types = {INT8OID, INT8OID},
};

static PawsStatement count_subjects = {
	.sql = "SELECT pg_catalog.count(*) FROM paws_registry.subject",
};

static PawsStatement lock_subject = {
	.sql = "SELECT subject_no FROM paws_registry.subject WHERE subject OPERATOR(paws_sync.=) $1 FOR UPDATE",
	.nargs = 1,
	.type_names = {"subject"},
};

static PawsStatement find_devices = {
	.sql = "SELECT ARRAY(SELECT device_no FROM paws_registry.device "
		   "WHERE subject_no OPERATOR(pg_catalog.=) $1 ORDER BY device_no)",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement forget_devices = {
	.sql = "DELETE FROM paws_registry.device WHERE subject_no OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT8OID},
};

static PawsStatement forget_subject = {
	.sql = "DELETE FROM paws_registry.subject WHERE subject_no OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {INT8OID},
};

int
paws_registry_walk(int64 after, PawsSubject *subjects, int max)
{
	Datum args[2] = {Int64GetDatum(after), Int64GetDatum(max)};
	int found = (int) paws_spi_run(&walk, args, NULL, 0);
	bool isnull;

	for (int i = 0; i < found; i++)
	{
		subjects[i].subject_no = paws_spi_int64(i, 1);
		subjects[i].subject = *paws_datum_token(paws_spi_column(i, 2, &isnull));
	}
	return found;
}

int64
paws_registry_count_subjects(void)
{
	paws_spi_run(&count_subjects, NULL, NULL, 1);
	return paws_spi_int64(0, 1);
}

int64
paws_registry_lock_subject(const PawsToken *token)
{
	Datum args[1] = {PointerGetDatum(token)};

	return paws_spi_run(&lock_subject, args, NULL, 1) > 0 ? paws_spi_int64(0, 1) : 0;
}

Datum
paws_registry_device_numbers(int64 subject_no)
{
	Datum args[1] = {Int64GetDatum(subject_no)};
	bool isnull;

	paws_spi_run(&find_devices, args, NULL, 1);
	return PointerGetDatum(DatumGetArrayTypePCopy(paws_spi_column(0, 1, &isnull)));
}

void
paws_registry_forget(int64 subject_no)
{
	Datum args[1] = {Int64GetDatum(subject_no)};

	paws_spi_run(&forget_devices, args, NULL, 0);
	paws_spi_run(&forget_subject, args, NULL, 0);
}
