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

typedef struct PawsStatement
{
	const char *sql;
	int nargs;
	Oid types[PAWS_SPI_ARGS_MAX];              /* InvalidOid: look up type_names[i] */
	const char *type_names[PAWS_SPI_ARGS_MAX]; /* a type of schema paws_sync, where types[i] is InvalidOid */
	const char *schema;                        /* replaces @schema@; may be NULL */
	bool read_only; /* uses the caller's snapshot, so it sees nothing of its own transaction's later commands
					 */
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

#endif
