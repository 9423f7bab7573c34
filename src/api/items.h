/*
 * api/items.h - the operations of one push, as they came and as they are answered.
 */
#ifndef PAWS_API_ITEMS_H
#define PAWS_API_ITEMS_H

#include "postgres.h"
#include "guard/codes.h"
#include "registry/registry.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

typedef struct PawsItem
{
	/* what was asked */
	bool has_op_id;
	pg_uuid_t op_id;
	pg_uuid_t doc_id;
	const char *collection_name;
	Size collection_length;
	int64 base_revision;
	bool deleted;
	const uint8 *payload;
	Size payload_length;

	/* what it is */
	int16 collection;
	PawsConflictPolicy on_conflict;
	PawsSealingPolicy sealing;
	bool compressible;
	PawsClass klass;

	/* the answer; outcome 0: still open */
	PawsOutcome outcome;
	PawsReason reason;
	int64 revision;      /* 0: none to tell */
	int16 level;         /* 0: none */
	int64 retry_after;   /* us; 0: none */
	PawsOutcome receipt; /* of a duplicate that is finished; 0: none */
} PawsItem;

/*
 * Reads items; what is wrong with one is its answer (rejected, malformed), never an error. Errors: 22023 if
 * the argument is not an array at all or arrays differ in length, 54000 with a hint when there are more than
 * paws_sync.max_operations_per_call.
 */
extern PawsItem *paws_items_from_json(Jsonb *operations, int *count);

typedef struct PawsItemColumns
{
	ArrayType *op_ids;
	ArrayType *collections;
	ArrayType *doc_ids;
	ArrayType *base_revisions;
	ArrayType *payloads;
	ArrayType *deleted; /* may be NULL: none is */
} PawsItemColumns;

extern PawsItem *paws_items_from_columns(const PawsItemColumns *columns, int *count);

/* Answers an item with a rejection. */
extern void paws_item_reject(PawsItem *item, PawsReason reason);

#endif
