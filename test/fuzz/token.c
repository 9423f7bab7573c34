/*
 * token.c - fuzz target: tokens as text and in binary.
 *
 * The first byte says what the rest is: a text; the binary form; a token to be printed, changed in one place
 * and refused.
 */
#include "fuzz.h"
#include "guard/token.h"

static const PawsTokenKind kinds[] = {PAWS_TOKEN_SUBJECT, PAWS_TOKEN_DEVICE, PAWS_TOKEN_CONTEXT,
									  PAWS_TOKEN_SESSION};
static const uint8_t mint_key[PAWS_MINT_KEY_BYTES] = "nobody knows this key of a test";

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	return sodium_init() < 0 ? -1 : 0;
}

/* A text is of one kind at most, is what that token prints, and was not minted with our key by chance. */
static void
parse(const uint8_t *data, size_t size)
{
	char *text = (char *) exact_copy(data, size);
	char printed[PAWS_TOKEN_TEXT_LENGTH + 1];
	int taken = 0;
	int others = 0;

	for (size_t i = 0; i < KINDS; i++)
	{
		PawsToken token;
		bool wrong_kind = true;

		if (paws_token_parse(text, size, kinds[i], &token, &wrong_kind))
		{
			taken++;
			MUST(!wrong_kind);
			paws_token_print(&token, kinds[i], printed);
			MUST(size == PAWS_TOKEN_TEXT_LENGTH && memcmp(printed, text, size) == 0);
			paws_token_verify(&token, kinds[i], mint_key);
		}
		else
			others += wrong_kind;
	}
	MUST(taken <= 1 && others == (taken == 1 ? (int) KINDS - 1 : 0));
	free(text);
}

static void
unpack(const uint8_t *data, size_t size)
{
	uint8_t *wire = exact_copy(data, size);
	uint8_t packed[PAWS_TOKEN_WIRE_BYTES];
	int taken = 0;

	for (size_t i = 0; i < KINDS; i++)
	{
		PawsToken token;

		if (!paws_token_unpack(wire, size, kinds[i], &token))
			continue;
		taken++;
		paws_token_pack(&token, kinds[i], packed);
		MUST(size == sizeof(packed) && memcmp(packed, wire, size) == 0);
		paws_token_verify(&token, kinds[i], mint_key);
	}
	MUST(taken <= 1);
	free(wire);
}

/* Kind, place, change, id. */
static void
print_and_change(const uint8_t *data, size_t size)
{
	char text[PAWS_TOKEN_TEXT_LENGTH + 1];
	uint8_t wire[PAWS_TOKEN_WIRE_BYTES];
	PawsTokenKind kind;
	PawsToken token;
	PawsToken again;
	bool wrong_kind;

	if (size < 3 + PAWS_TOKEN_ID_BYTES)
		return;
	kind = kinds[data[0] % KINDS];
	memcpy(token.id, data + 3, PAWS_TOKEN_ID_BYTES);
	paws_token_mint(&token, kind, data[0], mint_key);

	paws_token_print(&token, kind, text);
	MUST(strlen(text) == PAWS_TOKEN_TEXT_LENGTH);
	MUST(paws_token_parse(text, PAWS_TOKEN_TEXT_LENGTH, kind, &again, &wrong_kind));
	MUST(memcmp(&token, &again, sizeof(token)) == 0 && paws_token_verify(&again, kind, mint_key));
	text[data[1] % PAWS_TOKEN_TEXT_LENGTH] = (char) (text[data[1] % PAWS_TOKEN_TEXT_LENGTH] ^ data[2]);
	MUST(paws_token_parse(text, PAWS_TOKEN_TEXT_LENGTH, kind, &again, &wrong_kind) == (data[2] == 0));

	paws_token_pack(&token, kind, wire);
	wire[data[1] % sizeof(wire)] ^= data[2];
	MUST(paws_token_unpack(wire, sizeof(wire), kind, &again) == (data[2] == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readings[])(const uint8_t *, size_t) = {parse, unpack, print_and_change};

	if (size > 0)
		readings[data[0] % (sizeof(readings) / sizeof(readings[0]))](data + 1, size - 1);
	return 0;
}
