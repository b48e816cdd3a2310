/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's log: one line a fact on stderr,
 * "2024-05-01T12:00:00.123Z info dataplane event=ready generation=4".
 */
#ifndef FENDER_CONTROLPLANE_LOG_H
#define FENDER_CONTROLPLANE_LOG_H

/* @subject: one word, what the line is about; @format: "key=value key=\"two words\"". */
void log_error(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each line of @text (a file's diagnostics) as a line of the log. */
void log_error_lines(const char *subject, const char *text);
void log_warn_lines(const char *subject, const char *text);

#endif
