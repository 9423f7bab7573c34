/*
 * api/bundle.c - crisis_bundle: all that a device shows in a crisis, in one read; and the list of its
 * resources.
 *
 * Nothing that fails here keeps anybody from the hotlines: they are told first, and they are in the library.
 */
#include "postgres.h"

#include "base/database.h"
#include "base/spi.h"
#include "control/rows.h"
#include "crisis/budget.h"
#include "crisis/crisis.h"
#include "crisis/resources.h"
#include "guard/mint.h"
#include "registry/registry.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#define RESOURCE_COLUMNS 5 /* region, name, channel, contact, priority */
#define DOCUMENT_COLUMNS 4 /* collection, doc_id, revision, payload */

PG_FUNCTION_INFO_V1(paws_crisis_bundle);
PG_FUNCTION_INFO_V1(paws_list_resources);

static void
put_nulls(PawsRows *rows, int count)
{
	for (int i = 0; i < count; i++)
		paws_row_null(rows);
}

static void
put_line(PawsRows *rows, const PawsResource *resource)
{
	paws_row_text(rows, resource->region);
	paws_row_text(rows, resource->name);
	paws_row_text(rows, paws_channel_name(resource->channel));
	paws_row_text(rows, resource->contact);
}

static void
put_resources(PawsRows *rows, const char *region)
{
	int count;
	PawsResource *resources = paws_resources_read(&count);

	count = paws_resources_choose(resources, count, region);
	for (int i = 0; i < count; i++)
	{
		paws_row_text(rows, "resource");
		put_line(rows, &resources[i]);
		paws_row_datum(rows, Int32GetDatum(resources[i].priority));
		put_nulls(rows, DOCUMENT_COLUMNS + 2);
		paws_row_end(rows);
	}
}

static void
put_document(void *context, const PawsFeedEntry *entry, bytea *payload, const char *code)
{
	PawsRows *rows = context;
	const PawsCollection *collection = paws_registry_collection_no(entry->collection);

	paws_row_text(rows, "document");
	put_nulls(rows, RESOURCE_COLUMNS);
	paws_row_text(rows, collection ? collection->name : NULL);
	paws_row_datum(rows, UUIDPGetDatum(&entry->doc_id));
	paws_row_datum(rows, Int64GetDatum(entry->revision));
	if (payload)
		paws_row_datum(rows, PointerGetDatum(payload));
	else
		paws_row_null(rows);
	paws_row_text(rows, code);
	paws_row_timestamp(rows, entry->finished_at);
	paws_row_end(rows);
}

/* In place of documents: why there are none. */
static void
put_no_documents(PawsRows *rows, const char *code)
{
	paws_row_text(rows, "document");
	put_nulls(rows, RESOURCE_COLUMNS + DOCUMENT_COLUMNS);
	paws_row_text(rows, code);
	paws_row_null(rows);
	paws_row_end(rows);
}

/* NULL, and everything is told, if the device says none or nothing that could be one: a slip of an app is no
 * reason to leave a person without an answer. */
static const char *
region_argument(FunctionCallInfo fcinfo, int argument, char region[PAWS_REGION_MAX + 1])
{
	text *given;

	if (PG_ARGISNULL(argument))
		return NULL;
	given = PG_GETARG_TEXT_PP(argument);
	return paws_region_parse(VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given), region) ? region : NULL;
}

/* A revoked device may be in anybody's hands: it is told the public lines alone. */
Datum
paws_crisis_bundle(PG_FUNCTION_ARGS)
{
	const PawsToken *token = paws_token_argument_crisis(fcinfo, 0, PAWS_TOKEN_DEVICE);
	char buffer[PAWS_REGION_MAX + 1];
	const char *region = region_argument(fcinfo, 1, buffer);
	PawsCrisisTime time = paws_crisis_take_time();
	PawsDevice device;
	const char *code;
	bool held;
	PawsRows rows;

	(void) paws_database_slot();
	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	paws_registry_device(token, &device);
	put_resources(&rows, region);
	code = device.revoked ? paws_reason_name(PAWS_REASON_DEVICE_REVOKED)
						  : paws_crisis_documents(&device, put_document, &rows, &held);
	if (code)
		put_no_documents(&rows, code);
	paws_spi_end();
	paws_crisis_end_time(&time);
	return (Datum) 0;
}

Datum
paws_list_resources(PG_FUNCTION_ARGS)
{
	PawsResource *resources;
	PawsRows rows;
	int count;

	(void) paws_database_slot();
	paws_rows_begin(&rows, fcinfo);
	paws_spi_begin();
	resources = paws_resources_read(&count);
	for (int i = 0; i < count; i++)
	{
		put_line(&rows, &resources[i]);
		paws_row_datum(&rows, BoolGetDatum(resources[i].shipped));
		paws_row_datum(&rows, BoolGetDatum(resources[i].shown));
		paws_row_datum(&rows, BoolGetDatum(resources[i].fixed));
		paws_row_end(&rows);
	}
	paws_spi_end();
	return (Datum) 0;
}
