/*
 * token_test.c - tokens: text and binary form, MAC, kinds, buckets.
 *
 * The known texts come from vectors.py: python3's hashlib.blake2b over the layout that token.h describes, for
 * mint key 00 01 … 1f, mint-key id 1 and token id 40 41 … 4f.
 */
#include <string.h>

#include <sodium.h>

#include "guard/token.h"
#include "tap.h"

#define KINDS 4

static const PawsTokenKind kinds[KINDS] = {PAWS_TOKEN_SUBJECT, PAWS_TOKEN_DEVICE, PAWS_TOKEN_CONTEXT,
										   PAWS_TOKEN_SESSION};

static const char *const known_texts[KINDS] = {"sub_QEFCQ0RFRkdISUpLTE1OTwHDeAxBsRHqv_tRThrV",
											   "dev_QEFCQ0RFRkdISUpLTE1OTwEOR9PWtRc5mJjvrilf",
											   "ctx_QEFCQ0RFRkdISUpLTE1OTwElTXqAu5HZRKyD-00A",
											   "ses_QEFCQ0RFRkdISUpLTE1OTwGciV36WPEyFhSSQZWX"};

static uint8_t mint_key[PAWS_MINT_KEY_BYTES];

static PawsToken
known_token(PawsTokenKind kind)
{
	PawsToken token;

	for (int i = 0; i < PAWS_TOKEN_ID_BYTES; i++)
		token.id[i] = (uint8_t) (0x40 + i);
	paws_token_mint(&token, kind, 1, mint_key);
	return token;
}

static void
test_known_texts(void)
{
	bool right = true;

	for (int i = 0; i < KINDS; i++)
	{
		PawsToken token = known_token(kinds[i]);
		char text[PAWS_TOKEN_TEXT_LENGTH + 1];

		paws_token_print(&token, kinds[i], text);
		right = right && strcmp(text, known_texts[i]) == 0;
	}
	tap_ok(right, "the text forms are the known ones");
}

static void
test_token_round_trips(void)
{
	bool by_text = true;
	bool by_wire = true;
	bool verified = true;

	for (int i = 0; i < 1000; i++)
	{
		PawsTokenKind kind = kinds[i % KINDS];
		PawsToken token;
		PawsToken back;
		char text[PAWS_TOKEN_TEXT_LENGTH + 1];
		uint8_t wire[PAWS_TOKEN_WIRE_BYTES];
		bool wrong_kind;

		randombytes_buf(token.id, sizeof(token.id));
		paws_token_mint(&token, kind, (uint8_t) i, mint_key);
		paws_token_print(&token, kind, text);
		by_text = by_text && strlen(text) == PAWS_TOKEN_TEXT_LENGTH &&
				  paws_token_parse(text, strlen(text), kind, &back, &wrong_kind) && !wrong_kind &&
				  memcmp(&token, &back, sizeof(token)) == 0;
		verified = verified && paws_token_verify(&back, kind, mint_key);
		paws_token_pack(&token, kind, wire);
		by_wire = by_wire && paws_token_unpack(wire, sizeof(wire), kind, &back) &&
				  memcmp(&token, &back, sizeof(token)) == 0;
	}
	tap_ok(by_text, "a printed token reads back as the same token");
	tap_ok(by_wire, "a packed token unpacks as the same token");
	tap_ok(verified, "a token that was read back is verified");
}

static void
test_text_changes(void)
{
	PawsToken ignored;
	bool wrong_kind;
	bool flips = true;
	bool truncations = true;
	char text[PAWS_TOKEN_TEXT_LENGTH + 8];

	memset(text, 'A', sizeof(text));
	memcpy(text, known_texts[0], PAWS_TOKEN_TEXT_LENGTH);
	for (int bit = 0; bit < PAWS_TOKEN_TEXT_LENGTH * 8; bit++)
	{
		text[bit / 8] ^= (char) (1 << (bit % 8));
		flips = flips &&
				!paws_token_parse(text, PAWS_TOKEN_TEXT_LENGTH, PAWS_TOKEN_SUBJECT, &ignored, &wrong_kind) &&
				!wrong_kind;
		text[bit / 8] ^= (char) (1 << (bit % 8));
	}
	tap_ok(flips, "a text with any one bit changed is refused");

	for (size_t length = 0; length < sizeof(text); length++)
		if (length != PAWS_TOKEN_TEXT_LENGTH)
			truncations =
				truncations && !paws_token_parse(text, length, PAWS_TOKEN_SUBJECT, &ignored, &wrong_kind);
	tap_ok(truncations, "a text that is shorter or longer is refused");
}

static void
test_wire_changes(void)
{
	PawsToken token = known_token(PAWS_TOKEN_DEVICE);
	PawsToken ignored;
	uint8_t wire[PAWS_TOKEN_WIRE_BYTES + 4] = {0};
	bool flips = true;
	bool truncations = true;

	paws_token_pack(&token, PAWS_TOKEN_DEVICE, wire);
	for (int bit = 0; bit < PAWS_TOKEN_WIRE_BYTES * 8; bit++)
	{
		wire[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		flips = flips && !paws_token_unpack(wire, PAWS_TOKEN_WIRE_BYTES, PAWS_TOKEN_DEVICE, &ignored);
		wire[bit / 8] ^= (uint8_t) (1 << (bit % 8));
	}
	tap_ok(flips, "a binary form with any one bit changed is refused");

	for (size_t length = 0; length < sizeof(wire); length++)
		if (length != PAWS_TOKEN_WIRE_BYTES)
			truncations = truncations && !paws_token_unpack(wire, length, PAWS_TOKEN_DEVICE, &ignored);
	tap_ok(truncations, "a binary form that is shorter or longer is refused");
}

static void
test_replaced_characters(void)
{
	PawsToken ignored;
	bool wrong_kind;
	bool refused = true;
	char text[PAWS_TOKEN_TEXT_LENGTH];

	for (int byte = 0; byte < 256; byte++)
	{
		for (int i = 0; i < PAWS_TOKEN_TEXT_LENGTH; i++)
		{
			memcpy(text, known_texts[1], sizeof(text));
			if (text[i] == (char) byte)
				continue;
			text[i] = (char) byte;
			refused =
				refused && !paws_token_parse(text, sizeof(text), PAWS_TOKEN_DEVICE, &ignored, &wrong_kind);
		}
	}
	tap_ok(refused, "a text with any one character replaced by any other byte is refused");
}

static void
test_kinds(void)
{
	bool told = true;
	bool unpacked = true;
	bool verified = true;

	for (int made = 0; made < KINDS; made++)
	{
		PawsToken token = known_token(kinds[made]);
		uint8_t wire[PAWS_TOKEN_WIRE_BYTES];

		paws_token_pack(&token, kinds[made], wire);
		for (int asked = 0; asked < KINDS; asked++)
		{
			PawsToken ignored;
			bool wrong_kind;
			bool read;

			read = paws_token_parse(known_texts[made], PAWS_TOKEN_TEXT_LENGTH, kinds[asked], &ignored,
									&wrong_kind);
			told = told && read == (made == asked) && wrong_kind == (made != asked);
			unpacked =
				unpacked && paws_token_unpack(wire, sizeof(wire), kinds[asked], &ignored) == (made == asked);
			verified = verified && paws_token_verify(&token, kinds[asked], mint_key) == (made == asked);
		}
	}
	tap_ok(told, "a good text of another kind is refused as that");
	tap_ok(unpacked, "a good binary form of another kind is refused");
	tap_ok(verified, "a MAC does not hold for another kind");
}

static void
test_relabelled(void)
{
	PawsToken ignored;
	bool wrong_kind;
	char text[PAWS_TOKEN_TEXT_LENGTH + 1];

	memcpy(text, known_texts[0], sizeof(text));
	memcpy(text, "dev_", 4);
	tap_ok(!paws_token_parse(text, PAWS_TOKEN_TEXT_LENGTH, PAWS_TOKEN_DEVICE, &ignored, &wrong_kind) &&
			   !wrong_kind,
		   "a token under another kind's prefix is refused, and is of no kind");
}

static void
test_macs(void)
{
	PawsToken token = known_token(PAWS_TOKEN_CONTEXT);
	uint8_t other_key[PAWS_MINT_KEY_BYTES];
	uint8_t *bytes = (uint8_t *) &token;
	bool flips = true;

	for (int bit = 0; bit < PAWS_TOKEN_BYTES * 8; bit++)
	{
		bytes[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		flips = flips && !paws_token_verify(&token, PAWS_TOKEN_CONTEXT, mint_key);
		bytes[bit / 8] ^= (uint8_t) (1 << (bit % 8));
	}
	tap_ok(flips, "a token with any one bit of id, key id or MAC changed is not verified");

	memcpy(other_key, mint_key, sizeof(other_key));
	other_key[31] ^= 1;
	tap_ok(paws_token_verify(&token, PAWS_TOKEN_CONTEXT, mint_key) &&
			   !paws_token_verify(&token, PAWS_TOKEN_CONTEXT, other_key),
		   "a token is not verified under another key");
}

static void
test_buckets_of_tokens(void)
{
	PawsToken token = known_token(PAWS_TOKEN_DEVICE);
	PawsToken with = known_token(PAWS_TOKEN_SUBJECT);

	memset(token.id, 0xff, sizeof(token.id));
	with.id[0] = 0x12;
	with.id[1] = 0x34;
	paws_token_share_bucket(&token, &with);
	tap_ok(token.id[0] == 0x12 && token.id[1] == 0x3f && token.id[2] == 0xff,
		   "sharing a bucket copies twelve bits and no more");
}

#define FORGED       1000000
#define FLIPPED      100000
#define MINT_KEY_ID  1
#define RANDOM_BYTES (PAWS_TOKEN_ID_BYTES + PAWS_TOKEN_MAC_BYTES)

/* What every function of the API asks of a token: its form, then its MAC. */
static bool
let_in(const char *text, PawsTokenKind kind, bool *well_formed)
{
	PawsToken token;
	bool wrong_kind;

	*well_formed = paws_token_parse(text, PAWS_TOKEN_TEXT_LENGTH, kind, &token, &wrong_kind);
	return *well_formed && token.key_id == MINT_KEY_ID && paws_token_verify(&token, kind, mint_key);
}

/* Well formed, since the checksum needs no key; everything else is guessed. */
static void
test_forged(void)
{
	int accepted = 0;
	int formed = 0;

	for (int i = 0; i < FORGED; i++)
	{
		PawsTokenKind kind = kinds[i % KINDS];
		PawsToken token = {.key_id = MINT_KEY_ID};
		uint8_t random[RANDOM_BYTES];
		char text[PAWS_TOKEN_TEXT_LENGTH + 1];
		bool well_formed;

		randombytes_buf(random, sizeof(random));
		memcpy(token.id, random, PAWS_TOKEN_ID_BYTES);
		memcpy(token.mac, random + PAWS_TOKEN_ID_BYTES, PAWS_TOKEN_MAC_BYTES);
		paws_token_print(&token, kind, text);
		accepted += let_in(text, kind, &well_formed);
		formed += well_formed;
	}
	tap_ok(formed == FORGED, "1,000,000 random tokens are well formed");
	tap_ok(accepted == 0, "and none of them is accepted");
}

/* One bit of a good token changed: as it is, and with the checksum made anew. */
static void
test_flipped(void)
{
	int good = 0;
	int formed = 0;
	int accepted = 0;
	int accepted_anew = 0;

	for (int i = 0; i < FLIPPED; i++)
	{
		PawsTokenKind kind = kinds[i % KINDS];
		PawsToken token;
		uint8_t *bytes = (uint8_t *) &token;
		uint32_t bit = randombytes_uniform(PAWS_TOKEN_BYTES * 8);
		char text[PAWS_TOKEN_TEXT_LENGTH + 1];
		bool well_formed;

		randombytes_buf(token.id, sizeof(token.id));
		paws_token_mint(&token, kind, MINT_KEY_ID, mint_key);
		paws_token_print(&token, kind, text);
		good += let_in(text, kind, &well_formed);
		text[4 + randombytes_uniform(PAWS_TOKEN_TEXT_LENGTH - 4)] ^= (char) (1 << randombytes_uniform(8));
		accepted += let_in(text, kind, &well_formed) || well_formed;
		bytes[bit / 8] ^= (uint8_t) (1 << (bit % 8));
		paws_token_print(&token, kind, text);
		accepted_anew += let_in(text, kind, &well_formed);
		formed += well_formed;
	}
	tap_ok(good == FLIPPED, "100,000 minted tokens are accepted");
	tap_ok(accepted == 0, "none with one bit changed is well formed");
	tap_ok(formed == FLIPPED && accepted_anew == 0, "and with a checksum to match, none is accepted");
}

void
test_tokens(void)
{
	for (int i = 0; i < PAWS_MINT_KEY_BYTES; i++)
		mint_key[i] = (uint8_t) i;
	test_known_texts();
	test_token_round_trips();
	test_text_changes();
	test_wire_changes();
	test_replaced_characters();
	test_kinds();
	test_relabelled();
	test_macs();
	test_buckets_of_tokens();
	test_forged();
	test_flipped();
}
