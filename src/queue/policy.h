/*
 * queue/policy.h - level, target and limits by class and tier.
 *
 * Read from tables, cached in the process, read anew when somebody changed them. Needs SPI connected.
 */
#ifndef PAWS_QUEUE_POLICY_H
#define PAWS_QUEUE_POLICY_H

#include "postgres.h"
#include "guard/codes.h"

/* How much one subject may move; a rate of 0 allows nothing. No padding: it is hashed. */
typedef struct PawsLimits
{
	int32 ops_per_second; /* pushed */
	int32 ops_burst;
	int64 bytes_per_second; /* of payloads that are pushed */
	int64 bytes_burst;
	int64 pull_bytes_per_second; /* of payloads that are pulled */
	int64 pull_bytes_burst;
} PawsLimits;

typedef struct PawsPolicy
{
	int16 level;
	int32 target_ms;
	bool own_limits;   /* an allowance of its own; else it has a part in the one of the tier */
	PawsLimits limits; /* in force for the class; none in the crisis lane */
} PawsPolicy;

typedef struct PawsTierPolicy
{
	PawsLimits limits;
	int32 max_payload; /* bytes */
	int32 max_devices;
	int32 offline_hours;
	int16 compression; /* a PawsCodec, for collections that are compressible */
	int16 compression_level;
} PawsTierPolicy;

/* Good until the next call. */
extern const PawsPolicy *paws_policy(PawsClass klass, PawsTier tier);
extern const PawsTierPolicy *paws_tier_policy(PawsTier tier);

/* The policies of all classes for a tier, by class; read together. */
extern void paws_policies(PawsTier tier, const PawsPolicy *policies[PAWS_CLASS_LAST + 1]);

/* The target in ms from the last policy this process read, without SPI; 0 before it read any. */
extern int32 paws_policy_known_target(PawsClass klass, PawsTier tier);

#endif
