/*
 * tap.h - prints one TAP line for each test.
 */
#ifndef PAWS_TEST_TAP_H
#define PAWS_TEST_TAP_H

#include <stdbool.h>
#include <stdio.h>

extern int tap_count;
extern int tap_failures;

static inline void
tap_ok(bool passed, const char *name)
{
	tap_count++;
	if (!passed)
		tap_failures++;
	printf("%sok %d - %s\n", passed ? "" : "not ", tap_count, name);
}

/* The suites, one in each *_test.c. */
extern void test_tokens(void);
extern void test_narrowing(void);
extern void test_padding(void);
extern void test_compression(void);
extern void test_base64(void);
extern void test_envelopes(void);
extern void test_attacks(void);
extern void test_collisions(void);
extern void test_published_vectors(void);
extern void test_keyrings(void);
extern void test_purposes(void);
extern void test_root_grammar(void);
extern void test_scheduling(void);
extern void test_audit_rows(void);

#endif
