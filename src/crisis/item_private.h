/*
 * crisis/item_private.h - what the files about items share.
 */
#ifndef PAWS_CRISIS_ITEM_PRIVATE_H
#define PAWS_CRISIS_ITEM_PRIVATE_H

#include "crisis/item.h"
#include "vault/vault.h"

/* A claim that is over: its time is, or the clock was set back to before it by more than a minute, for nobody
 * waits for a clock. $1 is the time now, $2 that and a minute. */
#define PAWS_ITEM_FREE                                                                                       \
	"(claimed_until IS NULL OR claimed_until OPERATOR(pg_catalog.<=) $1 "                                    \
	"OR claimed_at OPERATOR(pg_catalog.>) $2)"

#define PAWS_ITEM_CLOCK_TOLERANCE (INT64CONST(60) * 1000000)

/* Times as they are stored: of what happened, and of what is to come. */
extern TimestampTz paws_item_time(TimestampTz time);
extern TimestampTz paws_item_end(TimestampTz time);

/* The name of a topic, of the last run. */
extern void paws_item_copy_topic(char topic[PAWS_ITEM_TOPIC_MAX + 1], uint64 row, int column);

/* What an envelope is bound to, besides its subject. */
typedef struct PawsItemSeal
{
	uint8 doc_id[16];
	uint8 op_id[16];
	PawsEnvelopeContext context;
} PawsItemSeal;

/* subject: 16 bytes, NULL: none. */
extern void
paws_item_seal_context(PawsItemSeal *seal, int64 id, const char *topic, Size length, const uint8 *subject);

#endif
