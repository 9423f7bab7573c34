/*
 * base/table_private.h - between the files that write rows.
 */
#ifndef PAWS_BASE_TABLE_PRIVATE_H
#define PAWS_BASE_TABLE_PRIVATE_H

#include "base/table.h"

/* Fills a slot with a new row. False if a trigger keeps the row back. */
extern bool
paws_writer_prepare(PawsWriter *writer, TupleTableSlot *slot, const Datum *values, const bool *nulls);

/* What follows a row that is in the table: index entries, triggers. */
extern void paws_writer_follow(PawsWriter *writer, TupleTableSlot *slot);

#endif
