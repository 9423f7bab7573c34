/*
 * guard/enum_map.c - between values of our SQL enum types and C codes.
 *
 * The labels seen are remembered by oid. Any change in pg_enum forgets them all, a rolled-back CREATE
 * EXTENSION included, so that no oid is read under a meaning it had before.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "guard/codes.h"

#define REMEMBERED 64 /* all our enums have 57 labels together */

typedef struct EnumLabel
{
	Oid type;
	Oid value;
	NameData label;
} EnumLabel;

static EnumLabel remembered[REMEMBERED];
static int remembered_count = 0;
static int next_overwritten = 0;

static void
forget_labels(Datum arg, int cache, uint32 hash)
{
	remembered_count = 0;
}

static void
watch_enums(void)
{
	static bool watching = false;

	if (!watching)
	{
		CacheRegisterSyscacheCallback(ENUMOID, forget_labels, (Datum) 0);
		watching = true;
	}
}

static void
remember(const FormData_pg_enum *row)
{
	EnumLabel *place;

	if (remembered_count < REMEMBERED)
		place = &remembered[remembered_count++];
	else
	{
		place = &remembered[next_overwritten];
		next_overwritten = (next_overwritten + 1) % REMEMBERED;
	}
	place->type = row->enumtypid;
	place->value = row->oid;
	place->label = row->enumlabel;
}

/* Copies the label of an enum value; false if there is none. */
static bool
label_of(Oid value, NameData *label)
{
	HeapTuple tuple;

	watch_enums();
	for (int i = 0; i < remembered_count; i++)
	{
		if (remembered[i].value == value)
		{
			*label = remembered[i].label;
			return true;
		}
	}
	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(value));
	if (!HeapTupleIsValid(tuple))
		return false;
	*label = ((Form_pg_enum) GETSTRUCT(tuple))->enumlabel;
	remember((Form_pg_enum) GETSTRUCT(tuple));
	ReleaseSysCache(tuple);
	return true;
}

static int
code_of(Datum value, int (*code)(const char *), const char *kind)
{
	NameData label;
	int found = 0;

	if (label_of(DatumGetObjectId(value), &label))
		found = code(NameStr(label));
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("value of enum %s is not known to this library", kind),
				 errhint("Library and extension may be of different versions; see ALTER EXTENSION UPDATE.")));
	return found;
}

PawsTier
paws_tier_from_datum(Datum value)
{
	return (PawsTier) code_of(value, paws_tier_code, "tier");
}

PawsClass
paws_class_from_datum(Datum value)
{
	return (PawsClass) code_of(value, paws_class_code, "class");
}

PawsJobReason
paws_job_reason_from_datum(Datum value)
{
	return (PawsJobReason) code_of(value, paws_job_reason_code, "job_reason");
}

PawsSource
paws_source_from_datum(Datum value)
{
	return (PawsSource) code_of(value, paws_source_code, "source");
}

PawsSeverity
paws_severity_from_datum(Datum value)
{
	return (PawsSeverity) code_of(value, paws_severity_code, "severity");
}

Datum
paws_enum_datum(Oid type, const char *label)
{
	HeapTuple tuple;
	Oid value;

	watch_enums();
	for (int i = 0; i < remembered_count; i++)
		if (remembered[i].type == type && strcmp(NameStr(remembered[i].label), label) == 0)
			return ObjectIdGetDatum(remembered[i].value);

	tuple = SearchSysCache2(ENUMTYPOIDNAME, ObjectIdGetDatum(type), CStringGetDatum(label));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("enum type %u has no label \"%s\"", type, label),
				 errhint("Library and extension may be of different versions; see ALTER EXTENSION UPDATE.")));
	value = ((Form_pg_enum) GETSTRUCT(tuple))->oid;
	remember((Form_pg_enum) GETSTRUCT(tuple));
	ReleaseSysCache(tuple);
	return ObjectIdGetDatum(value);
}
