/*
 * api/items_limit.h - the bound on the size of one call.
 */
#ifndef PAWS_API_ITEMS_LIMIT_H
#define PAWS_API_ITEMS_LIMIT_H

/* Errors 54000 with a hint when a call has more than paws_sync.max_operations_per_call operations. */
extern void paws_items_limit(int count);

#endif
