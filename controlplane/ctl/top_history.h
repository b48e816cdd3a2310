/* SPDX-License-Identifier: Apache-2.0 */
/* A rate, second by second, over the last minute. Pure. */
#ifndef FENDER_CONTROLPLANE_CTL_TOP_HISTORY_H
#define FENDER_CONTROLPLANE_CTL_TOP_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum { TOP_HISTORY_S = 60, TOP_HISTORY_SLOTS = TOP_HISTORY_S + 1 };

/* Zeroed: nothing is known. */
struct top_history {
	uint64_t end_ns;                      /* of what was added last */
	double counts[TOP_HISTORY_SLOTS];     /* by second, modulo; the last one is under way */
	uint64_t known_ns[TOP_HISTORY_SLOTS]; /* how much of the second they cover */
};

/*
 * @count happened evenly from @from_ns to @until_ns. An interval that is empty, or begins before
 * the end of the one before, is left out.
 */
void top_history_add(struct top_history *h, uint64_t from_ns, uint64_t until_ns, double count);

/* A second's rate; @age 0 is the last whole second, TOP_HISTORY_S - 1 the oldest. NAN: unknown. */
double top_history_rate(const struct top_history *h, unsigned int age);

enum { SPARK_BYTES = 3 * TOP_HISTORY_S + 1 };

/**
 * top_history_spark() - the last seconds as a line of bars, the newest on the right
 * @width: columns, TOP_HISTORY_S at most
 * @utf8: blocks of eight heights; otherwise characters of five
 * The highest is as high as a column; what is unknown is blank.
 */
void top_history_spark(const struct top_history *h, unsigned int width, int utf8,
		       char out[SPARK_BYTES]);

#endif
