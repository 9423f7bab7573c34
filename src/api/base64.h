/*
 * api/base64.h - reading base64.
 */
#ifndef PAWS_API_BASE64_H
#define PAWS_API_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes standard base64 with padding; white space is skipped, since encoders, the server's own too, break
 * lines. `out` has room for as many bytes as the text has, and one more. False if it is anything else.
 */
extern bool paws_base64_decode(const char *text, size_t length, uint8_t *out, size_t *decoded);

#endif
