/*
 * base/table_write.c - putting, changing and deleting rows of our own tables.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/table.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"

/* Rows that one call of the table's access method takes. */
#define ROWS_AT_ONCE 256

static EState *
make_estate(Relation table)
{
	EState *estate = CreateExecutorState();
	RangeTblEntry *entry = makeNode(RangeTblEntry);

	entry->rtekind = RTE_RELATION;
	entry->relid = RelationGetRelid(table);
	entry->relkind = table->rd_rel->relkind;
	entry->rellockmode = RowExclusiveLock;
	ExecInitRangeTable(estate, list_make1(entry));
	return estate;
}

/* A trigger that may replace or keep back the row before it is deleted or changed needs an executor. */
static void
refuse_triggers_before(Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;

	if (triggers && (triggers->trig_delete_before_row || triggers->trig_update_before_row))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("a table of paws_sync has a trigger before UPDATE or DELETE"),
						errhint("Use a trigger after it.")));
}

void
paws_writer_begin(PawsWriter *writer, PawsTable *table, bool conflicts)
{
	PreventCommandIfReadOnly("writing through paws_sync");
	PreventCommandIfParallelMode("writing through paws_sync");
	writer->table = paws_table_open(table, RowExclusiveLock);
	refuse_triggers_before(writer->table);
	writer->estate = make_estate(writer->table);
	writer->info = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->info, writer->table, 1, NULL, 0);
	ExecOpenIndices(writer->info, conflicts);
	writer->slot = table_slot_create(writer->table, NULL);
	writer->triggers = writer->info->ri_TrigDesc != NULL;
	if (writer->triggers)
		AfterTriggerBeginQuery();
}

void
paws_writer_end(PawsWriter *writer)
{
	if (writer->triggers)
		AfterTriggerEndQuery(writer->estate);
	ExecDropSingleTupleTableSlot(writer->slot);
	ExecCloseIndices(writer->info);
	ExecResetTupleTable(writer->estate->es_tupleTable, false);
	FreeExecutorState(writer->estate);
	table_close(writer->table, NoLock);
}

static void
fill(PawsWriter *writer, TupleTableSlot *slot, const Datum *values, const bool *nulls)
{
	int columns = slot->tts_tupleDescriptor->natts;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, values, columns * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, columns * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(writer->table);
#ifdef USE_ASSERT_CHECKING
	if (writer->table->rd_att->constr)
		ExecConstraints(writer->info, slot, writer->estate);
#endif
}

/* What follows a row that is in the table: index entries, triggers. */
static void
follow(PawsWriter *writer, TupleTableSlot *slot)
{
	List *recheck = NIL;

	if (writer->info->ri_NumIndices > 0)
		recheck =
			PAWS_INDEX_ENTRIES(writer->info, slot, writer->estate, PAWS_NO_INDEX_UPDATED, false, NULL, NIL);
	if (writer->triggers)
		ExecARInsertTriggers(writer->estate, writer->info, slot, recheck, NULL);
	ResetPerTupleExprContext(writer->estate);
}

void
paws_writer_insert(PawsWriter *writer, const Datum *values, const bool *nulls)
{
	fill(writer, writer->slot, values, nulls);
	if (writer->triggers && !ExecBRInsertTriggers(writer->estate, writer->info, writer->slot))
		return;
	table_tuple_insert(writer->table, writer->slot, GetCurrentCommandId(true), 0, NULL);
	follow(writer, writer->slot);
}

/* With one snapshot for the transaction, a row that this one cannot see is somebody's who was quicker. */
static void
refuse_invisible(PawsWriter *writer, ItemPointer place)
{
	if (IsolationUsesXactSnapshot() &&
		!table_tuple_fetch_row_version(writer->table, place, GetTransactionSnapshot(), writer->slot))
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent update"),
						errhint("Repeat the transaction.")));
}

static bool
insert_speculatively(PawsWriter *writer, List *arbiters)
{
	TransactionId xid = GetCurrentTransactionId();
	uint32 token = SpeculativeInsertionLockAcquire(xid);
	bool conflict = false;

	table_tuple_insert_speculative(writer->table, writer->slot, GetCurrentCommandId(true), 0, NULL, token);
	(void) PAWS_INDEX_ENTRIES(writer->info, writer->slot, writer->estate, PAWS_NO_INDEX_UPDATED, true,
							  &conflict, arbiters);
	table_tuple_complete_speculative(writer->table, writer->slot, token, !conflict);
	SpeculativeInsertionLockRelease(xid);
	return !conflict;
}

bool
paws_writer_insert_once(PawsWriter *writer, PawsTable *table, int index, const Datum *values,
						const bool *nulls)
{
	List *arbiters = list_make1_oid(table->index_oids[index]);
	ItemPointerData place;
	bool put;

	do
	{
		fill(writer, writer->slot, values, nulls);
		if (writer->triggers && !ExecBRInsertTriggers(writer->estate, writer->info, writer->slot))
			return false;
		if (!ExecCheckIndexConstraints(writer->info, writer->slot, writer->estate, &place, arbiters))
		{
			refuse_invisible(writer, &place);
			ResetPerTupleExprContext(writer->estate);
			return false;
		}
		put = insert_speculatively(writer, arbiters);
	} while (!put);
	if (writer->triggers)
		ExecARInsertTriggers(writer->estate, writer->info, writer->slot, NIL, NULL);
	ResetPerTupleExprContext(writer->estate);
	return true;
}

/* Of one set: rows first, then their entries, so that pages are filled by one record each. */
static void
insert_set(PawsWriter *writer, TupleTableSlot **slots, int count)
{
	MemoryContext before = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));

	table_multi_insert(writer->table, slots, count, GetCurrentCommandId(true), 0, NULL);
	MemoryContextSwitchTo(before);
	for (int i = 0; i < count; i++)
		follow(writer, slots[i]);
}

void
paws_writer_insert_many(PawsWriter *writer, const Datum *values, const bool *nulls, int columns, int count)
{
	int room = Min(count, ROWS_AT_ONCE);
	TupleTableSlot **slots = palloc(Max(room, 1) * sizeof(TupleTableSlot *));
	int filled = 0;

	for (int i = 0; i < room; i++)
		slots[i] = table_slot_create(writer->table, NULL);
	for (int i = 0; i < count; i++)
	{
		fill(writer, slots[filled], values + (Size) i * columns, nulls + (Size) i * columns);
		if (writer->triggers && !ExecBRInsertTriggers(writer->estate, writer->info, slots[filled]))
			continue;
		if (++filled == room)
		{
			insert_set(writer, slots, filled);
			filled = 0;
		}
	}
	if (filled > 0)
		insert_set(writer, slots, filled);
	for (int i = 0; i < room; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	pfree(slots);
}

static PawsWritten
written(TM_Result result)
{
	switch (result)
	{
		case TM_Ok:
			return PAWS_WRITTEN;
		case TM_WouldBlock:
		case TM_BeingModified:
			return PAWS_WRITTEN_LOCKED;
		case TM_SelfModified:
		case TM_Updated:
		case TM_Deleted:
		case TM_Invisible:
			break;
	}
	if (IsolationUsesXactSnapshot() && result != TM_SelfModified)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent update"),
						errhint("Repeat the transaction.")));
	return PAWS_WRITTEN_GONE;
}

PawsWritten
paws_writer_delete(PawsWriter *writer, ItemPointer place, Snapshot snapshot, bool wait)
{
	TM_FailureData failure;
	PawsWritten result = written(table_tuple_delete(writer->table, place, GetCurrentCommandId(true), snapshot,
													InvalidSnapshot, wait, &failure, false));

	if (result == PAWS_WRITTEN && writer->triggers)
		ExecARDeleteTriggers(writer->estate, writer->info, place, NULL, NULL, false);
	return result;
}

PawsWritten
paws_writer_update(PawsWriter *writer, ItemPointer place, Snapshot snapshot, const Datum *values,
				   const bool *nulls, bool wait)
{
	TM_FailureData failure;
	LockTupleMode mode;
	PawsUpdatedIndexes updated;
	PawsWritten result;
	List *recheck = NIL;

	fill(writer, writer->slot, values, nulls);
	result = written(table_tuple_update(writer->table, place, writer->slot, GetCurrentCommandId(true),
										snapshot, InvalidSnapshot, wait, &failure, &mode, &updated));
	if (result != PAWS_WRITTEN)
		return result;
	if (writer->info->ri_NumIndices > 0 && updated != PAWS_NO_INDEX_UPDATED)
		recheck = PAWS_INDEX_ENTRIES(writer->info, writer->slot, writer->estate, updated, false, NULL, NIL);
	if (writer->triggers)
		ExecARUpdateTriggers(writer->estate, writer->info, NULL, NULL, place, NULL, writer->slot, recheck,
							 NULL, false);
	ResetPerTupleExprContext(writer->estate);
	return result;
}

bool
paws_writer_fetch(PawsWriter *writer, ItemPointer place, Snapshot snapshot)
{
	return ItemPointerGetBlockNumber(place) < RelationGetNumberOfBlocks(writer->table) &&
		   table_tuple_fetch_row_version(writer->table, place, snapshot, writer->slot);
}
