/*
 * vault/origin.c - the rows of paws_vault.foreign_epoch.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type_d.h"
#include "commands/dbcommands.h"

#include "vault/keyring.h"
#include "vault/origin.h"
#include "vault/rewrap.h"

static PawsStatement insert_epoch = {
	.sql = "INSERT INTO paws_vault.foreign_epoch (root, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	.nargs = 2,
	.types = {INT2OID, INT4OID},
};

static PawsStatement find_epochs = {
	.sql = "SELECT root, epoch FROM paws_vault.foreign_epoch ORDER BY root, epoch",
};

/* An epoch that is in the keyring; false if it is not, or destroyed. */
static bool
find_entry(PawsRoot root, uint32 epoch, PawsKeyringEntry *entry)
{
	for (int i = 0; paws_keyring_entry(i, entry); i++)
		if (entry->kind == PAWS_KEYRING_EPOCH && entry->root == root && entry->number == epoch)
			return true;
	return false;
}

void
paws_origin_note(PawsRoot root, uint32 epoch)
{
	Datum args[2] = {Int16GetDatum(root), Int32GetDatum((int32) epoch)};
	PawsKeyringEntry entry;

	if (!find_entry(root, epoch, &entry) || !entry.own)
		paws_spi_run(&insert_epoch, args, NULL, 0);
}

static void
note_home(PawsKeyHome home)
{
	uint32 *epochs;
	int count = paws_vault_stored_epochs(home, &epochs);

	for (int i = 0; i < count; i++)
		paws_origin_note(paws_vault_home_root(home), epochs[i]);
}

void
paws_origin_note_stored(void)
{
	note_home(PAWS_KEYS_CARE);
	note_home(PAWS_KEYS_CRISIS);
}

void
paws_origin_note_owner(PawsRoot root, uint32 epoch)
{
	PawsKeyringEntry owned;
	PawsKeyringEntry entry;

	if (!find_entry(root, epoch, &owned) || owned.own)
		return;
	for (int i = 0; paws_keyring_entry(i, &entry); i++)
		if (entry.kind == PAWS_KEYRING_EPOCH && entry.root == root && entry.number <= epoch &&
			entry.database == owned.database && entry.system == owned.system)
			paws_origin_note(root, entry.number);
}

PawsOriginState
paws_origin_state(void)
{
	int found = (int) paws_spi_run(&find_epochs, NULL, NULL, 0);
	PawsOriginState state = PAWS_ORIGIN_GONE;

	for (int i = 0; i < found && state != PAWS_ORIGIN_FOREIGN; i++)
	{
		PawsKeyringEntry entry;

		if (find_entry((PawsRoot) paws_spi_int16(i, 1), (uint32) paws_spi_int32(i, 2), &entry))
			state = entry.own ? PAWS_ORIGIN_OWN : PAWS_ORIGIN_FOREIGN;
	}
	return state;
}

/* A database that is there would lose all that it has. */
static void
refuse_living_owner(const PawsKeyringEntry *entry)
{
	if (entry->system == GetSystemIdentifier() && get_database_name(entry->database) != NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
						errmsg("key epochs belong to another database of this server"),
						errdetail("Its keys are wrapped under them, as those of this database are or were."),
						errhint("Rotate the epochs in that database, or drop it.")));
}

/* What is to be adopted, and the caller may. */
static int
list_foreign(PawsKeyringEntry *entries, int max)
{
	int found = (int) paws_spi_run(&find_epochs, NULL, NULL, 0);
	int count = 0;

	for (int i = 0; i < found && count < max; i++)
	{
		PawsKeyringEntry entry;

		if (!find_entry((PawsRoot) paws_spi_int16(i, 1), (uint32) paws_spi_int32(i, 2), &entry) || entry.own)
			continue;
		refuse_living_owner(&entry);
		entries[count++] = entry;
	}
	return count;
}

int
paws_origin_adopt(void)
{
	PawsKeyringEntry *entries = palloc(PAWS_KEYRING_ENTRIES_MAX * sizeof(PawsKeyringEntry));
	int adopted = 0;
	int count;

	paws_origin_note_stored();
	count = list_foreign(entries, PAWS_KEYRING_ENTRIES_MAX);
	for (int i = 0; i < count; i++)
		if (paws_keyring_adopt_epoch(entries[i].root, entries[i].number))
			adopted++;
	return adopted;
}
