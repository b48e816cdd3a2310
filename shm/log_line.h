/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a log, for both processes: text or JSON, and how often. Pure.
 *
 *   2024-05-01T12:00:00.123Z info dataplane event=ready generation=4
 *   {"time":"2024-05-01T12:00:00.123Z","level":"info","subject":"dataplane","event":"ready","generation":4}
 */
#ifndef FENDER_SHM_LOG_LINE_H
#define FENDER_SHM_LOG_LINE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_FACTS_BYTES = 2048, LOG_LINE_BYTES = 6 * LOG_FACTS_BYTES + 512 /* all of it escaped */ };

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Of "error", "warn", "info", "debug"; of "text", "json"; or -1. */
int log_level_of(const char *name);
int log_format_of(const char *name);
const char *log_level_name(enum log_level level);
const char *log_format_name(enum log_format format);

struct log_style {
	enum log_format format;
	int journal; /* "<N>" for the priority in front, and in text no time: journald has both */
};

/**
 * log_facts() - format "key=value key=\"two words\"", with the values made harmless
 * @text: LOG_FACTS_BYTES
 *
 * As vsnprintf() but for %s: between quotes of the format its text is escaped (\" \\ \n \xNN),
 * after "key=" it is put in quotes where it would not be one word. The format "%s" alone stands for
 * facts that were formatted before; of these control characters become spaces.
 */
void log_facts(char *text, const char *format, va_list values)
	__attribute__((format(printf, 2, 0)));

/**
 * log_render() - a whole line with its end
 * @facts: what log_facts() made, or any text, which JSON has as "message"
 * @real_ns: CLOCK_REALTIME
 * @out: LOG_LINE_BYTES. Return: bytes, the '\n' included; what is too long is cut
 *
 * JSON is valid whatever @facts are: a number stays one, bytes that are no UTF-8 become U+FFFD.
 */
size_t log_render(char *out, const struct log_style *style, enum log_level level,
		  const char *subject, const char *facts, uint64_t real_ns);

/* A fact that comes too often: LOG_BURST lines a second each, by subject and event. */
enum { LOG_BURST = 20, LOG_RATES = 64 };

struct log_rate {
	uint64_t key; /* 0: free */
	uint64_t second;
	uint32_t count;
	uint32_t suppressed;
	char name[64]; /* "event=ejected" */
	char subject[16];
};

struct log_rates {
	struct log_rate rate[LOG_RATES];
};

/**
 * log_may() - may this line be written?
 * @suppressed: when so, how many of its kind were not since the last one
 *
 * One kind more than LOG_RATES takes the place of the one that was quiet for longest; what that
 * had suppressed is lost.
 */
int log_may(struct log_rates *rates, const char *subject, const char *facts, uint64_t now_ns,
	    uint32_t *suppressed);

/*
 * The next kind that had lines suppressed (*@suppressed) in a second that is over, which the
 * caller tells; NULL: none.
 */
const struct log_rate *log_overdue(struct log_rates *rates, uint64_t now_ns, uint32_t *suppressed);

#endif
