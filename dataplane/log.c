/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <rte_log.h>
#include <xdp/libxdp.h>

enum { LINE_BYTES = 1024, CAUSE_BYTES = 160 };

static struct log_rates rates;
static struct log_style style;
static enum log_level threshold = LOG_LEVEL_INFO;
static char cause[CAUSE_BYTES];

enum log_level log_level(void)
{
	return threshold;
}

static uint64_t clock_of(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One write a line: those of two processes do not mix. */
static void write_line(enum log_level level, const char *facts)
{
	char line[LOG_LINE_BYTES];
	size_t bytes =
		log_render(line, &style, level, "dataplane", facts, clock_of(CLOCK_REALTIME));

	(void)!write(STDERR_FILENO, line, bytes);
}

void log_line(enum log_level level, const char *format, ...)
{
	char facts[LOG_FACTS_BYTES];
	uint32_t suppressed;
	va_list args;
	size_t used;

	if (level > threshold)
		return;
	va_start(args, format);
	log_facts(facts, format, args);
	va_end(args);
	/* What is asked for in detail is wanted in full. */
	if (level == LOG_LEVEL_DEBUG) {
		write_line(level, facts);
		return;
	}
	if (!log_may(&rates, "dataplane", facts, clock_of(CLOCK_MONOTONIC), &suppressed))
		return;
	used = strlen(facts);
	if (suppressed)
		snprintf(facts + used, sizeof(facts) - used, " suppressed=%u", suppressed);
	write_line(level, facts);
}

void log_flush(void)
{
	const struct log_rate *rate;
	uint32_t suppressed;
	char facts[128];

	while ((rate = log_overdue(&rates, clock_of(CLOCK_MONOTONIC), &suppressed)) != NULL) {
		snprintf(facts, sizeof(facts), "%s suppressed=%u", rate->name, suppressed);
		write_line(LOG_LEVEL_WARN, facts);
	}
}

void log_cause_forget(void)
{
	cause[0] = '\0';
}

const char *log_cause(void)
{
	return cause;
}

/* One line of a library, without its line end. */
static void library_said(int complaint, const char *text)
{
	size_t n = strcspn(text, "\n");

	/* libxdp looks for a dispatcher where an earlier program is attached: no complaint. */
	if (strstr(text, "No bpffs found"))
		complaint = 0;
	if (complaint && cause[0] == '\0')
		snprintf(cause, sizeof(cause), "%.*s", (int)n, text);
	log_line(LOG_LEVEL_DEBUG, "library=\"%.*s\"", (int)n, text);
}

static int libbpf_said(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[LINE_BYTES];

	vsnprintf(text, sizeof(text), format, args);
	if (level != LIBBPF_DEBUG)
		library_said(level == LIBBPF_WARN, text);
	return 0;
}

static int libxdp_said(enum libxdp_print_level level, const char *format, va_list args)
{
	char text[LINE_BYTES];

	vsnprintf(text, sizeof(text), format, args);
	if (level != LIBXDP_DEBUG)
		library_said(level == LIBXDP_WARN, text);
	return 0;
}

static ssize_t dpdk_said(void *cookie, const char *text, size_t bytes)
{
	char line[LINE_BYTES];

	snprintf(line, sizeof(line), "%.*s", (int)bytes, text);
	library_said(rte_log_cur_msg_loglevel() <= (int)RTE_LOG_WARNING, line);
	return (ssize_t)bytes;
}

/* systemd says which stream is the journal's: ours may have been redirected since. */
static int stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return 0;
	snprintf(ours, sizeof(ours), "%lu:%lu", st.st_dev, st.st_ino);
	return strcmp(stream, ours) == 0;
}

int log_start(enum log_format format, enum log_level level)
{
	cookie_io_functions_t io = {.write = dpdk_said};
	FILE *stream = fopencookie(NULL, "w", io);

	style = (struct log_style){.format = format, .journal = stderr_is_journal()};
	threshold = level;
	if (!stream)
		return -ENOMEM;
	setlinebuf(stream);
	libbpf_set_print(libbpf_said);
	libxdp_set_print(libxdp_said);
	return rte_openlog_stream(stream) == 0 ? 0 : -EIO;
}
