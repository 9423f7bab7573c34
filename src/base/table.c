/*
 * base/table.c - finding our tables, and walking along their indexes.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/spi.h"
#include "base/table.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define NOTICED_MAX 64

/* Tables whose oids are remembered, for the callback that forgets them. */
static PawsTable *noticed[NOTICED_MAX];
static int nnoticed = 0;
static uint64 changes = 0; /* that were heard of */

/* An index that is built anew beside itself gets another oid, and the table is told. */
static void
forget_changed(Datum arg, Oid relation)
{
	changes++;
	for (int i = 0; i < nnoticed; i++)
		if (!OidIsValid(relation) || noticed[i]->oid == relation)
			noticed[i]->identity = InvalidOid;
}

static void
notice(PawsTable *table)
{
	if (table->noticed)
		return;
	if (nnoticed == 0)
		CacheRegisterRelcacheCallback(forget_changed, (Datum) 0);
	if (nnoticed >= NOTICED_MAX)
		elog(ERROR, "too many tables to notice");
	noticed[nnoticed++] = table;
	table->noticed = true;
}

static Oid
find_by_name(Oid schema, const char *name)
{
	Oid oid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE), errmsg("a table or an index of paws_sync is missing"),
				 errdetail("It was dropped or renamed."),
				 errhint("Restore it, or create the extension anew from a dump.")));
	return oid;
}

/* What is heard of meanwhile may be about them: then the next one looks again. */
static void
find_indexes(PawsTable *table, Relation relation, Oid identity)
{
	uint64 before = changes;

	table->ncomparisons = 0;
	for (int i = 0; i < PAWS_TABLE_INDEXES && table->indexes[i]; i++)
		table->index_oids[i] = find_by_name(relation->rd_rel->relnamespace, table->indexes[i]);
	table->triggers = relation->trigdesc != NULL;
	if (changes == before)
		table->identity = identity;
}

/*
 * Under the table's lock its indexes stay where they are: REINDEX CONCURRENTLY waits for it before it drops.
 * What was changed before that is heard of with the lock; another extension's table then makes us look again.
 */
Relation
paws_table_open(PawsTable *table, LOCKMODE mode)
{
	notice(table);
	for (;;)
	{
		Oid identity = paws_extension_identity();
		Relation relation;

		if (!OidIsValid(identity) || table->identity != identity)
			table->oid = find_by_name(get_namespace_oid(table->schema, true), table->name);
		relation = try_table_open(table->oid, mode);
		if (relation != NULL && paws_extension_identity() == identity)
		{
			if (table->identity != identity)
				find_indexes(table, relation, identity);
			return relation;
		}
		table->identity = InvalidOid;
		if (relation != NULL)
			table_close(relation, mode);
	}
}

bool
paws_table_try_lock(PawsTable *table, LOCKMODE mode)
{
	notice(table);
	if (!OidIsValid(table->identity) || table->identity != paws_extension_identity())
		table->oid = find_by_name(get_namespace_oid(table->schema, true), table->name);
	return ConditionalLockRelationOid(table->oid, mode);
}

bool
paws_table_has_triggers(PawsTable *table)
{
	Oid identity = paws_extension_identity();

	if (!OidIsValid(identity) || table->identity != identity)
		table_close(paws_table_open(table, AccessShareLock), NoLock);
	return table->triggers;
}

static bool
is_there(const PawsTable *table, Oid oid)
{
	Oid schema = get_namespace_oid(table->schema, true);

	return OidIsValid(schema) && get_relname_relid(table->name, schema) == oid;
}

/* The lock is taken by oid first, so that nothing waits for it; opening takes it once more. */
Relation
paws_table_try_open(PawsTable *table, LOCKMODE mode)
{
	Oid identity = paws_extension_identity();
	Oid oid = table->oid;

	notice(table);
	if (!OidIsValid(identity) || table->identity != identity)
	{
		Oid schema = get_namespace_oid(table->schema, true);

		oid = OidIsValid(schema) ? get_relname_relid(table->name, schema) : InvalidOid;
	}
	if (!OidIsValid(oid) || !ConditionalLockRelationOid(oid, mode))
		return NULL;
	/* dropped or renamed while the name was looked up, or since it was known */
	if (is_there(table, oid))
		return paws_table_open(table, mode);
	UnlockRelationOid(oid, mode);
	return NULL;
}

void
paws_table_next_values(PawsTable *sequence, int64 *values, int count)
{
	table_close(paws_table_open(sequence, RowExclusiveLock), NoLock);
	for (int i = 0; i < count; i++)
		values[i] = nextval_internal(sequence->oid, false);
}

/* A transaction's only snapshot is one object, and moves on with its commands; so it is copied. */
Snapshot
paws_table_snap(bool latest)
{
	Snapshot snapshot;

	CommandCounterIncrement();
	if (latest || !IsolationUsesXactSnapshot())
		return RegisterSnapshot(latest ? GetLatestSnapshot() : GetTransactionSnapshot());
	PushActiveSnapshot(GetTransactionSnapshot());
	snapshot = RegisterSnapshot(GetActiveSnapshot());
	PopActiveSnapshot();
	return snapshot;
}

void
paws_table_unsnap(Snapshot snapshot)
{
	UnregisterSnapshot(snapshot);
}

/* The function behind "column strategy value", of the column's own type. */
static void
find_comparison(Relation index, const PawsKey *key, FmgrInfo *function)
{
	int i = key->column - 1;
	Oid type = index->rd_opcintype[i];
	Oid operator= get_opfamily_member(index->rd_opfamily[i], type, type, key->strategy);

	fmgr_info_cxt(get_opcode(operator), function, TopMemoryContext);
}

/* Remembered as long as the table's indexes are. */
static FmgrInfo *
comparison(PawsTable *table, int number, Relation index, const PawsKey *key)
{
	PawsComparison *known;

	for (int i = 0; i < table->ncomparisons; i++)
	{
		known = &table->comparisons[i];
		if (known->index == number && known->column == key->column && known->strategy == key->strategy)
			return &known->function;
	}
	if (table->ncomparisons >= PAWS_TABLE_KEYS)
		elog(ERROR, "too many comparisons of one table");
	known = &table->comparisons[table->ncomparisons];
	known->index = number;
	known->column = key->column;
	known->strategy = key->strategy;
	find_comparison(index, key, &known->function);
	table->ncomparisons++;
	return &known->function;
}

static void
set_key(PawsScan *scan, PawsTable *table, int number, const PawsKey *key, ScanKey scan_key)
{
	int i = key->column - 1;

	ScanKeyEntryInitializeWithInfo(scan_key, 0, key->column, key->strategy, scan->index->rd_opcintype[i],
								   scan->index->rd_indcollation[i],
								   comparison(table, number, scan->index, key), key->value);
}

void
paws_scan_begin(PawsScan *scan, PawsTable *table, int index, Snapshot snapshot, const PawsKey *keys,
				int nkeys)
{
	Assert(nkeys <= PAWS_SCAN_KEYS);
	scan->table = paws_table_open(table, AccessShareLock);
	scan->index = index_open(table->index_oids[index], AccessShareLock);
	scan->slot = table_slot_create(scan->table, NULL);
	scan->nkeys = nkeys;
	for (int i = 0; i < nkeys; i++)
		set_key(scan, table, index, &keys[i], &scan->keys[i]);
	scan->scan = index_beginscan(scan->table, scan->index, snapshot, nkeys, 0);
	index_rescan(scan->scan, scan->keys, nkeys, NULL, 0);
}

void
paws_scan_again(PawsScan *scan, const Datum *values)
{
	for (int i = 0; i < scan->nkeys; i++)
		scan->keys[i].sk_argument = values[i];
	index_rescan(scan->scan, scan->keys, scan->nkeys, NULL, 0);
}

bool
paws_scan_next(PawsScan *scan)
{
	return index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot);
}

void
paws_scan_end(PawsScan *scan)
{
	ExecDropSingleTupleTableSlot(scan->slot);
	index_endscan(scan->scan);
	index_close(scan->index, NoLock);
	table_close(scan->table, NoLock);
}

Datum
paws_scan_column(PawsScan *scan, int column, bool *isnull)
{
	return slot_getattr(scan->slot, column, isnull);
}

int64
paws_scan_int64(PawsScan *scan, int column)
{
	bool isnull;
	Datum value = slot_getattr(scan->slot, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

int32
paws_scan_int32(PawsScan *scan, int column)
{
	bool isnull;
	Datum value = slot_getattr(scan->slot, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

int16
paws_scan_int16(PawsScan *scan, int column)
{
	bool isnull;
	Datum value = slot_getattr(scan->slot, column, &isnull);

	return isnull ? 0 : DatumGetInt16(value);
}

bool
paws_scan_bool(PawsScan *scan, int column)
{
	bool isnull;
	Datum value = slot_getattr(scan->slot, column, &isnull);

	return isnull ? false : DatumGetBool(value);
}

bytea *
paws_scan_bytea(PawsScan *scan, int column)
{
	bool isnull;
	Datum value = slot_getattr(scan->slot, column, &isnull);

	return isnull ? NULL : DatumGetByteaPCopy(value);
}

bool
paws_scan_is_own(PawsScan *scan)
{
	bool isnull;
	Datum xmin = slot_getsysattr(scan->slot, MinTransactionIdAttributeNumber, &isnull);

	return TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
}

ItemPointer
paws_scan_place(PawsScan *scan)
{
	return &scan->slot->tts_tid;
}
