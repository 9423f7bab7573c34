/*
 * vault/certificate.c - what the certificate of an erasure says, and its signature.
 */
#include "postgres.h"

#include <sodium.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "pgtime.h"
#include "utils/timestamp.h"

#include "vault/certificate.h"

#define SIGNING_LABEL  "certificate signing 1"
#define SIGNATURE_LINE "\n\xe2\x80\x94 paws_sync "
#define BASE64         sodium_base64_VARIANT_ORIGINAL
#define BASE64_MAX     sodium_base64_ENCODED_LEN(crypto_sign_BYTES, BASE64)
#define TEXT_MAX       4096

static void
get_signing_keys(uint8_t public_key[crypto_sign_PUBLICKEYBYTES], uint8_t secret[crypto_sign_SECRETKEYBYTES])
{
	uint8_t seed[crypto_sign_SEEDBYTES];

	paws_vault_purpose_key(PAWS_ROOT_CARE, SIGNING_LABEL, seed);
	crypto_sign_seed_keypair(public_key, secret, seed);
	sodium_memzero(seed, sizeof(seed));
}

/* In whole seconds of UTC, as in RFC 3339. */
static void
append_time(StringInfo text, const char *what, TimestampTz at)
{
	pg_time_t seconds = timestamptz_to_time_t(at);
	char formatted[32];

	pg_strftime(formatted, sizeof(formatted), "%Y-%m-%dT%H:%M:%SZ", pg_gmtime(&seconds));
	appendStringInfo(text, "%s %s\n", what, formatted);
}

static void
append_hex(StringInfo text, const char *what, const uint8_t *bytes, size_t length)
{
	appendStringInfo(text, "%s ", what);
	for (size_t i = 0; i < length; i++)
		appendStringInfo(text, "%02x", bytes[i]);
	appendStringInfoChar(text, '\n');
}

/* All that is signed. */
static void
write_text(StringInfo text, const PawsErasure *erasure)
{
	initStringInfo(text);
	appendStringInfoString(text, "paws_sync erasure certificate v1\n");
	append_hex(text, "erasure", erasure->id.data, UUID_LEN);
	appendStringInfo(text, "subject %s\n", erasure->subject);
	appendStringInfo(text, "keys %d\n", erasure->keys);
	append_time(text, "logical", erasure->logical_at);
	appendStringInfo(text, "care epochs to %u\n", erasure->care_epoch);
	appendStringInfo(text, "crisis epochs to %u\n", erasure->crisis_epoch);
	append_time(text, "destroyed", erasure->destroyed_at);
	append_time(text, "irrecoverable", erasure->irrecoverable_at);
}

bytea *
paws_certificate_sign(const PawsErasure *erasure)
{
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	bytea *signature = palloc(VARHDRSZ + crypto_sign_BYTES);
	StringInfoData text;

	write_text(&text, erasure);
	get_signing_keys(public_key, secret);
	SET_VARSIZE(signature, VARHDRSZ + crypto_sign_BYTES);
	crypto_sign_detached((uint8_t *) VARDATA(signature), NULL, (const uint8_t *) text.data, text.len, secret);
	sodium_memzero(secret, sizeof(secret));
	return signature;
}

char *
paws_certificate_text(const PawsErasure *erasure)
{
	StringInfoData text;
	char encoded[BASE64_MAX];

	write_text(&text, erasure);
	sodium_bin2base64(encoded, sizeof(encoded), (const uint8_t *) VARDATA_ANY(erasure->signature),
					  crypto_sign_BYTES, BASE64);
	appendStringInfo(&text, SIGNATURE_LINE "%s\n", encoded);
	return text.data;
}

/* The signature in the last line; false if that is not exactly as it is written. */
static bool
read_signature(const char *line, uint8_t signature[crypto_sign_BYTES])
{
	const char *encoded = line + strlen(SIGNATURE_LINE);
	char again[BASE64_MAX];
	size_t decoded = 0;

	if (memcmp(line, SIGNATURE_LINE, strlen(SIGNATURE_LINE)) != 0 ||
		sodium_base642bin(signature, crypto_sign_BYTES, encoded, BASE64_MAX - 1, NULL, &decoded, NULL,
						  BASE64) != 0 ||
		decoded != crypto_sign_BYTES)
		return false;
	sodium_bin2base64(again, sizeof(again), signature, crypto_sign_BYTES, BASE64);
	return memcmp(again, encoded, BASE64_MAX - 1) == 0 && encoded[BASE64_MAX - 1] == '\n';
}

bool
paws_certificate_verify(const char *text, size_t length)
{
	const size_t line = strlen(SIGNATURE_LINE) + BASE64_MAX; /* with its newline, without a NUL */
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
	uint8_t signature[crypto_sign_BYTES];

	paws_certificate_public_key(public_key);
	return length > line && length <= TEXT_MAX && read_signature(text + length - line, signature) &&
		   crypto_sign_verify_detached(signature, (const uint8_t *) text, length - line, public_key) == 0;
}

void
paws_certificate_public_key(uint8_t key[PAWS_CERTIFICATE_KEY_BYTES])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	get_signing_keys(key, secret);
	sodium_memzero(secret, sizeof(secret));
}
