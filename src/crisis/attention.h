/*
 * crisis/attention.h - what tells, without a look at a table, that a look is worth while.
 *
 * Claims come by the thousand and items for responders are few: so each database has a word in shared memory
 * that says whether there may be any. Nothing is known after a start, and then everybody looks. Whoever looks
 * and finds none says so, unless an item was put since it began. A second word is the same for open signals,
 * which every pull asks for; and counts what changed in them, for the scheduler that carries them over.
 *
 * None of these needs SPI, fails, or waits.
 */
#ifndef PAWS_CRISIS_ATTENTION_H
#define PAWS_CRISIS_ATTENTION_H

#include "postgres.h"

/* Called from _PG_init: offers the shared memory. */
extern void paws_attention_init(void);

/* True if there may be items that wait. *seen is for paws_items_none, and to be taken before the snapshot
 * that the look is made with. */
extern bool paws_items_maybe(int slot, uint64 *seen);

/* A look found no item that waits or runs. */
extern void paws_items_none(int slot, uint64 seen);

/* At commit: there is an item. Sessions that wait for one, and the crisis workers, are woken. At abort as
 * paws_items_at_abort, which is for the one who locks an item that waits: others may pass over it, and are
 * woken if it is free again. */
extern void paws_items_at_commit(int slot);
extern void paws_items_at_abort(int slot);

/* At commit: an item was escalated, which is to be told by NOTIFY. True until that is done; and the doing, in
 * the transaction that tells: false if another one does. If it aborts there is something to tell again. */
extern void paws_items_untold_at_commit(int slot);
extern bool paws_items_untold(int slot);
extern bool paws_items_take_untold(int slot);

/* There are items that nobody told of, as after a restore. */
extern void paws_items_found(int slot);

/* The key that sessions waiting for items watch (base/wake.h); no subject has it. */
#define PAWS_ITEMS_KEY INT64CONST(-1)

/* The same for open signals. Nobody tells a standby: there may be some always. paws_signals_found is called
 * when one is raised, so that its own transaction sees it, and when one is found. */
extern bool paws_signals_maybe(int slot, uint64 *seen);
extern void paws_signals_none(int slot, uint64 seen);
extern void paws_signals_found(int slot);

/* How often signals changed; paws_signals_at_commit says that they do, and wakes scheduler and crisis
 * workers. */
extern uint64 paws_signals_version(int slot);
extern void paws_signals_at_commit(int slot);

#endif
