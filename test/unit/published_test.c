/*
 * published_test.c - published vectors through the functions that the suites call: aead.h, kdf.h, and what
 * libsodium does for a sealed box and for derivation.
 *
 * PAWS_VECTORS names the file that published.py wrote; without one, or with none of a kind in it, the test
 * fails.
 */
#include "fixture.h"
#include "vault/aead.h"
#include "vault/kdf.h"

#define FIELDS 5

/* A line: bytes of its fields in memory of exactly their size. */
typedef struct Vector
{
	char source[32];
	char kind[32];
	bool valid;
	int fields;
	uint8_t *field[FIELDS];
	size_t length[FIELDS];
} Vector;

static void
free_vector(Vector *vector)
{
	for (int i = 0; i < vector->fields; i++)
		free(vector->field[i]);
}

static bool
read_field(Vector *vector, const char *hex)
{
	size_t digits = strcmp(hex, "-") == 0 ? 0 : strlen(hex);
	int i = vector->fields++;

	vector->field[i] = malloc(digits / 2 + (digits == 0));
	return digits == 0 ? (vector->length[i] = 0, true)
					   : sodium_hex2bin(vector->field[i], digits / 2, hex, digits, NULL, &vector->length[i],
										NULL) == 0 &&
							 2 * vector->length[i] == digits;
}

/* False if the line is not of the form. Cuts it up. */
static bool
read_vector(char *line, Vector *vector)
{
	char *rest = NULL;
	char *word = strtok_r(line, " \n", &rest);
	bool good = true;

	memset(vector, 0, sizeof(*vector));
	for (int i = 0; word != NULL && good; i++, word = strtok_r(NULL, " \n", &rest))
	{
		if (i == 0)
			snprintf(vector->source, sizeof(vector->source), "%s", word);
		else if (i == 1)
			snprintf(vector->kind, sizeof(vector->kind), "%s", word);
		else if (i == 2)
			good = (vector->valid = strcmp(word, "valid") == 0) || strcmp(word, "invalid") == 0;
		else
			good = vector->fields < FIELDS && read_field(vector, word);
	}
	return good && vector->fields >= 2;
}

typedef struct Cipher
{
	size_t nonce;
	bool (*seal)(uint8_t *, const uint8_t *, size_t, const uint8_t *, size_t, const uint8_t *,
				 const uint8_t *);
	bool (*open)(uint8_t *, const uint8_t *, size_t, const uint8_t *, size_t, const uint8_t *,
				 const uint8_t *);
} Cipher;

static bool
seal_xchacha(uint8_t *out, const uint8_t *plain, size_t length, const uint8_t *associated,
			 size_t associated_length, const uint8_t *nonce, const uint8_t *key)
{
	paws_aead_xchacha_seal(out, plain, length, associated, associated_length, nonce, key);
	return true;
}

static const Cipher xchacha = {PAWS_XCHACHA_NONCE_BYTES, seal_xchacha, paws_aead_xchacha_open};
static const Cipher gcm = {PAWS_GCM_NONCE_BYTES, paws_aead_gcm_seal, paws_aead_gcm_open};

/* Opens a sealed text of any length under key, nonce and associated data of the vector; into place if asked.
 */
static bool
opens(const Cipher *cipher, const Vector *vector, const uint8_t *sealed, size_t length, bool in_place,
	  uint8_t *out)
{
	const uint8_t *from = sealed;

	if (in_place)
		from = memcpy(out, sealed, length);
	return cipher->open(out, from, length, vector->field[2], vector->length[2], vector->field[1],
						vector->field[0]);
}

/* One bit of each field changed, and a byte less: all refused. */
static bool
changes_refused(const Cipher *cipher, const Vector *vector)
{
	uint8_t *out = malloc(vector->length[4]);
	bool refused = true;

	for (int field = 0; field < FIELDS; field++)
	{
		for (size_t i = 0; i < 8 && vector->length[field] > 0 && field != 3; i++)
		{
			uint8_t *byte = &vector->field[field][i * (vector->length[field] - 1) / 7];

			*byte ^= (uint8_t) (1 << i);
			refused = refused && !opens(cipher, vector, vector->field[4], vector->length[4], false, out);
			*byte ^= (uint8_t) (1 << i);
		}
	}
	for (size_t shorter = 0; shorter < vector->length[4]; shorter++)
		refused = refused && !opens(cipher, vector, vector->field[4], shorter, false, out);
	free(out);
	return refused;
}

static bool
try_aead(const Cipher *cipher, const Vector *vector)
{
	size_t length = vector->length[4];
	uint8_t *out = malloc(length);
	bool good =
		vector->fields == 5 && length >= 16 && vector->length[0] == 32 && vector->length[1] == cipher->nonce;

	for (int in_place = 0; in_place < 2 && good; in_place++)
	{
		good = opens(cipher, vector, vector->field[4], length, in_place, out) == vector->valid;
		if (!good || !vector->valid)
			continue;
		good = vector->length[3] == length - 16 && memcmp(out, vector->field[3], length - 16) == 0;
		memcpy(out, vector->field[3], length - 16);
		good = good &&
			   cipher->seal(out, in_place ? out : vector->field[3], length - 16, vector->field[2],
							vector->length[2], vector->field[1], vector->field[0]) &&
			   memcmp(out, vector->field[4], length) == 0;
	}
	free(out);
	return good && (!vector->valid || changes_refused(cipher, vector));
}

static bool
try_kdf(const Vector *vector)
{
	uint8_t out[PAWS_KDF_BYTES];
	PawsKdfKey from;

	paws_kdf_prepare(&from, vector->field[0], vector->length[0]);
	paws_kdf_counter(out, &from, vector->field[1], vector->length[1]);
	return vector->valid && vector->fields == 3 && vector->length[2] >= 16 &&
		   vector->length[2] <= sizeof(out) && memcmp(out, vector->field[2], vector->length[2]) == 0;
}

static bool
try_x25519(const Vector *vector)
{
	uint8_t shared[32];
	bool done = crypto_scalarmult(shared, vector->field[0], vector->field[1]) == 0;

	return vector->fields == 3 && vector->length[0] == 32 && vector->length[1] == 32 &&
		   done == vector->valid &&
		   (!done || (vector->length[2] == 32 && memcmp(shared, vector->field[2], 32) == 0));
}

static bool
try_blake2b(const Vector *vector)
{
	uint8_t digest[64];

	crypto_generichash(digest, sizeof(digest), vector->field[0], vector->length[0], NULL, 0);
	return vector->valid && vector->fields == 2 && vector->length[1] == 64 &&
		   memcmp(digest, vector->field[1], 64) == 0;
}

static bool
try_vector(const Vector *vector)
{
	if (strcmp(vector->kind, "xchacha") == 0)
		return try_aead(&xchacha, vector);
	if (strcmp(vector->kind, "gcm") == 0)
		return !paws_aead_gcm_available() || try_aead(&gcm, vector);
	if (strcmp(vector->kind, "kdf") == 0)
		return try_kdf(vector);
	if (strcmp(vector->kind, "x25519") == 0)
		return try_x25519(vector);
	return strcmp(vector->kind, "blake2b") == 0 && try_blake2b(vector);
}

/* How many of one source and kind, and how they went. */
typedef struct Tally
{
	char source[32];
	char kind[32];
	int valid;
	int invalid;
	int wrong;
} Tally;

static Tally *
tally_for(Tally *tallies, size_t count, const Vector *vector)
{
	for (size_t i = 0; i < count; i++)
	{
		if (tallies[i].kind[0] == '\0')
		{
			memcpy(tallies[i].source, vector->source, sizeof(tallies[i].source));
			memcpy(tallies[i].kind, vector->kind, sizeof(tallies[i].kind));
		}
		if (strcmp(tallies[i].source, vector->source) == 0 && strcmp(tallies[i].kind, vector->kind) == 0)
			return &tallies[i];
	}
	return NULL;
}

/* Tries every line of the file; false if one cannot be read. */
static bool
try_file(FILE *file, Tally *tallies, size_t count)
{
	char *line = NULL;
	size_t room = 0;
	bool good = true;

	while (good && getline(&line, &room, file) > 0)
	{
		Vector vector;
		Tally *tally;

		good = read_vector(line, &vector) && (tally = tally_for(tallies, count, &vector)) != NULL;
		if (good)
		{
			tally->valid += vector.valid;
			tally->invalid += !vector.valid;
			tally->wrong += !try_vector(&vector);
		}
		free_vector(&vector);
	}
	free(line);
	return good;
}

/* Sources without which the test proves nothing, and the least that they have to bring. */
static const struct
{
	const char *source;
	const char *kind;
	int valid;
	int invalid;
} needed[] = {{"cavp", "gcm", 500, 100},
			  {"go", "xchacha", 50, 0},
			  {"cavp", "kdf", 40, 0},
			  {"rfc7748", "x25519", 2, 0},
			  {"blake2", "blake2b", 5, 0}};

void
test_published_vectors(void)
{
	const char *path = getenv("PAWS_VECTORS");
	FILE *file = path == NULL ? NULL : fopen(path, "r");
	Tally tallies[16] = {0};
	char name[200];

	tap_ok(file != NULL && try_file(file, tallies, 16), "published vectors are there and can be read");
	if (file != NULL)
		fclose(file);
	for (size_t i = 0; i < 16 && tallies[i].kind[0] != '\0'; i++)
	{
		snprintf(name, sizeof(name), "published vectors of %s for %s: %d valid, %d invalid",
				 tallies[i].source, tallies[i].kind, tallies[i].valid, tallies[i].invalid);
		tap_ok(tallies[i].wrong == 0, name);
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
	{
		bool enough = false;

		for (size_t j = 0; j < 16; j++)
			enough =
				enough || (strcmp(tallies[j].source, needed[i].source) == 0 &&
						   strcmp(tallies[j].kind, needed[i].kind) == 0 &&
						   tallies[j].valid >= needed[i].valid && tallies[j].invalid >= needed[i].invalid);
		snprintf(name, sizeof(name), "there are enough of %s for %s", needed[i].source, needed[i].kind);
		tap_ok(enough, name);
	}
}
