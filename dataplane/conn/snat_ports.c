/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/snat_ports.h"

#include <assert.h>
#include <stdlib.h>

#include "shm/limits.h"

_Static_assert((OWNER_BUCKETS & (OWNER_BUCKETS - 1)) == 0, "buckets are found by masking");

/* One port: its use count, and its links while it is free. Port 0 ends the list. */
struct node {
	uint16_t next;
	uint16_t prev;
	uint16_t uses;
};

/*
 * Only ports of our own buckets have a node: blocks of OWNER_BUCKETS ports hold as many nodes
 * as we own buckets. Nodes of ports outside low..high stay unused.
 */
struct snat_ports {
	uint16_t low;
	uint16_t high;
	uint16_t owned;                /* buckets */
	uint16_t rank[OWNER_BUCKETS];  /* of an owned bucket among the owned ones, else NOT_OURS */
	uint8_t bucket[OWNER_BUCKETS]; /* by rank */
	uint32_t free;
	uint16_t head; /* least recently used free port */
	uint16_t tail;
	uint16_t cursor_block; /* sharing: the next candidate */
	uint16_t cursor_rank;
	struct node nodes[];
};

enum { NOT_OURS = 0xffff, MAX_USES = 0xffff };

static uint32_t block_of(const struct snat_ports *s, uint16_t port)
{
	return (uint32_t)(port / OWNER_BUCKETS - s->low / OWNER_BUCKETS);
}

static int is_ours(const struct snat_ports *s, uint16_t port)
{
	return port >= s->low && port <= s->high && port != 0 &&
	       s->rank[port % OWNER_BUCKETS] != NOT_OURS;
}

static struct node *node_of(struct snat_ports *s, uint16_t port)
{
	return &s->nodes[block_of(s, port) * s->owned + s->rank[port % OWNER_BUCKETS]];
}

static void append(struct snat_ports *s, uint16_t port)
{
	struct node *n = node_of(s, port);

	n->next = 0;
	n->prev = s->tail;
	if (s->tail)
		node_of(s, s->tail)->next = port;
	else
		s->head = port;
	s->tail = port;
	s->free++;
}

static void unlink_port(struct snat_ports *s, uint16_t port)
{
	struct node *n = node_of(s, port);

	if (n->prev)
		node_of(s, n->prev)->next = n->next;
	else
		s->head = n->next;
	if (n->next)
		node_of(s, n->next)->prev = n->prev;
	else
		s->tail = n->prev;
	s->free--;
}

/* splitmix64. At start only. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint16_t candidate(const struct snat_ports *s, uint32_t block, uint32_t rank)
{
	return (uint16_t)((s->low / OWNER_BUCKETS + block) * OWNER_BUCKETS + s->bucket[rank]);
}

/*
 * The first order is random: a restart does not deal the ports of just before again, and a
 * stranger cannot guess the next one (RFC 6056 3.3.1).
 */
static void shuffle_in(struct snat_ports *s, uint16_t *ports, uint64_t seed)
{
	uint32_t count = 0;

	for (uint32_t block = 0; block <= block_of(s, s->high); block++)
		for (uint32_t rank = 0; rank < s->owned; rank++)
			if (is_ours(s, candidate(s, block, rank)))
				ports[count++] = candidate(s, block, rank);
	while (count > 0) {
		uint32_t at = (uint32_t)(next_random(&seed) % count);

		append(s, ports[at]);
		ports[at] = ports[--count];
	}
}

struct snat_ports *snat_ports_create(uint16_t low, uint16_t high, const uint8_t *owners,
				     uint8_t worker, uint64_t seed)
{
	uint32_t blocks =
		low <= high ? (uint32_t)(high / OWNER_BUCKETS - low / OWNER_BUCKETS) + 1 : 0;
	uint16_t owned = 0;
	struct snat_ports *s;
	uint16_t *order;

	for (uint32_t i = 0; i < OWNER_BUCKETS; i++)
		owned += owners[i] == worker;
	s = calloc(1, sizeof(*s) + (size_t)blocks * owned * sizeof(struct node));
	/* One more, so that no range is of no bytes. */
	order = calloc((size_t)blocks * owned + 1, sizeof(*order));
	if (!s || !order) {
		free(s);
		free(order);
		return NULL;
	}
	s->low = low;
	s->high = high;
	for (uint32_t i = 0; i < OWNER_BUCKETS; i++) {
		s->rank[i] = owners[i] == worker ? s->owned : NOT_OURS;
		if (owners[i] == worker)
			s->bucket[s->owned++] = (uint8_t)i;
	}
	if (blocks)
		shuffle_in(s, order, seed);
	free(order);
	return s;
}

void snat_ports_destroy(struct snat_ports *s)
{
	free(s);
}

/* The cursor's port; the cursor moves on. It may lie outside the range. */
static uint16_t next_candidate(struct snat_ports *s)
{
	uint16_t port = candidate(s, s->cursor_block, s->cursor_rank);

	if (++s->cursor_rank == s->owned) {
		s->cursor_rank = 0;
		if (++s->cursor_block > block_of(s, s->high))
			s->cursor_block = 0;
	}
	return port;
}

/*
 * All ports are in use: one of the next few may serve another endpoint. The candidates outside
 * the range, fewer than two blocks' worth in a row, are passed over.
 */
static uint16_t share(struct snat_ports *s, int (*taken)(void *ctx, uint16_t port), void *ctx)
{
	int tries = 0;

	for (int i = 0; i < SNAT_SHARE_TRIES + 2 * OWNER_BUCKETS; i++) {
		uint16_t port = next_candidate(s);

		if (!is_ours(s, port) || node_of(s, port)->uses == MAX_USES)
			continue;
		if (!taken(ctx, port)) {
			node_of(s, port)->uses++;
			return port;
		}
		if (++tries == SNAT_SHARE_TRIES)
			break;
	}
	return 0;
}

uint16_t snat_ports_deal(struct snat_ports *s, int (*taken)(void *ctx, uint16_t port), void *ctx)
{
	uint16_t port = s->head;

	if (port) {
		unlink_port(s, port);
		node_of(s, port)->uses = 1;
		return port;
	}
	return s->owned && s->low <= s->high ? share(s, taken, ctx) : 0;
}

int snat_ports_take(struct snat_ports *s, uint16_t port)
{
	struct node *n;

	if (!is_ours(s, port))
		return -1;
	n = node_of(s, port);
	if (n->uses == MAX_USES)
		return -1;
	if (n->uses++ == 0)
		unlink_port(s, port);
	return 0;
}

int snat_ports_return(struct snat_ports *s, uint16_t port)
{
	struct node *n;

	if (!is_ours(s, port))
		return 0;
	n = node_of(s, port);
	assert(n->uses > 0);
	if (--n->uses > 0)
		return 0;
	append(s, port);
	return 1;
}

int snat_ports_lend(struct snat_ports *s, uint16_t port)
{
	if (!is_ours(s, port) || node_of(s, port)->uses != 0)
		return -1;
	unlink_port(s, port);
	node_of(s, port)->uses = MAX_USES;
	return 0;
}

uint32_t snat_ports_free_count(const struct snat_ports *s)
{
	return s->free;
}
