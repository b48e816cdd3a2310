/* SPDX-License-Identifier: Apache-2.0 */
/* Families by table; private to controlplane/metrics*.c. */
#ifndef FENDER_CONTROLPLANE_METRICS_ROWS_H
#define FENDER_CONTROLPLANE_METRICS_ROWS_H

#include "controlplane/metrics.h"

/* While an exposition is written: the labels of each row of what the policy names. */
struct metrics_writer {
	struct metrics_out *m;
	const struct metrics_source *source;
	const struct stats *stats;
	struct metrics_labels *interfaces;
	struct metrics_labels *workers;
	struct metrics_labels *listeners;
	struct metrics_labels *clusters;
	struct metrics_labels *endpoints;
	struct metrics_labels reasons[REASON_SLOTS];
};

/* Rows that lie in an array: a family for each of their words. */
struct metrics_field {
	const char *name;
	const char *help;
	enum metrics_type type;
	size_t off; /* of the uint64_t in a row */
};
struct metrics_rows {
	const void *first;
	size_t stride;
	uint32_t count;
	const struct metrics_labels *labels;
};
void metrics_fields(struct metrics_out *m, const struct metrics_rows *rows,
		    const struct metrics_field *fields, size_t count);

/* A family whose values are computed. */
enum metrics_scale { METRICS_WHOLE, METRICS_MILLIONTHS };
struct metrics_computed {
	const char *name;
	const char *help;
	enum metrics_scale scale;
	/* Row @i's value; 0: it has none, its policy block is off. */
	int (*read)(const struct metrics_writer *w, uint32_t i, uint64_t *value);
};
/* All of them are gauges. */
void metrics_gauges(const struct metrics_writer *w, const struct metrics_computed *families,
		    size_t count, const struct metrics_labels *labels, uint32_t rows);

/* @by_reason: REASON_SLOTS words of row @i; those that happened. */
void metrics_reasons(const struct metrics_writer *w, const struct metrics_labels *labels,
		     const uint64_t *by_reason);

#define METRICS_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* metrics_process.c, metrics_listeners.c, metrics_clusters.c, metrics_endpoints.c */
void metrics_write_process(const struct metrics_writer *w);
void metrics_write_workers(const struct metrics_writer *w);
void metrics_write_interfaces(const struct metrics_writer *w);
void metrics_write_listeners(const struct metrics_writer *w);
void metrics_write_clusters(const struct metrics_writer *w);
void metrics_write_endpoints(const struct metrics_writer *w);

/* The call counters of a level; @what in the help texts. */
#define METRICS_CALLS(level, member)                                                              \
	{"fender_" level "_calls_started_total", "Calls begun: connections and flows.",           \
	 METRICS_COUNTER, member + offsetof(struct call_counters, started)},                      \
		{"fender_" level "_calls_succeeded_total", "Calls whose verdict was success.",    \
		 METRICS_COUNTER, member + offsetof(struct call_counters, succeeded)},            \
		{"fender_" level "_calls_failed_total", "Calls whose verdict was failure.",       \
		 METRICS_COUNTER, member + offsetof(struct call_counters, failed)},               \
		{"fender_" level "_calls_cancelled_total", "Calls that ended without a verdict.", \
		 METRICS_COUNTER, member + offsetof(struct call_counters, cancelled)},            \
		{"fender_" level "_calls_rejected_total",                                         \
		 "Calls refused by a policy or for want of room.", METRICS_COUNTER,               \
		 member + offsetof(struct call_counters, rejected)},                              \
		{"fender_" level "_connections_opened_total", "Connections and flows created.",   \
		 METRICS_COUNTER, member + offsetof(struct call_counters, opened)},               \
		{"fender_" level "_connections_closed_total",                                     \
		 "Connections and flows that are gone.", METRICS_COUNTER,                         \
		 member + offsetof(struct call_counters, closed)},                                \
		{"fender_" level "_to_endpoint_packets_total", "Packets from clients.",           \
		 METRICS_COUNTER, member + offsetof(struct call_counters, to_endpoint_packets)},  \
		{"fender_" level "_to_endpoint_bytes_total", "IP bytes from clients.",            \
		 METRICS_COUNTER, member + offsetof(struct call_counters, to_endpoint_bytes)},    \
		{"fender_" level "_to_client_packets_total", "Packets from endpoints.",           \
		 METRICS_COUNTER, member + offsetof(struct call_counters, to_client_packets)},    \
	{                                                                                         \
		"fender_" level "_to_client_bytes_total", "IP bytes from endpoints.",             \
			METRICS_COUNTER, member + offsetof(struct call_counters, to_client_bytes) \
	}

#endif
