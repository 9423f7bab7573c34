/*
 * base/stored.h - codes as tables hold them. Checks and domains keep them right; but whoever indexes an array
 * by one, in shared memory above all, must not count on what an operator's hand or a disk made of the table.
 */
#ifndef PAWS_BASE_STORED_H
#define PAWS_BASE_STORED_H

#include "postgres.h"

/* The code, which is from 1 to `max`. Errors: XX001 if it is not. */
static inline int
paws_stored_code(int code, int max)
{
	if (unlikely(code < 1 || code > max))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("a stored code is out of range"),
				 errhint("A table of paws_sync was changed from outside, or is damaged; restore it.")));
	return code;
}

#endif
