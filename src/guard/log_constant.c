/*
 * guard/log_constant.c - a look into the program headers of what is loaded. Pure C.
 */
#include "guard/log_constant.h"

#include <link.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses that were found constant; a server logs from a few dozen places, over and over. */
#define KNOWN 256

static uintptr_t known[KNOWN];

typedef struct Search
{
	uintptr_t address;
	bool constant;
} Search;

/* Ends the walk at the object that holds the address. */
static int
look(struct dl_phdr_info *object, size_t size, void *arg)
{
	Search *search = arg;

	(void) size;
	for (int i = 0; i < object->dlpi_phnum; i++)
	{
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || search->address < start ||
			search->address - start >= segment->p_memsz)
			continue;
		search->constant = (segment->p_flags & PF_W) == 0;
		return 1;
	}
	return 0;
}

bool
paws_is_constant(const void *address)
{
	Search search = {(uintptr_t) address, false};
	uintptr_t *place = &known[(search.address >> 3) % KNOWN];

	if (address == NULL)
		return false;
	if (*place == search.address)
		return true;
	(void) dl_iterate_phdr(look, &search);
	if (search.constant)
		*place = search.address;
	return search.constant;
}
