/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors and warnings of one policy (the public half is in config/config.h). At most
 * DIAGNOSTICS_KEPT of each are kept; the rest are counted and reported as a number.
 */
#ifndef FENDER_CONFIG_DIAGNOSTICS_H
#define FENDER_CONFIG_DIAGNOSTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum { DIAGNOSTICS_KEPT = 50, DIAGNOSTIC_BYTES = 512 };

/*
 * Further files that a policy names have positions of their own: what is reported between
 * diagnostics_open() and diagnostics_close() stands in that file, otherwise in the policy's.
 * They are printed after the policy's, in the order they were opened. Return: 0, -ENOMEM.
 */
int diagnostics_open(struct diagnostics *d, const char *file);
void diagnostics_close(struct diagnostics *d);

/* Of the file being read: 0 is the policy's. */
uint32_t diagnostics_number(const struct diagnostics *d);

/* @line and @column count from 1; a line of 0 means the file as a whole. */
struct position {
	uint32_t file;
	uint32_t line;
	uint32_t column;
};

/* In the file being read. */
void diagnostics_error(struct diagnostics *d, uint32_t line, uint32_t column, const char *format,
		       ...) __attribute__((format(printf, 4, 5)));

void diagnostics_error_at(struct diagnostics *d, struct position at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void diagnostics_warning_at(struct diagnostics *d, struct position at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Further errors will only be counted: skip what is costly to say. */
bool diagnostics_full(const struct diagnostics *d);

/* The policy's. */
const char *diagnostics_file(const struct diagnostics *d);

#endif
