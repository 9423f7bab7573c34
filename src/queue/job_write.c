/*
 * queue/job_write.c - adding rows to paws_queue.job.
 *
 * A row has entries in two of the table's indexes, mostly; the others are partial, and what they ask for is
 * known here. So they are not even opened. If somebody added an index or a trigger, or rebuilds one, the
 * general way is taken, which looks at everything.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am_d.h"
#include "executor/tuptable.h"
#include "queue/job_private.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Rows that one call of the table's access method takes. */
#define ROWS_AT_ONCE 256

#define INDEX_COLUMNS_MAX 4

/* An index of the table: its columns, by their numbers there, and which rows have an entry. */
typedef struct JobIndex
{
	int columns[INDEX_COLUMNS_MAX];
	bool (*has)(const PawsJobRow *row); /* NULL: each */
} JobIndex;

static bool
has_available(const PawsJobRow *row)
{
	return row->available;
}

static bool
has_run_at(const PawsJobRow *row)
{
	return !row->available;
}

static bool
has_expires_at(const PawsJobRow *row)
{
	return row->expires_at != 0;
}

static bool
has_ordering(const PawsJobRow *row)
{
	return row->ordered;
}

static bool
has_subject(const PawsJobRow *row)
{
	return row->subject_no != 0;
}

/* As job.sql defines them, in the order of .indexes. */
static const JobIndex indexes[] = {
	{{PAWS_JOB_ID}, NULL},
	{{PAWS_JOB_TOPIC_NO, PAWS_JOB_LEVEL, PAWS_JOB_RANK, PAWS_JOB_ID}, has_available},
	{{PAWS_JOB_TOPIC_NO, PAWS_JOB_ORDERING_KEY, PAWS_JOB_ID}, has_ordering},
	{{PAWS_JOB_SUBJECT_NO, PAWS_JOB_TOPIC_NO, PAWS_JOB_IS_AVAILABLE, PAWS_JOB_ID}, has_subject},
	{{PAWS_JOB_RUN_AT}, has_run_at},
	{{PAWS_JOB_EXPIRES_AT}, has_expires_at},
};

StaticAssertDecl(lengthof(indexes) <= PAWS_TABLE_INDEXES, "room for the indexes of a table");

/* True if the table has these indexes and no others, and nothing else that a row is to be shown to. */
static bool
is_plain(Relation table)
{
	List *known = RelationGetIndexList(table);
	bool plain = table->trigdesc == NULL && RelationGetNumberOfAttributes(table) == PAWS_JOB_COLUMNS &&
				 list_length(known) == lengthof(indexes);

	for (int i = 0; plain && i < (int) lengthof(indexes); i++)
		plain = list_member_oid(known, paws_job_table.index_oids[i]);
	list_free(known);
	return plain;
}

static bool
any_has(const JobIndex *index, const PawsJobRow *rows, int count)
{
	for (int i = 0; i < count; i++)
		if (index->has == NULL || index->has(&rows[i]))
			return true;
	return false;
}

static void
fill(TupleTableSlot *slot, PawsJobRow *row)
{
	ExecClearTuple(slot);
	paws_job_form_row(row, slot->tts_values, slot->tts_isnull);
	ExecStoreVirtualTuple(slot);
}

/* An index of the same name may have been made anew with other columns; an entry of ours would damage it. */
static void
check_columns(Relation relation, const JobIndex *index)
{
	int columns = 0;
	bool same = true;

	while (columns < INDEX_COLUMNS_MAX && index->columns[columns] != 0)
		columns++;
	same = relation->rd_rel->relam == BTREE_AM_OID && relation->rd_index->indnatts == columns;
	for (int k = 0; same && k < columns; k++)
		same = relation->rd_index->indkey.values[k] == index->columns[k];
	if (!same)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("an index of paws_sync was changed"),
						errhint("Create it as the extension does, or the extension anew from a dump.")));
}

/* Entries of all rows in one index: its pages are looked for one after the other. */
static void
index_rows(Relation table, int i, const PawsJobRow *rows, TupleTableSlot **slots, int count)
{
	const JobIndex *index = &indexes[i];
	Relation relation = index_open(paws_job_table.index_oids[i], RowExclusiveLock);
	bool unique = relation->rd_index->indisunique;
	IndexInfo info = {.type = T_IndexInfo}; /* that a B-tree does not look into */

	check_columns(relation, index);
	for (int row = 0; row < count; row++)
	{
		Datum values[INDEX_COLUMNS_MAX];
		bool nulls[INDEX_COLUMNS_MAX];

		if (index->has != NULL && !index->has(&rows[row]))
			continue;
		for (int k = 0; k < INDEX_COLUMNS_MAX && index->columns[k] != 0; k++)
			values[k] = slot_getattr(slots[row], index->columns[k], &nulls[k]);
		(void) index_insert(relation, values, nulls, &slots[row]->tts_tid, table,
							unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, &info);
	}
	index_close(relation, NoLock);
}

static void
add_set(Relation table, PawsJobRow *rows, TupleTableSlot **slots, int count)
{
	for (int i = 0; i < count; i++)
		fill(slots[i], &rows[i]);
	if (count == 1)
		table_tuple_insert(table, slots[0], GetCurrentCommandId(true), 0, NULL);
	else
		table_multi_insert(table, slots, count, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < (int) lengthof(indexes); i++)
		if (any_has(&indexes[i], rows, count))
			index_rows(table, i, rows, slots, count);
}

static void
add_one(Relation table, PawsJobRow *row)
{
	TupleTableSlot *slot = table_slot_create(table, NULL);

	add_set(table, row, &slot, 1);
	ExecDropSingleTupleTableSlot(slot);
}

static void
add_many(Relation table, PawsJobRow *rows, int count)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "paws_sync jobs", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	int room = Min(count, ROWS_AT_ONCE);
	TupleTableSlot **slots = palloc(room * sizeof(TupleTableSlot *));

	for (int i = 0; i < room; i++)
		slots[i] = table_slot_create(table, NULL);
	for (int done = 0; done < count; done += room)
		add_set(table, rows + done, slots, Min(room, count - done));
	for (int i = 0; i < room; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}

static void
add_generally(PawsJobRow *rows, int count)
{
	Datum *values = palloc(count * PAWS_JOB_COLUMNS * sizeof(Datum));
	bool *nulls = palloc(count * PAWS_JOB_COLUMNS * sizeof(bool));
	PawsWriter writer;

	for (int i = 0; i < count; i++)
		paws_job_form_row(&rows[i], values + i * PAWS_JOB_COLUMNS, nulls + i * PAWS_JOB_COLUMNS);
	paws_writer_begin(&writer, &paws_job_table, false);
	if (count == 1)
		paws_writer_insert(&writer, values, nulls);
	else
		paws_writer_insert_many(&writer, values, nulls, PAWS_JOB_COLUMNS, count);
	paws_writer_end(&writer);
	pfree(values);
	pfree(nulls);
}

void
paws_job_add(PawsJobRow *rows, int count)
{
	Relation table = paws_table_open(&paws_job_table, RowExclusiveLock);

	if (!is_plain(table))
		add_generally(rows, count);
	else if (count == 1)
		add_one(table, rows);
	else
		add_many(table, rows, count);
	table_close(table, NoLock);
}
