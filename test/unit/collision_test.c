/*
 * collision_test.c - ciphertexts that decrypt under two keys, and why no envelope does.
 *
 * Neither XChaCha20-Poly1305 nor AES-GCM commits to its key: whoever chooses two keys can make one ciphertext
 * whose tag is right under both, by solving one linear equation for one free block. Here an insider does so
 * with two data keys, and makes both plaintexts well-formed: the codec byte and the length must decrypt to
 * something allowed under either key, for which two message keys are searched whose key streams begin alike
 * (a birthday search over 38 bits). What is left to refuse the envelope is the commitment alone; the control
 * shows that.
 */
#include "fixture.h"
#include "fields.h"
#include "vault/aead.h"
#include "vault/context.h"
#include "vault/kdf.h"
#include "vault/padding.h"

#define PADDED   256 /* the smallest bucket, filled by the payload to the last byte: no zeros to get right */
#define PAYLOAD  (PADDED - PAWS_PADDING_HEADER_BYTES)
#define FREE_AT  128 /* the block that is solved for */
#define BLOCKS   (PADDED / 16)
#define HEAD_MAX 128
#define SLOTS    (1 << 22)
#define TRIES    (1 << 21)

/* One of the two suites under attack, and its envelope so far. */
typedef struct Attack
{
	Fixture with;
	Layout at;
	uint8_t *envelope;
	size_t length;
	uint8_t encoded[PAWS_CONTEXT_BYTES];
	uint8_t secret[2][32];      /* the two data keys */
	uint8_t message_key[2][32]; /* what they derive */
	uint8_t commitment[2][32];
	uint8_t stream[2][PADDED]; /* what the plaintexts are XORed with */
} Attack;

static bool
is_gcm(const Attack *attack)
{
	return attack->with.suite == PAWS_SUITE_AES256GCM;
}

/* Message key and commitment as envelope.h describes them, written anew. */
static void
derive(const Attack *attack, const uint8_t secret[32], uint8_t both[64])
{
	uint8_t fixed[512];
	PawsKdfKey from;
	size_t bound = attack->at.commitment;
	size_t length;

	if (is_gcm(attack))
	{
		length = (size_t) snprintf((char *) fixed, sizeof(fixed), "paws_sync envelope v1 aes-256-gcm") + 1;
		memcpy(fixed + length, attack->envelope, bound);
		memcpy(fixed + length + bound, attack->encoded, PAWS_CONTEXT_BYTES);
		memcpy(fixed + length + bound + PAWS_CONTEXT_BYTES, (uint8_t[]){0, 0, 2, 0}, 4);
		paws_kdf_prepare(&from, secret, 32);
		paws_kdf_counter(both, &from, fixed, length + bound + PAWS_CONTEXT_BYTES + 4);
		return;
	}
	length = (size_t) snprintf((char *) fixed, sizeof(fixed), "paws_sync envelope v1");
	memcpy(fixed + length, attack->envelope, bound);
	paws_context_hash(attack->encoded, fixed + length + bound);
	crypto_generichash(both, 64, fixed, length + bound + 32, secret, 32);
}

/* The ciphers with the nonces of their suites: seal in place, open into `out`. */
static void
bare_seal(const Attack *attack, const uint8_t key[32], uint8_t *body, size_t length)
{
	static const uint8_t zero[PAWS_GCM_NONCE_BYTES];

	if (is_gcm(attack))
		paws_aead_gcm_seal(body, body, length, attack->envelope, attack->at.body, zero, key);
	else
		paws_aead_xchacha_seal(body, body, length, attack->envelope, attack->at.body,
							   attack->envelope + attack->at.unique, key);
}

static bool
bare_open(const Attack *attack, const uint8_t key[32], uint8_t *out)
{
	static const uint8_t zero[PAWS_GCM_NONCE_BYTES];
	const uint8_t *body = attack->envelope + attack->at.body;

	if (is_gcm(attack))
		return paws_aead_gcm_open(out, body, PADDED + 16, attack->envelope, attack->at.body, zero, key);
	return paws_aead_xchacha_open(out, body, PADDED + 16, attack->envelope, attack->at.body,
								  attack->envelope + attack->at.unique, key);
}

static void
candidate(uint32_t number, uint8_t secret[32])
{
	crypto_generichash(secret, 32, (const uint8_t *) &number, sizeof(number), NULL, 0);
}

/* The first five bytes of the key stream, as a number; without the two bits that codecs may differ in. */
static uint64_t
stream_start(const Attack *attack, uint32_t number)
{
	uint8_t secret[32];
	uint8_t both[64];
	uint8_t body[5 + 16] = {0};
	uint64_t start = 0;

	candidate(number, secret);
	derive(attack, secret, both);
	bare_seal(attack, both, body, 5);
	for (int i = 0; i < 5; i++)
		start = (start << 8) | body[i];
	return start & ~(UINT64_C(3) << 32);
}

/* Two data keys whose key streams begin alike; one in a million million pairs does. */
static bool
find_pair(Attack *attack)
{
	uint64_t *starts = malloc(SLOTS * sizeof(*starts));
	uint32_t *numbers = calloc(SLOTS, sizeof(*numbers));
	bool found = false;

	for (uint32_t number = 1; number <= TRIES && !found; number++)
	{
		uint64_t start = stream_start(attack, number);
		size_t slot = (size_t) ((start * UINT64_C(0x9e3779b97f4a7c15)) >> 42);

		while (numbers[slot] != 0 && starts[slot] != start)
			slot = (slot + 1) % SLOTS;
		found = numbers[slot] != 0;
		candidate(found ? numbers[slot] : number, attack->secret[0]);
		candidate(number, attack->secret[1]);
		starts[slot] = start;
		numbers[slot] = number;
	}
	free(starts);
	free(numbers);
	return found;
}

/* A header, a nonce and the first key's commitment; and all that follows from the pair. */
static void
begin_attack(Attack *attack, uint8_t suite)
{
	uint8_t payload[PAYLOAD] = {0};

	attack->with = fixture(suite);
	attack->at = layout(suite);
	known_randomness(); /* so that the search always finds the same */
	attack->envelope = seal(&attack->with, payload, sizeof(payload), &attack->length);
	real_randomness();
	paws_context_encode(&attack->with.context, attack->encoded);
}

static void
use_pair(Attack *attack)
{
	for (int i = 0; i < 2; i++)
	{
		uint8_t both[64];
		uint8_t body[PADDED + 16] = {0};

		derive(attack, attack->secret[i], both);
		memcpy(attack->message_key[i], both, 32);
		memcpy(attack->commitment[i], both + 32, 32);
		bare_seal(attack, attack->message_key[i], body, PADDED);
		memcpy(attack->stream[i], body, PADDED);
	}
	memcpy(attack->envelope + attack->at.commitment, attack->commitment[0], 32);
}

/* The five bytes of ciphertext that say codec c and PAYLOAD bytes under one key, codec d under the other. */
static bool
write_start(Attack *attack)
{
	uint8_t *body = attack->envelope + attack->at.body;
	const uint8_t length[4] = {0, 0, 0, PAYLOAD};

	for (int i = 0; i < 4; i++)
		body[1 + i] = attack->stream[0][1 + i] ^ length[i];
	for (uint8_t codec = 0; codec <= PAWS_CODEC_ZSTD; codec++)
	{
		body[0] = attack->stream[0][0] ^ codec;
		if ((body[0] ^ attack->stream[1][0]) <= PAWS_CODEC_ZSTD)
			return true;
	}
	return false;
}

/*
 * Poly1305 over associated data, ciphertext and lengths, but for the free block: *sum, and the power of r
 * that the free block is multiplied with.
 */
static Prime130
poly_sum(const Attack *attack, Prime130 r, Prime130 *power)
{
	uint8_t message[HEAD_MAX + PADDED + 16] = {0};
	size_t head = (attack->at.body + 15) / 16 * 16;
	size_t length = head + PADDED + 16;
	Prime130 sum = {{0, 0, 0}};

	memcpy(message, attack->envelope, attack->at.body);
	memcpy(message + head, attack->envelope + attack->at.body, PADDED);
	message[head + PADDED] = (uint8_t) attack->at.body;
	message[head + PADDED + 9] = PADDED >> 8;
	*power = (Prime130){{0, 0, 0}};
	for (size_t at = 0; at < length; at += 16)
	{
		bool is_free = at == head + FREE_AT;
		Prime130 block = prime130_add(prime130_from(message + at, 16), prime130_power2(128));

		sum = prime130_multiply(is_free ? sum : prime130_add(sum, block), r);
		*power = prime130_multiply(is_free ? (Prime130){{1, 0, 0}} : *power, r);
	}
	return sum;
}

/* The one-time key of Poly1305: r as a number, clamped, and s. */
static void
poly_key(const Attack *attack, int key, Prime130 *r, Prime130 *s)
{
	uint8_t subkey[32];
	uint8_t nonce[12] = {0};
	uint8_t block[32];

	crypto_core_hchacha20(subkey, attack->envelope + attack->at.unique, attack->message_key[key], NULL);
	memcpy(nonce + 4, attack->envelope + attack->at.unique + 16, 8);
	crypto_stream_chacha20_ietf(block, sizeof(block), nonce, subkey);
	for (int i = 3; i < 16; i += 4)
		block[i] &= 15;
	for (int i = 4; i < 16; i += 4)
		block[i] &= 252;
	*r = prime130_from(block, 16);
	*s = prime130_from(block + 16, 16);
}

/* The tag under each key, from the bare cipher; true if they are one, which is then in place. */
static bool
same_tag(Attack *attack)
{
	uint8_t *body = attack->envelope + attack->at.body;
	uint8_t again[2][PADDED + 16];

	for (int i = 0; i < 2; i++)
	{
		for (size_t at = 0; at < PADDED; at++)
			again[i][at] = body[at] ^ attack->stream[i][at];
		bare_seal(attack, attack->message_key[i], again[i], PADDED);
	}
	memcpy(body + PADDED, again[0] + PADDED, 16);
	return memcmp(again[0] + PADDED, again[1] + PADDED, 16) == 0;
}

/*
 * Tags are taken modulo 2^128, so the sums may differ by some multiple of it; and the solution must be a
 * block, below 2^128. Both fail by chance, so other fillings are tried.
 */
static bool
solve_poly(Attack *attack)
{
	uint8_t *body = attack->envelope + attack->at.body;
	Prime130 r[2];
	Prime130 s[2];

	poly_key(attack, 0, &r[0], &s[0]);
	poly_key(attack, 1, &r[1], &s[1]);
	for (int attempt = 0; attempt < 64; attempt++)
	{
		Prime130 power[2];
		Prime130 sum[2];
		Prime130 wanted;
		Prime130 factor;

		randombytes_buf(body + 16, PADDED - 16);
		for (int i = 0; i < 2; i++)
			sum[i] = prime130_add(poly_sum(attack, r[i], &power[i]), s[i]);
		factor = prime130_invert(prime130_subtract(power[0], power[1]));
		wanted = prime130_subtract(sum[1], sum[0]);
		for (int multiple = 0; multiple < 5; multiple++)
			wanted = prime130_subtract(wanted, prime130_power2(128));
		for (int multiple = -5; multiple <= 5; multiple++)
		{
			Prime130 block = prime130_subtract(prime130_multiply(wanted, factor), prime130_power2(128));

			if (prime130_to16(block, body + FREE_AT) && same_tag(attack))
				return true;
			wanted = prime130_add(wanted, prime130_power2(128));
		}
	}
	return false;
}

/* GHASH over the same, and the power of H for the free block. */
static Gf128
ghash(const Attack *attack, Gf128 h, Gf128 *power)
{
	uint8_t message[HEAD_MAX + PADDED + 16] = {0};
	size_t head = (attack->at.body + 15) / 16 * 16;
	size_t length = head + PADDED + 16;
	Gf128 sum = {{0}};

	memcpy(message, attack->envelope, attack->at.body);
	memcpy(message + head, attack->envelope + attack->at.body, PADDED);
	message[head + PADDED + 6] = (uint8_t) ((attack->at.body * 8) >> 8);
	message[head + PADDED + 7] = (uint8_t) (attack->at.body * 8);
	message[head + PADDED + 14] = (PADDED * 8) >> 8;
	*power = (Gf128){{0}};
	for (size_t at = 0; at < length; at += 16)
	{
		bool is_free = at == head + FREE_AT;

		sum = gf128_multiply(is_free ? sum : gf128_add(sum, gf128_from(message + at)), h);
		*power = gf128_multiply(is_free ? (Gf128){{0x80}} : *power, h);
	}
	return sum;
}

/*
 * H of a key, from two tags of one block each under one nonce: they differ by H squared if the blocks differ
 * by one.
 */
static Gf128
hash_key(const uint8_t key[32])
{
	static const uint8_t zero[PAWS_GCM_NONCE_BYTES];
	uint8_t first[32] = {0};
	uint8_t second[32] = {0x80};

	paws_aead_gcm_seal(first, first, 16, NULL, 0, zero, key);
	paws_aead_gcm_seal(second, second, 16, NULL, 0, zero, key);
	return gf128_root(gf128_add(gf128_from(first + 16), gf128_from(second + 16)));
}

/* What a tag adds to GHASH: the encrypted counter. */
static Gf128
tag_mask(Attack *attack, int key, Gf128 sum)
{
	uint8_t *body = attack->envelope + attack->at.body;
	uint8_t again[PADDED + 16];

	for (size_t at = 0; at < PADDED; at++)
		again[at] = body[at] ^ attack->stream[key][at];
	bare_seal(attack, attack->message_key[key], again, PADDED);
	return gf128_add(gf128_from(again + PADDED), sum);
}

static bool
solve_ghash(Attack *attack)
{
	uint8_t *body = attack->envelope + attack->at.body;
	Gf128 both = {{0}};
	Gf128 powers = {{0}};
	Gf128 block;

	randombytes_buf(body + 16, PADDED - 16);
	memset(body + FREE_AT, 0, 16); /* so that GHASH without the block is GHASH with it */
	for (int i = 0; i < 2; i++)
	{
		Gf128 power;
		Gf128 sum = ghash(attack, hash_key(attack->message_key[i]), &power);

		both = gf128_add(both, gf128_add(sum, tag_mask(attack, i, sum)));
		powers = gf128_add(powers, power);
	}
	block = gf128_multiply(both, gf128_invert(powers));
	memcpy(body + FREE_AT, block.byte, 16);
	return same_tag(attack);
}

/* The plaintext under one key is well-formed, and its payload is `payload`. */
static bool
control(const Attack *attack, int key, uint8_t payload[PAYLOAD])
{
	uint8_t plain[PADDED];
	PawsCodec codec;
	size_t stored;

	if (!bare_open(attack, attack->message_key[key], plain) ||
		!paws_padding_read(plain, PADDED, &codec, &stored) || stored != PAYLOAD)
		return false;
	memcpy(payload, plain + PAWS_PADDING_HEADER_BYTES, PAYLOAD);
	return true;
}

static void
test_two_keys(uint8_t suite)
{
	Attack attack;
	Fixture first;
	Fixture second;
	uint8_t payload[2][PAYLOAD];
	bool made;

	begin_attack(&attack, suite);
	made = find_pair(&attack);
	if (made)
		use_pair(&attack);
	made = made && write_start(&attack);
	tap_ok(made, suite_name(suite, "(two data keys are found whose key streams begin alike)"));
	made = made && (is_gcm(&attack) ? solve_ghash(&attack) : solve_poly(&attack));
	tap_ok(made, suite_name(suite, "(a ciphertext is made that has one tag under both)"));
	tap_ok(made && memcmp(attack.secret[0], attack.secret[1], 32) != 0 && control(&attack, 0, payload[0]) &&
			   control(&attack, 1, payload[1]) && memcmp(payload[0], payload[1], PAYLOAD) != 0,
		   suite_name(suite, "(the bare cipher opens it under both, to two well-formed payloads)"));

	first = second = attack.with;
	memcpy(first.key.secret, attack.secret[0], 32);
	memcpy(second.key.secret, attack.secret[1], 32);
	first.codec = (PawsCodec) (attack.envelope[attack.at.body] ^ attack.stream[0][0]);
	tap_ok(opens_to(&first, attack.envelope, attack.length, payload[0], PAYLOAD),
		   suite_name(suite, "a two-key ciphertext opens under the key that it commits to"));
	tap_ok(refuses(&second, attack.envelope, attack.length),
		   suite_name(suite, "and is refused under the other key"));
	free(attack.envelope);
}

void
test_collisions(void)
{
	test_two_keys(PAWS_SUITE_XCHACHA20);
	if (suite_here(PAWS_SUITE_AES256GCM))
		test_two_keys(PAWS_SUITE_AES256GCM);
}
