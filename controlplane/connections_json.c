/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/connections_json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/admin_route.h"
#include "controlplane/stats_json_parts.h"
#include "controlplane/stats_sum.h"
#include "shm/registry.h"

enum { COPY_TRIES = 4, STATES = CONN_TOMBSTONE + 1 };

static const char *const state_names[STATES] = {
	[CONN_FREE] = "free",         [CONN_SYN_SENT] = "syn_sent",
	[CONN_SYN_RCVD] = "syn_rcvd", [CONN_ESTABLISHED] = "established",
	[CONN_CLOSING] = "closing",   [CONN_RESTING] = "resting",
	[CONN_WAITING] = "waiting",   [CONN_TOMBSTONE] = "tombstone",
};

static const uint32_t all_states = ((1u << STATES) - 1) & ~(1u << CONN_FREE);

uint32_t connections_live_states(void)
{
	return all_states & ~(1u << CONN_RESTING | 1u << CONN_TOMBSTONE);
}

uint32_t connections_states(const char *name)
{
	if (strcmp(name, "all") == 0)
		return all_states;
	for (unsigned int i = CONN_FREE + 1; i < STATES; i++)
		if (strcmp(name, state_names[i]) == 0)
			return 1u << i;
	return 0;
}

/* -- the filter -------------------------------------------------------------------------- */

/* "ip:port", "[ip]:port"; 0 or -EINVAL. */
static int parse_endpoint(const char *text, char out[ENDPOINT_NAME_BYTES])
{
	const char *colon = strrchr(text, ':');
	size_t bytes = colon ? (size_t)(colon - text) : 0;
	int is_v6 = bytes > 2 && text[0] == '[' && colon[-1] == ']';
	struct image_ip ip = image_ip_v4(0);
	char host[INET6_ADDRSTRLEN];
	uint64_t port;

	if (!colon || admin_parse_number(colon + 1, 0, 65535, &port) != 0)
		return -EINVAL;
	text += is_v6;
	bytes -= is_v6 ? 2 : 0;
	if (bytes >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, bytes);
	host[bytes] = '\0';
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, host, is_v6 ? &ip.b[0] : &ip.b[12]) != 1)
		return -EINVAL;
	endpoint_name(&ip, is_v6 ? FAMILY_V6 : FAMILY_V4, htons((uint16_t)port), out);
	return 0;
}

int connections_filter_endpoint(struct connections_filter *filter, const char *text)
{
	return parse_endpoint(text, filter->endpoint);
}

int connections_filter_client(struct connections_filter *filter, const char *text)
{
	struct image_ip ip = image_ip_v4(0);
	int is_v6 = inet_pton(AF_INET6, text, ip.b) == 1;

	if (!is_v6)
		ip = image_ip_v4(0);
	if (!is_v6 && inet_pton(AF_INET, text, &ip.b[12]) != 1)
		return parse_endpoint(text, filter->client);
	endpoint_name(&ip, is_v6 ? FAMILY_V6 : FAMILY_V4, 0, filter->client_ip);
	*(strrchr(filter->client_ip, ':') + 1) = '\0';
	return 0;
}

/* -- one entry --------------------------------------------------------------------------- */

/* 1 with a copy of one connection. */
static int copy_entry(const struct conn *entry, struct conn *out)
{
	for (int i = 0; i < COPY_TRIES; i++) {
		uint64_t keys[sizeof(entry->fwd) * 2 / sizeof(uint64_t)];
		/* Pairs with the store of the state that makes or frees the entry. */
		uint8_t state = __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);

		if (state == CONN_FREE || state >= STATES)
			return 0;
		stats_copy_state(out, entry, sizeof(*out));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		/* The state before the keys: one that came back brought its keys with it. */
		if (__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) != state ||
		    out->state != state)
			continue;
		stats_copy_state(keys, entry, sizeof(keys));
		if (memcmp(keys, out, sizeof(keys)) == 0 &&
		    counter_read(&entry->created_ns) == out->created_ns)
			return 1;
	}
	return 0;
}

static void key_address(const struct conn_key *key, uint32_t v4, const uint8_t *v6, uint16_t port,
			char out[ENDPOINT_NAME_BYTES])
{
	struct image_ip ip = image_ip_v4(v4);

	if (key->family == FAMILY_V6)
		memcpy(ip.b, v6, sizeof(ip.b));
	endpoint_name(&ip, key->family == FAMILY_V6 ? FAMILY_V6 : FAMILY_V4, port, out);
}

/* What an entry is called by; "" where it has no such key. */
struct addresses {
	char client[ENDPOINT_NAME_BYTES];
	char listener[ENDPOINT_NAME_BYTES];
	char endpoint[ENDPOINT_NAME_BYTES];
	char snat[ENDPOINT_NAME_BYTES];
};

static void read_addresses(const struct conn *c, struct addresses *a)
{
	memset(a, 0, sizeof(*a));
	if (c->state != CONN_TOMBSTONE) {
		key_address(&c->fwd, c->fwd.src, c->client6, c->fwd.sport, a->client);
		key_address(&c->fwd, c->fwd.dst, c->listener6, c->fwd.dport, a->listener);
	}
	if (c->state != CONN_WAITING) {
		key_address(&c->rev, c->rev.src, c->endpoint6, c->rev.sport, a->endpoint);
		key_address(&c->rev, c->rev.dst, c->snat6, c->rev.dport, a->snat);
	}
}

static int is_wanted(const struct conn *c, const struct connections_filter *f)
{
	return (f->states & 1u << c->state) &&
	       (f->listener == CONNECTIONS_ANY_SLOT || f->listener == c->listener) &&
	       (f->cluster == CONNECTIONS_ANY_SLOT || f->cluster == c->cluster);
}

static int has_addresses(const struct addresses *a, const struct connections_filter *f)
{
	return (!f->endpoint[0] || strcmp(f->endpoint, a->endpoint) == 0) &&
	       (!f->client[0] || strcmp(f->client, a->client) == 0) &&
	       strncmp(f->client_ip, a->client, strlen(f->client_ip)) == 0;
}

/* -- its row ----------------------------------------------------------------------------- */

/* A name may leave its slot while it is read: then there is none. */
static void set_name(json_t *row, const char *key, const struct registry_entry *entries,
		     uint32_t slots, uint32_t slot)
{
	union {
		uint64_t words[sizeof(entries->name) / sizeof(uint64_t)];
		char text[sizeof(entries->name)];
	} name;
	uint64_t before;

	if (slot >= slots)
		return;
	before = registry_key(&entries[slot]);
	if (before <= REGISTRY_REMOVED)
		return;
	stats_copy_state(name.words, entries[slot].name, sizeof(name));
	name.text[sizeof(name.text) - 1] = '\0';
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (registry_key(&entries[slot]) == before)
		stats_json_set_string(row, key, name.text);
}

static json_t *holds_json(uint16_t held)
{
	static const char *const names[] = {
		"listener_permit", "cluster_permit", "source_permit", "endpoint_permit",
		"cluster_probe",   "endpoint_probe", "retry",         "listener_queue",
		"cluster_queue",   "attempt",
	};
	json_t *array = json_array();

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (held & 1u << i)
			json_array_append_new(array, json_string(names[i]));
	return array;
}

static uint64_t ms_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns) / 1000000 : 0;
}

/* The idle timeout that the deadline counts from the last packet; 0: it counts something else. */
static uint64_t quiet_ms(const struct conn *c, const struct image_timeouts *t)
{
	int is_tcp = c->fwd.proto == PROTO_TCP;
	uint64_t ms = is_tcp ? t->idle_tcp_ms : t->idle_udp_ms;

	if (c->state != CONN_ESTABLISHED && c->state != CONN_CLOSING)
		return 0;
	if (is_tcp ? !(c->flags & CONN_VERDICT) : t->expect_reply_ms && !(c->flags & CONN_VERDICT))
		return 0;
	if (t->max_duration_ms && c->deadline_ns == c->created_ns + t->max_duration_ms * 1000000ull)
		return 0;
	if (is_tcp && (c->state == CONN_CLOSING || (c->flags & CONN_RST_SEEN)) &&
	    t->half_closed_ms < ms)
		ms = t->half_closed_ms;
	return ms;
}

static void set_times(json_t *row, const struct conn *c, const struct connections_look *look)
{
	uint64_t quiet = look->timeouts && c->cluster < look->region->shape.cluster_slots
				 ? quiet_ms(c, &look->timeouts[c->cluster])
				 : 0;
	uint64_t left = ms_between(look->now_ns, c->deadline_ns);

	stats_json_set(row, "age_ms", ms_between(c->created_ns, look->now_ns));
	if (quiet > 0 && left <= quiet)
		stats_json_set(row, "idle_ms", quiet - left);
	stats_json_set(row, "expires_ms", left);
}

static void set_address(json_t *row, const char *key, const char *address)
{
	if (address[0])
		stats_json_set_string(row, key, address);
}

static json_t *row_json(const struct conn *c, const struct addresses *a, uint64_t number,
			const struct connections_look *look)
{
	const struct region *region = look->region;
	const struct region_shape *shape = &region->shape;
	uint8_t proto = c->state == CONN_TOMBSTONE ? c->rev.proto : c->fwd.proto;
	json_t *row = json_object();

	stats_json_set(row, "worker", number / shape->connections_per_worker);
	stats_json_set(row, "entry", number);
	stats_json_set_string(row, "protocol", proto == PROTO_TCP ? "tcp" : "udp");
	stats_json_set_string(row, "state", state_names[c->state]);
	set_address(row, "client", a->client);
	set_address(row, "destination", a->listener);
	set_address(row, "snat", a->snat);
	set_address(row, "endpoint", a->endpoint);
	set_name(row, "listener", region->listener_registry, shape->listener_slots, c->listener);
	set_name(row, "cluster", region->cluster_registry, shape->cluster_slots, c->cluster);
	set_times(row, c, look);
	stats_json_set(row, "to_endpoint_packets", c->fwd_packets);
	stats_json_set(row, "to_endpoint_bytes", c->fwd_bytes);
	stats_json_set(row, "to_client_packets", c->rev_packets);
	stats_json_set(row, "to_client_bytes", c->rev_bytes);
	stats_json_set(row, "attempts", c->call.attempts);
	json_object_set_new(row, "holds", holds_json(c->call.held));
	return row;
}

static void end(struct json_text *text, uint64_t scanned, uint64_t cursor, uint64_t total)
{
	char tail[96];
	int n = cursor < total
			? snprintf(tail, sizeof(tail), ",\"scanned\":%lu,\"next\":%lu}", scanned,
				   cursor)
			: snprintf(tail, sizeof(tail), ",\"scanned\":%lu,\"next\":null}", scanned);

	json_text_end_rows(text);
	json_text_add(text, tail, (size_t)n);
}

void connections_write(struct json_text *text, const struct connections_look *look,
		       const struct connections_filter *filter, uint64_t cursor, uint64_t limit)
{
	const struct region *region = look->region;
	const uint64_t total =
		(uint64_t)region->shape.connections_per_worker * region->shape.workers;
	uint64_t begin = cursor < total ? cursor : total, rows = 0;
	struct addresses addresses;
	struct conn c;

	json_text_open(text, json_object());
	json_text_rows(text, "connections");
	for (cursor = begin;
	     cursor < total && rows < limit && cursor - begin < CONNECTIONS_SCAN_MAX; cursor++) {
		if (!copy_entry(&region->connections[cursor], &c) || !is_wanted(&c, filter))
			continue;
		read_addresses(&c, &addresses);
		if (!has_addresses(&addresses, filter))
			continue;
		json_text_row(text, row_json(&c, &addresses, cursor, look));
		rows++;
	}
	end(text, cursor - begin, cursor, total);
}

static int is_key(const struct conn_key *key, const uint8_t *src6, const uint8_t *dst6,
		  const struct connections_packet *p)
{
	if (key->sport != p->key.sport || key->dport != p->key.dport ||
	    key->proto != p->key.proto || key->family != p->key.family ||
	    key->interface != p->key.interface)
		return 0;
	if (key->family == FAMILY_V4)
		return key->src == p->key.src && key->dst == p->key.dst;
	return memcmp(src6, p->src6, 16) == 0 && memcmp(dst6, p->dst6, 16) == 0;
}

static int has_ports(const struct conn *entry, const struct connections_packet *p)
{
	const uint16_t sport = p->key.sport;

	return __atomic_load_n(&entry->fwd.sport, __ATOMIC_RELAXED) == sport ||
	       __atomic_load_n(&entry->rev.sport, __ATOMIC_RELAXED) == sport;
}

struct connections_found connections_find(const struct connections_look *look, uint32_t worker,
					  const struct connections_packet *packet)
{
	const uint32_t count = look->region->shape.connections_per_worker;
	const struct conn *entries = region_connections(look->region, worker);
	struct connections_found found = {0};
	struct addresses addresses;
	struct conn c;

	for (uint32_t i = 0; i < count; i++) {
		int to_client;

		if (!has_ports(&entries[i], packet) || !copy_entry(&entries[i], &c))
			continue;
		to_client = c.state != CONN_WAITING && is_key(&c.rev, c.endpoint6, c.snat6, packet);
		if (!to_client &&
		    (c.state == CONN_TOMBSTONE || !is_key(&c.fwd, c.client6, c.listener6, packet)))
			continue;
		read_addresses(&c, &addresses);
		found.row = row_json(&c, &addresses, (uint64_t)worker * count + i, look);
		found.entry = i;
		found.to_client = to_client != 0;
		break;
	}
	return found;
}
