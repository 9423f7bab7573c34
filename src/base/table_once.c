/*
 * base/table_once.c - putting rows unless their keys are there, and many rows at once.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/table_private.h"
#include "catalog/index.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"

/* Rows that one call of the table's access method takes. */
#define ROWS_AT_ONCE 256

/* Of one table, to the key of one of its indexes: while it is made anew beside itself there are two. */
static List *
find_arbiters(PawsWriter *writer, PawsTable *table, int index)
{
	Relation wanted = NULL;
	List *arbiters = NIL;

	Assert(writer->conflicts);
	for (int i = 0; i < writer->info->ri_NumIndices; i++)
		if (RelationGetRelid(writer->info->ri_IndexRelationDescs[i]) == table->index_oids[index])
			wanted = writer->info->ri_IndexRelationDescs[i];
	if (wanted == NULL)
		elog(ERROR, "index of paws_sync is not one of its table");
	for (int i = 0; i < writer->info->ri_NumIndices; i++)
	{
		Relation other = writer->info->ri_IndexRelationDescs[i];
		int columns = IndexRelationGetNumberOfKeyAttributes(wanted);

		if (other->rd_index->indisunique && IndexRelationGetNumberOfKeyAttributes(other) == columns &&
			memcmp(other->rd_index->indkey.values, wanted->rd_index->indkey.values,
				   columns * sizeof(int16)) == 0)
			arbiters = lappend_oid(arbiters, RelationGetRelid(other));
	}
	return arbiters;
}

/*
 * With one snapshot for the transaction, a row that this one cannot see is somebody's who was quicker; or of
 * this very command.
 */
static void
refuse_invisible(PawsWriter *writer, ItemPointer place)
{
	bool isnull;

	if (!IsolationUsesXactSnapshot() ||
		!table_tuple_fetch_row_version(writer->table, place, SnapshotAny, writer->scratch) ||
		table_tuple_satisfies_snapshot(writer->table, writer->scratch, GetTransactionSnapshot()))
		return;
	if (!TransactionIdIsCurrentTransactionId(DatumGetTransactionId(
			slot_getsysattr(writer->scratch, MinTransactionIdAttributeNumber, &isnull))))
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent update"),
						errhint("Repeat the transaction.")));
}

static void
prepare_looks(PawsWriter *writer)
{
	MemoryContext old = MemoryContextSwitchTo(writer->estate->es_query_cxt);

	for (int i = 0; i < writer->info->ri_NumIndices; i++)
		if (writer->info->ri_IndexRelationInfo[i]->ii_Unique)
			BuildSpeculativeIndexInfo(writer->info->ri_IndexRelationDescs[i],
									  writer->info->ri_IndexRelationInfo[i]);
	writer->looks = true;
	MemoryContextSwitchTo(old);
}

/* True if a row with the key of the one in the slot is there. Waits for who is just adding one. */
static bool
has_rival(PawsWriter *writer, TupleTableSlot *slot, List *arbiters)
{
	ItemPointerData place;
	bool free;

	if (!writer->looks)
		prepare_looks(writer);
	free = ExecCheckIndexConstraints(writer->info, slot, writer->estate, &place, arbiters);
	if (!free)
		refuse_invisible(writer, &place);
	ExecClearTuple(writer->scratch);
	return !free;
}

/* False if another one came between; the row is taken out again then, as if it had never been. */
static bool
insert_speculatively(PawsWriter *writer, TupleTableSlot *slot, List *arbiters, List **recheck)
{
	TransactionId xid = GetCurrentTransactionId();
	uint32 token = SpeculativeInsertionLockAcquire(xid);
	bool conflict = false;

	table_tuple_insert_speculative(writer->table, slot, GetCurrentCommandId(true), 0, NULL, token);
	*recheck = PAWS_INDEX_ENTRIES(writer->info, slot, writer->estate, PAWS_NO_INDEX_UPDATED, true, &conflict,
								  arbiters);
	table_tuple_complete_speculative(writer->table, slot, token, !conflict);
	SpeculativeInsertionLockRelease(xid);
	return !conflict;
}

static bool
insert_slot_once(PawsWriter *writer, TupleTableSlot *slot, List *arbiters, bool look_first)
{
	List *recheck = NIL;
	bool put = !look_first || !has_rival(writer, slot, arbiters);

	while (put && !insert_speculatively(writer, slot, arbiters, &recheck))
		put = !has_rival(writer, slot, arbiters);
	if (put && writer->triggers)
		ExecARInsertTriggers(writer->estate, writer->info, slot, recheck, NULL);
	ResetPerTupleExprContext(writer->estate);
	return put;
}

bool
paws_writer_insert_once(PawsWriter *writer, PawsTable *table, int index, const Datum *values,
						const bool *nulls)
{
	return paws_writer_prepare(writer, writer->slot, values, nulls) &&
		   insert_slot_once(writer, writer->slot, find_arbiters(writer, table, index), true);
}

bool
paws_writer_insert_new(PawsWriter *writer, PawsTable *table, int index, const Datum *values,
					   const bool *nulls)
{
	return paws_writer_prepare(writer, writer->slot, values, nulls) &&
		   insert_slot_once(writer, writer->slot, find_arbiters(writer, table, index), false);
}

static void
insert_rows(PawsWriter *writer, TupleTableSlot **slots, int count)
{
	MemoryContext before;

	/* its record is shorter than that of a set of one */
	if (count == 1)
	{
		table_tuple_insert(writer->table, slots[0], GetCurrentCommandId(true), 0, NULL);
		return;
	}
	before = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));
	table_multi_insert(writer->table, slots, count, GetCurrentCommandId(true), 0, NULL);
	MemoryContextSwitchTo(before);
}

/* Of one set: rows first, then their entries, so that pages are filled by one record each. */
static void
insert_set(PawsWriter *writer, TupleTableSlot **slots, int count)
{
	insert_rows(writer, slots, count);
	for (int i = 0; i < count; i++)
		paws_writer_follow(writer, slots[i]);
}

static void
take_out_row(PawsWriter *writer, ItemPointer place)
{
	TM_FailureData failure;

	if (table_tuple_delete(writer->table, place, GetCurrentCommandId(true), InvalidSnapshot, InvalidSnapshot,
						   false, &failure, false) != TM_Ok)
		elog(ERROR, "could not take out a row of this transaction");
}

/* Rows of this transaction that nobody was told of. */
static void
take_out(PawsWriter *writer, TupleTableSlot **slots, int count)
{
	CommandCounterIncrement();
	for (int i = 0; i < count; i++)
		take_out_row(writer, &slots[i]->tts_tid);
}

void
paws_writer_take_out(PawsWriter *writer, ItemPointerData *places, int count)
{
	CommandCounterIncrement();
	for (int i = 0; i < count; i++)
		take_out_row(writer, &places[i]);
}

/* The entries of rows that are in the table, up to the first one that meets another with its key. */
static int
follow_until_conflict(PawsWriter *writer, TupleTableSlot **slots, int count, List *arbiters)
{
	bool conflict = false;
	int i;

	for (i = 0; i < count; i++)
	{
		List *recheck = PAWS_INDEX_ENTRIES(writer->info, slots[i], writer->estate, PAWS_NO_INDEX_UPDATED,
										   true, &conflict, arbiters);

		if (conflict)
			break;
		if (writer->triggers)
			ExecARInsertTriggers(writer->estate, writer->info, slots[i], recheck, NULL);
		ResetPerTupleExprContext(writer->estate);
	}
	return i;
}

/* A set that is being collected. */
typedef struct RowSet
{
	int room;
	int filled;
	TupleTableSlot **slots;
	int *rows; /* which of the call's they are */
} RowSet;

/*
 * All rows, and then their entries. The first row that meets another one goes out again with all behind it,
 * and these come one by one: so two sessions that add the same rows at once wait for one another at the first
 * of them, and neither has what the other one waits for.
 */
static void
insert_set_once(PawsWriter *writer, const RowSet *set, List *arbiters, bool *put)
{
	TupleTableSlot **slots = set->slots;
	int count = set->filled;
	int done = 0;

	/* whoever sends a set a second time sends all of it */
	if (!has_rival(writer, slots[0], arbiters))
	{
		insert_rows(writer, slots, count);
		done = follow_until_conflict(writer, slots, count, arbiters);
		if (done < count)
			take_out(writer, slots + done, count - done);
	}
	for (int i = 0; i < count; i++)
		put[set->rows[i]] = i < done || insert_slot_once(writer, slots[i], arbiters, true);
}

static void
make_set(PawsWriter *writer, RowSet *set, int count)
{
	set->room = Min(count, ROWS_AT_ONCE);
	set->filled = 0;
	set->slots = palloc(Max(set->room, 1) * sizeof(TupleTableSlot *));
	set->rows = palloc(Max(set->room, 1) * sizeof(int));
	/* for the first row there is one */
	for (int i = 0; i < set->room; i++)
		set->slots[i] = i == 0 ? writer->slot : table_slot_create(writer->table, NULL);
}

static void
drop_set(RowSet *set)
{
	for (int i = 1; i < set->room; i++)
		ExecDropSingleTupleTableSlot(set->slots[i]);
	pfree(set->slots);
	pfree(set->rows);
}

/* `arbiters` NIL: no key is looked at. */
static void
insert_many(PawsWriter *writer, List *arbiters, const Datum *values, const bool *nulls, int columns,
			int count, bool *put)
{
	RowSet set;

	make_set(writer, &set, count);
	for (int i = 0; i < count; i++)
	{
		if (paws_writer_prepare(writer, set.slots[set.filled], values + (Size) i * columns,
								nulls + (Size) i * columns))
			set.rows[set.filled++] = i;
		if (set.filled < set.room && (set.filled == 0 || i < count - 1))
			continue;
		if (arbiters == NIL)
			insert_set(writer, set.slots, set.filled);
		else
			insert_set_once(writer, &set, arbiters, put);
		set.filled = 0;
	}
	drop_set(&set);
}

void
paws_writer_insert_many(PawsWriter *writer, const Datum *values, const bool *nulls, int columns, int count)
{
	insert_many(writer, NIL, values, nulls, columns, count, NULL);
}

void
paws_writer_insert_many_once(PawsWriter *writer, PawsTable *table, int index, const Datum *values,
							 const bool *nulls, int columns, int count, bool *put)
{
	memset(put, 0, count * sizeof(bool));
	insert_many(writer, find_arbiters(writer, table, index), values, nulls, columns, count, put);
}

/* The first rows of those that are given, as many as the set has room for. */
static void
fill_set(PawsWriter *writer, RowSet *set, const Datum *values, const bool *nulls, int columns, int count)
{
	set->filled = Min(count, set->room);
	for (int i = 0; i < set->filled; i++)
		(void) paws_writer_prepare(writer, set->slots[i], values + (Size) i * columns,
								   nulls + (Size) i * columns);
}

bool
paws_writer_insert_all_new(PawsWriter *writer, PawsTable *table, int index, const Datum *values,
						   const bool *nulls, int columns, int count, ItemPointerData *places)
{
	List *arbiters = find_arbiters(writer, table, index);
	bool good = true;
	int done = 0;
	RowSet set;

	/* one that was made since the table was looked at */
	if (writer->triggers)
		return false;
	make_set(writer, &set, count);
	while (good && done < count)
	{
		fill_set(writer, &set, values + (Size) done * columns, nulls + (Size) done * columns, columns,
				 count - done);
		insert_rows(writer, set.slots, set.filled);
		for (int i = 0; i < set.filled; i++)
			places[done + i] = set.slots[i]->tts_tid;
		done += set.filled;
		good = follow_until_conflict(writer, set.slots, set.filled, arbiters) == set.filled;
	}
	drop_set(&set);
	if (!good)
		paws_writer_take_out(writer, places, done);
	return good;
}
