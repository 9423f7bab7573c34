/*
 * guard/audit_chain.c - places in chains, and the keys that move on with them.
 */
#include "postgres.h"

#include <sodium.h>

#include "access/xact.h"
#include "base/commit.h"
#include "base/spi.h"
#include "guard/audit_chain.h"
#include "miscadmin.h"
#include "vault/secret.h"

#define LOGS (PAWS_AUDIT_LOG_LAST + 1)

/* One for each log. */
typedef struct Chain
{
	Oid identity; /* of the extension that it was begun in; InvalidOid: none is open */
	bool keyed;
	int64 chain;
	int32 place; /* of the next row */
	uint8 *key;  /* in memory for secrets, once taken */
} Chain;

static Chain chains[LOGS];

/* What it numbered was rolled back: no further row may follow in it. */
static void
end_chain(void *arg)
{
	chains[*(PawsAuditLog *) arg].identity = InvalidOid;
}

static void
start_key(const PawsAuditBook *book, int64 chain, uint8 key[PAWS_AUDIT_KEY_BYTES])
{
	uint8 log_key[PAWS_AUDIT_KEY_BYTES];

	paws_vault_purpose_key(book->root, book->label, log_key);
	paws_audit_chain_key(log_key, book->log, chain, key);
	sodium_memzero(log_key, sizeof(log_key));
}

static void
begin_chain(const PawsAuditBook *book, Chain *chain, bool keyed)
{
	if (keyed && chain->key == NULL)
		chain->key = paws_secret_take(PAWS_AUDIT_KEY_BYTES);
	randombytes_buf(&chain->chain, sizeof(chain->chain));
	chain->chain &= PG_INT64_MAX;
	chain->place = 0;
	chain->keyed = keyed;
	if (keyed)
		start_key(book, chain->chain, chain->key);
	chain->identity = paws_extension_identity();
}

static Chain *
open_chain(const PawsAuditBook *book)
{
	Chain *chain = &chains[book->log];
	bool keyed = paws_vault_usable(book->root);
	PawsAuditLog *log;

	if (keyed)
		paws_secret_relock();
	if (!OidIsValid(chain->identity) || chain->identity != paws_extension_identity() ||
		chain->keyed != keyed || chain->place >= PAWS_AUDIT_CHAIN_ROWS)
		begin_chain(book, chain, keyed);
	log = paws_at_abort(end_chain, sizeof(PawsAuditLog));
	*log = book->log;
	return chain;
}

/* Whoever called, also where functions run with their owner's rights. */
static void
name_actor(PawsAuditRow *row, const uint8 salt[PAWS_AUDIT_SALT_BYTES])
{
	Oid role = GetSessionUserId();
	uint8 id[4] = {role >> 24, role >> 16, role >> 8, role};

	paws_audit_pseudonym(PAWS_PSEUDONYM_ACTOR, row->log, paws_audit_epoch(row->at), salt, id, sizeof(id),
						 row->actor);
}

bool
paws_audit_stamp(const PawsAuditBook *book, PawsAuditRow *row, const uint8 salt[PAWS_AUDIT_SALT_BYTES],
				 TimestampTz now, uint8 mac[PAWS_AUDIT_MAC_BYTES])
{
	Chain *chain = open_chain(book);

	row->log = book->log;
	row->xact = U64FromFullTransactionId(GetTopFullTransactionId());
	row->at = paws_manifest_time(book->clock, row->tier, now);
	row->chain = chain->chain;
	row->place = chain->place++;
	name_actor(row, salt);
	if (!chain->keyed)
		return false;
	paws_audit_mac(row, chain->key, mac);
	paws_audit_next_key(chain->key);
	return true;
}

void
paws_audit_expected(PawsAuditReader *reader, const PawsAuditRow *row, uint8 mac[PAWS_AUDIT_MAC_BYTES])
{
	if (!reader->begun || reader->chain != row->chain || reader->place > row->place)
	{
		start_key(reader->book, row->chain, reader->key);
		reader->chain = row->chain;
		reader->place = 0;
		reader->begun = true;
	}
	/* a stored place may be anything */
	for (; reader->place < Min(row->place, PAWS_AUDIT_CHAIN_ROWS); reader->place++)
		paws_audit_next_key(reader->key);
	paws_audit_mac(row, reader->key, mac);
}

void
paws_audit_reader_end(PawsAuditReader *reader)
{
	sodium_memzero(reader->key, sizeof(reader->key));
}
