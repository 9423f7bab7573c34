/*
 * vault/key_wrap.c - wrapping data keys under epochs of the keyring.
 */
#include "postgres.h"

#include <sodium.h>

#include "port/pg_bswap.h"

#include "vault/key_wrap.h"
#include "vault/keyring.h"

#define WRAP_VERSION 2
#define AT_NONCE     1
#define NONCE_BYTES  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define AT_BODY      (AT_NONCE + NONCE_BYTES)
#define BODY_BYTES   (PAWS_DATA_KEY_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)

StaticAssertDecl(AT_BODY + BODY_BYTES == PAWS_WRAPPED_KEY_BYTES, "size of a wrapped key");

/* What a wrapped key is bound to; numbers are big-endian. */
typedef struct WrapContext
{
	char label[24];
	uint64 subject_no;
	uint32 key_version;
	uint32 epoch;
	uint8_t key_id[PAWS_DATA_KEY_ID_BYTES];
	uint8_t public_key[PAWS_DATA_KEY_BYTES];
	uint8_t home;
	uint8_t purpose;
	uint8_t wrap_version;
	uint8_t zero[5];
} WrapContext;

StaticAssertDecl(sizeof(WrapContext) == 96, "the wrap context has no gaps");

PawsPurpose
paws_key_purpose(PawsKeyHome home)
{
	return home == PAWS_KEYS_CRISIS ? PAWS_PURPOSE_CRISIS : PAWS_PURPOSE_PAYLOAD;
}

static void
fill_context(WrapContext *context, PawsKeyHome home, int64 subject_no, const PawsDataKey *key)
{
	memset(context, 0, sizeof(*context));
	strlcpy(context->label, "paws_sync data key v2", sizeof(context->label));
	context->subject_no = pg_hton64((uint64) subject_no);
	context->key_version = pg_hton32(key->version);
	context->epoch = pg_hton32(key->epoch);
	memcpy(context->key_id, key->id, sizeof(context->key_id));
	memcpy(context->public_key, key->public_key, sizeof(context->public_key));
	context->home = (uint8_t) home;
	context->purpose = (uint8_t) paws_key_purpose(home);
	context->wrap_version = WRAP_VERSION;
}

void
paws_key_generate(PawsDataKey *key, PawsKeyHome home)
{
	randombytes_buf(key->id, sizeof(key->id));
	memset(key->public_key, 0, sizeof(key->public_key));
	if (home == PAWS_KEYS_CRISIS)
		paws_x25519_keypair(key->public_key, key->secret);
	else
		randombytes_buf(key->secret, sizeof(key->secret));

	/* The id is stored as a uuid: give it the marks of a random one (version 4). */
	key->id[6] = (key->id[6] & 0x0f) | 0x40;
	key->id[8] = (key->id[8] & 0x3f) | 0x80;
}

bool
paws_key_wrap(uint8_t out[PAWS_WRAPPED_KEY_BYTES], PawsKeyHome home, int64 subject_no, const PawsDataKey *key)
{
	WrapContext context;
	uint8_t wrap_key[PAWS_KEYRING_KEY_BYTES];

	if (!paws_keyring_epoch_key(paws_vault_home_root(home), key->epoch, wrap_key))
		return false;
	fill_context(&context, home, subject_no, key);
	out[0] = WRAP_VERSION;
	randombytes_buf(out + AT_NONCE, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + AT_BODY, NULL, key->secret, PAWS_DATA_KEY_BYTES,
											   (const uint8_t *) &context, sizeof(context), NULL,
											   out + AT_NONCE, wrap_key);
	sodium_memzero(wrap_key, sizeof(wrap_key));
	return true;
}

bool
paws_key_unwrap(const uint8_t *wrapped, size_t length, PawsKeyHome home, int64 subject_no, PawsDataKey *key)
{
	WrapContext context;
	uint8_t wrap_key[PAWS_KEYRING_KEY_BYTES];
	bool opened;

	if (length != PAWS_WRAPPED_KEY_BYTES || wrapped[0] != WRAP_VERSION ||
		!paws_keyring_epoch_key(paws_vault_home_root(home), key->epoch, wrap_key))
		return false;
	fill_context(&context, home, subject_no, key);
	opened = crypto_aead_xchacha20poly1305_ietf_decrypt(key->secret, NULL, NULL, wrapped + AT_BODY,
														BODY_BYTES, (const uint8_t *) &context,
														sizeof(context), wrapped + AT_NONCE, wrap_key) == 0;
	sodium_memzero(wrap_key, sizeof(wrap_key));
	if (!opened)
		sodium_memzero(key->secret, sizeof(key->secret));
	return opened;
}
