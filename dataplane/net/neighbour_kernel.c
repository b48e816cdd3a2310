/* SPDX-License-Identifier: Apache-2.0 */
/* Entries that the kernel answers for: those of shared interfaces. */
#include "dataplane/net/neighbour_entry.h"

#include <errno.h>

static int is_usable(const uint8_t mac[6])
{
	return !(mac[0] & 1) && mac_pack(mac) != 0;
}

int neighbour_set_kernel(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			 const uint8_t mac[6], uint64_t now_ns)
{
	struct neighbour_key key;
	uint8_t generation;
	uint64_t word;
	int known = 0;

	if (!is_usable(mac))
		return -EINVAL;
	neighbour_key_make(t, interface, ip, &key);
	for (uint32_t i = 0; i < NEIGHBOUR_CANDIDATES; i++) {
		struct neighbour *n = &t->entries[neighbour_candidate(&key, i)];

		for (int tries = 0; tries < NEIGHBOUR_SWAP_TRIES && neighbour_holds(n, &key, &word);
		     tries++) {
			uint64_t next = word_make(mac_pack(mac), word_generation(word),
						  NEIGHBOUR_KERNEL, 0);

			known = 1;
			if (word_state(word) == NEIGHBOUR_STATIC)
				break;
			__atomic_store_n(&n->confirmed_ns, now_ns, __ATOMIC_RELAXED);
			if (word_swap(n, &word, next))
				break;
		}
	}
	if (known ||
	    neighbour_insert(t, &key, mac_pack(mac), NEIGHBOUR_KERNEL, now_ns, &generation))
		return 0;
	return -ENOSPC;
}

void neighbour_kernel_gone(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16])
{
	struct neighbour_key key;
	uint64_t word;

	neighbour_key_make(t, interface, ip, &key);
	for (uint32_t i = 0; i < NEIGHBOUR_CANDIDATES; i++) {
		struct neighbour *n = &t->entries[neighbour_candidate(&key, i)];

		for (int tries = 0; tries < NEIGHBOUR_SWAP_TRIES && neighbour_holds(n, &key, &word);
		     tries++) {
			uint64_t next = word_make(word & NEIGHBOUR_MAC_MASK, word_generation(word),
						  NEIGHBOUR_STALE, 0);

			if (word_state(word) != NEIGHBOUR_KERNEL || word_swap(n, &word, next))
				break;
		}
	}
}
