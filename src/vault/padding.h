/*
 * vault/padding.h - the padded plaintext inside an envelope.
 *
 * Codec byte, length of what is stored (4 bytes, big-endian), what is stored, zeros up to paws_padded_length
 * of all before them. Pure C.
 */
#ifndef PAWS_VAULT_PADDING_H
#define PAWS_VAULT_PADDING_H

#include "vault/envelope.h"

#define PAWS_PADDING_HEADER_BYTES 5

/* Writes the padded plaintext; `out` has paws_padded_length(PAWS_PADDING_HEADER_BYTES + length) bytes, length
 * at most PAWS_STORED_MAX. */
extern void paws_padding_write(uint8_t *out, PawsCodec codec, const uint8_t *stored, size_t length);

/*
 * Checks padded plaintext; what is stored then begins at PAWS_PADDING_HEADER_BYTES. False, with the results
 * untouched, if the codec is unknown, the length belongs into another bucket, or a filling byte is not zero.
 */
extern bool paws_padding_read(const uint8_t *padded, size_t length, PawsCodec *codec, size_t *stored_length);

#endif
