/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane's log: one line a fact on stderr, in the form of shm/log_line.h. Any thread. */
#ifndef FENDER_CONTROLPLANE_LOG_H
#define FENDER_CONTROLPLANE_LOG_H

#include "shm/log_line.h"

/* Before the first line; without it: text, info. Whether stderr is journald's is found out. */
void log_start(enum log_format format, enum log_level level);

/*
 * @subject: one word, what the line is about; @format: "key=value key=\"two words\"", the event
 * first. Of one event LOG_BURST lines a second are written; the next says "suppressed=n".
 */
void log_error(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each line of @text (a file's diagnostics) as a line of the log, however many. */
void log_error_lines(const char *subject, const char *text);
void log_warn_lines(const char *subject, const char *text);

/* Say what was suppressed and had no successor. Now and then. */
void log_flush(void);

#endif
