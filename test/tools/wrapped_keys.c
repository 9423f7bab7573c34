/*
 * wrapped_keys.c - opens wrapped data keys with nothing but the roots and a keyring, as somebody would who came
 * by them and by the files of a database.
 *
 *	wrapped_keys KEYRING CARE_ROOT CRISIS_ROOT CONTEXTS open
 *	wrapped_keys KEYRING CARE_ROOT CRISIS_ROOT CONTEXTS scan FILE...
 *
 * CONTEXTS has a line for each data key, with what it is bound to:
 *
 *	HOME SUBJECT_NO KEY_ID VERSION EPOCH PUBLIC WRAPPED
 *
 * HOME is 0 (care) or 1 (crisis); bytes are hexadecimal, "-" stands for none. open prints for each line HOME,
 * SUBJECT_NO, KEY_ID and the key, or "-" where WRAPPED does not open.
 *
 * scan looks into files (of tables, or of the WAL, then without the headers of its pages) for whatever may be
 * a wrapped key, and tries it as the key of every context of its home under every epoch of the keyring,
 * whatever EPOCH and WRAPPED say. It prints HOME, SUBJECT_NO and KEY_ID of all that open, then "# blobs",
 * their number, "tries", theirs.
 *
 * The format of a wrapped key is that of src/vault/key_wrap.h, written down here anew.
 */
#define _GNU_SOURCE

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vault/keyring_format.h"
#include "vault/keyring_wrap.h"
#include "vault/purpose.h"
#include "vault/root_grammar.h"

#define WRAPPED      73
#define NONCE        24
#define BOUND        96
#define PAGE         8192
#define PAGE_HEADER  24
#define FIRST_HEADER 40 /* of the first page of a segment of WAL */

/* How far a wrapped key is from the beginning of its row. */
#define CARE_OFFSET   37
#define CRISIS_OFFSET 66

typedef struct Context
{
	int home;
	uint64_t subject_no;
	uint32_t version;
	uint32_t epoch;
	uint8_t key_id[16];
	uint8_t public_key[32];
	uint8_t wrapped[WRAPPED];
	bool has_wrapped;
	bool found;
} Context;

typedef struct Epoch
{
	int home;
	uint32_t number;
	uint8_t key[32];
} Epoch;

/* With what stands before it, where the ids are in a whole row of either table. */
typedef struct Blob
{
	uint8_t bytes[WRAPPED];
	uint8_t care_id[16];
	uint8_t crisis_id[16];
} Blob;

static Context *contexts;
static size_t ncontexts;
static Epoch epochs[PAWS_KEYRING_ENTRIES_MAX];
static int nepochs;
static Blob *blobs;
static size_t nblobs;
static size_t blobs_room;
static unsigned long tries;

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint8_t *
read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		fail(path);
	*length = (size_t) ftell(file);
	rewind(file);
	bytes = malloc(*length + 1);
	if (bytes == NULL || fread(bytes, 1, *length, file) != *length)
		fail(path);
	bytes[*length] = 0;
	fclose(file);
	return bytes;
}

static void
from_hex(const char *hex, uint8_t *bytes, size_t length)
{
	size_t got;

	if (strlen(hex) != 2 * length || sodium_hex2bin(bytes, length, hex, strlen(hex), NULL, &got, NULL) != 0 ||
		got != length)
	{
		fprintf(stderr, "bad hexadecimal digits: %s\n", hex);
		exit(1);
	}
}

static void
print_hex(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		printf("%02x", bytes[i]);
}

static void
read_contexts(const char *path)
{
	size_t length;
	char *text = (char *) read_file(path, &length);
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL)
	{
		char key_id[64], public_key[128], wrapped[256];
		Context *context;

		if (*line == '\0')
			continue;
		contexts = realloc(contexts, (ncontexts + 1) * sizeof(Context));
		context = &contexts[ncontexts++];
		memset(context, 0, sizeof(*context));
		if (sscanf(line, "%d %lu %63s %u %u %127s %255s", &context->home, &context->subject_no, key_id,
				   &context->version, &context->epoch, public_key, wrapped) != 7)
		{
			fprintf(stderr, "bad line: %s\n", line);
			exit(1);
		}
		from_hex(key_id, context->key_id, 16);
		if (strcmp(public_key, "-") != 0)
			from_hex(public_key, context->public_key, 32);
		context->has_wrapped = strcmp(wrapped, "-") != 0;
		if (context->has_wrapped)
			from_hex(wrapped, context->wrapped, WRAPPED);
	}
	free(text);
}

/* The epochs of one root that open under one of its ids. */
static void
read_epochs(const PawsKeyringFile *keyring, int home, const char *root_path)
{
	PawsRootEntry roots[PAWS_ROOT_IDS_MAX];
	size_t length;
	uint8_t *text = read_file(root_path, &length);
	int nroots;

	if (paws_root_parse(text, length, roots, &nroots) != NULL)
	{
		fprintf(stderr, "bad root: %s\n", root_path);
		exit(1);
	}
	for (int i = 0; i < keyring->entries; i++)
	{
		const PawsKeyringLine *line = &keyring->lines[i];

		if (line->kind != PAWS_KEYRING_EPOCH || line->root != home + 1)
			continue;
		for (int j = 0; j < nroots; j++)
		{
			uint8_t wrap_key[32];

			paws_purpose_key(roots[j].key, "keyring wrap", wrap_key);
			if (roots[j].id == line->root_id && paws_keyring_unwrap(line, epochs[nepochs].key, wrap_key))
			{
				epochs[nepochs].home = home;
				epochs[nepochs++].number = line->number;
			}
		}
	}
	free(text);
}

static uint8_t *
put(uint8_t *at, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		*at++ = (uint8_t) (value >> (8 * i));
	return at;
}

static bool
open_key(const uint8_t wrapped[WRAPPED], const Context *context, const Epoch *epoch, uint8_t key[32])
{
	uint8_t bound[BOUND] = "paws_sync data key v2";
	uint8_t *at = put(bound + 24, context->subject_no, 8);

	at = put(at, context->version, 4);
	at = put(at, epoch->number, 4);
	memcpy(at, context->key_id, 16);
	memcpy(at + 16, context->public_key, 32);
	at[48] = (uint8_t) context->home;
	at[49] = context->home == 1 ? 2 : 1; /* purpose: payload, or crisis */
	at[50] = 2;                          /* version of the form */
	tries++;
	return wrapped[0] == 2 && crypto_aead_xchacha20poly1305_ietf_decrypt(
								  key, NULL, NULL, wrapped + 1 + NONCE, WRAPPED - 1 - NONCE, bound, BOUND,
								  wrapped + 1, epoch->key) == 0;
}

static void
open_all(void)
{
	for (size_t i = 0; i < ncontexts; i++)
	{
		uint8_t key[32];
		bool opened = false;

		for (int j = 0; j < nepochs && contexts[i].has_wrapped && !opened; j++)
			opened = epochs[j].home == contexts[i].home && epochs[j].number == contexts[i].epoch &&
					 open_key(contexts[i].wrapped, &contexts[i], &epochs[j], key);
		printf("%d %lu ", contexts[i].home, contexts[i].subject_no);
		print_hex(contexts[i].key_id, 16);
		putchar(' ');
		if (opened)
			print_hex(key, 32);
		else
			putchar('-');
		putchar('\n');
	}
}

/* The pages of a segment of WAL one after another, so that what goes on on the next page is whole. */
static size_t
join_pages(uint8_t *bytes, size_t length)
{
	size_t joined = 0;

	for (size_t page = 0; page < length; page += PAGE)
	{
		size_t header = page == 0 ? FIRST_HEADER : PAGE_HEADER;
		size_t count = length - page < PAGE ? length - page : PAGE;

		if (count <= header)
			break;
		memmove(bytes + joined, bytes + page + header, count - header);
		joined += count - header;
	}
	return joined;
}

static bool
is_wal(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name == NULL ? path : name + 1;
	return strlen(name) == 24 && strspn(name, "0123456789ABCDEF") == 24;
}

/* In a table's row the length of a short value stands before it, in one byte. */
static void
scan(const char *path)
{
	size_t length;
	uint8_t *bytes = read_file(path, &length);

	if (is_wal(path))
		length = join_pages(bytes, length);
	for (size_t i = CRISIS_OFFSET; i + WRAPPED <= length; i++)
	{
		if (bytes[i] != 2 || bytes[i - 1] != ((WRAPPED + 1) << 1 | 1))
			continue;
		if (nblobs == blobs_room)
			blobs = realloc(blobs, (blobs_room = 2 * blobs_room + 1024) * sizeof(Blob));
		memcpy(blobs[nblobs].bytes, bytes + i, WRAPPED);
		memcpy(blobs[nblobs].care_id, bytes + i - CARE_OFFSET, 16);
		memcpy(blobs[nblobs++].crisis_id, bytes + i - CRISIS_OFFSET, 16);
	}
	free(bytes);
}

static int
compare_blobs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(Blob));
}

static void
drop_repeated(void)
{
	size_t kept = 0;

	qsort(blobs, nblobs, sizeof(Blob), compare_blobs);
	for (size_t i = 0; i < nblobs; i++)
		if (kept == 0 || compare_blobs(&blobs[kept - 1], &blobs[i]) != 0)
			blobs[kept++] = blobs[i];
	nblobs = kept;
}

static int
compare_contexts(const void *a, const void *b)
{
	return memcmp(((const Context *) a)->key_id, ((const Context *) b)->key_id, 16);
}

static bool
try_context(const Blob *blob, Context *context)
{
	uint8_t key[32];

	for (int j = 0; j < nepochs && context != NULL; j++)
		if (epochs[j].home == context->home && open_key(blob->bytes, context, &epochs[j], key))
			return context->found = true;
	return false;
}

static Context *
find_context(const uint8_t key_id[16])
{
	Context wanted;

	memcpy(wanted.key_id, key_id, 16);
	return bsearch(&wanted, contexts, ncontexts, sizeof(Context), compare_contexts);
}

/* First as the key whose row it is in; the WAL of an update may have left that away. */
static void
try_blob(const Blob *blob)
{
	Context *care = find_context(blob->care_id);
	Context *crisis = find_context(blob->crisis_id);

	if (try_context(blob, care) || try_context(blob, crisis) || care != NULL || crisis != NULL)
		return;
	for (size_t i = 0; i < ncontexts; i++)
		if (try_context(blob, &contexts[i]))
			return;
}

int
main(int argc, char **argv)
{
	static PawsKeyringFile keyring;
	size_t length;
	uint8_t *text;

	if (argc < 6 || sodium_init() < 0)
		return 2;
	text = read_file(argv[1], &length);
	if (paws_keyring_parse((const char *) text, length, &keyring) != PAWS_KEYRING_GOOD)
	{
		fprintf(stderr, "bad keyring: %s\n", argv[1]);
		return 1;
	}
	read_epochs(&keyring, 0, argv[2]);
	read_epochs(&keyring, 1, argv[3]);
	read_contexts(argv[4]);
	if (strcmp(argv[5], "open") == 0)
	{
		open_all();
		return 0;
	}
	for (int i = 6; i < argc; i++)
		scan(argv[i]);
	drop_repeated();
	qsort(contexts, ncontexts, sizeof(Context), compare_contexts);
	for (size_t i = 0; i < nblobs; i++)
		try_blob(&blobs[i]);
	for (size_t i = 0; i < ncontexts; i++)
	{
		if (!contexts[i].found)
			continue;
		printf("%d %lu ", contexts[i].home, contexts[i].subject_no);
		print_hex(contexts[i].key_id, 16);
		putchar('\n');
	}
	printf("# blobs %zu tries %lu\n", nblobs, tries);
	return 0;
}
