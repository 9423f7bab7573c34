/*
 * base/fault.h - places at which a build for tests can be made to crash.
 *
 * PAWS_FAULT marks a place between two steps of which the first must not be lost and the second must be
 * repeatable. In a build with -DPAWS_FAULT_POINTS the server's environment names a file by PAWS_FAULT_FILE.
 * While that file is there, holding a number n, processes add each marked place that they pass to the file
 * PAWS_FAULT_FILE.passed, and the one that writes its n-th line takes the order away and kills itself
 * (SIGKILL). In any other build the mark is nothing.
 */
#ifndef PAWS_BASE_FAULT_H
#define PAWS_BASE_FAULT_H

#ifdef PAWS_FAULT_POINTS
#define PAWS_FAULT() paws_fault(__FILE__, __LINE__)
extern void paws_fault(const char *file, int line);
#else
#define PAWS_FAULT() ((void) 0)
#endif

#endif
