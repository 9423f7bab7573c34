/*
 * base/table.h - rows of our own tables by index and by place, without SPI and the executor.
 *
 * For paths where a statement's start and end cost more than its work. Nothing is checked here but what the
 * caller checks: no privileges and policies (what runs here runs for the extension), no CHECK constraints, no
 * domains and no NOT NULL (the caller writes only what they allow; builds with assertions look). Defaults are
 * the caller's too. Triggers for each row fire and indexes are kept, whatever an operator or another room put
 * on the table; triggers for each statement do not fire, since there is none.
 *
 * Locks are those of the same statement: ACCESS SHARE to read, ROW EXCLUSIVE to write, to the end of the
 * transaction.
 */
#ifndef PAWS_BASE_TABLE_H
#define PAWS_BASE_TABLE_H

#include "postgres.h"
#include "access/genam.h"
#include "access/stratnum.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#define PAWS_TABLE_INDEXES 6
#define PAWS_TABLE_KEYS    16
#define PAWS_SCAN_KEYS     6

/* The function behind "column strategy value" of an index. */
typedef struct PawsComparison
{
	int index;
	int column;
	StrategyNumber strategy;
	FmgrInfo function;
} PawsComparison;

/* A table and those of its indexes that are asked for by number. A static of the room that owns it. */
typedef struct PawsTable
{
	const char *schema;
	const char *name;
	const char *indexes[PAWS_TABLE_INDEXES];
	int columns;  /* that whoever writes gives values for: all of the table */
	Oid identity; /* what follows belongs to this extension; InvalidOid: not looked up, or changed since */
	Oid oid;
	Oid index_oids[PAWS_TABLE_INDEXES];
	int ncomparisons;
	PawsComparison comparisons[PAWS_TABLE_KEYS]; /* that were asked for */
	bool noticed;                                /* invalidations reach it */
	bool triggers;                               /* it has some */
} PawsTable;

/*
 * Opens with a lock that stays to the end of the transaction. Close with table_close(…, NoLock). Errors 42P01
 * if it, or one of its indexes, is gone. Indexes are known by name when they are looked for and by oid after
 * that, so one that is renamed is found by who knows it already.
 */
extern Relation paws_table_open(PawsTable *table, LOCKMODE mode);

/* Locks it to the end of the transaction if that can be had at once; false if somebody is in the way. */
extern bool paws_table_try_lock(PawsTable *table, LOCKMODE mode);

/* Whether it has triggers, by what was known when it was opened last: a look at memory. */
extern bool paws_table_has_triggers(PawsTable *table);

/* The same, but NULL where it is gone, or somebody holds a lock that one would have to wait for. */
extern Relation paws_table_try_open(PawsTable *table, LOCKMODE mode);

/* The next `count` values of a sequence of ours, as nextval gives them. */
extern void paws_table_next_values(PawsTable *sequence, int64 *values, int count);

/*
 * A registered snapshot that sees what the transaction wrote so far and nothing that it writes later: of now
 * under READ COMMITTED, else the transaction's. `latest`: of now in any case. Given back with
 * paws_table_unsnap, or by an error.
 */
extern Snapshot paws_table_snap(bool latest);
extern void paws_table_unsnap(Snapshot snapshot);

/* One condition on a column of the index (from 1): "column strategy value", as in BTEqualStrategyNumber. */
typedef struct PawsKey
{
	int column;
	StrategyNumber strategy;
	Datum value;
} PawsKey;

/* A walk along an index, in its order. */
typedef struct PawsScan
{
	Relation table;
	Relation index;
	IndexScanDesc scan;
	TupleTableSlot *slot; /* the row; good until the next step */
	ScanKeyData keys[PAWS_SCAN_KEYS];
	int nkeys;
} PawsScan;

/*
 * Opens table and index (a number into `indexes`) and places the walk at the first row that fulfils all keys.
 * A snapshot that outlives the walk. An error in between leaves nothing behind.
 */
extern void paws_scan_begin(PawsScan *scan, PawsTable *table, int index, Snapshot snapshot,
							const PawsKey *keys, int nkeys);

/* The same walk from the start, with other values for the same keys; cheaper than a new one. */
extern void paws_scan_again(PawsScan *scan, const Datum *values);

/* The next row that the snapshot sees; false at the end. */
extern bool paws_scan_next(PawsScan *scan);
extern void paws_scan_end(PawsScan *scan);

/* A column (from 1) of the current row. Pass-by-reference values point into the row. */
extern Datum paws_scan_column(PawsScan *scan, int column, bool *isnull);
extern int64 paws_scan_int64(PawsScan *scan, int column); /* 0 for NULL, as all of these */
extern int32 paws_scan_int32(PawsScan *scan, int column);
extern int16 paws_scan_int16(PawsScan *scan, int column);
extern bool paws_scan_bool(PawsScan *scan, int column);
/* A detoasted, palloc'd copy with a four-byte header; NULL for NULL. */
extern bytea *paws_scan_bytea(PawsScan *scan, int column);
/* True if the transaction itself added the current row, or changed it: it may yet be undone. */
extern bool paws_scan_is_own(PawsScan *scan);
/* The place of the current row. */
extern ItemPointer paws_scan_place(PawsScan *scan);

/*
 * Writing into one table. Begin and end in one transaction; an error in between cleans up by itself. Two
 * writers at once end in the reverse order of their beginnings.
 */
typedef struct PawsWriter
{
	Relation table;
	EState *estate;
	ResultRelInfo *info;
	TupleTableSlot *slot;    /* the row that was put or fetched last */
	TupleTableSlot *scratch; /* a row that was met */
	bool triggers;
	bool conflicts; /* as promised at the beginning */
	bool looks;     /* indexes are ready to be looked into for conflicts */
} PawsWriter;

/* `conflicts`: one of the functions …_once or …_new will be called. Errors 25006 in a read-only transaction,
 * 55000 if the table has other columns than it was made with. */
extern void paws_writer_begin(PawsWriter *writer, PawsTable *table, bool conflicts);

/* The same without conflicts, but false, and nothing begun, if the table is gone, altered, or locked: nothing
 * is waited for. */
extern bool paws_writer_try_begin(PawsWriter *writer, PawsTable *table);

/* Adds a row; values and nulls of all columns in their order. Errors 23505 as INSERT does. */
extern void paws_writer_insert(PawsWriter *writer, const Datum *values, const bool *nulls);

/*
 * Adds a row unless one with the same key is in the unique index `index`, like ON CONFLICT DO NOTHING: false
 * then. Waits for another transaction that is just adding it.
 */
extern bool paws_writer_insert_once(PawsWriter *writer, PawsTable *table, int index, const Datum *values,
									const bool *nulls);

/* The same, quicker where no row has the key yet; where one has, a row is put and taken out again. */
extern bool paws_writer_insert_new(PawsWriter *writer, PawsTable *table, int index, const Datum *values,
								   const bool *nulls);

/* Adds `count` rows by few WAL records; row i is at values + i * columns, nulls alike. */
extern void
paws_writer_insert_many(PawsWriter *writer, const Datum *values, const bool *nulls, int columns, int count);

/*
 * Both together: put[i] tells whether row i was added. Quick where no row's key is there yet. Rows with equal
 * keys in one call: the first one is added.
 */
extern void paws_writer_insert_many_once(PawsWriter *writer, PawsTable *table, int index, const Datum *values,
										 const bool *nulls, int columns, int count, bool *put);

/*
 * Adds all rows, or none: false if one of them meets another with its key in the unique index `index`, of
 * whomever, and then it and the others are taken out again. Quick where there is none; waits for nobody. The
 * table has no triggers. places[i]: where row i is.
 */
extern bool paws_writer_insert_all_new(PawsWriter *writer, PawsTable *table, int index, const Datum *values,
									   const bool *nulls, int columns, int count, ItemPointerData *places);

/* Takes rows out again that this transaction added. */
extern void paws_writer_take_out(PawsWriter *writer, ItemPointerData *places, int count);

/* What became of a row that was to be deleted or changed. */
typedef enum PawsWritten
{
	PAWS_WRITTEN,
	PAWS_WRITTEN_LOCKED, /* somebody holds it, and the caller did not want to wait */
	PAWS_WRITTEN_GONE    /* it was deleted or changed since the snapshot, or lies elsewhere */
} PawsWritten;

/* Deletes the row at a place, which the caller has read with `snapshot` and still has registered. Errors
 * 0A000 if somebody put a trigger before it, as for an update. */
extern PawsWritten paws_writer_delete(PawsWriter *writer, ItemPointer place, Snapshot snapshot, bool wait);

/* Replaces the row at a place; all columns are given anew. No index entry is made where none of the indexed
 * columns changed and the page has room. */
extern PawsWritten paws_writer_update(PawsWriter *writer, ItemPointer place, Snapshot snapshot,
									  const Datum *values, const bool *nulls, bool wait);

/* Reads the row at a place into the writer's slot, if the snapshot sees it there. A place that is remembered
 * from an earlier transaction may hold another row by now, or none: the caller looks before it deletes. */
extern bool paws_writer_fetch(PawsWriter *writer, ItemPointer place, Snapshot snapshot);

extern void paws_writer_end(PawsWriter *writer);

#endif
