/*
 * queue/operation.h - the table of waiting operations, for what reads and writes it without SQL.
 */
#ifndef PAWS_QUEUE_OPERATION_H
#define PAWS_QUEUE_OPERATION_H

#include "postgres.h"
#include "base/table.h"

/* Its columns, in the order of queue.sql. */
enum
{
	OPERATION_ID = 1,
	OPERATION_SUBJECT_NO,
	OPERATION_DEVICE_NO,
	OPERATION_BASE_REVISION,
	OPERATION_RANK,
	OPERATION_ENQUEUED_AT,
	OPERATION_DUE_AT,
	OPERATION_NOT_BEFORE,
	OPERATION_OP_ID,
	OPERATION_DOC_ID,
	OPERATION_LEVEL,
	OPERATION_BASE_LEVEL,
	OPERATION_CLASS,
	OPERATION_TIER,
	OPERATION_COLLECTION,
	OPERATION_ATTEMPTS,
	OPERATION_DELETED,
	OPERATION_ENVELOPE,
	OPERATION_COLUMNS = OPERATION_ENVELOPE
};

/* Its indexes: the order that it is served in, and what makes an operation wait once. */
enum
{
	OPERATION_BY_ORDER,
	OPERATION_BY_DOCUMENT
};

extern PawsTable paws_queue_operations;

#endif
