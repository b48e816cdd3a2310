/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two formats of a Prometheus exposition, written into one growing buffer: text 0.0.4, and
 * length-delimited io.prometheus.client.MetricFamily messages, which alone can carry native
 * histograms. Names and help texts are ours; label values may be any bytes: they are escaped, and
 * what is no UTF-8 becomes '?'.
 *
 * Running out of memory sets .failed and makes all else do nothing.
 */
#ifndef FENDER_CONTROLPLANE_METRICS_OUT_H
#define FENDER_CONTROLPLANE_METRICS_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "shm/histogram.h"

enum metrics_format { METRICS_TEXT, METRICS_PROTOBUF };

/* As numbered by the protobuf's MetricType. */
enum metrics_type { METRICS_COUNTER = 0, METRICS_GAUGE = 1, METRICS_HISTOGRAM = 4 };

struct metrics_bytes {
	char *data; /* malloc'ed */
	size_t used;
	size_t room;
};

/* Label pairs in the format's own bytes, written once and used by many lines. */
struct metrics_labels {
	size_t off;
	size_t bytes;
};

struct metrics_out {
	enum metrics_format format;
	int failed;
	struct metrics_bytes out;
	struct metrics_bytes labels;
	/* The family that is being written. */
	const char *name;
	size_t name_bytes;
	const char *help;
	enum metrics_type type;
	int begun;        /* it has a line */
	size_t length_at; /* protobuf: where its length goes */
};

void metrics_begin(struct metrics_out *m, enum metrics_format format);
/* So many bytes will follow, about: saves time when there are millions. */
void metrics_expect(struct metrics_out *m, size_t bytes);
/* The last family is complete. */
void metrics_end(struct metrics_out *m);
/* Frees both buffers. */
void metrics_free(struct metrics_out *m);

struct metrics_labels metrics_label(struct metrics_out *m, const char *name, const char *value);
/* Labels made last, with one more pair behind them. */
struct metrics_labels metrics_label_add(struct metrics_out *m, struct metrics_labels labels,
					const char *name, const char *value);

/* @name and @help must live until the next family. One without a line is not written. */
void metrics_family(struct metrics_out *m, const char *name, const char *help,
		    enum metrics_type type);

/* One line of the family. @labels, @extra: NULL for none. */
void metrics_add(struct metrics_out *m, const struct metrics_labels *labels,
		 const struct metrics_labels *extra, uint64_t value);
/* @value in millionths: seconds from microseconds, ratios. */
void metrics_add_millionths(struct metrics_out *m, const struct metrics_labels *labels,
			    uint64_t value);

/*
 * A histogram in seconds: classic buckets, powers of two from 61 us to 64 s; as protobuf also the
 * native ones of schema HISTOGRAM_SCHEMA, where values beyond 2^12 s are in the next bucket.
 */
void metrics_add_histogram(struct metrics_out *m, const struct metrics_labels *labels,
			   const struct histogram_sum *sum);

#endif
