/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LINE_BYTES = 2048 };

/* A name or message from outside must not forge a second line. */
static void replace_controls(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = ' ';
}

static void write_line(const char *level, const char *subject, const char *facts)
{
	char line[LINE_BYTES];
	char time_text[32];
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(line, sizeof(line), "%s.%03ldZ %s %s %s", time_text, now.tv_nsec / 1000000, level,
		 subject, facts);
	replace_controls(line);
	fprintf(stderr, "%s\n", line);
}

static void write_facts(const char *level, const char *subject, const char *format, va_list args)
{
	char facts[LINE_BYTES];

	vsnprintf(facts, sizeof(facts), format, args);
	write_line(level, subject, facts);
}

void log_error(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_facts("error", subject, format, args);
	va_end(args);
}

void log_warn(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_facts("warn", subject, format, args);
	va_end(args);
}

void log_info(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_facts("info", subject, format, args);
	va_end(args);
}

static void write_lines(const char *level, const char *subject, const char *text)
{
	char line[LINE_BYTES];

	while (*text) {
		size_t bytes = strcspn(text, "\n");

		if (bytes > 0) {
			snprintf(line, sizeof(line), "%.*s",
				 (int)(bytes < LINE_BYTES ? bytes : LINE_BYTES - 1), text);
			write_line(level, subject, line);
		}
		text += bytes;
		text += *text == '\n';
	}
}

void log_error_lines(const char *subject, const char *text)
{
	write_lines("error", subject, text);
}

void log_warn_lines(const char *subject, const char *text)
{
	write_lines("warn", subject, text);
}
