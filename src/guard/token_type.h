/*
 * guard/token_type.h - what the SQL types of tokens and their mint share.
 */
#ifndef PAWS_GUARD_TOKEN_TYPE_H
#define PAWS_GUARD_TOKEN_TYPE_H

#include "guard/token.h"

/* The SQL type's name of a kind, for messages: "subject", "device", "context", "session". A static string. */
extern const char *paws_token_kind_name(PawsTokenKind kind);

#endif
