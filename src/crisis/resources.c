/*
 * crisis/resources.c - the hotlines that ship, and what an operator put in their place.
 *
 * The list is short and of lines that are published as such. Numbers change: an operator reviews it for the
 * regions that are served (view paws_sync.resources).
 */
#include "postgres.h"

#include "base/guarded.h"
#include "base/log_safe.h"
#include "base/spi.h"
#include "crisis/resources.h"
#include "utils/builtins.h"

#define FIXED(region, name, channel, contact)                                                                \
	{                                                                                                        \
		region, name, channel, contact, true, true, true, 0                                                  \
	}
#define SHIPPED(region, name, channel, contact)                                                              \
	{                                                                                                        \
		region, name, channel, contact, false, true, true, 0                                                 \
	}

static const PawsResource shipped[] = {
	FIXED("us", "lifeline_988", PAWS_CHANNEL_CALL, "988"),
	FIXED("us", "lifeline_988", PAWS_CHANNEL_TEXT, "988"),
	FIXED("us", "lifeline_988", PAWS_CHANNEL_CHAT, "https://988lifeline.org/chat"),
	FIXED("ca", "helpline_988", PAWS_CHANNEL_CALL, "988"),
	FIXED("ca", "helpline_988", PAWS_CHANNEL_TEXT, "988"),
	FIXED("ca", "helpline_988", PAWS_CHANNEL_WEB, "https://988.ca"),
	SHIPPED("us", "emergency", PAWS_CHANNEL_CALL, "911"),
	SHIPPED("us", "crisis_text_line", PAWS_CHANNEL_TEXT, "741741"),
	SHIPPED("ca", "emergency", PAWS_CHANNEL_CALL, "911"),
	SHIPPED("eu", "emergency", PAWS_CHANNEL_CALL, "112"),
	SHIPPED("at", "telefonseelsorge", PAWS_CHANNEL_CALL, "142"),
	SHIPPED("au", "emergency", PAWS_CHANNEL_CALL, "000"),
	SHIPPED("au", "lifeline", PAWS_CHANNEL_CALL, "131114"),
	SHIPPED("au", "lifeline", PAWS_CHANNEL_WEB, "https://www.lifeline.org.au"),
	SHIPPED("be", "zelfmoordlijn", PAWS_CHANNEL_CALL, "1813"),
	SHIPPED("ch", "dargebotene_hand", PAWS_CHANNEL_CALL, "143"),
	SHIPPED("de", "telefonseelsorge", PAWS_CHANNEL_CALL, "08001110111"),
	SHIPPED("de", "telefonseelsorge", PAWS_CHANNEL_WEB, "https://www.telefonseelsorge.de"),
	SHIPPED("es", "linea_024", PAWS_CHANNEL_CALL, "024"),
	SHIPPED("fr", "numero_3114", PAWS_CHANNEL_CALL, "3114"),
	SHIPPED("gb", "emergency", PAWS_CHANNEL_CALL, "999"),
	SHIPPED("gb", "samaritans", PAWS_CHANNEL_CALL, "116123"),
	SHIPPED("gb", "samaritans", PAWS_CHANNEL_WEB, "https://www.samaritans.org"),
	SHIPPED("ie", "samaritans", PAWS_CHANNEL_CALL, "116123"),
	SHIPPED("in", "tele_manas", PAWS_CHANNEL_CALL, "14416"),
	SHIPPED("nl", "zelfmoordpreventie", PAWS_CHANNEL_CALL, "113"),
	SHIPPED("nl", "zelfmoordpreventie", PAWS_CHANNEL_WEB, "https://www.113.nl"),
	SHIPPED("nz", "emergency", PAWS_CHANNEL_CALL, "111"),
	SHIPPED("nz", "need_to_talk", PAWS_CHANNEL_CALL, "1737"),
	SHIPPED("nz", "need_to_talk", PAWS_CHANNEL_TEXT, "1737"),
};

/* Where 112 is answered: the European Union, and neighbours that took it over. */
static const char *const with_112[] = {
	"at", "be", "bg", "ch", "cy", "cz", "de", "dk", "ee", "es", "fi", "fr", "gb", "gr", "hr", "hu",
	"ie", "is", "it", "li", "lt", "lu", "lv", "mt", "nl", "no", "pl", "pt", "ro", "se", "si", "sk",
};

#define GROUP_112 "eu"

static PawsStatement read_all = {
	.sql = "SELECT region::pg_catalog.text, name::pg_catalog.text, channel, contact::pg_catalog.text "
		   "FROM paws_crisis.resource ORDER BY region, name, channel",
};

typedef struct Reading
{
	PawsResource *resources;
	int count;
} Reading;

static PawsResource *
find(Reading *reading, const PawsResource *like)
{
	for (int i = 0; i < reading->count; i++)
	{
		PawsResource *known = &reading->resources[i];

		if (known->channel == like->channel && strcmp(known->region, like->region) == 0 &&
			strcmp(known->name, like->name) == 0)
			return known;
	}
	return NULL;
}

/* A row of the operator's; without a contact it only takes a line out that ships. */
static void
take_row(Reading *reading, int row)
{
	PawsResource line = {.channel = (PawsChannel) paws_spi_int16(row, 3)};
	PawsResource *known;
	bool isnull;
	Datum contact;

	text_to_cstring_buffer(DatumGetTextPP(paws_spi_column(row, 1, &isnull)), line.region,
						   sizeof(line.region));
	text_to_cstring_buffer(DatumGetTextPP(paws_spi_column(row, 2, &isnull)), line.name, sizeof(line.name));
	contact = paws_spi_column(row, 4, &isnull);
	if (!isnull)
		line.contact = TextDatumGetCString(contact);
	line.shown = !isnull;
	known = find(reading, &line);
	if (known == NULL && line.shown)
		reading->resources[reading->count++] = line;
	else if (known != NULL && !known->fixed && line.shown)
		*known = line;
	else if (known != NULL && !known->fixed)
		known->shown = false;
}

static void
read_rows(void *arg)
{
	Reading *reading = arg;
	int rows = (int) paws_spi_run(&read_all, NULL, NULL, 0);

	reading->resources = repalloc(reading->resources, (reading->count + rows) * sizeof(PawsResource));
	for (int row = 0; row < rows; row++)
		take_row(reading, row);
}

/* Nothing that ails the operator's table keeps anybody from the lines that ship. */
static int forgiven;

static bool
forgive_all(int sqlstate)
{
	forgiven = sqlstate;
	return true;
}

PawsResource *
paws_resources_read(int *count)
{
	Reading reading = {.resources = palloc(sizeof(shipped)), .count = lengthof(shipped)};

	memcpy(reading.resources, shipped, sizeof(shipped));
	if (!paws_run_guarded(read_rows, &reading, forgive_all))
		ereport_domain(LOG, PAWS_LOG_SAFE,
					   (errcode(forgiven), errmsg("table paws_crisis.resource could not be read"),
						errdetail("Devices were told the crisis resources that ship, and no others."),
						errhint("Look for locks on the table.")));
	*count = reading.count;
	return reading.resources;
}

static bool
has_112(const char *region)
{
	for (size_t i = 0; i < lengthof(with_112); i++)
		if (strncmp(with_112[i], region, 2) == 0)
			return true;
	return false;
}

static int
priority_of(const PawsResource *resource, const char *region)
{
	if (!resource->shown)
		return 0;
	if (region == NULL)
		return resource->fixed ? 1 : 2;
	if (strcmp(resource->region, region) == 0)
		return 1;
	if (resource->region[2] == '\0' && strncmp(resource->region, region, 2) == 0)
		return 2;
	if (strcmp(resource->region, GROUP_112) == 0 && has_112(region))
		return 3;
	return resource->fixed ? 4 : 0;
}

static int
compare(const void *a, const void *b)
{
	const PawsResource *x = a;
	const PawsResource *y = b;
	int by_text;

	/* what is not for the region goes to the end */
	if (x->priority != y->priority)
		return x->priority == 0 ? 1 : y->priority == 0 ? -1 : x->priority - y->priority;
	if (x->fixed != y->fixed)
		return x->fixed ? -1 : 1;
	/* 988 of the United States before that of Canada, everything else by its names */
	by_text = x->fixed ? strcmp(y->region, x->region) : strcmp(x->region, y->region);
	if (by_text == 0)
		by_text = strcmp(x->name, y->name);
	return by_text ? by_text : (int) x->channel - (int) y->channel;
}

int
paws_resources_choose(PawsResource *resources, int count, const char *region)
{
	int chosen = 0;

	for (int i = 0; i < count; i++)
	{
		resources[i].priority = priority_of(&resources[i], region);
		if (resources[i].priority > 0)
			chosen++;
	}
	qsort(resources, count, sizeof(PawsResource), compare);
	return chosen;
}

bool
paws_region_parse(const char *text, Size length, char region[PAWS_REGION_MAX + 1])
{
	if (length < 2 || length == 3 || length > PAWS_REGION_MAX)
		return false;
	for (Size i = 0; i < length; i++)
	{
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (i == 2 ? c != '_' && c != '-' : !((c >= 'a' && c <= 'z') || (i > 2 && c >= '0' && c <= '9')))
			return false;
		region[i] = i == 2 ? '_' : c;
	}
	region[length] = '\0';
	return true;
}
