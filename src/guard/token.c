/*
 * guard/token.c - minting, checking, printing and reading tokens. Pure C over libsodium.
 */
#include "guard/token.h"

#include <string.h>

#include <sodium.h>

#define PREFIX_LENGTH 4
#define BODY_LENGTH   (PAWS_TOKEN_TEXT_LENGTH - PREFIX_LENGTH)
#define HASH_BYTES    32

#define CHECK_LABEL "paws_sync token checksum v1"
#define MAC_LABEL   "paws_sync token mac v1"

_Static_assert(sizeof(PawsToken) == PAWS_TOKEN_BYTES, "a stored token has no gaps");
_Static_assert(BODY_LENGTH * 6 == PAWS_TOKEN_WIRE_BYTES * 8, "base64 of a token leaves no spare bits");

static const PawsTokenKind kinds[] = {
	PAWS_TOKEN_SUBJECT,
	PAWS_TOKEN_DEVICE,
	PAWS_TOKEN_CONTEXT,
	PAWS_TOKEN_SESSION,
};

static const char *
prefix_of(PawsTokenKind kind)
{
	switch (kind)
	{
		case PAWS_TOKEN_SUBJECT:
			return "sub_";
		case PAWS_TOKEN_DEVICE:
			return "dev_";
		case PAWS_TOKEN_CONTEXT:
			return "ctx_";
		case PAWS_TOKEN_SESSION:
			return "ses_";
	}
	return "????";
}

/* The kind that a text claims to be by its prefix. */
static bool
read_prefix(const char *text, PawsTokenKind *kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		if (memcmp(text, prefix_of(kinds[i]), PREFIX_LENGTH) == 0)
		{
			*kind = kinds[i];
			return true;
		}
	}
	return false;
}

static void
compute_check(const uint8_t stored[PAWS_TOKEN_BYTES], PawsTokenKind kind,
			  uint8_t check[PAWS_TOKEN_CHECK_BYTES])
{
	crypto_generichash_state state;
	uint8_t hash[HASH_BYTES];
	uint8_t kind_byte = (uint8_t) kind;

	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, (const uint8_t *) CHECK_LABEL, strlen(CHECK_LABEL));
	crypto_generichash_update(&state, &kind_byte, 1);
	crypto_generichash_update(&state, stored, PAWS_TOKEN_BYTES);
	crypto_generichash_final(&state, hash, sizeof(hash));
	memcpy(check, hash, PAWS_TOKEN_CHECK_BYTES);
}

static void
compute_mac(const PawsToken *token, PawsTokenKind kind, const uint8_t key[PAWS_MINT_KEY_BYTES],
			uint8_t mac[PAWS_TOKEN_MAC_BYTES])
{
	crypto_generichash_state state;
	uint8_t hash[HASH_BYTES];
	uint8_t kind_byte = (uint8_t) kind;

	crypto_generichash_init(&state, key, PAWS_MINT_KEY_BYTES, sizeof(hash));
	crypto_generichash_update(&state, (const uint8_t *) MAC_LABEL, strlen(MAC_LABEL));
	crypto_generichash_update(&state, &kind_byte, 1);
	crypto_generichash_update(&state, &token->key_id, 1);
	crypto_generichash_update(&state, token->id, PAWS_TOKEN_ID_BYTES);
	crypto_generichash_final(&state, hash, sizeof(hash));
	memcpy(mac, hash, PAWS_TOKEN_MAC_BYTES);

	/* The state began with the key, and the rest of the hash is no one's business. */
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(hash, sizeof(hash));
}

void
paws_token_mint(PawsToken *token, PawsTokenKind kind, uint8_t key_id, const uint8_t key[PAWS_MINT_KEY_BYTES])
{
	token->key_id = key_id;
	compute_mac(token, kind, key, token->mac);
}

bool
paws_token_verify(const PawsToken *token, PawsTokenKind kind, const uint8_t key[PAWS_MINT_KEY_BYTES])
{
	uint8_t mac[PAWS_TOKEN_MAC_BYTES];
	bool same;

	compute_mac(token, kind, key, mac);
	same = sodium_memcmp(mac, token->mac, sizeof(mac)) == 0;
	sodium_memzero(mac, sizeof(mac));
	return same;
}

void
paws_token_print(const PawsToken *token, PawsTokenKind kind, char text[PAWS_TOKEN_TEXT_LENGTH + 1])
{
	uint8_t wire[PAWS_TOKEN_WIRE_BYTES];

	paws_token_pack(token, kind, wire);
	memcpy(text, prefix_of(kind), PREFIX_LENGTH);
	sodium_bin2base64(text + PREFIX_LENGTH, BODY_LENGTH + 1, wire, sizeof(wire),
					  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/*
 * Decodes the text behind the prefix. A decoder may be lenient (libsodium's takes some bytes above 127 for
 * '-' or
 * '_'), and two texts of one token would defeat whoever compares texts: so only what encoding gives back is
 * taken.
 */
static bool
decode_body(const char *body, uint8_t wire[PAWS_TOKEN_WIRE_BYTES])
{
	char again[BODY_LENGTH + 1];
	size_t decoded = 0;

	if (sodium_base642bin(wire, PAWS_TOKEN_WIRE_BYTES, body, BODY_LENGTH, NULL, &decoded, NULL,
						  sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
		decoded != PAWS_TOKEN_WIRE_BYTES)
		return false;
	sodium_bin2base64(again, sizeof(again), wire, PAWS_TOKEN_WIRE_BYTES,
					  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return memcmp(again, body, BODY_LENGTH) == 0;
}

bool
paws_token_parse(const char *text, size_t length, PawsTokenKind kind, PawsToken *token, bool *wrong_kind)
{
	uint8_t wire[PAWS_TOKEN_WIRE_BYTES];
	PawsToken parsed;
	PawsTokenKind claimed;

	*wrong_kind = false;
	if (length != PAWS_TOKEN_TEXT_LENGTH || !read_prefix(text, &claimed))
		return false;
	if (!decode_body(text + PREFIX_LENGTH, wire) || !paws_token_unpack(wire, sizeof(wire), claimed, &parsed))
		return false;
	if (claimed != kind)
	{
		*wrong_kind = true;
		return false;
	}
	*token = parsed;
	return true;
}

void
paws_token_pack(const PawsToken *token, PawsTokenKind kind, uint8_t wire[PAWS_TOKEN_WIRE_BYTES])
{
	memcpy(wire, token, PAWS_TOKEN_BYTES);
	compute_check(wire, kind, wire + PAWS_TOKEN_BYTES);
}

bool
paws_token_unpack(const uint8_t *wire, size_t length, PawsTokenKind kind, PawsToken *token)
{
	uint8_t check[PAWS_TOKEN_CHECK_BYTES];

	if (length != PAWS_TOKEN_WIRE_BYTES)
		return false;
	compute_check(wire, kind, check);
	if (sodium_memcmp(check, wire + PAWS_TOKEN_BYTES, sizeof(check)) != 0)
		return false;
	memcpy(token, wire, PAWS_TOKEN_BYTES);
	return true;
}

void
paws_token_share_bucket(PawsToken *token, const PawsToken *with)
{
	token->id[0] = with->id[0];
	token->id[1] = (uint8_t) ((with->id[1] & 0xf0) | (token->id[1] & 0x0f));
}
