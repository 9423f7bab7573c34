/*
 * base/spi.h - the only door to SPI.
 *
 * A statement is a static PawsStatement: its text, its argument types, and a saved plan that is made at first
 * use and made anew when the extension was dropped and created again. The text may hold @schema@, replaced at
 * preparation by the schema handed to paws_spi_prepare_in, so that one text serves both lanes. All SQL is
 * schema-qualified and holds no literals of users.
 */
#ifndef PAWS_BASE_SPI_H
#define PAWS_BASE_SPI_H

#include "postgres.h"
#include "executor/spi.h"

#define PAWS_SPI_ARGS_MAX 24

/*
 * A set of rows comes as arrays of equal length, in the first parameters: "… FROM ROWS FROM (" PAWS_SETS_2 ")
 * AS c (a, b) …". unnest stands in ROWS FROM, because only the unqualified name may take several arguments,
 * and nothing of ours relies on a search_path.
 */
#define PAWS_SET(n)  "pg_catalog.unnest($" #n ")"
#define PAWS_SETS_1  PAWS_SET(1)
#define PAWS_SETS_2  PAWS_SETS_1 ", " PAWS_SET(2)
#define PAWS_SETS_3  PAWS_SETS_2 ", " PAWS_SET(3)
#define PAWS_SETS_4  PAWS_SETS_3 ", " PAWS_SET(4)
#define PAWS_SETS_5  PAWS_SETS_4 ", " PAWS_SET(5)
#define PAWS_SETS_6  PAWS_SETS_5 ", " PAWS_SET(6)
#define PAWS_SETS_7  PAWS_SETS_6 ", " PAWS_SET(7)
#define PAWS_SETS_8  PAWS_SETS_7 ", " PAWS_SET(8)
#define PAWS_SETS_9  PAWS_SETS_8 ", " PAWS_SET(9)
#define PAWS_SETS_10 PAWS_SETS_9 ", " PAWS_SET(10)
#define PAWS_SETS_11 PAWS_SETS_10 ", " PAWS_SET(11)
#define PAWS_SETS_12 PAWS_SETS_11 ", " PAWS_SET(12)
#define PAWS_SETS_13 PAWS_SETS_12 ", " PAWS_SET(13)
#define PAWS_SETS_14 PAWS_SETS_13 ", " PAWS_SET(14)

typedef struct PawsStatement
{
	const char *sql;
	int nargs;
	Oid types[PAWS_SPI_ARGS_MAX];              /* InvalidOid: look up type_names[i] */
	const char *type_names[PAWS_SPI_ARGS_MAX]; /* a type of schema paws_sync, where types[i] is InvalidOid */
	const char *schema;                        /* replaces @schema@; may be NULL */
	bool read_only; /* uses the caller's snapshot, so it sees nothing of its own transaction's later commands
					 */
	bool latest;    /* reads what is committed now, in a transaction that keeps one snapshot as well */
	SPIPlanPtr plan;
	Oid identity; /* of the extension that the plan was made under */
} PawsStatement;

/* Connect and disconnect. An error in between disconnects by itself. */
extern void paws_spi_begin(void);
extern void paws_spi_end(void);

/*
 * Runs a statement; returns the number of rows processed or returned (max_rows 0: all). Rows stay readable
 * with the column helpers until the next run or paws_spi_end. Errors pass through.
 */
extern uint64 paws_spi_run(PawsStatement *statement, const Datum *args, const char *nulls, long max_rows);

/* The same for many rows: `visit` is called for up to `batch` of them at a time, and may read them with the
 * column helpers; it runs no statement. By the planner's own settings. */
extern void paws_spi_walk(PawsStatement *statement, const Datum *args, long batch,
						  void (*visit)(void *arg, uint64 rows), void *arg);

/* Column `column` (from 1) of row `row` (from 0) of the last run, as a datum in SPI's memory. */
extern Datum paws_spi_column(uint64 row, int column, bool *isnull);

/* The same, typed; NULL reads as 0, false, or NULL. */
extern int64 paws_spi_int64(uint64 row, int column);
extern int32 paws_spi_int32(uint64 row, int column);
extern int16 paws_spi_int16(uint64 row, int column);
extern bool paws_spi_bool(uint64 row, int column);
extern bool paws_spi_isnull(uint64 row, int column);
/* A detoasted copy with a four-byte header, allocated like paws_spi_alloc; NULL for NULL. */
extern bytea *paws_spi_bytea(uint64 row, int column);

/* Allocates in the context that was current before paws_spi_begin: what must outlive paws_spi_end. */
extern void *paws_spi_alloc(Size size);

/* A one-dimensional array of `count` values of a type, in the current memory context; nulls may be NULL. */
extern Datum paws_spi_array(const Datum *values, const bool *nulls, int count, Oid type);

/* The identity of the installed extension: the oid of one of its schemas; InvalidOid when it is not
 * installed. */
extern Oid paws_extension_identity(void);

/* How many changes of schemas this process has heard of since it asked for the identity first. While the
 * number stays, so do the extension, its schemas and their owners. */
extern uint64 paws_extension_changes(void);

#endif
