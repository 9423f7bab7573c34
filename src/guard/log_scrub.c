/*
 * guard/log_scrub.c - the log hook.
 *
 * The server calls the hook before a report goes to the log and then, the same record, to the client. The one
 * thing it allows a hook to do to that record is to switch the log off. So that is what we do, and we write a
 * report of our own instead, which goes to the log alone: the record of the client is never touched, all log
 * formats are served, and everything in the new record is of our making. That report passes the hook too. It
 * is known by its text domain, a pointer that nothing else has; there is no flag that an error could leave
 * behind.
 *
 * This code runs in every process, in the postmaster, in critical sections, out of memory, and inside of the
 * handling of errors. It reads no catalog, allocates nothing itself, and the report that it writes is short
 * enough for the memory that the server keeps back for errors.
 */
#include "postgres.h"

#include "base/log_safe.h"
#include "base/settings.h"
#include "guard/log_constant.h"
#include "guard/log_scrub.h"
#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

/* Bytes of a line; the part before the place in the source is cut so that the place is always there. */
#define LINE_BYTES 1200
#define BODY_BYTES 900

/* Text domain of the reports that this file writes. */
static const char scrubbed[] = "paws_sync.scrubbed";

static emit_log_hook_type next_hook = NULL;

/* Severity of the report that is being written, set right before and taken over by the hook. */
static int severity = LOG;

/* What processes without a session say of the server itself. Nothing that somebody sent, stored or configured
 * as a secret can be in these, and without their numbers nobody can run a server. */
static const char *const server_facts[] = {
	"starting %s",
	"listening on %s address \"%s\", port %d",
	"listening on Unix socket \"%s\"",
	"could not bind %s address \"%s\": %m",
	"could not load library \"%s\": %s",
	"could not access file \"%s\": %m",
	"could not open configuration file \"%s\": %m",
	"syntax error in file \"%s\" line %u, near end of line",
	"unrecognized configuration parameter \"%s\" in file \"%s\" line %d",
	"parameter \"%s\" cannot be changed without restarting the server",
	"parameter \"%s\" removed from configuration file, reset to default",
	"configuration file \"%s\" contains errors",
	"configuration file \"%s\" contains errors; unaffected changes were applied",
	"configuration file \"%s\" contains errors; no changes were applied",
	"%s (PID %d) exited with exit code %d",
	"%s (PID %d) was terminated by signal %d: %s",
	"redo starts at %X/%X",
	"redo done at %X/%X system usage: %s",
	"checkpoint starting:%s%s%s%s%s%s%s%s",
	"restartpoint starting:%s%s%s%s%s%s%s%s",
	"checkpoint complete: wrote %d buffers (%.1f%%); %d WAL file(s) added, %d removed, %d recycled; "
	"write=%ld.%03d s, sync=%ld.%03d s, total=%ld.%03d s; sync files=%d, longest=%ld.%03d s, average=%ld.%03d s; "
	"distance=%d kB, estimate=%d kB",
};

static bool
is_server_fact(const char *template)
{
	if (IsUnderPostmaster && !AmCheckpointerProcess() && !AmStartupProcess())
		return false;
	for (size_t i = 0; i < lengthof(server_facts); i++)
		if (strcmp(template, server_facts[i]) == 0)
			return true;
	return false;
}

/* Whether whoever wrote the report vouches for its message, detail and hint. */
static bool
is_marked_safe(const ErrorData *report)
{
	return report->domain != NULL && strcmp(report->domain, PAWS_LOG_SAFE) == 0;
}

/* The template of the message, or NULL: parallel workers forward none, and one that was made at run time
 * (by a library that passes a text where a format belongs, or by compiled queries) may hold values. */
static const char *
template_of(const ErrorData *report)
{
	return paws_is_constant(report->message_id) ? report->message_id : NULL;
}

/*
 * The line: body, and in brackets SQLSTATE, place and, if the template asks for it, the system's error. A
 * report without a template gets its SQLSTATE alone, for its place came along with the values.
 */
static void
print_line(const ErrorData *report, char line[LINE_BYTES])
{
	const char *template = template_of(report);
	const char *body = template;
	int length;

	if (template == NULL)
	{
		snprintf(line, LINE_BYTES, "[%s]", unpack_sql_state(report->sqlerrcode));
		return;
	}
	if (report->message != NULL && (is_marked_safe(report) || is_server_fact(template)))
		body = report->message;
	length = snprintf(line, LINE_BYTES, "%.*s [%s", BODY_BYTES, body, unpack_sql_state(report->sqlerrcode));
	if (paws_is_constant(report->funcname))
		length += snprintf(line + length, LINE_BYTES - length, " %.80s:%d", report->funcname, report->lineno);
	if (strstr(template, "%m") != NULL)
		length += snprintf(line + length, LINE_BYTES - length, " errno %d: %.100s", report->saved_errno,
						   strerror(report->saved_errno));
	snprintf(line + length, LINE_BYTES - length, "]");
}

static void
write_line(const ErrorData *original, const char *line)
{
	bool constant = paws_is_constant(original->filename) && paws_is_constant(original->funcname);

	if (!errstart(LOG_SERVER_ONLY, scrubbed))
		return;
	severity = original->elevel;
	errcode(original->sqlerrcode);
	errmsg_internal("%s", line);
	errhidestmt(true);
	errhidecontext(true);
	if (is_marked_safe(original) && original->detail != NULL)
		errdetail_internal("%s", original->detail);
	if (is_marked_safe(original) && original->hint != NULL)
		errhint("%s", original->hint);
	errfinish(constant ? original->filename : NULL, constant ? original->lineno : 0,
			  constant ? original->funcname : NULL);
}

/* What every format prints beside the message and clients choose: the name of their application, and, until
 * it is known that they exist, the names of role and database. NULL for what is not there. */
typedef struct Names
{
	char *application;
	char *role;
	char *database;
} Names;

static void
set_names(Names names)
{
	application_name = names.application;
	if (MyProcPort == NULL)
		return;
	MyProcPort->user_name = names.role;
	MyProcPort->database_name = names.database;
}

static Names
take_names(void)
{
	Names names = {application_name, NULL, NULL};
	Names shown = {"", NULL, NULL};

	if (MyProcPort != NULL)
	{
		names.role = MyProcPort->user_name;
		names.database = MyProcPort->database_name;
	}
	if (IsNormalProcessingMode())
	{
		shown.role = names.role;
		shown.database = names.database;
	}
	set_names(shown);
	return names;
}

/*
 * Writes the scrubbed line of a report. Callbacks for the context are set aside, for they would run once
 * more; interrupts are held, for we stand in the middle of somebody's report. Where only FATAL or worse is
 * logged the level that our report has until the hook sees it would not pass.
 */
static void
emit_scrubbed(const ErrorData *original)
{
	char line[LINE_BYTES];
	ErrorContextCallback *callbacks = error_context_stack;
	int least = log_min_messages;
	Names names;

	print_line(original, line);
	HOLD_INTERRUPTS();
	names = take_names();
	PG_TRY();
	{
		error_context_stack = NULL;
		log_min_messages = Min(least, ERROR);
		write_line(original, line);
	}
	PG_FINALLY();
	{
		error_context_stack = callbacks;
		log_min_messages = least;
		set_names(names);
	}
	PG_END_TRY();
	RESUME_INTERRUPTS();
}

/* Our own report on its way to the log: it takes over the severity of the original. */
static void
pass_scrubbed(ErrorData *report)
{
	report->elevel = severity;
	if (report->backtrace != NULL)
		pfree(report->backtrace);
	report->backtrace = NULL;
	if (next_hook != NULL)
		next_hook(report);
}

/* "paws" in any case. */
static bool
names_us(const char *text)
{
	if (text == NULL)
		return false;
	for (; *text != '\0'; text++)
		if (pg_strncasecmp(text, "paws", 4) == 0)
			return true;
	return false;
}

static bool
touches_us(const ErrorData *report)
{
	return names_us(debug_query_string) || names_us(report->message) || names_us(report->detail) ||
		   names_us(report->detail_log) || names_us(report->hint) || names_us(report->context) ||
		   names_us(report->internalquery);
}

static bool
must_scrub(const ErrorData *report)
{
	/* the log of a server without a postmaster is the terminal of whoever runs it */
	if (!IsPostmasterEnvironment)
		return false;
	switch ((PawsLogScrub) paws_log_scrub)
	{
		case PAWS_LOG_SCRUB_ALL:
			return true;
		case PAWS_LOG_SCRUB_EXTENSION:
			return touches_us(report);
		case PAWS_LOG_SCRUB_OFF:
			return false;
	}
	return true;
}

static void
scrub(ErrorData *report)
{
	if (report->domain == scrubbed)
		pass_scrubbed(report);
	else if (must_scrub(report))
	{
		report->output_to_server = false;
		emit_scrubbed(report);
	}
	else if (next_hook != NULL)
		next_hook(report);
}

void
paws_log_scrub_init(void)
{
	next_hook = emit_log_hook;
	emit_log_hook = scrub;
}

bool
paws_log_scrub_is_first(void)
{
	return emit_log_hook == scrub;
}

emit_log_hook_type
paws_log_scrub_next(void)
{
	return next_hook;
}
