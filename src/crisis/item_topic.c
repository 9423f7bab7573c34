/*
 * crisis/item_topic.c - the names of topics, as the crisis lane knows them.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/spi.h"
#include "base/table.h"
#include "catalog/pg_type.h"
#include "crisis/item_private.h"
#include "utils/builtins.h"

static PawsStatement find = {
	.sql = "SELECT 1 FROM paws_crisis.topic WHERE name::pg_catalog.text OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {TEXTOID},
};

static PawsStatement define = {
	.sql = "INSERT INTO paws_crisis.topic VALUES ($1) ON CONFLICT (name) DO NOTHING",
	.nargs = 1,
	.types = {TEXTOID},
};

static PawsStatement drop = {
	.sql = "DELETE FROM paws_crisis.topic WHERE name::pg_catalog.text OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.types = {TEXTOID},
};

static PawsStatement waits = {
	.sql = "SELECT 1 FROM paws_crisis.item WHERE topic::pg_catalog.text OPERATOR(pg_catalog.=) $1 "
		   "AND state OPERATOR(pg_catalog.=) 2 LIMIT 1",
	.nargs = 1,
	.types = {TEXTOID},
};

static bool
is_response(const char *name, Size length)
{
	return length == strlen(PAWS_RESPONSE_TOPIC) && memcmp(name, PAWS_RESPONSE_TOPIC, length) == 0;
}

static bool
run(PawsStatement *statement, const char *name, Size length)
{
	Datum args[1] = {PointerGetDatum(cstring_to_text_with_len(name, (int) length))};

	return paws_spi_run(statement, args, NULL, 0) > 0;
}

bool
paws_item_topic(const char *name, Size length)
{
	if (is_response(name, length))
		return true;
	return length > 0 && length <= PAWS_ITEM_TOPIC_MAX && run(&find, name, length);
}

static void
refuse_response(const char *name, Size length)
{
	if (is_response(name, length))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("topic is the one of crisis signals, which is always there"),
						errhint("Choose another name.")));
}

void
paws_item_topic_define(const char *name, Size length)
{
	refuse_response(name, length);
	(void) run(&define, name, length);
}

void
paws_item_topic_drop(const char *name, Size length)
{
	refuse_response(name, length);
	if (run(&waits, name, length))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE), errmsg("items of the crisis lane wait in the topic"),
						errhint("Complete or cancel them first; paws_sync.crisis_items shows them.")));
	(void) run(&drop, name, length);
}

void
paws_item_copy_topic(char topic[PAWS_ITEM_TOPIC_MAX + 1], uint64 row, int column)
{
	bool isnull;
	text *name = DatumGetTextPP(paws_spi_column(row, column, &isnull));
	Size length = Min((Size) VARSIZE_ANY_EXHDR(name), PAWS_ITEM_TOPIC_MAX);

	memcpy(topic, VARDATA_ANY(name), length);
	topic[length] = '\0';
}
