/*
 * guard/audit_row.h - what one audit row is made of, and how it is authenticated, without PostgreSQL.
 *
 * All logs have rows of one form, so that one sealer reads them: no text, no value of anybody, numbers of
 * closed vocabularies (guard/codes.h), pseudonyms and digests. A row is encoded into 180 bytes, which are
 * what a leaf of a log is over:
 *
 *   offset  bytes
 *        0      4  "PWA", version of this form (1)
 *        4     12  log, operation, object, class, tier, result: 2 each; 0 where there is none
 *       16      8  number: what the operation counts (see PawsAuditOperation)
 *       24      8  full id of the transaction
 *       32      8  time, in microseconds since 2000, as coarse as its clock says
 *       40      8  chain
 *       48      4  place in the chain, from 0
 *       52     16  actor: pseudonym of the role that called
 *       68     16  subject: pseudonym; zeros where the row is about nobody
 *       84     32  context: of a subscription, where the log may know one; else zeros
 *      116     32  digest of the object before; zeros where there was none, or nobody read it
 *      148     32  digest of the object after; zeros where there is none
 *
 * Numbers are big-endian. The MAC stands beside the encoding and is no part of it: it may come later.
 *
 * A chain is what one process writes into one log: its rows are numbered without gaps, so a row that is taken
 * out of the middle is missed, and no process waits for another one to number them. It ends after
 * PAWS_AUDIT_CHAIN_ROWS rows, and with a rollback. Rows of all chains are ordered by (transaction, chain,
 * place). Each chain begins with a key of its own, BLAKE2b-256 keyed with the log's key over "paws_sync audit
 * chain v1" ‖ log (2) ‖ chain (8); the key of the next place is BLAKE2b-256 keyed with the last one over
 * "paws_sync audit next v1", and the last one is wiped: whoever reads a process's memory finds no key there
 * of what was written before. MAC: BLAKE2b-256 keyed with the key of the place over the 180 bytes.
 *
 * Pseudonyms and digests are BLAKE2b keyed with a salt, over a label and the epoch: a month. Whoever deletes
 * a subject's salt leaves rows that say nothing of whom they were about, and verify as before.
 *
 * Pure C: needs libsodium, never calls the server.
 */
#ifndef PAWS_GUARD_AUDIT_ROW_H
#define PAWS_GUARD_AUDIT_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAWS_AUDIT_ROW_BYTES       180
#define PAWS_AUDIT_PSEUDONYM_BYTES 16
#define PAWS_AUDIT_DIGEST_BYTES    32
#define PAWS_AUDIT_MAC_BYTES       32
#define PAWS_AUDIT_KEY_BYTES       32
#define PAWS_AUDIT_SALT_BYTES      32
#define PAWS_AUDIT_CHAIN_ROWS      4096

typedef struct PawsAuditRow
{
	uint16_t log;       /* a PawsAuditLog */
	uint16_t operation; /* a PawsAuditOperation */
	uint16_t object;    /* a PawsAuditObject */
	uint16_t klass;     /* a PawsClass */
	uint16_t tier;      /* a PawsTier; the crisis lane knows none */
	uint16_t result;    /* of the vocabulary that goes with the operation */
	int64_t number;
	uint64_t xact;
	int64_t at;
	int64_t chain;
	int32_t place;
	uint8_t actor[PAWS_AUDIT_PSEUDONYM_BYTES];
	uint8_t subject[PAWS_AUDIT_PSEUDONYM_BYTES];
	uint8_t context[PAWS_AUDIT_DIGEST_BYTES];
	uint8_t before[PAWS_AUDIT_DIGEST_BYTES];
	uint8_t after[PAWS_AUDIT_DIGEST_BYTES];
} PawsAuditRow;

extern void paws_audit_encode(const PawsAuditRow *row, uint8_t bytes[PAWS_AUDIT_ROW_BYTES]);

/* The key of a chain's first place, from the key of the log. The caller wipes both. */
extern void paws_audit_chain_key(const uint8_t log_key[PAWS_AUDIT_KEY_BYTES], uint16_t log, int64_t chain,
								 uint8_t key[PAWS_AUDIT_KEY_BYTES]);

/* Replaces the key of a place by that of the next one. */
extern void paws_audit_next_key(uint8_t key[PAWS_AUDIT_KEY_BYTES]);

extern void paws_audit_mac(const PawsAuditRow *row, const uint8_t key[PAWS_AUDIT_KEY_BYTES],
						   uint8_t mac[PAWS_AUDIT_MAC_BYTES]);

/* The epoch of a time (microseconds since 2000): months of 30 days since then. */
extern int32_t paws_audit_epoch(int64_t at);

/* Whose pseudonym: a role that calls, or a person. */
typedef enum PawsPseudonym
{
	PAWS_PSEUDONYM_ACTOR = 1,
	PAWS_PSEUDONYM_SUBJECT = 2
} PawsPseudonym;

/* BLAKE2b-128 keyed with the salt over "paws_sync audit name v1" ‖ kind (1) ‖ log (2) ‖ epoch (4) ‖ id. */
extern void paws_audit_pseudonym(PawsPseudonym kind, uint16_t log, int32_t epoch,
								 const uint8_t salt[PAWS_AUDIT_SALT_BYTES], const uint8_t *id, size_t length,
								 uint8_t pseudonym[PAWS_AUDIT_PSEUDONYM_BYTES]);

/* What an object is, to be digested: some bytes of fixed order, and then others that need not be copied. */
typedef struct PawsAuditContent
{
	const void *bytes; /* NULL: there is no object */
	size_t length;
	const void *more; /* may be NULL */
	size_t more_length;
} PawsAuditContent;

/* BLAKE2b-256 keyed with the salt over "paws_sync audit object v1" ‖ object (2) ‖ length (4) ‖ bytes ‖ more;
 * zeros where there is no object. */
extern void paws_audit_digest(uint16_t object, const uint8_t salt[PAWS_AUDIT_SALT_BYTES],
							  const PawsAuditContent *content, uint8_t digest[PAWS_AUDIT_DIGEST_BYTES]);

#endif
