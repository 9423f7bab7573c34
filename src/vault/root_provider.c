/*
 * vault/root_provider.c - the providers by name.
 */
#include "postgres.h"

#include <sodium.h>

#include "vault/root_provider.h"

static const PawsRootProvider providers[] = {
	{"file", paws_root_read_file},
	{"command", paws_root_read_command},
};

/* What stands behind "name:", NULL if the value begins otherwise. */
static const char *
argument_of(const char *value, const char *name)
{
	size_t length = strlen(name);

	return strncmp(value, name, length) == 0 && value[length] == ':' ? value + length + 1 : NULL;
}

const char *
paws_root_provide(const char *value, PawsRootText *text)
{
	const char *problem = "provider";

	text->length = 0;
	if (value == NULL || value[0] == '\0')
		return "unset";
	for (size_t i = 0; i < lengthof(providers); i++)
	{
		const char *argument = argument_of(value, providers[i].name);

		if (argument != NULL)
			problem = argument[0] == '/' ? providers[i].read(argument, text) : "path";
	}
	if (problem != NULL)
	{
		sodium_memzero(text->bytes, text->size);
		text->length = 0;
	}
	return problem;
}
