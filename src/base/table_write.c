/*
 * base/table_write.c - putting, changing and deleting rows of our own tables.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/table_private.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"

/* The table is said to be open, so that triggers that fire do not open it once more and leave it so. */
static void
make_estate(PawsWriter *writer)
{
	RangeTblEntry *entry;

	writer->estate = CreateExecutorState();
	entry = makeNode(RangeTblEntry);
	entry->rtekind = RTE_RELATION;
	entry->relid = RelationGetRelid(writer->table);
	entry->relkind = writer->table->rd_rel->relkind;
	entry->rellockmode = RowExclusiveLock;
	ExecInitRangeTable(writer->estate, list_make1(entry));
	writer->info = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->info, writer->table, 1, NULL, 0);
	writer->estate->es_opened_result_relations = list_make1(writer->info);
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

static bool
has_columns(const PawsTable *table, Relation relation)
{
	return table->columns == 0 || table->columns == RelationGetNumberOfAttributes(relation);
}

/* Values are copied as many as the table has columns: by whoever altered it, beyond what the caller gives. */
static void
check_columns(const PawsTable *table, Relation relation)
{
	if (!has_columns(table, relation))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("a table of paws_sync was altered"),
						errhint("Keep your columns in a table of your own.")));
}

static void
begin(PawsWriter *writer, bool conflicts)
{
	make_estate(writer);
	/* what looking for conflicts needs is made when one is looked for (table_once.c) */
	ExecOpenIndices(writer->info, false);
	writer->conflicts = conflicts;
	writer->looks = false;
	writer->slot = table_slot_create(writer->table, NULL);
	writer->scratch = table_slot_create(writer->table, NULL);
	writer->triggers = writer->info->ri_TrigDesc != NULL;
	if (writer->triggers)
		AfterTriggerBeginQuery();
}

void
paws_writer_begin(PawsWriter *writer, PawsTable *table, bool conflicts)
{
	PreventCommandIfReadOnly("writing through paws_sync");
	PreventCommandIfParallelMode("writing through paws_sync");
	writer->table = paws_table_open(table, RowExclusiveLock);
	check_columns(table, writer->table);
	begin(writer, conflicts);
}

bool
paws_writer_try_begin(PawsWriter *writer, PawsTable *table)
{
	PreventCommandIfReadOnly("writing through paws_sync");
	PreventCommandIfParallelMode("writing through paws_sync");
	writer->table = paws_table_try_open(table, RowExclusiveLock);
	if (writer->table == NULL)
		return false;
	if (!has_columns(table, writer->table))
	{
		table_close(writer->table, NoLock);
		return false;
	}
	begin(writer, false);
	return true;
}

void
paws_writer_end(PawsWriter *writer)
{
	if (writer->triggers)
		AfterTriggerEndQuery(writer->estate);
	ExecDropSingleTupleTableSlot(writer->slot);
	ExecDropSingleTupleTableSlot(writer->scratch);
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

bool
paws_writer_prepare(PawsWriter *writer, TupleTableSlot *slot, const Datum *values, const bool *nulls)
{
	fill(writer, slot, values, nulls);
	return !writer->triggers || ExecBRInsertTriggers(writer->estate, writer->info, slot);
}

void
paws_writer_follow(PawsWriter *writer, TupleTableSlot *slot)
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
	if (!paws_writer_prepare(writer, writer->slot, values, nulls))
		return;
	table_tuple_insert(writer->table, writer->slot, GetCurrentCommandId(true), 0, NULL);
	paws_writer_follow(writer, writer->slot);
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
	PawsWritten result;

	refuse_triggers_before(writer->table);
	result = written(table_tuple_delete(writer->table, place, GetCurrentCommandId(true), snapshot,
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

	refuse_triggers_before(writer->table);
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
