/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors and warnings of one policy file (the public half is in config/config.h). At most
 * DIAGNOSTICS_KEPT of each are kept; the rest are counted and reported as a number.
 */
#ifndef FENDER_CONFIG_DIAGNOSTICS_H
#define FENDER_CONFIG_DIAGNOSTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum { DIAGNOSTICS_KEPT = 50, DIAGNOSTIC_BYTES = 512 };

/* @line and @column count from 1; a line of 0 means the file as a whole. */
void diagnostics_error(struct diagnostics *d, uint32_t line, uint32_t column, const char *format,
		       ...) __attribute__((format(printf, 4, 5)));
void diagnostics_warning(struct diagnostics *d, uint32_t line, uint32_t column, const char *format,
			 ...) __attribute__((format(printf, 4, 5)));

/* Further errors will only be counted: skip what is costly to say. */
bool diagnostics_full(const struct diagnostics *d);

const char *diagnostics_file(const struct diagnostics *d);

#endif
