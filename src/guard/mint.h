/*
 * guard/mint.h - tokens inside the server: the SQL types, minting and the check at the door.
 *
 * Type input and receive need no key. API functions call paws_token_argument (or its crisis variant) first,
 * before any table is touched.
 */
#ifndef PAWS_GUARD_MINT_H
#define PAWS_GUARD_MINT_H

#include "postgres.h"
#include "fmgr.h"
#include "guard/token.h"

/* The token behind a pass-by-reference datum of one of our types; points into the datum. */
static inline const PawsToken *
paws_datum_token(Datum value)
{
	return (const PawsToken *) DatumGetPointer(value);
}

/* True if tokens can be minted and verified now: the vault holds a root key. */
extern bool paws_mint_ready(void);

/* A new palloc'd token: of given id bytes, or random with the bucket of `bucket_of` (may be NULL). Errors
 * 55000 without a key. */
extern PawsToken *paws_mint_token(PawsTokenKind kind, const uint8_t id[PAWS_TOKEN_ID_BYTES]);
extern PawsToken *paws_mint_random(PawsTokenKind kind, const PawsToken *bucket_of);

/*
 * The token of argument `n`, after its MAC was verified. Errors: 22004 on NULL, 55000 without a mint key,
 * PW001 if this installation did not mint it. The value is in no message.
 */
extern const PawsToken *paws_token_argument(FunctionCallInfo fcinfo, int n, PawsTokenKind kind);

/* The same check of a token that came in an array, or may be left out. */
extern void paws_token_check(const PawsToken *token, PawsTokenKind kind);

/*
 * The same for functions that serve the crisis lane: without a mint key the MAC cannot be verified, and the
 * token passes. Whoever calls this looks the token up in the registry before anything else; that compares all
 * of its bytes, so only what was once handed out is served.
 */
extern const PawsToken *paws_token_argument_crisis(FunctionCallInfo fcinfo, int n, PawsTokenKind kind);

#endif
