/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/events.h"

#include <string.h>

enum {
	EVENT_WORDS = sizeof(struct event) / sizeof(uint64_t),
	/* A number this far behind the head that is still missing will not come. */
	EVENT_PATIENCE = 64,
	/* No writer is so far ahead of another: what an entry then says was written over it. */
	EVENT_FARTHEST = 1 << 20,
};

_Static_assert((EVENT_RING & (EVENT_RING - 1)) == 0, "a number names its entry by its low bits");
_Static_assert(__builtin_offsetof(struct event, seq) == 0, "seq is the entry's first word");

/* Over all of the event but check itself. */
static uint64_t check_of(const struct event *event)
{
	uint64_t words[EVENT_WORDS];
	uint64_t check = 0;

	memcpy(words, event, sizeof(words));
	words[__builtin_offsetof(struct event, check) / sizeof(uint64_t)] = 0;
	for (unsigned int i = 0; i < EVENT_WORDS; i++) {
		check = (check ^ words[i]) * 0x9e3779b97f4a7c15ull;
		check ^= check >> 32;
	}
	return check;
}

void event_write(struct event_ring *ring, const struct event *event)
{
	const uint64_t number = __atomic_add_fetch(&ring->head, 1, __ATOMIC_RELAXED);
	uint64_t *entry = (uint64_t *)&ring->entries[number % EVENT_RING];
	struct event sealed = *event;
	const uint64_t there = __atomic_load_n(entry, __ATOMIC_RELAXED);
	uint64_t words[EVENT_WORDS];

	if (there > number && there - number < EVENT_FARTHEST)
		return;
	sealed.seq = number;
	sealed.check = check_of(&sealed);
	memcpy(words, &sealed, sizeof(words));
	__atomic_store_n(entry, 0, __ATOMIC_RELAXED);
	for (unsigned int i = 1; i < EVENT_WORDS; i++)
		__atomic_store_n(&entry[i], words[i], __ATOMIC_RELAXED);
	/* Pairs with copy_entry(). */
	__atomic_store_n(entry, number, __ATOMIC_RELEASE);
}

enum copy { COPY_DONE, COPY_NOT_YET, COPY_LOST };

static enum copy copy_entry(const struct event_ring *ring, uint64_t number, struct event *out)
{
	const uint64_t *entry = (const uint64_t *)&ring->entries[number % EVENT_RING];
	/* Pairs with the last store of event_write(). */
	uint64_t seq = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
	uint64_t words[EVENT_WORDS] = {number};

	if (seq != number)
		return seq > number ? COPY_LOST : COPY_NOT_YET;
	for (unsigned int i = 1; i < EVENT_WORDS; i++)
		words[i] = __atomic_load_n(&entry[i], __ATOMIC_RELAXED);
	memcpy(out, words, sizeof(words));
	return out->check == check_of(out) ? COPY_DONE : COPY_LOST;
}

int event_read(const struct event_ring *ring, uint64_t *seq, struct event *out, uint64_t *lost)
{
	for (;;) {
		const uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
		enum copy copy;

		/* It never goes back, unless something has written over it: from there on, then. */
		if (*seq > head)
			*seq = head;
		if (*seq == head)
			return 0;
		if (head - *seq > EVENT_RING) {
			*lost += head - *seq - EVENT_RING;
			*seq = head - EVENT_RING;
		}
		copy = copy_entry(ring, *seq + 1, out);
		if (copy == COPY_NOT_YET && head - *seq <= EVENT_PATIENCE)
			return 0;
		++*seq;
		if (copy == COPY_DONE)
			return 1;
		++*lost;
	}
}

static const char *const names[EVENT_KINDS] = {
	[EVENT_NONE] = "none",
	[EVENT_BREAKER_OPENED] = "breaker_opened",
	[EVENT_BREAKER_HALF_OPEN] = "breaker_half_open",
	[EVENT_BREAKER_CLOSED] = "breaker_closed",
	[EVENT_EJECTED] = "ejected",
	[EVENT_PROBING] = "probing",
	[EVENT_READMITTED] = "readmitted",
	[EVENT_EJECTION_REFUSED] = "ejection_refused",
	[EVENT_PANIC_BEGAN] = "panic_began",
	[EVENT_PANIC_ENDED] = "panic_ended",
	[EVENT_HEALTH_CHANGED] = "health_changed",
	[EVENT_STALE_TABLE] = "stale_table",
	[EVENT_ENDPOINTS_CHANGED] = "endpoints_changed",
	[EVENT_POLICY_APPLIED] = "policy_applied",
	[EVENT_POLICY_REFUSED] = "policy_refused",
	[EVENT_POLICY_ROLLED_BACK] = "policy_rolled_back",
	[EVENT_DATAPLANE_READY] = "dataplane_ready",
	[EVENT_DATAPLANE_DIED] = "dataplane_died",
	[EVENT_DATAPLANE_LOST] = "dataplane_lost",
	[EVENT_DRAINING] = "draining",
};

const char *event_name(unsigned int kind)
{
	return kind < EVENT_KINDS ? names[kind] : "unknown";
}
