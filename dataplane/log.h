/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dataplane's log: one line a fact on stderr, in the control plane's form,
 * "2024-05-01T12:00:00.123Z info dataplane event=ready generation=4". Main thread only: workers
 * never log. What DPDK, libbpf and libxdp print is kept as the cause of a failure.
 */
#ifndef FENDER_DATAPLANE_LOG_H
#define FENDER_DATAPLANE_LOG_H

#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Level of @name ("error", "warn", "info", "debug"), or -1. */
int log_level_of(const char *name);

/* Set the level and take over the output of the libraries. Before rte_eal_init(). */
int log_start(enum log_level level);
enum log_level log_level(void);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forget what libraries said so far; from now on the first complaint is kept. */
void log_cause_forget(void);
/* The first warning or error of a library since then, or "". */
const char *log_cause(void);

#endif
