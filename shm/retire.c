/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/retire.h"

#include <string.h>
#include <time.h>

#include "shm/publish.h"
#include "shm/registry_check.h"

/* A registry has at most this many: twice the largest capacity, a power of two. */
enum { MAX_SLOTS = 2 * MAX_ENDPOINTS };
_Static_assert((MAX_SLOTS & (MAX_SLOTS - 1)) == 0 && MAX_SLOTS >= 2 * MAX_LISTENERS &&
		       MAX_SLOTS >= 2 * MAX_CLUSTERS,
	       "a set holds every slot");

struct registry retire_load(const struct region *region, enum state_kind kind)
{
	switch (kind) {
	case STATE_LISTENER:
		return registry_load(region->listener_registry, region->shape.listener_slots);
	case STATE_CLUSTER:
		return registry_load(region->cluster_registry, region->shape.cluster_slots);
	default:
		return registry_load(region->endpoint_registry, region->shape.endpoint_slots);
	}
}

static uint32_t slot_of(const struct conn *conn, enum state_kind kind)
{
	switch (kind) {
	case STATE_LISTENER:
		return __atomic_load_n(&conn->listener, __ATOMIC_RELAXED);
	case STATE_CLUSTER:
		return __atomic_load_n(&conn->cluster, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n(&conn->endpoint, __ATOMIC_RELAXED);
	}
}

/* A waiting call has no attempt, but may still name the endpoint of its last. */
static uint32_t waiting_slot_of(const struct conn *conn, enum state_kind kind)
{
	const struct call *call = &conn->call;

	switch (kind) {
	case STATE_LISTENER:
		return __atomic_load_n(&call->listener, __ATOMIC_RELAXED);
	case STATE_CLUSTER:
		return __atomic_load_n(&call->cluster, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n(&call->endpoint, __ATOMIC_RELAXED);
	}
}

/* One bit a slot. */
struct slot_set {
	uint64_t bits[MAX_SLOTS / 64];
};

static int is_in(const struct slot_set *set, uint32_t slot)
{
	return (int)(set->bits[slot / 64] >> slot % 64 & 1);
}

/* Numbers that are no slot (CALL_NO_SLOT) hold nothing. */
static void hold(struct slot_set *set, uint32_t slot)
{
	if (slot < MAX_SLOTS)
		set->bits[slot / 64] |= UINT64_C(1) << slot % 64;
}

/* The slots that connections and waiting calls refer to. */
static void held_slots(const struct region *region, enum state_kind kind, struct slot_set *held)
{
	const uint64_t count =
		(uint64_t)region->shape.workers * region->shape.connections_per_worker;

	memset(held, 0, sizeof(*held));
	for (uint64_t i = 0; i < count; i++) {
		const struct conn *conn = &region->connections[i];
		/* Pairs with the release of the worker that made the entry. */
		uint8_t state = __atomic_load_n(&conn->state, __ATOMIC_ACQUIRE);

		if (state == CONN_FREE)
			continue;
		hold(held, slot_of(conn, kind));
		if (state == CONN_WAITING)
			hold(held, waiting_slot_of(conn, kind));
	}
}

static int is_zero(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED) == 0;
}

/* Nothing is in flight, queued or on its way, by the words that the workers share. */
static int is_idle(const struct region *region, enum state_kind kind, uint32_t slot)
{
	const struct cluster_state *cluster;

	switch (kind) {
	case STATE_LISTENER:
		return is_zero(&region->listener_state[slot].bulkhead.word);
	case STATE_CLUSTER:
		cluster = &region->cluster_state[slot];
		return is_zero(&cluster->bulkhead.word) && is_zero(&cluster->attempts_in_flight) &&
		       is_zero(&cluster->retries_in_flight);
	default:
		return is_zero(&region->endpoint_state[slot].in_flight);
	}
}

static void clear(void *state, size_t bytes)
{
	uint64_t *words = state;

	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		__atomic_store_n(&words[i], 0, __ATOMIC_RELAXED);
}

static void clear_listener(const struct region *region, uint32_t slot)
{
	clear(&region->listener_state[slot], sizeof(struct listener_state));
	for (uint32_t w = 0; w < region->shape.workers; w++) {
		clear(region_listener_counters(region, w, slot), sizeof(struct listener_counters));
		clear(region_limit_counters(region, w, slot), sizeof(struct worker_limit_counters));
	}
}

static void clear_cluster(const struct region *region, uint32_t slot)
{
	clear(&region->cluster_state[slot], sizeof(struct cluster_state));
	for (uint32_t w = 0; w < region->shape.workers; w++) {
		const struct histograms h = region_histograms(region, w);

		histogram_clear(&h, slot);
		clear(region_cluster_counters(region, w, slot), sizeof(struct call_counters));
		clear(region_policy_counters(region, w, slot), sizeof(struct policy_counters));
		clear(region_cluster_outcomes(region, w, slot), sizeof(struct outcomes));
	}
}

static void clear_endpoint(const struct region *region, uint32_t slot)
{
	clear(&region->endpoint_state[slot], sizeof(struct endpoint_state));
	for (uint32_t w = 0; w < region->shape.workers; w++) {
		clear(region_endpoint_counters(region, w, slot), sizeof(struct call_counters));
		clear(region_endpoint_outcomes(region, w, slot), sizeof(struct outcomes));
	}
}

/* A name that takes the slot starts from nothing. */
static void clear_state(const struct region *region, enum state_kind kind, uint32_t slot)
{
	switch (kind) {
	case STATE_LISTENER:
		clear_listener(region, slot);
		break;
	case STATE_CLUSTER:
		clear_cluster(region, slot);
		break;
	default:
		clear_endpoint(region, slot);
		break;
	}
}

static int is_running(const struct worker_block *worker)
{
	uint32_t state = __atomic_load_n(&worker->state, __ATOMIC_ACQUIRE);

	/* A parked worker holds no policy and loads the newest on waking. */
	return state != WORKER_STOPPED && state != WORKER_PARKED;
}

/* No worker decides, or will, by a generation below this one. */
static uint64_t oldest_in_use(const struct region *region, int reader_dead)
{
	const struct region_header *header = region->header;
	uint64_t active = __atomic_load_n(&header->active, __ATOMIC_SEQ_CST);
	uint64_t oldest = active_generation(active);
	uint64_t other = __atomic_load_n(&header->adopted_generation, __ATOMIC_ACQUIRE);

	if (reader_dead)
		return oldest;
	oldest = other < oldest ? other : oldest;
	for (uint32_t w = 0; w < region->shape.workers; w++) {
		const struct worker_block *worker = &region->workers[w];

		if (!is_running(worker))
			continue;
		other = __atomic_load_n(&worker->applied_generation, __ATOMIC_ACQUIRE);
		oldest = other < oldest ? other : oldest;
	}
	return oldest;
}

static uint64_t oldest_heartbeat_ns(const struct region *region, int reader_dead)
{
	uint64_t oldest = UINT64_MAX;

	for (uint32_t w = 0; w < region->shape.workers && !reader_dead; w++) {
		const struct worker_block *worker = &region->workers[w];
		uint64_t beat = __atomic_load_n(&worker->heartbeat_ns, __ATOMIC_ACQUIRE);

		if (is_running(worker) && beat < oldest)
			oldest = beat;
	}
	return oldest;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Something has written over it: nobody's name, or removed at no time that has been. */
static int is_damaged(const struct registry_entry *entry, uint64_t at_ns)
{
	if (entry->key == REGISTRY_REMOVED)
		return entry->generation > at_ns;
	return entry->key != REGISTRY_FREE && !registry_is_name(entry);
}

void retire_unnamed(const struct region *region, enum state_kind kind, struct registry *registry,
		    uint64_t generation, int reader_dead)
{
	const uint64_t unused_below = oldest_in_use(region, reader_dead);
	const uint64_t beat_ns = oldest_heartbeat_ns(region, reader_dead);
	const uint64_t removal_ns = now_ns();
	struct slot_set held;

	held_slots(region, kind, &held);
	for (uint32_t slot = 0; slot < registry->slots; slot++) {
		const struct registry_entry *entry = &registry->entries[slot];

		if (is_damaged(entry, removal_ns))
			registry_remove(registry, slot, removal_ns);
		if (entry->key > REGISTRY_REMOVED && entry->generation < generation &&
		    entry->generation < unused_below && !is_in(&held, slot) &&
		    (reader_dead || is_idle(region, kind, slot)))
			registry_remove(registry, slot, removal_ns);
		if (entry->key == REGISTRY_REMOVED && entry->generation != 0 &&
		    entry->generation < beat_ns) {
			clear_state(region, kind, slot);
			registry_recycle(registry, slot);
		}
	}
}

uint32_t retire_pending(const struct registry *registry)
{
	uint32_t pending = 0;

	for (uint32_t slot = 0; slot < registry->slots; slot++) {
		const struct registry_entry *entry = &registry->entries[slot];

		pending += entry->key == REGISTRY_REMOVED && entry->generation != 0;
	}
	return pending;
}
