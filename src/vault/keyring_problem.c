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
paws_keyring_hint(const char *problem)
{
	if (strcmp(problem, "garbage") == 0 || strcmp(problem, "full") == 0)
		return "Put a copy of the keyring of this server back where \"paws_sync.keyring_file\" names it, and "
			   "restart the server.";
	if (strcmp(problem, "wrong_root") == 0 || strcmp(problem, "no_base") == 0)
		return "Let the setting of this root give the id that the keyring is wrapped under, and "
			   "\"paws_sync.keyring_file\" name the keyring of this root, and restart the server.";
	return "Let \"paws_sync.keyring_file\" name a file of the server's user with mode 0600, in a folder where "
		   "nobody else may write, outside the data directory, and restart the server.";
}

const char *
paws_keyring_sentence(const char *problem)
{
	return sentences[paws_keyring_problem_number(problem) - 1].sentence;
}
