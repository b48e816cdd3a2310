/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct log_rates rates;
static struct log_style style;
static enum log_level threshold = LOG_LEVEL_INFO;

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

void log_start(enum log_format format, enum log_level level)
{
	style = (struct log_style){.format = format, .journal = stderr_is_journal()};
	threshold = level;
}

static uint64_t clock_of(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One write a line: those of two processes do not mix. */
static void write_line(enum log_level level, const char *subject, const char *facts)
{
	char line[LOG_LINE_BYTES];
	size_t bytes = log_render(line, &style, level, subject, facts, clock_of(CLOCK_REALTIME));

	(void)!write(STDERR_FILENO, line, bytes);
}

static void write_facts(enum log_level level, const char *subject, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));
static void write_facts(enum log_level level, const char *subject, const char *format, va_list args)
{
	char facts[LOG_FACTS_BYTES];
	uint32_t suppressed;
	size_t used;
	int may;

	if (level > threshold)
		return;
	log_facts(facts, format, args);
	pthread_mutex_lock(&mutex);
	may = log_may(&rates, subject, facts, clock_of(CLOCK_MONOTONIC), &suppressed);
	pthread_mutex_unlock(&mutex);
	if (!may)
		return;
	used = strlen(facts);
	if (suppressed)
		snprintf(facts + used, sizeof(facts) - used, " suppressed=%u", suppressed);
	write_line(level, subject, facts);
}

void log_flush(void)
{
	const struct log_rate *rate;
	struct log_rate copy;
	uint32_t suppressed;
	char facts[128];

	for (;;) {
		pthread_mutex_lock(&mutex);
		rate = log_overdue(&rates, clock_of(CLOCK_MONOTONIC), &suppressed);
		if (rate)
			copy = *rate;
		pthread_mutex_unlock(&mutex);
		if (!rate)
			return;
		snprintf(facts, sizeof(facts), "%s suppressed=%u", copy.name, suppressed);
		write_line(LOG_LEVEL_WARN, copy.subject, facts);
	}
}

void log_error(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_facts(LOG_LEVEL_ERROR, subject, format, args);
	va_end(args);
}

void log_warn(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_facts(LOG_LEVEL_WARN, subject, format, args);
	va_end(args);
}

void log_info(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_facts(LOG_LEVEL_INFO, subject, format, args);
	va_end(args);
}

static void write_lines(enum log_level level, const char *subject, const char *text)
{
	char line[LOG_FACTS_BYTES];

	if (level > threshold)
		return;
	while (*text) {
		size_t bytes = strcspn(text, "\n");

		if (bytes > 0) {
			snprintf(line, sizeof(line), "%.*s",
				 (int)(bytes < sizeof(line) ? bytes : sizeof(line) - 1), text);
			write_line(level, subject, line);
		}
		text += bytes;
		text += *text == '\n';
	}
}

void log_error_lines(const char *subject, const char *text)
{
	write_lines(LOG_LEVEL_ERROR, subject, text);
}

void log_warn_lines(const char *subject, const char *text)
{
	write_lines(LOG_LEVEL_WARN, subject, text);
}
