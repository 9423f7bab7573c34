/*
 * vault/seal.c - sealing and opening payloads of subjects.
 *
 * Whatever is wrong with an envelope, the answer is the same one: NULL.
 */
#include "postgres.h"

#include <sodium.h>

#include "access/xact.h"

#include "base/commit.h"
#include "base/errors.h"
#include "vault/compress.h"
#include "vault/data_key.h"
#include "vault/key_wrap.h"
#include "vault/outer_key.h"
#include "vault/secret.h"
#include "vault/supersede.h"
#include "vault/vault.h"

static bool
has_outer_layer(uint8_t suite)
{
	return suite == PAWS_SUITE_LAYERED || suite == PAWS_SUITE_SEALED_LAYERED;
}

/* A crisis write needs no secret. It gets the outer layer whenever its key is at hand. */
static uint8_t
crisis_suite(void)
{
	if (paws_suite_available(PAWS_SUITE_SEALED_LAYERED) && paws_vault_usable(PAWS_ROOT_CRISIS))
		return PAWS_SUITE_SEALED_LAYERED;
	return PAWS_SUITE_SEALED;
}

bool
paws_vault_can_seal(uint8_t suite)
{
	return paws_suite_available(suite) && paws_vault_ready(PAWS_ROOT_CARE) &&
		   (!has_outer_layer(suite) || paws_vault_usable(PAWS_ROOT_CRISIS));
}

/* There is no secret in it, and it may fail: so it is asked for first. */
static void
find_outer_key(PawsKeyHome home, uint8_t suite, PawsOuterKey *outer)
{
	memset(outer, 0, sizeof(*outer));
	if (has_outer_layer(suite))
		paws_outer_key(home, outer);
}

/* Whatever needs a key is asked for before any is in this process's hands. */
static void
require_to_seal(PawsKeyHome home, uint8_t suite, PawsOuterKey *outer)
{
	if (!paws_suite_available(suite))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("this machine has no AES instructions"),
				 errdetail("AES-256-GCM is not used without them."),
				 errhint("Define the collection with sealing \"standard\".")));
	if (home == PAWS_KEYS_CARE && has_outer_layer(suite))
		paws_vault_require_usable(PAWS_ROOT_CRISIS);
	find_outer_key(home, suite, outer);
}

/* What the codecs keep for their next call holds parts of payloads: no longer than a transaction. */
static void
at_transaction_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		paws_compress_forget();
}

static void
forget_at_end(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(at_transaction_event, NULL);
	registered = true;
}

/* What is sealed: the payload, or what compressing makes of it. */
typedef struct Stored
{
	PawsCodec codec;
	const uint8_t *bytes;
	size_t length;
	uint8_t *buffer; /* of the codec, NULL without */
} Stored;

static void
compress_payload(Stored *stored, const PawsSealForm *form, const uint8_t *payload, size_t length)
{
	*stored = (Stored){.codec = PAWS_CODEC_NONE, .bytes = payload, .length = length};
	if (form == NULL || form->codec == PAWS_CODEC_NONE || length == 0)
		return;
	forget_at_end();
	stored->buffer = palloc(length);
	stored->length = paws_compress(form->codec, form->level, payload, length, stored->buffer, length);
	if (stored->length > 0)
	{
		stored->codec = form->codec;
		stored->bytes = stored->buffer;
	}
	else
		stored->length = length;
}

static void
wipe_stored(Stored *stored, size_t payload_length)
{
	if (stored->buffer == NULL)
		return;
	sodium_memzero(stored->buffer, payload_length);
	pfree(stored->buffer);
}

/* Room for the envelope. Taken before a key is on the stack, since without memory that would stay there. */
static bytea *
make_room(uint8_t suite, size_t stored_length)
{
	Size size = VARHDRSZ + paws_envelope_size(suite, stored_length);
	bytea *envelope = palloc(size);

	SET_VARSIZE(envelope, size);
	return envelope;
}

/* Seals into an envelope from make_room, and wipes the key. */
static void
seal_into(bytea *envelope, uint8_t suite, const PawsOuterKey *outer, PawsDataKey *key,
		  const PawsEnvelopeContext *context, const Stored *stored)
{
	PawsSealing sealing = {.suite = suite, .key = key, .outer = outer, .codec = stored->codec};
	bool sealed;

	sealed =
		paws_envelope_seal((uint8_t *) VARDATA(envelope), &sealing, context, stored->bytes, stored->length);
	sodium_memzero(key, sizeof(*key));
	if (!sealed)
		ereport(ERROR, (errcode(PAWS_ERRCODE_ENVELOPE), errmsg("payload could not be sealed")));
}

bytea *
paws_vault_seal(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context,
				const PawsSealForm *form, const uint8_t *payload, size_t length)
{
	uint8_t suite = home == PAWS_KEYS_CRISIS ? crisis_suite() : form->suite;
	PawsOuterKey outer;
	PawsDataKey key;
	Stored stored;
	bytea *envelope;

	if (length > PAWS_PAYLOAD_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("payload is too large to be sealed")));
	require_to_seal(home, suite, &outer);
	compress_payload(&stored, home == PAWS_KEYS_CRISIS ? NULL : form, payload, length);
	envelope = make_room(suite, stored.length);
	paws_data_key_to_seal(home, subject_no, &key);
	seal_into(envelope, suite, &outer, &key, context, &stored);
	wipe_stored(&stored, length);
	return envelope;
}

/*
 * Turns what was sealed into the payload; NULL if it is not what its codec makes. `stored` is wiped and freed
 * if it is not the answer itself. The crisis lane never compresses, and anybody may seal to a public key:
 * what claims to be compressed there is not restored.
 */
static bytea *
finish_opening(PawsKeyHome home, bytea *stored, PawsCodec codec, size_t length)
{
	const uint8_t *bytes = (const uint8_t *) VARDATA(stored);
	bytea *payload = NULL;
	size_t raw;

	if (codec == PAWS_CODEC_NONE)
	{
		SET_VARSIZE(stored, VARHDRSZ + length);
		return stored;
	}
	if (home == PAWS_KEYS_CARE && paws_compressed_raw_length(codec, bytes, length, &raw) &&
		raw <= PAWS_PAYLOAD_MAX)
	{
		payload = palloc(VARHDRSZ + raw);
		SET_VARSIZE(payload, VARHDRSZ + raw);
		forget_at_end();
		if (!paws_decompress(codec, bytes, length, (uint8_t *) VARDATA(payload), raw))
		{
			pfree(payload);
			payload = NULL;
		}
	}
	sodium_memzero(VARDATA(stored), length);
	pfree(stored);
	return payload;
}

/* What a header says, and the keys that it names. */
typedef struct Opening
{
	PawsEnvelopeName name;
	PawsDataKey key;
	PawsOuterKey outer;
} Opening;

/* True if it is an envelope of this home. */
static bool
read_name(PawsKeyHome home, const bytea *envelope, PawsEnvelopeName *name)
{
	return paws_envelope_name((const uint8_t *) VARDATA_ANY(envelope), VARSIZE_ANY_EXHDR(envelope), name) &&
		   name->purpose == paws_key_purpose(home) &&
		   (!has_outer_layer(name->suite) || paws_outer_key_is(name->outer_id));
}

bool
paws_vault_can_open(PawsKeyHome home, const bytea *envelope)
{
	PawsEnvelopeName name;

	if (!read_name(home, envelope, &name))
		return true;
	return paws_suite_available(name.suite) && paws_vault_usable(paws_vault_home_root(home)) &&
		   (!has_outer_layer(name.suite) || paws_vault_usable(PAWS_ROOT_CRISIS));
}

bool
paws_vault_is_ahead(PawsKeyHome home, int64 subject_no, const bytea *envelope)
{
	PawsEnvelopeName name;

	return read_name(home, envelope, &name) && paws_vault_key_is_ahead(home, subject_no, name.key_id);
}

/* Errors where paws_vault_can_open is false. */
static void
require_to_open(PawsKeyHome home, uint8_t suite)
{
	if (!paws_suite_available(suite))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("this machine has no AES instructions"),
				 errdetail("AES-256-GCM is not used without them, and what was sealed with it stays sealed."),
				 errhint("Move the database to a machine whose processor has them.")));
	paws_vault_require_usable(paws_vault_home_root(home));
	if (has_outer_layer(suite))
		paws_vault_require_usable(PAWS_ROOT_CRISIS);
}

static bool
find_keys(PawsKeyHome home, int64 subject_no, const bytea *envelope, Opening *opening)
{
	memset(opening, 0, sizeof(*opening));
	if (!read_name(home, envelope, &opening->name))
		return false;
	require_to_open(home, opening->name.suite);
	find_outer_key(home, opening->name.suite, &opening->outer);
	return paws_data_key_to_open(home, subject_no, opening->name.key_id, &opening->key);
}

/* Opens into a palloc'd bytea that has room for more than it holds; NULL on any defect. */
static bytea *
open_stored(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context, const bytea *envelope,
			PawsEnvelopeName *name, PawsCodec *codec, size_t *stored_length)
{
	const uint8_t *bytes = (const uint8_t *) VARDATA_ANY(envelope);
	size_t length = VARSIZE_ANY_EXHDR(envelope);
	bytea *stored = palloc(VARHDRSZ + length); /* before keys are on the stack */
	Opening opening;

	if (!find_keys(home, subject_no, envelope, &opening) ||
		!paws_envelope_open(bytes, length, &opening.key, &opening.outer, context, (uint8_t *) VARDATA(stored),
							codec, stored_length))
	{
		pfree(stored);
		stored = NULL;
	}
	*name = opening.name;
	sodium_memzero(&opening, sizeof(opening));
	return stored;
}

bytea *
paws_vault_open(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context, const bytea *envelope)
{
	PawsEnvelopeName name;
	PawsCodec codec;
	size_t length;
	bytea *stored = open_stored(home, subject_no, context, envelope, &name, &codec, &length);

	return stored != NULL ? finish_opening(home, stored, codec, length) : NULL;
}

bool
paws_vault_hint(const bytea *envelope, PawsVaultHint *hint)
{
	PawsEnvelopeName name;

	if (!read_name(PAWS_KEYS_CRISIS, envelope, &name))
		return false;
	memcpy(hint->key_id, name.key_id, sizeof(hint->key_id));
	paws_sealed_ephemeral(hint->ephemeral);
	return true;
}

static PawsEphemeralPair *pair_room = NULL;

static void
seal_ahead(void *arg)
{
	paws_sealed_make_ahead(pair_room);
}

void
paws_vault_seal_ahead_at_commit(void)
{
	/* without keys nothing secret is kept, and without room the pair is made when it is needed */
	if (crisis_suite() != PAWS_SUITE_SEALED_LAYERED)
		return;
	if (pair_room == NULL)
		pair_room = paws_secret_try_take(sizeof(*pair_room));
	if (pair_room != NULL)
		(void) paws_at_commit(seal_ahead, 0);
}

void
paws_vault_expect(int64 subject_no, const PawsVaultHint *hint)
{
	static PawsExpectedBox *room = NULL;
	PawsDataKey key;

	paws_sealed_expect_none();
	if (hint == NULL || !paws_vault_usable(PAWS_ROOT_CRISIS))
		return;
	if (room == NULL && (room = paws_secret_try_take(sizeof(*room))) == NULL)
		return;
	paws_secret_relock();
	if (paws_data_key_to_open(PAWS_KEYS_CRISIS, subject_no, hint->key_id, &key))
		paws_sealed_expect(room, hint->ephemeral, &key);
	sodium_memzero(&key, sizeof(key));
}

/* True if what opens an envelope is here, its data key as well. */
static bool
has_keys(PawsKeyHome home, int64 subject_no, const bytea *envelope)
{
	PawsEnvelopeName name;

	return read_name(home, envelope, &name) && paws_vault_can_open(home, envelope) &&
		   paws_vault_key_opens(home, subject_no, name.key_id);
}

bytea *
paws_vault_open_or_null(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context,
						const bytea *envelope)
{
	return has_keys(home, subject_no, envelope) ? paws_vault_open(home, subject_no, context, envelope) : NULL;
}

/* The key to seal with is looked for before anything is opened: it may fail, and nothing open must be left.
 */
bytea *
paws_vault_reseal(PawsKeyHome home, int64 subject_no, const PawsEnvelopeContext *context,
				  const bytea *envelope)
{
	PawsEnvelopeName name;
	PawsCodec codec;
	uint8_t suite;
	size_t length;
	bytea *opened;
	PawsOuterKey outer;
	PawsDataKey key;
	Stored stored;
	bytea *sealed = NULL;

	if (!has_keys(home, subject_no, envelope))
		return NULL;
	(void) read_name(home, envelope, &name);
	suite = home == PAWS_KEYS_CRISIS ? crisis_suite() : name.suite;
	find_outer_key(home, suite, &outer);
	paws_data_key_to_seal(home, subject_no, &key);
	opened = open_stored(home, subject_no, context, envelope, &name, &codec, &length);
	if (opened != NULL)
	{
		stored = (Stored){.codec = codec, .bytes = (const uint8_t *) VARDATA(opened), .length = length};
		sealed = make_room(suite, length);
		seal_into(sealed, suite, &outer, &key, context, &stored);
		sodium_memzero(VARDATA(opened), length);
		pfree(opened);
	}
	sodium_memzero(&key, sizeof(key));
	return sealed;
}
