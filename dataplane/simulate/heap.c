/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/simulate/heap.h"

#include <errno.h>
#include <stdlib.h>

static int before(const struct heap_item *a, const struct heap_item *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static int grow(struct heap *heap)
{
	size_t capacity = heap->capacity != 0 ? 2 * heap->capacity : 1024;
	struct heap_item *items = realloc(heap->items, capacity * sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	heap->items = items;
	heap->capacity = capacity;
	return 0;
}

int heap_push(struct heap *heap, uint8_t rank, struct heap_item item)
{
	size_t at = heap->count;

	if (heap->count == heap->capacity && grow(heap) != 0)
		return -ENOMEM;
	item.order = (uint64_t)rank << 56 | heap->pushed++;
	for (heap->count++; at > 0 && before(&item, &heap->items[(at - 1) / 2]); at = (at - 1) / 2)
		heap->items[at] = heap->items[(at - 1) / 2];
	heap->items[at] = item;
	return 0;
}

int heap_pop(struct heap *heap, struct heap_item *out)
{
	struct heap_item last;
	size_t at = 0;

	if (heap->count == 0)
		return 0;
	*out = heap->items[0];
	last = heap->items[--heap->count];
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && before(&heap->items[child + 1], &heap->items[child]))
			child++;
		if (!before(&heap->items[child], &last))
			break;
		heap->items[at] = heap->items[child];
		at = child;
	}
	heap->items[at] = last;
	return 1;
}

void heap_free(struct heap *heap)
{
	free(heap->items);
	*heap = (struct heap){0};
}
