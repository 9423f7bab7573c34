/*
 * fields.h - arithmetic in the two fields that message authentication works in: integers modulo 2^130 - 5
 * (Poly1305) and GF(2^128) with GCM's bit order. Slow and plain; for tests only.
 */
#ifndef PAWS_TEST_FIELDS_H
#define PAWS_TEST_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number below 2^130 - 5, least significant word first. */
typedef struct Prime130
{
	uint64_t word[3];
} Prime130;

/* Up to 17 bytes, least significant first, below 2^130 + something: reduced. */
extern Prime130 prime130_from(const uint8_t *bytes, size_t length);
extern Prime130 prime130_power2(int exponent); /* 2^exponent */
extern Prime130 prime130_add(Prime130 a, Prime130 b);
extern Prime130 prime130_subtract(Prime130 a, Prime130 b);
extern Prime130 prime130_multiply(Prime130 a, Prime130 b);
extern Prime130 prime130_invert(Prime130 a);

/* The number as 16 bytes, least significant first; false if it is 2^128 or more. */
extern bool prime130_to16(Prime130 a, uint8_t bytes[16]);

/* An element of GF(2^128): bit 0 is the highest bit of byte 0. */
typedef struct Gf128
{
	uint8_t byte[16];
} Gf128;

extern Gf128 gf128_from(const uint8_t bytes[16]);
extern Gf128 gf128_add(Gf128 a, Gf128 b);
extern Gf128 gf128_multiply(Gf128 a, Gf128 b);
extern Gf128 gf128_invert(Gf128 a);
extern Gf128 gf128_root(Gf128 a); /* the square root: every element has one */

#endif
