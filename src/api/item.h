/*
 * api/item.h - submit and submit_many for classes of the crisis lane: what they are given becomes an item for
 * responders. No tier, no limit and no table of the ordinary lane is asked.
 */
#ifndef PAWS_API_ITEM_H
#define PAWS_API_ITEM_H

#include "postgres.h"
#include "fmgr.h"
#include "guard/token.h"

/* True if the class in this argument is one of the crisis lane. */
extern bool paws_item_is_asked(FunctionCallInfo fcinfo, int argument);

/*
 * The whole answer of submit, and of submit_many. Errors PW010 for an unknown topic, 22023 for an ordering
 * key or a time of expiry, 55000 without keys for a subject that is not known yet.
 */
extern Datum paws_item_submit_one(FunctionCallInfo fcinfo);
extern Datum paws_item_submit_many(FunctionCallInfo fcinfo);

/*
 * The number of a subject, made known if need be: that takes the keys that verify its token. Needs SPI
 * connected. Errors PW001 for a token that this installation did not mint, 55000 without keys, 40001 if
 * another transaction makes it known and does not end soon.
 */
extern int64 paws_crisis_subject(const PawsToken *token);

#endif
