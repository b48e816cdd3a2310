/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/kernel_neighbours.h"

#include <errno.h>
#include <string.h>

static uint64_t word_of(const struct kernel_neighbour_value *value)
{
	uint64_t mac = 0;

	memcpy(&mac, value->mac, sizeof(value->mac));
	return mac | (uint64_t)value->interface << 48 | (uint64_t)value->state << 56;
}

void kernel_neighbours_begin(struct kernel_neighbours *k)
{
	for (uint32_t i = 0; i < KERNEL_NEIGHBOURS; i++) {
		struct kernel_neighbour_value value = {0};
		uint32_t version = __atomic_load_n(&k->row[i].version, __ATOMIC_RELAXED);

		/* Half-written: who had it keeps what it had, by not being told of any address. */
		if (version & 1)
			kernel_neighbour_write(k, i, &value);
	}
}

/* Each word is stored with release, so that who reads it sees the odd version before it. */
void kernel_neighbour_write(struct kernel_neighbours *k, uint32_t row,
			    const struct kernel_neighbour_value *value)
{
	struct kernel_neighbour *n = &k->row[row];
	uint32_t version = __atomic_load_n(&n->version, __ATOMIC_RELAXED) | 1;
	uint64_t ip[2];

	memcpy(ip, value->ip, sizeof(ip));
	__atomic_store_n(&n->version, version, __ATOMIC_RELAXED);
	__atomic_store_n(&n->ip[0], ip[0], __ATOMIC_RELEASE);
	__atomic_store_n(&n->ip[1], ip[1], __ATOMIC_RELEASE);
	__atomic_store_n(&n->word, word_of(value), __ATOMIC_RELEASE);
	__atomic_store_n(&n->version, version + 1, __ATOMIC_RELEASE);
	/* Release: pairs with the acquire of who looks for changed rows. */
	__atomic_store_n(&k->changes, k->changes + 1, __ATOMIC_RELEASE);
}

int kernel_neighbour_read(const struct kernel_neighbours *k, uint32_t row, uint32_t *version,
			  struct kernel_neighbour_value *value)
{
	const struct kernel_neighbour *n = &k->row[row];
	/* Acquire, each: pairs with the releases of kernel_neighbour_write(). */
	uint32_t before = __atomic_load_n(&n->version, __ATOMIC_ACQUIRE);
	uint64_t ip[2], word;

	if (before == *version || (before & 1))
		return 0;
	ip[0] = __atomic_load_n(&n->ip[0], __ATOMIC_ACQUIRE);
	ip[1] = __atomic_load_n(&n->ip[1], __ATOMIC_ACQUIRE);
	word = __atomic_load_n(&n->word, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&n->version, __ATOMIC_RELAXED) != before)
		return 0;
	*version = before;
	memcpy(value->ip, ip, sizeof(ip));
	memcpy(value->mac, &word, sizeof(value->mac));
	value->interface = (uint8_t)(word >> 48);
	value->state = (uint8_t)(word >> 56);
	return 1;
}

int neighbour_wish_add(struct neighbour_wishes *w, uint8_t interface, const uint8_t ip[16])
{
	uint32_t written = __atomic_load_n(&w->written, __ATOMIC_RELAXED);
	struct neighbour_wish *wish = &w->wish[written % NEIGHBOUR_WISHES];
	uint64_t words[2];

	/* Acquire: pairs with the release of neighbour_wish_take(), which is done with the place.
	 */
	if (written - __atomic_load_n(&w->taken, __ATOMIC_ACQUIRE) >= NEIGHBOUR_WISHES) {
		__atomic_store_n(&w->lost, w->lost + 1, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	memcpy(words, ip, sizeof(words));
	__atomic_store_n(&wish->ip[0], words[0], __ATOMIC_RELAXED);
	__atomic_store_n(&wish->ip[1], words[1], __ATOMIC_RELAXED);
	__atomic_store_n(&wish->interface, interface, __ATOMIC_RELAXED);
	/* Release: pairs with the acquire of neighbour_wish_take(). */
	__atomic_store_n(&w->written, written + 1, __ATOMIC_RELEASE);
	return 0;
}

int neighbour_wish_take(struct neighbour_wishes *w, uint8_t *interface, uint8_t ip[16])
{
	uint32_t taken = __atomic_load_n(&w->taken, __ATOMIC_RELAXED);
	/* Acquire: pairs with the release of neighbour_wish_add(). */
	uint32_t written = __atomic_load_n(&w->written, __ATOMIC_ACQUIRE);
	const struct neighbour_wish *wish = &w->wish[taken % NEIGHBOUR_WISHES];
	uint64_t words[2];

	if (taken == written)
		return 0;
	if (written - taken > NEIGHBOUR_WISHES) { /* nobody of ours counts so */
		__atomic_store_n(&w->taken, written, __ATOMIC_RELEASE);
		return 0;
	}
	words[0] = __atomic_load_n(&wish->ip[0], __ATOMIC_RELAXED);
	words[1] = __atomic_load_n(&wish->ip[1], __ATOMIC_RELAXED);
	*interface = (uint8_t)__atomic_load_n(&wish->interface, __ATOMIC_RELAXED);
	memcpy(ip, words, sizeof(words));
	__atomic_store_n(&w->taken, taken + 1, __ATOMIC_RELEASE);
	return 1;
}
