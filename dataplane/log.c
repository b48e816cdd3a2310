/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>
#include <rte_log.h>
#include <xdp/libxdp.h>

enum { LINE_BYTES = 1024, CAUSE_BYTES = 160 };

static const char *const names[] = {"error", "warn", "info", "debug"};

static enum log_level threshold = LOG_LEVEL_INFO;
static char cause[CAUSE_BYTES];

int log_level_of(const char *name)
{
	for (int i = 0; i <= LOG_LEVEL_DEBUG; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

enum log_level log_level(void)
{
	return threshold;
}

/* A name or message from outside must not forge a second line. */
static void replace_controls(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = ' ';
}

static void write_line(enum log_level level, const char *format, va_list args)
{
	char text[LINE_BYTES], when[32];
	struct timespec now;
	struct tm utc;

	vsnprintf(text, sizeof(text), format, args);
	replace_controls(text);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(stderr, "%s.%03ldZ %s dataplane %s\n", when, now.tv_nsec / 1000000, names[level],
		text);
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	if (level > threshold)
		return;
	va_start(args, format);
	write_line(level, format, args);
	va_end(args);
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

int log_start(enum log_level level)
{
	cookie_io_functions_t io = {.write = dpdk_said};
	FILE *stream = fopencookie(NULL, "w", io);

	threshold = level;
	if (!stream)
		return -ENOMEM;
	setlinebuf(stream);
	libbpf_set_print(libbpf_said);
	libxdp_set_print(libxdp_said);
	return rte_openlog_stream(stream) == 0 ? 0 : -EIO;
}
