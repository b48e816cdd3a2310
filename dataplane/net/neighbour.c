/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an entry: asked for, answered, aged, failed. */
#include "dataplane/net/neighbour.h"

#include "dataplane/net/neighbour_entry.h"

#include <errno.h>
#include <string.h>

/* Is the caller the one to ask now? One winner a period. */
static int win_question(struct neighbour *n, uint64_t now_ns, uint64_t period_ns)
{
	uint64_t asked = __atomic_load_n(&n->asked_ns, __ATOMIC_RELAXED);

	return neighbour_passed(now_ns, asked, period_ns) &&
	       __atomic_compare_exchange_n(&n->asked_ns, &asked, now_ns, 0, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

/* What an entry becomes when its next question is due; @ask: which one that is. */
static uint64_t after_question(uint64_t word, uint8_t *ask)
{
	uint8_t generation = word_generation(word), questions = word_questions(word);
	int last = questions >= NEIGHBOUR_QUESTIONS;

	if (word_state(word) == NEIGHBOUR_STALE && !last) {
		*ask = 2;
		return word_make(word & NEIGHBOUR_MAC_MASK, generation, NEIGHBOUR_STALE,
				 (uint8_t)(questions + 1));
	}
	if (word_state(word) == NEIGHBOUR_INCOMPLETE && last) {
		*ask = 0;
		return word_make(0, generation, NEIGHBOUR_FAILED, 0);
	}
	*ask = 1;
	if (word_state(word) == NEIGHBOUR_INCOMPLETE)
		return word_make(0, generation, NEIGHBOUR_INCOMPLETE, (uint8_t)(questions + 1));
	return word_make(0, generation, NEIGHBOUR_INCOMPLETE, 1);
}

/* Is this still the entry that the caller means? */
static int is_current(uint64_t word, uint8_t generation)
{
	return word_generation(word) == generation && word_state(word) != NEIGHBOUR_FREE &&
	       word_state(word) != NEIGHBOUR_BUSY;
}

static int answer(struct neighbour_view *view, uint64_t word)
{
	view->state = word_state(word);
	view->generation = word_generation(word);
	memcpy(view->mac, &word, 6);
	switch (view->state) {
	case NEIGHBOUR_INCOMPLETE:
		return -EAGAIN;
	case NEIGHBOUR_FAILED:
		return -EHOSTUNREACH;
	default:
		return 0;
	}
}

/* The kernel does not see our packets: it is to look after those that are used. */
static uint8_t kernel_question(struct neighbour *n, uint64_t now_ns)
{
	uint64_t since = __atomic_load_n(&n->confirmed_ns, __ATOMIC_RELAXED);

	if (!neighbour_passed(now_ns, since, NEIGHBOUR_REACHABLE_NS))
		return 0;
	return win_question(n, now_ns, NEIGHBOUR_REACHABLE_NS) ? 2 : 0;
}

int neighbour_resolve(struct neighbour_table *t, uint16_t number, uint8_t generation,
		      uint64_t now_ns, struct neighbour_view *view)
{
	struct neighbour *n;
	uint64_t word, next, period;
	uint8_t ask;

	view->ask = 0;
	if (number >= NEIGHBOUR_ENTRIES)
		return -ESTALE;
	n = &t->entries[number];
	word = word_load(n);
	if (is_current(word, generation))
		neighbour_touch(n, now_ns);
	for (int tries = 0; tries < NEIGHBOUR_SWAP_TRIES && is_current(word, generation); tries++) {
		uint8_t state = word_state(word);

		if (state == NEIGHBOUR_STATIC)
			break;
		if (state == NEIGHBOUR_KERNEL) {
			view->ask = kernel_question(n, now_ns);
			break;
		}
		if (state == NEIGHBOUR_REACHABLE) {
			uint64_t since = __atomic_load_n(&n->confirmed_ns, __ATOMIC_RELAXED);

			if (!neighbour_passed(now_ns, since, NEIGHBOUR_REACHABLE_NS))
				break;
			next = word_make(word & NEIGHBOUR_MAC_MASK, generation, NEIGHBOUR_STALE, 0);
			if (word_swap(n, &word, next))
				word = next;
			continue;
		}
		period = state == NEIGHBOUR_FAILED ? NEIGHBOUR_FAILED_NS : NEIGHBOUR_RETRY_NS;
		if (!win_question(n, now_ns, period))
			break;
		next = after_question(word, &ask);
		if (word_swap(n, &word, next)) {
			word = next;
			view->ask = ask;
			break;
		}
	}
	return is_current(word, generation) ? answer(view, word) : -ESTALE;
}

/* RFC 4861 7.2.5: the new word of an entry whose owner says that its address is @mac. */
static uint64_t heard(uint64_t word, uint64_t mac, int override, int solicited)
{
	uint8_t generation = word_generation(word), state = word_state(word);
	int unknown = state == NEIGHBOUR_INCOMPLETE || state == NEIGHBOUR_FAILED;
	int differs = (word & NEIGHBOUR_MAC_MASK) != mac;

	if (!unknown && differs && !override) {
		if (state != NEIGHBOUR_REACHABLE)
			return word;
		return word_make(word & NEIGHBOUR_MAC_MASK, generation, NEIGHBOUR_STALE, 0);
	}
	if (solicited)
		return word_make(mac, generation, NEIGHBOUR_REACHABLE, 0);
	if (unknown || differs)
		return word_make(mac, generation, NEIGHBOUR_STALE, 0);
	return word;
}

static void learn_entry(struct neighbour *n, const struct neighbour_key *key, uint64_t mac,
			int override, int solicited, uint64_t now_ns)
{
	uint64_t word;

	for (int tries = 0; tries < NEIGHBOUR_SWAP_TRIES && neighbour_holds(n, key, &word);
	     tries++) {
		uint64_t next = heard(word, mac, override, solicited);

		if (word_state(word) == NEIGHBOUR_STATIC)
			return;
		if (word_state(next) == NEIGHBOUR_REACHABLE && solicited)
			__atomic_store_n(&n->confirmed_ns, now_ns, __ATOMIC_RELAXED);
		if (next == word || word_swap(n, &word, next))
			return;
	}
}

void neighbour_learn(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
		     const uint8_t mac[6], int create, int override, int solicited, uint64_t now_ns)
{
	static const uint8_t nobody[16];
	uint64_t packed = mac_pack(mac), word;
	struct neighbour_key key;
	uint8_t generation;
	int known = 0;

	if ((mac[0] & 1) || packed == 0 || memcmp(ip, nobody, sizeof(nobody)) == 0)
		return;
	neighbour_key_make(t, interface, ip, &key);
	for (uint32_t i = 0; i < NEIGHBOUR_CANDIDATES; i++) {
		struct neighbour *n = &t->entries[neighbour_candidate(&key, i)];

		if (!neighbour_holds(n, &key, &word))
			continue;
		known = 1;
		learn_entry(n, &key, packed, override, solicited, now_ns);
	}
	if (!known && create)
		neighbour_insert(t, &key, packed, solicited ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE,
				 now_ns, &generation);
}
