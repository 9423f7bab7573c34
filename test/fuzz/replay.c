/*
 * replay.c FOLDER: runs a fuzz target over every file of a folder, without a fuzzer. Says how many there
 * were; fails if there were none.
 */
#include <dirent.h>

#include "fuzz.h"

#define INPUT_MAX (4 << 20)

/* A target that needs nothing set up has none. */
#pragma weak LLVMFuzzerInitialize

static void
run_file(const char *folder, const char *name)
{
	static uint8_t input[INPUT_MAX];
	char path[4096];
	FILE *file;
	uint8_t *data;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fprintf(stderr, "# %s\n", path); /* the last one is that which crashed */
	file = fopen(path, "rb");
	MUST(file != NULL);
	size = fread(input, 1, sizeof(input), file);
	MUST(!ferror(file) && size < sizeof(input));
	fclose(file);
	data = exact_copy(input, size);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

int
main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	int inputs = 0;

	if (folder == NULL)
	{
		fprintf(stderr, "usage: replay FOLDER\n");
		return 2;
	}
	if (LLVMFuzzerInitialize != NULL)
		if (LLVMFuzzerInitialize != NULL && LLVMFuzzerInitialize(&argc, &argv) != 0)
			return 2;
	while ((entry = readdir(folder)) != NULL)
	{
		if (entry->d_name[0] == '.')
			continue;
		run_file(argv[1], entry->d_name);
		inputs++;
	}
	closedir(folder);
	printf("%d\n", inputs);
	return inputs > 0 ? 0 : 1;
}
