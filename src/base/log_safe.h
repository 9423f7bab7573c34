/*
 * base/log_safe.h - the mark of log lines that the silent log lets through with their values.
 *
 * Under paws_sync.log_scrub = all a line of the server log loses its values (guard/log_scrub.h). A line of
 * ours whose primary message, detail and hint hold constants, words of our closed vocabularies, and numbers
 * and names of our own making says so where it is written:
 *
 *		ereport_domain(LOG, PAWS_LOG_SAFE, (errmsg("pool worker %d is late", number)));
 *
 * The mark is the text domain of the report, for that can be set in C alone (RAISE, USING and every other way
 * from SQL leave it), it stays with the report when it is caught and thrown again, and it is absent from what
 *a parallel worker forwards. Statement and context are dropped from such lines too.
 */
#ifndef PAWS_BASE_LOG_SAFE_H
#define PAWS_BASE_LOG_SAFE_H

#define PAWS_LOG_SAFE "paws_sync.log_safe"

#endif
