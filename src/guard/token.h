/*
 * guard/token.h - minted tokens: what a token is made of, without PostgreSQL.
 *
 * A token is 25 stored bytes: 16 id bytes, one mint-key id, 8 MAC bytes. The first 12 bits of the id are its
 * bucket, shared by all tokens of one subject, so that a proxy can route any call to a shard. The kind is not
 * stored: it is the SQL type, and both the MAC and the checksum cover it.
 *
 * Text form: a prefix of four characters (sub_, dev_, ctx_, ses_) and 40 characters of URL-safe base64 over
 * the 25 bytes and a keyless checksum of 5 bytes. Binary form on the wire: those 30 bytes. Checksum: the
 * first 5 bytes of BLAKE2b-256("paws_sync token checksum v1" ‖ kind ‖ 25 bytes). MAC: the first 8 bytes of
 * BLAKE2b-256 keyed with the mint key over ("paws_sync token mac v1" ‖ kind ‖ key id ‖ id).
 *
 * Pure C: needs libsodium, never calls the server, may be linked into unit tests and fuzzers.
 */
#ifndef PAWS_GUARD_TOKEN_H
#define PAWS_GUARD_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAWS_TOKEN_ID_BYTES    16
#define PAWS_TOKEN_MAC_BYTES   8
#define PAWS_TOKEN_BYTES       25 /* id, mint-key id, MAC */
#define PAWS_TOKEN_CHECK_BYTES 5
#define PAWS_TOKEN_WIRE_BYTES  (PAWS_TOKEN_BYTES + PAWS_TOKEN_CHECK_BYTES)
#define PAWS_TOKEN_TEXT_LENGTH 44 /* without the terminating zero */
#define PAWS_MINT_KEY_BYTES    32

typedef enum PawsTokenKind
{
	PAWS_TOKEN_SUBJECT = 's',
	PAWS_TOKEN_DEVICE = 'd',
	PAWS_TOKEN_CONTEXT = 'c',
	PAWS_TOKEN_SESSION = 'e'
} PawsTokenKind;

typedef struct PawsToken
{
	uint8_t id[PAWS_TOKEN_ID_BYTES];
	uint8_t key_id;
	uint8_t mac[PAWS_TOKEN_MAC_BYTES];
} PawsToken;

/* Fills in key id and MAC of a token whose id is set. */
extern void
paws_token_mint(PawsToken *token, PawsTokenKind kind, uint8_t key_id, const uint8_t key[PAWS_MINT_KEY_BYTES]);

/* True if the MAC is right under this key; compares in constant time. */
extern bool
paws_token_verify(const PawsToken *token, PawsTokenKind kind, const uint8_t key[PAWS_MINT_KEY_BYTES]);

/* Writes the text form and a terminating zero. */
extern void
paws_token_print(const PawsToken *token, PawsTokenKind kind, char text[PAWS_TOKEN_TEXT_LENGTH + 1]);

/*
 * Reads the text form, exactly: prefix, length, alphabet and checksum. False on anything else, with
 * *wrong_kind set if it is a good token of another kind.
 */
extern bool
paws_token_parse(const char *text, size_t length, PawsTokenKind kind, PawsToken *token, bool *wrong_kind);

/* The same for the 30 bytes of the binary form. */
extern void paws_token_pack(const PawsToken *token, PawsTokenKind kind, uint8_t wire[PAWS_TOKEN_WIRE_BYTES]);
extern bool paws_token_unpack(const uint8_t *wire, size_t length, PawsTokenKind kind, PawsToken *token);

/* Copies the bucket (the first 12 bits of the id) from one token's id to another's. */
extern void paws_token_share_bucket(PawsToken *token, const PawsToken *with);

#endif
