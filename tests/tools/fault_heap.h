/* SPDX-License-Identifier: Apache-2.0 */
/* What fault_server answers later: a binary heap by time. */
#ifndef FENDER_TESTS_TOOLS_FAULT_HEAP_H
#define FENDER_TESTS_TOOLS_FAULT_HEAP_H

#include <stddef.h>
#include <stdint.h>

enum { MAX_WAITING = 1 << 20 };

/* Waits for its time: one of both. */
struct waiter {
	uint64_t due_ns;
	struct conn *conn;
	struct datagram *datagram;
};

struct heap {
	struct waiter *at; /* MAX_WAITING of them */
	size_t count;
};

/* The heap is not full. */
static inline void heap_push(struct heap *h, struct waiter w)
{
	size_t i = h->count++;

	for (; i != 0 && h->at[(i - 1) / 2].due_ns > w.due_ns; i = (i - 1) / 2)
		h->at[i] = h->at[(i - 1) / 2];
	h->at[i] = w;
}

/* The earliest; the heap is not empty. */
static inline struct waiter heap_pop(struct heap *h)
{
	const struct waiter top = h->at[0];
	const struct waiter last = h->at[--h->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < h->count) {
		child += child + 1 < h->count && h->at[child + 1].due_ns < h->at[child].due_ns;
		if (h->at[child].due_ns >= last.due_ns)
			break;
		h->at[i] = h->at[child];
		i = child;
	}
	h->at[i] = last;
	return top;
}

#endif
