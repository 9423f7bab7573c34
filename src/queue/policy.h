/*
 * queue/policy.h - level, target and limits by class and tier.
 *
 * Read from tables, cached in the process, read anew when somebody changed them. Needs SPI connected.
 */
#ifndef PAWS_QUEUE_POLICY_H
#define PAWS_QUEUE_POLICY_H

#include "postgres.h"
#include "guard/codes.h"

typedef struct PawsPolicy
{
	int16 level;
	int32 target_ms;
} PawsPolicy;

typedef struct PawsTierPolicy
{
	int32 ops_per_second;
	int32 ops_burst;
	int64 bytes_per_second;
	int64 bytes_burst;
	int32 max_payload; /* bytes */
	int32 max_devices;
	int32 offline_hours;
	int16 compression; /* a PawsCodec, for collections that are compressible */
	int16 compression_level;
} PawsTierPolicy;

/* Good until the next call. */
extern const PawsPolicy *paws_policy(PawsClass klass, PawsTier tier);
extern const PawsTierPolicy *paws_tier_policy(PawsTier tier);

/* The target in ms from the last policy this process read, without SPI; 0 before it read any. */
extern int32 paws_policy_known_target(PawsClass klass, PawsTier tier);

#endif
