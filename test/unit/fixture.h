/*
 * fixture.h - keys, context and randomness that the tests of envelopes share; vectors.py has the same.
 */
#ifndef PAWS_TEST_FIXTURE_H
#define PAWS_TEST_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "tap.h"
#include "vault/envelope.h"

#define SUITES 5

/* What one envelope is sealed and opened with; change a field to see it refused. */
typedef struct Fixture
{
	PawsDataKey key;
	PawsOuterKey outer;
	PawsEnvelopeContext context;
	uint8_t suite;
	PawsCodec codec;
} Fixture;

/* Where the parts of an envelope stand. The inner ones are seen only by who has the outer key. */
typedef struct Layout
{
	size_t unique; /* nonce, salt or sealed box of the only layer, or of the outer one */
	size_t unique_length;
	size_t commitment;
	size_t body;
	size_t overhead; /* all but the padded plaintext */
} Layout;

extern const uint8_t all_suites[SUITES];
extern const char known_payload[];

/* The known keys and context, for this suite. */
extern Fixture fixture(uint8_t suite);

extern Layout layout(uint8_t suite);

/* True if the suite works on this processor; else a test is skipped for it. */
extern bool suite_here(uint8_t suite);

/* "0x12: TEXT", in static memory, for the name of a test. */
extern const char *suite_name(uint8_t suite, const char *text);

/* From now on the system's randomness is c0 c1 c2 …; and is itself again. */
extern void known_randomness(void);
extern void real_randomness(void);

/* Seals a payload, exactly as long as it is; free it. NULL if it cannot be sealed. */
extern uint8_t *seal(const Fixture *with, const void *payload, size_t payload_length, size_t *length);

/* The known payload, sealed. */
extern uint8_t *seal_known(const Fixture *with, size_t *length);

/* True if the envelope does not open and the output is wiped, but nothing beyond it is written. */
extern bool refuses(const Fixture *with, const uint8_t *envelope, size_t length);

/* True if it opens to this payload, and nothing else is left behind. */
extern bool opens_to(const Fixture *with, const uint8_t *envelope, size_t length, const void *payload,
					 size_t payload_length);

#endif
