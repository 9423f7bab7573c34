/*
 * vault/root_problem.c - problem words of roots, each with a sentence and an advice.
 */
#include "postgres.h"

#include "vault/root_problem.h"

#define LINES "gives 1 to 8 lines of an id, one space, 64 hexadecimal digits and a newline, and nothing else"

typedef struct Problem
{
	const char *word;
	const char *sentence;
	const char *advice; /* goes on after: Let "paws_sync.…_root" name … */
} Problem;

static const Problem problems[] = {
	/* the setting */
	{"unset", "No provider is configured for this root.",
	 "a provider, as in \"file:/etc/paws_sync/care.root\""},
	{"provider", "The setting of this root does not begin with the name of a provider.",
	 "a provider: \"file:\" or \"command:\""},
	{"path", "The setting of this root holds a path that is not absolute.", "an absolute path"},

	/* the file */
	{"missing", "The file of this root does not exist or cannot be read.",
	 "a file that the server's user can read"},
	{"link", "The file of this root is a symbolic link or not a regular file.",
	 "a regular file, without a link"},
	{"owner", "The file of this root belongs neither to the user that runs the server nor to root.",
	 "a file that the server's user owns"},
	{"mode", "The file of this root is accessible to its group or to others.", "a file with mode 0600"},
	{"place", "The file of this root lies in the data directory.", "a file outside the data directory"},
	{"folder", "The folder of this root's file or program can be written to by others.",
	 "something in a folder with mode 0700 that the server's user or root owns"},

	/* the command */
	{"argument", "The command of this root has an empty word or too many words.",
	 "a program and at most 31 arguments, with single spaces between them"},
	{"program",
	 "The program of this root does not exist, cannot be executed, or can be written to by others.",
	 "a program that the server's user can execute and that only root or the server's user can change"},
	{"run", "The command of this root did not end with status 0.", "a command that ends with status 0"},
	{"timeout", "The command of this root did not end in time.",
	 "a command that ends within \"paws_sync.root_command_timeout\""},

	/* the text */
	{"empty", "The provider of this root gives nothing.", "a provider that " LINES},
	{"length", "The provider of this root gives too much.", "a provider that " LINES},
	{"lines", "The provider of this root gives more than 8 lines.", "a provider that " LINES},
	{"line", "A line of this root is not an id, one space, 64 hexadecimal digits and a newline.",
	 "a provider that " LINES},
	{"id",
	 "A line of this root does not begin with an id from 1 to 2147483647 without sign or leading zeros.",
	 "a provider that " LINES},
	{"digits", "A key of this root is not 64 hexadecimal digits.", "a provider that " LINES},
	{"zero", "A key of this root is all zeros.", "a provider that gives random keys"},
	{"order", "The ids of this root are not in ascending order.",
	 "a provider that gives ids in ascending order, each once"},
	{"repeated", "Two ids of this root have the same key.",
	 "a provider that gives a key of its own for each id"},

	/* all roots together, and the server */
	{"same", "A key of this root is also one of another root.",
	 "a provider with keys that no other root has"},
};

static const Problem *
find(const char *word)
{
	for (size_t i = 0; i < lengthof(problems); i++)
		if (strcmp(problems[i].word, word) == 0)
			return &problems[i];
	return NULL;
}

const char *
paws_root_problem_sentence(const char *word)
{
	const Problem *problem = find(word);

	if (problem != NULL)
		return problem->sentence;
	if (strcmp(word, "unlocked") == 0)
		return "The memory for secrets could not be locked.";
	return "There is no memory for secrets.";
}

const char *
paws_root_problem_hint(PawsRoot root, const char *word)
{
	static char hints[PAWS_ROOTS][512];
	const Problem *problem = find(word);
	char *hint = hints[root - 1];

	if (strcmp(word, "unlocked") == 0)
		return "Raise the limit on locked memory of the server's user, or switch "
			   "\"paws_sync.require_locked_memory\" off, and restart the server.";
	if (problem == NULL)
		return "Raise the limits on memory of the server's user, and restart the server.";
	snprintf(hint, sizeof(hints[0]), "Let \"paws_sync.%s_root\" name %s, and restart the server.",
			 paws_root_name(root), problem->advice);
	return hint;
}
