/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/limits_private.h"

enum { FINE_FROM = HISTOGRAM_FINER - HISTOGRAM_FIRST_POWER };

static int read_counters(const struct limits *l, uint32_t row, struct limit_counters *sum)
{
	struct limit_counters *each = calloc(l->cpus, sizeof(*each));
	int rc = 0;

	memset(sum, 0, sizeof(*sum));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(l->fd.counters, &row, each))
		rc = -errno;
	for (uint32_t cpu = 0; cpu < l->cpus && !rc; cpu++) {
		for (int i = 0; i < LIMIT_COUNTER_SLOTS; i++) {
			sum->packets[i] += each[cpu].packets[i];
			sum->bytes[i] += each[cpu].bytes[i];
		}
		for (int i = 0; i < LIMIT_EVENT_SLOTS; i++)
			sum->events[i] += each[cpu].events[i];
	}
	free(each);
	return rc;
}

int limits_listener_counters(const struct limits *l, uint32_t listener, struct limit_counters *sum)
{
	if (listener >= l->sizes.listeners)
		return -ENOENT;
	return read_counters(l, LIMIT_INTERFACES + listener, sum);
}

int limits_interface_counters(const struct limits *l, uint8_t interface, struct limit_counters *sum)
{
	if (interface >= LIMIT_INTERFACES)
		return -ENOENT;
	return read_counters(l, interface, sum);
}

int limits_forget_listener(struct limits *l, uint32_t number)
{
	struct limit_counters *none = calloc(l->cpus, sizeof(*none));
	const struct limit_listener words = {0}; /* of no shape: they begin full */
	uint32_t row = LIMIT_INTERFACES + number;
	int rc = 0;

	if (!none)
		return -ENOMEM;
	if (number >= l->sizes.listeners)
		rc = -ENOENT;
	else if (bpf_map_update_elem(l->fd.counters, &row, none, BPF_ANY) ||
		 bpf_map_update_elem(l->fd.listener_words, &number, &words, BPF_ANY))
		rc = -errno;
	free(none);
	return rc;
}

static void add_times(struct histogram_sum *sum, const struct limit_times *from)
{
	sum->under += from->under;
	sum->over += from->over;
	sum->count += from->under + from->over;
	for (int i = 0; i < LIMIT_TIME_BUCKETS; i++) {
		sum->bucket[i] += from->bucket[i];
		sum->count += from->bucket[i];
	}
}

int limits_verdict_times(const struct limits *l, struct histogram_sum *sum)
{
	struct limit_times *each = calloc(l->cpus, sizeof(*each));
	const uint32_t row = 0;
	uint64_t sum_ns = 0;
	int rc = 0;

	_Static_assert((int)FINE_FROM == (int)LIMIT_TIME_SHIFT, "both begin at the same time");
	*sum = (struct histogram_sum){.finer = HISTOGRAM_FINER};
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(l->fd.verdict_times, &row, each))
		rc = -errno;
	for (uint32_t cpu = 0; cpu < l->cpus && !rc; cpu++) {
		add_times(sum, &each[cpu]);
		sum_ns += each[cpu].sum_ns;
	}
	sum->sum_us = sum_ns / 1000;
	free(each);
	return rc;
}

const char *limits_verdict_name(unsigned int verdict)
{
	static const char *const names[] = {
#define X(id, name) #name,
		LIMIT_VERDICTS(X)
#undef X
	};

	return verdict < LIMIT_VERDICT_COUNT ? names[verdict] : "unknown";
}

/* The best so far, as a heap with the least of them at its root. */
struct top {
	struct limits_connection *at;
	size_t count;
	size_t room;
};

static void sift_down(struct top *t, size_t i)
{
	for (;;) {
		size_t least = i;
		struct limits_connection swap;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < t->count; child++)
			if (t->at[child].refused < t->at[least].refused)
				least = child;
		if (least == i)
			return;
		swap = t->at[i];
		t->at[i] = t->at[least];
		t->at[least] = swap;
		i = least;
	}
}

static void offer(struct top *t, const struct limits_connection *c)
{
	if (!c->refused || !t->room)
		return;
	if (t->count < t->room) {
		t->at[t->count++] = *c;
		if (t->count == t->room)
			for (size_t i = t->room / 2 + 1; i-- > 0;)
				sift_down(t, i);
	} else if (c->refused > t->at[0].refused) {
		t->at[0] = *c;
		sift_down(t, 0);
	}
}

static struct limit_ip mapped(uint32_t ipv4)
{
	return (struct limit_ip){{0, 0, htonl(0xffff), ipv4}};
}

static void offer4(struct top *t, const void *key, const struct limit_flow *flow)
{
	const struct limit_key4 *k = key;

	offer(t, &(struct limits_connection){
			 .src = mapped(k->src),
			 .dst = mapped(k->dst),
			 .sport = k->sport,
			 .dport = k->dport,
			 .listener = k->listener,
			 .proto = k->proto,
			 .refused = flow->refused,
			 .passed = flow->passed,
		 });
}

static void offer6(struct top *t, const void *key, const struct limit_flow *flow)
{
	const struct limit_key6 *k = key;

	offer(t, &(struct limits_connection){
			 .src = k->src,
			 .dst = k->dst,
			 .sport = k->sport,
			 .dport = k->dport,
			 .listener = k->listener,
			 .proto = k->proto,
			 .refused = flow->refused,
			 .passed = flow->passed,
		 });
}

/* Walk by batches; a bucket of the map that is longer than the batch makes it grow. */
static int walk(struct top *t, int fd, size_t key_bytes,
		void (*each)(struct top *, const void *, const struct limit_flow *))
{
	uint32_t room = 4096;
	char *keys = NULL;
	struct limit_flow *flows = NULL;
	uint32_t cursor = 0;
	uint32_t next = 0;
	int first = 1;
	int rc = 0;

	while (!rc) {
		char *k = realloc(keys, room * key_bytes);
		struct limit_flow *f = realloc(flows, room * sizeof(*flows));
		uint32_t count = room;

		keys = k ? k : keys;
		flows = f ? f : flows;
		if (!k || !f) {
			rc = -ENOMEM;
			break;
		}
		if (bpf_map_lookup_batch(fd, first ? NULL : &cursor, &next, keys, flows, &count,
					 NULL))
			rc = -errno;
		if (rc == -ENOSPC) {
			room *= 2;
			rc = 0;
			continue;
		}
		if (rc && rc != -ENOENT)
			break;
		for (uint32_t i = 0; i < count; i++)
			each(t, keys + i * key_bytes, &flows[i]);
		cursor = next;
		first = 0;
	}
	free(keys);
	free(flows);
	return rc == -ENOENT ? 0 : rc;
}

static int walk_ports(struct top *t, const struct limits *l)
{
	for (uint32_t place = 0; place < l->sizes.snat_ports; place++) {
		struct limits_connection c = {.to_client = 1, .place = place};
		struct limit_flow flow;
		uint64_t owner = __atomic_load_n(&l->snat_owner[place], __ATOMIC_RELAXED);

		if (!owner)
			continue;
		if (bpf_map_lookup_elem(l->fd.snat_flows, &place, &flow))
			return -errno;
		if (flow.epoch != LIMIT_OWNER_EPOCH(owner))
			continue;
		c.listener = (uint16_t)LIMIT_OWNER_LISTENER(owner);
		c.refused = flow.refused;
		c.passed = flow.passed;
		offer(t, &c);
	}
	return 0;
}

static int most_refused_first(const void *a, const void *b)
{
	const struct limits_connection *left = a;
	const struct limits_connection *right = b;

	return (left->refused < right->refused) - (left->refused > right->refused);
}

int limits_top(const struct limits *l, struct limits_connection *top, size_t count)
{
	struct top t = {.at = top, .room = count};
	int rc = walk(&t, l->fd.connections4, sizeof(struct limit_key4), offer4);

	if (!rc)
		rc = walk(&t, l->fd.connections6, sizeof(struct limit_key6), offer6);
	if (!rc)
		rc = walk_ports(&t, l);
	if (rc)
		return rc;
	qsort(t.at, t.count, sizeof(*t.at), most_refused_first);
	return (int)t.count;
}

void limits_passed(uint64_t before, uint64_t after, uint64_t *packets, uint64_t *bytes)
{
	uint64_t passed = after - before;

	*packets = passed >> LIMIT_PASSED_SHIFT;
	*bytes = passed & ((1ull << LIMIT_PASSED_SHIFT) - 1);
}
