/*
 * vault/certificate.h - the certificate of an erasure, as signed text.
 *
 * Lines of text; the last one, after an empty line, is the signature: an em dash, a space, "paws_sync", a
 * space, and base64 of Ed25519 over all bytes before the empty line's newline (the shape of a signed note,
 * https://c2sp.org/signed-note, without a key hash). The signing key is derived from care's base secret, so
 * it outlives roots; anybody with the public key can check it without a server.
 */
#ifndef PAWS_VAULT_CERTIFICATE_H
#define PAWS_VAULT_CERTIFICATE_H

#include "vault/erasure.h"

#define PAWS_CERTIFICATE_KEY_BYTES 32

/* The palloc'd signature over the certificate of a destroyed erasure. Errors 55000 without keys. */
extern bytea *paws_certificate_sign(const PawsErasure *erasure);

/* The palloc'd certificate of a certified erasure. */
extern char *paws_certificate_text(const PawsErasure *erasure);

/* True if this is a certificate of this installation, unchanged. Errors 55000 without keys. */
extern bool paws_certificate_verify(const char *text, size_t length);

/* The key that verifies. Errors 55000 without keys. */
extern void paws_certificate_public_key(uint8_t key[PAWS_CERTIFICATE_KEY_BYTES]);

#endif
