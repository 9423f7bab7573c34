/*
 * plain_select.c - preloaded before libfaketime: the server's select() goes past it.
 *
 * Until version 15 the postmaster starts workers in handlers of signals, which arrive while it sleeps in select(). libfaketime
 * switches itself off around the select() that it wraps, so that whoever is forked within is switched off for good.
 */
#define _GNU_SOURCE

#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
select(int n, fd_set *readable, fd_set *writable, fd_set *odd, struct timeval *timeout)
{
	struct timespec left;
	int ready;

	if (timeout == NULL)
		return (int) syscall(SYS_pselect6, n, readable, writable, odd, NULL, NULL);
	left.tv_sec = timeout->tv_sec;
	left.tv_nsec = timeout->tv_usec * 1000;
	ready = (int) syscall(SYS_pselect6, n, readable, writable, odd, &left, NULL);
	timeout->tv_sec = left.tv_sec;
	timeout->tv_usec = left.tv_nsec / 1000;
	return ready;
}
