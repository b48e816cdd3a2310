/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/top_history.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000ull

/* Forget what stands in the slots of the seconds after @last, up to @second. */
static void advance(struct top_history *h, uint64_t last, uint64_t second)
{
	for (uint64_t n = 0; last < second && n < TOP_HISTORY_SLOTS; n++, second--) {
		h->counts[second % TOP_HISTORY_SLOTS] = 0;
		h->known_ns[second % TOP_HISTORY_SLOTS] = 0;
	}
}

void top_history_add(struct top_history *h, uint64_t from_ns, uint64_t until_ns, double count)
{
	const uint64_t last = until_ns / NS_PER_S;
	uint64_t second = from_ns / NS_PER_S;

	if (until_ns <= from_ns || from_ns < h->end_ns)
		return;
	advance(h, h->end_ns / NS_PER_S, last);
	h->end_ns = until_ns;
	if (last - second >= TOP_HISTORY_SLOTS)
		second = last - TOP_HISTORY_SLOTS + 1;
	for (; second <= last; second++) {
		uint64_t begin = second * NS_PER_S, end = begin + NS_PER_S;
		uint64_t a = begin > from_ns ? begin : from_ns;
		uint64_t b = end < until_ns ? end : until_ns;

		h->counts[second % TOP_HISTORY_SLOTS] +=
			count * (double)(b - a) / (double)(until_ns - from_ns);
		h->known_ns[second % TOP_HISTORY_SLOTS] += b - a;
	}
}

double top_history_rate(const struct top_history *h, unsigned int age)
{
	const uint64_t now = h->end_ns / NS_PER_S;
	uint64_t known_ns;
	size_t slot;

	if (age >= TOP_HISTORY_S || now < age + 1)
		return NAN;
	slot = (now - 1 - age) % TOP_HISTORY_SLOTS;
	known_ns = h->known_ns[slot];
	return known_ns ? h->counts[slot] * (double)NS_PER_S / (double)known_ns : NAN;
}

static double highest(const struct top_history *h, unsigned int width)
{
	double max = 0;

	for (unsigned int age = 0; age < width; age++)
		max = fmax(max, top_history_rate(h, age));
	return max;
}

void top_history_spark(const struct top_history *h, unsigned int width, int utf8,
		       char out[SPARK_BYTES])
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const plain[] = {"_", ".", "-", "=", "#"};
	const size_t heights =
		utf8 ? sizeof(blocks) / sizeof(blocks[0]) : sizeof(plain) / sizeof(plain[0]);
	const double max = highest(h, width);
	size_t at = 0;

	out[0] = '\0';
	for (unsigned int age = width; age-- > 0;) {
		double rate = top_history_rate(h, age);
		size_t height =
			max > 0 && rate > 0 ? (size_t)ceil(rate / max * (double)(heights - 1)) : 0;
		const char *bar = isnan(rate) ? " " : utf8 ? blocks[height] : plain[height];

		at += (size_t)snprintf(out + at, SPARK_BYTES - at, "%s", bar);
	}
}
