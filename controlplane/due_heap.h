/* SPDX-License-Identifier: Apache-2.0 */
/* What is due when: a binary heap of entries that live in what they time. Pure. */
#ifndef FENDER_CONTROLPLANE_DUE_HEAP_H
#define FENDER_CONTROLPLANE_DUE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct due {
	uint64_t at_ms;
	uint32_t place; /* in the heap, counted from 1; 0: in none */
};

struct due_heap {
	struct due **entries;
	uint32_t count;
	uint32_t capacity;
};

/* Room for @count entries in all; never shrinks. Return: 0, -ENOMEM. */
int due_heap_reserve(struct due_heap *heap, uint32_t count);
void due_heap_free(struct due_heap *heap);

/* Put @due in, or move it to its new time. There is room. O(log n). */
void due_heap_set(struct due_heap *heap, struct due *due, uint64_t at_ms);

/* Nothing when it is not in. */
void due_heap_remove(struct due_heap *heap, struct due *due);

/* The earliest; NULL when empty. */
struct due *due_heap_first(const struct due_heap *heap);

#endif
