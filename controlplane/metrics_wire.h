/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of either format; private to controlplane/metrics_*.c. */
#ifndef FENDER_CONTROLPLANE_METRICS_WIRE_H
#define FENDER_CONTROLPLANE_METRICS_WIRE_H

#include "controlplane/metrics_out.h"

enum {
	METRICS_MILLION = 1000000,
	METRICS_VALUE_BYTES = 256, /* of a label, and of a help text */
	METRICS_FIRST_CLASSIC = -14,
	METRICS_LAST_CLASSIC = 6, /* powers of two of a second */
};

struct metrics_number {
	uint64_t whole;
	uint32_t millionths;
};

char *metrics_grow(struct metrics_out *m, struct metrics_bytes *b, size_t bytes);

/* @bytes more behind what is used; NULL when out of memory. The caller adds to .used. */
static inline char *metrics_room(struct metrics_out *m, struct metrics_bytes *b, size_t bytes)
{
	return b->room - b->used >= bytes ? b->data + b->used : metrics_grow(m, b, bytes);
}

/* Valid UTF-8 of at most @size bytes, '?' for what was none. Return: bytes written. */
size_t metrics_clean(char *out, const char *value, size_t size);

/* @power: of at most 30, either way. */
static inline double metrics_power_of_two(int power)
{
	return power < 0 ? 1.0 / (1 << -power) : (double)(1 << power);
}

/*
 * Values of the buckets up to 2^@power s (2^(@power - finer) s) that come after octave *@octave,
 * which moves on.
 */
uint64_t metrics_count_up_to(const struct histogram_sum *sum, int power, uint32_t *octave);

void metrics_text_label(struct metrics_out *m, int is_further, const char *name, const char *value);
void metrics_text_family(struct metrics_out *m);
void metrics_text_line(struct metrics_out *m, const struct metrics_labels *labels,
		       const struct metrics_labels *extra, struct metrics_number value);
void metrics_text_histogram(struct metrics_out *m, const struct metrics_labels *labels,
			    const struct histogram_sum *sum);

void metrics_proto_label(struct metrics_out *m, const char *name, const char *value);
void metrics_proto_family(struct metrics_out *m);
void metrics_proto_family_end(struct metrics_out *m);
void metrics_proto_line(struct metrics_out *m, const struct metrics_labels *labels,
			const struct metrics_labels *extra, struct metrics_number value);
void metrics_proto_histogram(struct metrics_out *m, const struct metrics_labels *labels,
			     const struct histogram_sum *sum);

#endif
