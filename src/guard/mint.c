/*
 * guard/mint.c - minting tokens, and the check of every token that enters an API function.
 */
#include "postgres.h"

#include <sodium.h>

#include "base/errors.h"
#include "guard/mint.h"
#include "guard/token_type.h"
#include "vault/secret.h"
#include "vault/vault.h"

/* The id goes into every token; a new mint key takes the next id and a label of its own. */
#define MINT_KEY_ID    1
#define MINT_KEY_LABEL "token mint 1"

/* The mint key of this process, derived at first use and kept in locked memory. */
static const uint8_t *
mint_key(void)
{
	static uint8_t *key = NULL;

	if (key == NULL)
	{
		uint8_t *fresh;

		paws_vault_require(PAWS_ROOT_CARE);
		fresh = paws_secret_take(PAWS_MINT_KEY_BYTES);
		paws_vault_purpose_key(PAWS_ROOT_CARE, MINT_KEY_LABEL, fresh);
		key = fresh;
	}
	return key;
}

bool
paws_mint_ready(void)
{
	return paws_vault_ready(PAWS_ROOT_CARE);
}

PawsToken *
paws_mint_token(PawsTokenKind kind, const uint8_t id[PAWS_TOKEN_ID_BYTES])
{
	const uint8_t *key = mint_key();
	PawsToken *token = palloc(sizeof(PawsToken));

	memcpy(token->id, id, PAWS_TOKEN_ID_BYTES);
	paws_token_mint(token, kind, MINT_KEY_ID, key);
	return token;
}

PawsToken *
paws_mint_random(PawsTokenKind kind, const PawsToken *bucket_of)
{
	const uint8_t *key = mint_key();
	PawsToken *token = palloc(sizeof(PawsToken));

	randombytes_buf(token->id, PAWS_TOKEN_ID_BYTES);
	if (bucket_of != NULL)
		paws_token_share_bucket(token, bucket_of);
	paws_token_mint(token, kind, MINT_KEY_ID, key);
	return token;
}

static const PawsToken *
given_token(FunctionCallInfo fcinfo, int n, PawsTokenKind kind)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("%s must not be null", paws_token_kind_name(kind))));
	return paws_datum_token(PG_GETARG_DATUM(n));
}

void
paws_token_check(const PawsToken *token, PawsTokenKind kind)
{
	if (!paws_token_verify(token, kind, mint_key()) || token->key_id != MINT_KEY_ID)
		ereport(
			ERROR,
			(errcode(PAWS_ERRCODE_FOREIGN_TOKEN),
			 errmsg("%s token was not minted here", paws_token_kind_name(kind)),
			 errdetail("It is well formed, but not made with this installation's keys."),
			 errhint(
				 "Check that \"paws_sync.care_root\" gives the root key and \"paws_sync.keyring_file\" names the "
				 "keyring of this installation.")));
}

const PawsToken *
paws_token_argument(FunctionCallInfo fcinfo, int n, PawsTokenKind kind)
{
	const PawsToken *token = given_token(fcinfo, n, kind);

	paws_token_check(token, kind);
	return token;
}

const PawsToken *
paws_token_argument_crisis(FunctionCallInfo fcinfo, int n, PawsTokenKind kind)
{
	return paws_mint_ready() ? paws_token_argument(fcinfo, n, kind) : given_token(fcinfo, n, kind);
}
