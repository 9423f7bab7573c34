/*
 * guard/audit_chain.h - the chains of audit rows that this process writes, one for each log.
 *
 * What is common to all logs is filled in here; who keeps a log gives the rest, and the table.
 */
#ifndef PAWS_GUARD_AUDIT_CHAIN_H
#define PAWS_GUARD_AUDIT_CHAIN_H

#include "postgres.h"
#include "guard/audit_row.h"
#include "guard/codes.h"
#include "guard/manifest.h"
#include "vault/vault.h"

/* Whether a row has its MAC. */
typedef enum PawsAuditKeyed
{
	PAWS_AUDIT_UNKEYED = 0, /* it was written without keys, and has none yet */
	PAWS_AUDIT_KEYED = 1,   /* from its beginning */
	PAWS_AUDIT_KEYED_LATE = 2
} PawsAuditKeyed;

/* A log: whose root keeps it, and how fine its times are. A static of the room that keeps it. */
typedef struct PawsAuditBook
{
	PawsAuditLog log;
	PawsRoot root;
	const char *label; /* of the log's key, as in paws_vault_purpose_key */
	PawsClock clock;
} PawsAuditBook;

/*
 * Gives a row its transaction, time, actor, chain and place, and then its MAC: true. False without usable
 * keys: then it has a place in a chain, but no MAC. All else of the row is filled in already, but for
 * `actor`: it is the pseudonym of the session's role, keyed with `salt`. The row must be written in the
 * current (sub)transaction: its rollback ends the chain. Errors 0A000 at PREPARE TRANSACTION. Needs SPI
 * connected.
 */
extern bool
paws_audit_stamp(const PawsAuditBook *book, PawsAuditRow *row, const uint8 salt[PAWS_AUDIT_SALT_BYTES],
				 TimestampTz now, uint8 mac[PAWS_AUDIT_MAC_BYTES]);

/*
 * For whoever reads a log in the order of chains and places: the MAC that a row must have. It remembers the
 * chain and its key, so that rows in order cost a hash each. Needs the keys of the book's root. End wipes.
 */
typedef struct PawsAuditReader
{
	const PawsAuditBook *book;
	bool begun;
	int64 chain;
	int32 place; /* that the key is for */
	uint8 key[PAWS_AUDIT_KEY_BYTES];
} PawsAuditReader;

extern void
paws_audit_expected(PawsAuditReader *reader, const PawsAuditRow *row, uint8 mac[PAWS_AUDIT_MAC_BYTES]);
extern void paws_audit_reader_end(PawsAuditReader *reader);

#endif
