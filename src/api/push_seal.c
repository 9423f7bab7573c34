/*
 * api/push_seal.c - the payload of an item becomes an envelope: how, collection and tier say.
 */
#include "postgres.h"

#include "api/answer.h"
#include "guard/codes.h"
#include "vault/vault.h"

static uint8
suite_of(PawsSealingPolicy sealing)
{
	switch (sealing)
	{
		case PAWS_SEALING_STANDARD:
		case PAWS_SEALING_CLIENT:
			return PAWS_SUITE_XCHACHA20;
		case PAWS_SEALING_AES:
			return PAWS_SUITE_AES256GCM;
		case PAWS_SEALING_LAYERED:
			return PAWS_SUITE_LAYERED;
	}
	return PAWS_SUITE_LAYERED;
}

bool
paws_push_can_seal(const PawsItem *item)
{
	return paws_vault_can_seal(suite_of(item->sealing));
}

bytea *
paws_push_seal(const PawsPush *push, const PawsItem *item, const PawsTierPolicy *limits)
{
	bool crisis = paws_class_lane(item->klass) == PAWS_LANE_CRISIS;
	PawsEnvelopeContext context = {
		.purpose = crisis ? PAWS_PURPOSE_CRISIS : PAWS_PURPOSE_PAYLOAD,
		.collection = item->collection,
		.subject = push->device.subject.id,
		.doc_id = item->doc_id.data,
		.op_id = item->op_id.data,
		.base_revision = (uint64_t) item->base_revision,
		.operation = item->deleted ? 1 : 0,
	};
	PawsSealForm form = {.suite = suite_of(item->sealing), .codec = PAWS_CODEC_NONE};

	if (item->deleted)
		return NULL;
	if (crisis)
		return paws_vault_seal(PAWS_KEYS_CRISIS, push->device.subject_no, &context, NULL, item->payload,
							   item->payload_length);
	if (item->compressible)
	{
		form.codec = (PawsCodec) limits->compression;
		form.level = limits->compression_level;
	}
	return paws_vault_seal(PAWS_KEYS_CARE, push->device.subject_no, &context, &form, item->payload,
						   item->payload_length);
}
