/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's agenda: a binary heap by time, then rank, then order of insertion. */
#ifndef FENDER_DATAPLANE_SIMULATE_HEAP_H
#define FENDER_DATAPLANE_SIMULATE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_item {
	uint64_t at_ns;
	uint64_t order; /* the heap's: rank:8 number:56 */
	uint32_t kind;
	uint32_t worker;
	uint32_t subject; /* call, load or change */
	uint32_t stamp;   /* the subject's when it was put in */
};

struct heap {
	struct heap_item *items;
	size_t count;
	size_t capacity;
	uint64_t pushed;
};

/* @rank: of two at the same time the lower comes first. 0 or -ENOMEM. */
int heap_push(struct heap *heap, uint8_t rank, struct heap_item item);
/* 1 with *out, 0 when empty. */
int heap_pop(struct heap *heap, struct heap_item *out);
void heap_free(struct heap *heap);

#endif
