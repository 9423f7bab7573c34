/*
 * audit_row_test.c - audit rows: their bytes, the keys of a chain, pseudonyms and digests.
 *
 * What is expected was worked out by Python's hashlib from the form in guard/audit_row.h alone.
 */
#include "guard/audit_row.h"

#include <sodium.h>
#include <string.h>

#include "tap.h"

static const uint8_t log_key[PAWS_AUDIT_KEY_BYTES] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
													  11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
													  22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

#define ENCODED                                                                                              \
	"50574101000300020001000200000005fffffffffffffff900000012345678900002aabbccddeeff11223344"               \
	"5566778800000002a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b000000000"               \
	"00000000000000000000000000000000000000000000000000000000c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"               \
	"c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"               \
	"d0d0d0d0"

#define KEY "9a7e1ab18564cebc3673924fa2de44d555c44a2703199734e39791a720643aab"

#define MAC "8b4d40718fa794dc5e1745982fc7853fa6fd489065a1104e8e0213414cb73f56"

#define PSEUDONYM "e1de6af40351703172284a3852eeaf12"

#define DIGEST "81d193523c217c11af254d9bf83a8b9f9396503c5ce3d6eef9a26d800c6bf11f"

static bool
is_hex(const uint8_t *bytes, size_t length, const char *expected)
{
	char hex[2 * PAWS_AUDIT_ROW_BYTES + 1];

	sodium_bin2hex(hex, sizeof(hex), bytes, length);
	return strcmp(hex, expected) == 0;
}

static PawsAuditRow
sample(void)
{
	PawsAuditRow row = {.log = 3,
						.operation = 2,
						.object = 1,
						.klass = 2,
						.tier = 0,
						.result = 5,
						.number = -7,
						.xact = UINT64_C(0x1234567890),
						.at = INT64_C(0x0002aabbccddeeff),
						.chain = INT64_C(0x1122334455667788),
						.place = 2};

	memset(row.actor, 0xa0, sizeof(row.actor));
	memset(row.subject, 0xb0, sizeof(row.subject));
	memset(row.before, 0xc0, sizeof(row.before));
	memset(row.after, 0xd0, sizeof(row.after));
	return row;
}

static void
test_bytes(void)
{
	PawsAuditRow row = sample();
	uint8_t bytes[PAWS_AUDIT_ROW_BYTES];
	uint8_t key[PAWS_AUDIT_KEY_BYTES];
	uint8_t mac[PAWS_AUDIT_MAC_BYTES];

	paws_audit_encode(&row, bytes);
	tap_ok(is_hex(bytes, sizeof(bytes), ENCODED), "an audit row is encoded as its form says");
	paws_audit_chain_key(log_key, row.log, row.chain, key);
	paws_audit_next_key(key);
	paws_audit_next_key(key);
	tap_ok(is_hex(key, sizeof(key), KEY), "the key of the third place of a chain");
	paws_audit_mac(&row, key, mac);
	tap_ok(is_hex(mac, sizeof(mac), MAC), "the MAC of an audit row");
}

/* Whatever is changed, at whatever byte of the row, its MAC is another one. */
static void
test_every_field(void)
{
	PawsAuditRow row = sample();
	uint8_t mac[PAWS_AUDIT_MAC_BYTES];
	int covered = 0;
	int bytes = 0;
	struct
	{
		size_t offset;
		size_t length;
	} fields[] = {{offsetof(PawsAuditRow, log), 12},     {offsetof(PawsAuditRow, number), 8},
				  {offsetof(PawsAuditRow, xact), 8},     {offsetof(PawsAuditRow, at), 8},
				  {offsetof(PawsAuditRow, chain), 8},    {offsetof(PawsAuditRow, place), 4},
				  {offsetof(PawsAuditRow, actor), 16},   {offsetof(PawsAuditRow, subject), 16},
				  {offsetof(PawsAuditRow, context), 32}, {offsetof(PawsAuditRow, before), 32},
				  {offsetof(PawsAuditRow, after), 32}};

	paws_audit_mac(&row, log_key, mac);
	for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++)
		for (size_t i = 0; i < fields[f].length; i++)
		{
			PawsAuditRow changed = row;
			uint8_t other[PAWS_AUDIT_MAC_BYTES];

			((uint8_t *) &changed)[fields[f].offset + i] ^= 1;
			paws_audit_mac(&changed, log_key, other);
			bytes++;
			covered += memcmp(mac, other, sizeof(mac)) != 0;
		}
	tap_ok(bytes == PAWS_AUDIT_ROW_BYTES - 4 && covered == bytes, "the MAC covers every byte of a row");
}

static void
test_chains(void)
{
	uint8_t key[PAWS_AUDIT_KEY_BYTES];
	uint8_t other[PAWS_AUDIT_KEY_BYTES];

	paws_audit_chain_key(log_key, 3, 1, key);
	paws_audit_chain_key(log_key, 3, 2, other);
	tap_ok(memcmp(key, other, sizeof(key)) != 0, "two chains have two keys");
	paws_audit_chain_key(log_key, 1, 1, other);
	tap_ok(memcmp(key, other, sizeof(key)) != 0, "so have two logs");
	memcpy(other, key, sizeof(key));
	paws_audit_next_key(other);
	tap_ok(memcmp(key, other, sizeof(key)) != 0, "and two places");
}

static void
test_names(void)
{
	const int64_t at = INT64_C(846111600000000);
	const int64_t month = INT64_C(30) * 24 * 60 * 60 * 1000000;
	uint8_t salt[PAWS_AUDIT_SALT_BYTES];
	uint8_t id[16];
	uint8_t name[PAWS_AUDIT_PSEUDONYM_BYTES];
	uint8_t other[PAWS_AUDIT_PSEUDONYM_BYTES];

	memset(salt, 7, sizeof(salt));
	for (size_t i = 0; i < sizeof(id); i++)
		id[i] = (uint8_t) i;
	paws_audit_pseudonym(PAWS_PSEUDONYM_SUBJECT, 3, paws_audit_epoch(at), salt, id, sizeof(id), name);
	tap_ok(is_hex(name, sizeof(name), PSEUDONYM), "a pseudonym");
	paws_audit_pseudonym(PAWS_PSEUDONYM_ACTOR, 3, paws_audit_epoch(at), salt, id, sizeof(id), other);
	tap_ok(memcmp(name, other, sizeof(name)) != 0, "is another one for a role");
	paws_audit_pseudonym(PAWS_PSEUDONYM_SUBJECT, 1, paws_audit_epoch(at), salt, id, sizeof(id), other);
	tap_ok(memcmp(name, other, sizeof(name)) != 0, "in another log");
	paws_audit_pseudonym(PAWS_PSEUDONYM_SUBJECT, 3, paws_audit_epoch(at + month), salt, id, sizeof(id),
						 other);
	tap_ok(memcmp(name, other, sizeof(name)) != 0, "in another month");
	salt[31] ^= 1;
	paws_audit_pseudonym(PAWS_PSEUDONYM_SUBJECT, 3, paws_audit_epoch(at), salt, id, sizeof(id), other);
	tap_ok(memcmp(name, other, sizeof(name)) != 0, "and with another salt");
}

static void
test_digests(void)
{
	PawsAuditContent content = {.bytes = "abc", .length = 3, .more = "defg", .more_length = 4};
	PawsAuditContent moved = {.bytes = "abcd", .length = 4, .more = "efg", .more_length = 3};
	PawsAuditContent none = {0};
	uint8_t salt[PAWS_AUDIT_SALT_BYTES];
	uint8_t digest[PAWS_AUDIT_DIGEST_BYTES];
	uint8_t other[PAWS_AUDIT_DIGEST_BYTES];

	memset(salt, 7, sizeof(salt));
	paws_audit_digest(1, salt, &content, digest);
	tap_ok(is_hex(digest, sizeof(digest), DIGEST), "the digest of an object");
	paws_audit_digest(1, salt, &moved, other);
	tap_ok(memcmp(digest, other, sizeof(digest)) != 0, "tells where its parts end");
	paws_audit_digest(2, salt, &content, other);
	tap_ok(memcmp(digest, other, sizeof(digest)) != 0, "and what the object is");
	paws_audit_digest(1, salt, &none, other);
	tap_ok(sodium_is_zero(other, sizeof(other)), "no object, no digest");
}

void
test_audit_rows(void)
{
	test_bytes();
	test_every_field();
	test_chains();
	test_names();
	test_digests();
}
