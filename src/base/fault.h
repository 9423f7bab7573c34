/*
 * base/fault.h - places at which a build for tests can be made to crash.
 *
 * PAWS_FAULT marks a place between two steps of which the first must not be lost and the second must be
 * repeatable. In a build with -DPAWS_FAULT_POINTS the process kills itself (SIGKILL) at the n-th marked place
 * that is passed after the server's start, n being in the environment as PAWS_FAULT_AT; it creates the file
 * PAWS_FAULT_FILE before, and does nothing where that file exists. In any other build the mark is nothing.
 */
#ifndef PAWS_BASE_FAULT_H
#define PAWS_BASE_FAULT_H

#ifdef PAWS_FAULT_POINTS
#define PAWS_FAULT() paws_fault()
extern void paws_fault_init(void);
extern void paws_fault(void);
#else
#define PAWS_FAULT()      ((void) 0)
#define paws_fault_init() ((void) 0)
#endif

#endif
