/*
 * vault/root_command.c - provider "command": runs a program and reads what it writes.
 */
#include "postgres.h"

#include "vault/root_provider.h"

const char *
paws_root_read_command(const char *words, PawsRootText *text)
{
	return "program";
}
