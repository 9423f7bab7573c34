/*
 * guard/audit_row.c - encoding audit rows, their keys, MACs, pseudonyms and digests.
 */
#include "guard/audit_row.h"

#include <sodium.h>
#include <string.h>

#include "vault/bytes.h"

#define VERSION     1
#define EPOCH_USECS (INT64_C(30) * 24 * 60 * 60 * 1000000)

static uint8_t *
put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t) (value >> 8);
	at[1] = (uint8_t) value;
	return at + 2;
}

static uint8_t *
put64(uint8_t *at, uint64_t value)
{
	paws_put64(at, value);
	return at + 8;
}

static uint8_t *
put_bytes(uint8_t *at, const uint8_t *bytes, size_t length)
{
	memcpy(at, bytes, length);
	return at + length;
}

void
paws_audit_encode(const PawsAuditRow *row, uint8_t bytes[PAWS_AUDIT_ROW_BYTES])
{
	const uint8_t head[4] = {'P', 'W', 'A', VERSION};
	uint8_t *at = put_bytes(bytes, head, sizeof(head));

	at = put16(at, row->log);
	at = put16(at, row->operation);
	at = put16(at, row->object);
	at = put16(at, row->klass);
	at = put16(at, row->tier);
	at = put16(at, row->result);
	at = put64(at, (uint64_t) row->number);
	at = put64(at, row->xact);
	at = put64(at, (uint64_t) row->at);
	at = put64(at, (uint64_t) row->chain);
	paws_put32(at, (uint32_t) row->place);
	at = put_bytes(at + 4, row->actor, sizeof(row->actor));
	at = put_bytes(at, row->subject, sizeof(row->subject));
	at = put_bytes(at, row->context, sizeof(row->context));
	at = put_bytes(at, row->before, sizeof(row->before));
	put_bytes(at, row->after, sizeof(row->after));
}

static void
begin(crypto_generichash_state *state, const uint8_t key[32], size_t length, const char *label)
{
	crypto_generichash_init(state, key, 32, length);
	crypto_generichash_update(state, (const uint8_t *) label, strlen(label));
}

void
paws_audit_chain_key(const uint8_t log_key[PAWS_AUDIT_KEY_BYTES], uint16_t log, int64_t chain,
					 uint8_t key[PAWS_AUDIT_KEY_BYTES])
{
	crypto_generichash_state state;
	uint8_t name[10];

	put64(put16(name, log), (uint64_t) chain);
	begin(&state, log_key, PAWS_AUDIT_KEY_BYTES, "paws_sync audit chain v1");
	crypto_generichash_update(&state, name, sizeof(name));
	crypto_generichash_final(&state, key, PAWS_AUDIT_KEY_BYTES);
	sodium_memzero(&state, sizeof(state));
}

void
paws_audit_next_key(uint8_t key[PAWS_AUDIT_KEY_BYTES])
{
	crypto_generichash_state state;

	begin(&state, key, PAWS_AUDIT_KEY_BYTES, "paws_sync audit next v1");
	crypto_generichash_final(&state, key, PAWS_AUDIT_KEY_BYTES);
	sodium_memzero(&state, sizeof(state));
}

void
paws_audit_mac(const PawsAuditRow *row, const uint8_t key[PAWS_AUDIT_KEY_BYTES],
			   uint8_t mac[PAWS_AUDIT_MAC_BYTES])
{
	uint8_t bytes[PAWS_AUDIT_ROW_BYTES];

	paws_audit_encode(row, bytes);
	crypto_generichash(mac, PAWS_AUDIT_MAC_BYTES, bytes, sizeof(bytes), key, PAWS_AUDIT_KEY_BYTES);
}

int32_t
paws_audit_epoch(int64_t at)
{
	return (int32_t) (at / EPOCH_USECS);
}

void
paws_audit_pseudonym(PawsPseudonym kind, uint16_t log, int32_t epoch,
					 const uint8_t salt[PAWS_AUDIT_SALT_BYTES], const uint8_t *id, size_t length,
					 uint8_t pseudonym[PAWS_AUDIT_PSEUDONYM_BYTES])
{
	crypto_generichash_state state;
	uint8_t about[7] = {(uint8_t) kind};

	paws_put32(put16(about + 1, log), (uint32_t) epoch);
	begin(&state, salt, PAWS_AUDIT_PSEUDONYM_BYTES, "paws_sync audit name v1");
	crypto_generichash_update(&state, about, sizeof(about));
	crypto_generichash_update(&state, id, length);
	crypto_generichash_final(&state, pseudonym, PAWS_AUDIT_PSEUDONYM_BYTES);
}

void
paws_audit_digest(uint16_t object, const uint8_t salt[PAWS_AUDIT_SALT_BYTES], const PawsAuditContent *content,
				  uint8_t digest[PAWS_AUDIT_DIGEST_BYTES])
{
	crypto_generichash_state state;
	uint8_t about[6];

	memset(digest, 0, PAWS_AUDIT_DIGEST_BYTES);
	if (content->bytes == NULL)
		return;
	paws_put32(put16(about, object), (uint32_t) content->length);
	begin(&state, salt, PAWS_AUDIT_DIGEST_BYTES, "paws_sync audit object v1");
	crypto_generichash_update(&state, about, sizeof(about));
	crypto_generichash_update(&state, content->bytes, content->length);
	if (content->more)
		crypto_generichash_update(&state, content->more, content->more_length);
	crypto_generichash_final(&state, digest, PAWS_AUDIT_DIGEST_BYTES);
}
