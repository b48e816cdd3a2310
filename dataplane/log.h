/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dataplane's log: one line a fact on stderr, in the form of shm/log_line.h. Main thread only:
 * workers never log. What DPDK, libbpf and libxdp print is kept as the cause of a failure.
 */
#ifndef FENDER_DATAPLANE_LOG_H
#define FENDER_DATAPLANE_LOG_H

#include "shm/log_line.h"

/* Set form and level and take over the output of the libraries. Before rte_eal_init(). */
int log_start(enum log_format format, enum log_level level);
enum log_level log_level(void);

/* As log_info() of the control plane (controlplane/log.h), rate included. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Say what was suppressed and had no successor. Now and then. */
void log_flush(void);

/* Forget what libraries said so far; from now on the first complaint is kept. */
void log_cause_forget(void);
/* The first warning or error of a library since then, or "". */
const char *log_cause(void);

#endif
