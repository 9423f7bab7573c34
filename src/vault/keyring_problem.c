/*
 * vault/keyring_problem.c - the closed list of what can be wrong with a keyring, in words for people.
 */
#include "postgres.h"

#include "vault/keyring_private.h"

static const struct
{
	const char *problem;
	const char *sentence;
} sentences[] = {
	{"unset", "No keyring file is configured."},
	{"missing", "The keyring file does not exist, or it cannot be read or made."},
	{"link", "The keyring file is a symbolic link or not a regular file."},
	{"owner", "The keyring file does not belong to the user that runs the server."},
	{"mode", "The keyring file is accessible to its group or to others."},
	{"place", "The keyring file lies in the data directory."},
	{"folder",
	 "The folder of the keyring file belongs to another user, or its group or others may write in it."},
	{"busy", "Another program keeps the folder of the keyring file locked."},
	{"garbage", "The keyring file is damaged, or it is no keyring."},
	{"full", "The keyring file is longer than a keyring may be."},
	{"wrong_root", "The keyring does not open with this root key."},
	{"no_base", "The keyring has no base secret under this root key, and none could be added."},
	{"memory", "There is no memory for secrets."},
	{"other", "The keyring file is an older one than the server works with, or that of another server."},
};

uint32
paws_keyring_problem_number(const char *problem)
{
	uint32 number = 1;

	while (number < lengthof(sentences) && strcmp(sentences[number - 1].problem, problem) != 0)
		number++;
	return number;
}

const char *
paws_keyring_sentence(const char *problem)
{
	return sentences[paws_keyring_problem_number(problem) - 1].sentence;
}
