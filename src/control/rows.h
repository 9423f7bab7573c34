/*
 * control/rows.h - returning rows from C.
 */
#ifndef PAWS_CONTROL_ROWS_H
#define PAWS_CONTROL_ROWS_H

#include "postgres.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/tuplestore.h"

#define PAWS_ROW_COLUMNS_MAX 24

/* A set of rows being returned, and the row being made. Columns start as NULL. */
typedef struct PawsRows
{
	ReturnSetInfo *result;
	int next;
	Datum values[PAWS_ROW_COLUMNS_MAX];
	bool nulls[PAWS_ROW_COLUMNS_MAX];
} PawsRows;

/* Begins a set, which stays in memory whatever work_mem is: the caller bounds it. The function returns
 * (Datum) 0 after the last row. */
extern void paws_rows_begin(PawsRows *rows, FunctionCallInfo fcinfo);

/* The next column of the current row. */
extern void paws_row_datum(PawsRows *rows, Datum value);
extern void paws_row_null(PawsRows *rows);
extern void paws_row_text(PawsRows *rows, const char *text);   /* NULL for NULL */
extern void paws_row_label(PawsRows *rows, const char *label); /* of the column's enum type; NULL for NULL */
extern void paws_row_interval(PawsRows *rows, int64 microseconds);
extern void paws_row_timestamp(PawsRows *rows, TimestampTz time); /* 0 for NULL */

extern void paws_row_bytea(PawsRows *rows, bytea *value); /* NULL for NULL */

/* Ends the row. */
extern void paws_row_end(PawsRows *rows);

#endif
