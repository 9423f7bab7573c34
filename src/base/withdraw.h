/*
 * base/withdraw.h - keeps workers out of the way of commands on whole databases.
 */
#ifndef PAWS_BASE_WITHDRAW_H
#define PAWS_BASE_WITHDRAW_H

/* Installs the hook on utility commands; from _PG_init. */
extern void paws_withdraw_init(void);

#endif
