/*
 * main.c - runs the unit tests of the parts that need no server.
 */
#include <sodium.h>

#include "tap.h"

int tap_count = 0;
int tap_failures = 0;

int
main(void)
{
	if (sodium_init() < 0)
	{
		printf("Bail out! libsodium cannot be initialised\n");
		return 1;
	}
	test_tokens();
	test_narrowing();
	test_padding();
	test_compression();
	test_base64();
	test_envelopes();
	test_attacks();
	test_collisions();
	test_published_vectors();
	test_keyrings();
	test_purposes();
	test_root_grammar();
	test_scheduling();
	test_audit_rows();
	printf("1..%d\n", tap_count);
	return tap_failures == 0 ? 0 : 1;
}
