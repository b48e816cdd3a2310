/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/due_heap.h"

#include <errno.h>
#include <stdlib.h>

int due_heap_reserve(struct due_heap *heap, uint32_t count)
{
	struct due **larger;

	if (count <= heap->capacity)
		return 0;
	larger = realloc(heap->entries, count * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	heap->entries = larger;
	heap->capacity = count;
	return 0;
}

void due_heap_free(struct due_heap *heap)
{
	free(heap->entries);
	*heap = (struct due_heap){0};
}

static void put(struct due_heap *heap, uint32_t place, struct due *due)
{
	heap->entries[place - 1] = due;
	due->place = place;
}

static void rise(struct due_heap *heap, struct due *due)
{
	while (due->place > 1) {
		uint32_t place = due->place;
		struct due *parent = heap->entries[place / 2 - 1];

		if (parent->at_ms <= due->at_ms)
			return;
		put(heap, place, parent);
		put(heap, place / 2, due);
	}
}

static void sink(struct due_heap *heap, struct due *due)
{
	for (;;) {
		uint32_t place = due->place, child = 2 * place;
		struct due *earlier;

		if (child > heap->count)
			return;
		if (child < heap->count &&
		    heap->entries[child]->at_ms < heap->entries[child - 1]->at_ms)
			child++;
		earlier = heap->entries[child - 1];
		if (earlier->at_ms >= due->at_ms)
			return;
		put(heap, place, earlier);
		put(heap, child, due);
	}
}

void due_heap_set(struct due_heap *heap, struct due *due, uint64_t at_ms)
{
	if (due->place == 0)
		put(heap, ++heap->count, due);
	due->at_ms = at_ms;
	rise(heap, due);
	sink(heap, due);
}

void due_heap_remove(struct due_heap *heap, struct due *due)
{
	struct due *last;
	uint32_t place = due->place;

	if (place == 0)
		return;
	due->place = 0;
	last = heap->entries[--heap->count];
	if (last == due)
		return;
	put(heap, place, last);
	rise(heap, last);
	sink(heap, last);
}

struct due *due_heap_first(const struct due_heap *heap)
{
	return heap->count > 0 ? heap->entries[0] : NULL;
}
