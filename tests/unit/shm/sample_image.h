/* SPDX-License-Identifier: Apache-2.0 */
/* A valid policy image made by hand, field by field, for the tests of shm/. */
#ifndef FENDER_TESTS_SAMPLE_IMAGE_H
#define FENDER_TESTS_SAMPLE_IMAGE_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "shm/image.h"
#include "shm/names.h"

enum {
	SAMPLE_INTERFACES = 2,
	SAMPLE_ADDRESSES = 5,
	SAMPLE_ROUTES = 5,
	SAMPLE_NEIGHBOURS = 2,
	SAMPLE_LISTENERS = 3,
	SAMPLE_CLUSTERS = 5,
	SAMPLE_ENDPOINTS = 7,
	SAMPLE_CYCLE = 3, /* round robin table of two of the clusters */
	SAMPLE_MAGLEV = 7,
	SAMPLE_POINTS = 3, /* of the ring hash; its table stands last */
	SAMPLE_STRING_BYTES = 512,
};

/* Everything before the tables, whose size varies; points and strings follow them. */
struct sample {
	struct image_header header;
	struct image_interface interfaces[SAMPLE_INTERFACES];
	struct image_address addresses[SAMPLE_ADDRESSES];
	struct image_route routes[SAMPLE_ROUTES];
	struct image_neighbour neighbours[SAMPLE_NEIGHBOURS];
	struct image_listener listeners[SAMPLE_LISTENERS];
	struct image_cluster clusters[SAMPLE_CLUSTERS];
	struct image_endpoint endpoints[SAMPLE_ENDPOINTS];
};

static inline struct image_ip sample_ip(const char *text)
{
	struct image_ip ip = {{0}};
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return image_ip_v4(v4.s_addr);
	if (inet_pton(AF_INET6, text, ip.b) != 1)
		abort();
	return ip;
}

static inline uint8_t sample_family(const char *text)
{
	return strchr(text, ':') ? FAMILY_V6 : FAMILY_V4;
}

static inline uint32_t sample_string(struct sample *s, const char *text)
{
	char *strings = (char *)s + s->header.strings.off;
	uint32_t off = 1;

	while (strings[off])
		off += (uint32_t)strlen(&strings[off]) + 1;
	if (off + strlen(text) + 1 > SAMPLE_STRING_BYTES)
		abort();
	strcpy(&strings[off], text);
	return off;
}

static inline void sample_spans(struct sample *s, uint32_t maglev_size)
{
	struct image_header *h = &s->header;
	uint32_t tables = SAMPLE_CYCLE + maglev_size + SAMPLE_POINTS;
	uint32_t points = (uint32_t)(sizeof(*s) + tables * 2 + 7) & ~7u;
	uint32_t strings = points + SAMPLE_POINTS * 8;

#define SPAN(name, n) ((struct image_span){(uint32_t)offsetof(struct sample, name), (n)})
	h->interfaces = SPAN(interfaces, SAMPLE_INTERFACES);
	h->addresses = SPAN(addresses, SAMPLE_ADDRESSES);
	h->routes = SPAN(routes, SAMPLE_ROUTES);
	h->neighbours = SPAN(neighbours, SAMPLE_NEIGHBOURS);
	h->listeners = SPAN(listeners, SAMPLE_LISTENERS);
	h->clusters = SPAN(clusters, SAMPLE_CLUSTERS);
	h->endpoints = SPAN(endpoints, SAMPLE_ENDPOINTS);
#undef SPAN
	h->tables = (struct image_span){sizeof(*s), tables};
	h->points = (struct image_span){points, SAMPLE_POINTS};
	h->strings = (struct image_span){strings, SAMPLE_STRING_BYTES};
	h->length = strings + SAMPLE_STRING_BYTES;
}

static inline void sample_network(struct sample *s)
{
	static const char *const own[SAMPLE_ADDRESSES] = {"10.1.0.1", "fd01::1", "10.2.0.1",
							  "fd02::1", "10.2.0.3"};
	static const struct {
		const char *to, *via;
		uint16_t interface;
		uint8_t prefix;
	} routes[SAMPLE_ROUTES] = {
		{"10.1.0.0", "::", 0, 24}, {"0.0.0.0", "10.1.0.254", 0, 0}, {"fd01::", "::", 0, 64},
		{"10.2.0.0", "::", 1, 24}, {"fd02::", "::", 1, 64},
	};

	for (uint32_t i = 0; i < SAMPLE_INTERFACES; i++)
		s->interfaces[i] = (struct image_interface){
			.name = sample_string(s, i ? "net" : "app"),
			.device = sample_string(s, i ? "fnd1" : "eth0"),
			.kind = DEVICE_AF_XDP,
			.vlan = i ? 100 : 0,
			.mtu = i ? 0 : 1500,
			.shared = i == 0,
			.limiter = i ? LIMITER_XDP : LIMITER_AUTO,
			.snat_port_low = 32768,
			.snat_port_high = 60999,
		};
	for (uint32_t i = 0; i < SAMPLE_ADDRESSES; i++)
		s->addresses[i] = (struct image_address){
			.ip = sample_ip(own[i]),
			.family = sample_family(own[i]),
			.prefix = i == 4  ? 32
				  : i % 2 ? 64
					  : 24,
			.interface = i >= 2,
			.flags = i == 4 ? ADDRESS_KERNEL : 0,
		};
	for (uint32_t i = 0; i < SAMPLE_ROUTES; i++)
		s->routes[i] = (struct image_route){
			.to = sample_ip(routes[i].to),
			.via = sample_ip(routes[i].via),
			.family = sample_family(routes[i].to),
			.prefix = routes[i].prefix,
			.interface = routes[i].interface,
		};
	for (uint32_t i = 0; i < SAMPLE_NEIGHBOURS; i++)
		s->neighbours[i] = (struct image_neighbour){
			.ip = sample_ip(i ? "fd02::9" : "10.2.0.9"),
			.mac = {2, 0, 0, 0, 0, (uint8_t)i},
			.interface = 1,
		};
}

static inline struct image_breaker sample_breaker(void)
{
	return (struct image_breaker){
		.mode = MODE_ENFORCE,
		.probes = 3,
		.successes = 3,
		.failure_rate = 5000,
		.slow_rate = 10000,
		.window = 100,
		.minimum_calls = 20,
		.open_ms = 5000,
		.max_open_ms = 60000,
		.half_open_ms = 10000,
	};
}

/* Every policy block, in the first cluster; a name to resolve in the last. */
static inline void sample_blocks(struct sample *s)
{
	struct image_cluster *c = &s->clusters[0];

	c->balance.bounded_load = 125;
	c->balance.slow_start_ms = 30000;
	c->breaker = sample_breaker();
	c->outlier = (struct image_outlier){
		.breaker = sample_breaker(),
		.max_ejected = 5000,
		.statistics = OUTLIER_SUCCESS_RATE | OUTLIER_LATENCY,
		.interval_ms = 10000,
		.minimum_hosts = 5,
		.minimum_calls = 100,
	};
	c->outlier.breaker.consecutive_failures = 5;
	c->bulkhead = (struct image_bulkhead){
		.mode = MODE_ENFORCE,
		.share = 5000,
		.max_concurrent = 64,
		.max_queue = 128,
		.queue_timeout_ms = 1000,
	};
	c->endpoint_bulkhead = (struct image_bulkhead){.mode = MODE_OBSERVE, .max_concurrent = 8};
	c->retry = (struct image_retry){
		.mode = MODE_ENFORCE,
		.max_attempts = 3,
		.on = RETRY_ON_CONNECT_FAILURE | RETRY_ON_CONNECT_TIMEOUT,
		.base_us = 25000,
		.max_us = 250000,
		.factor_percent = 200,
		.ratio = 2000,
		.minimum_per_second = 10,
		.window_ms = 10000,
	};
	c->health = (struct image_health_check){
		.type = HEALTH_HTTP,
		.healthy_threshold = 2,
		.unhealthy_threshold = 3,
		.path = sample_string(s, "/health"),
		.interval_ms = 10000,
		.unhealthy_interval_ms = 10000,
		.timeout_ms = 5000,
		.mode = MODE_ENFORCE,
		.source = sample_ip("10.2.0.3"),
	};
	s->clusters[SAMPLE_CLUSTERS - 1].source = (struct image_endpoint_source){
		.kind = SOURCE_DNS,
		.stale_ok = 1,
		.name = sample_string(s, "cache.example.net"),
		.refresh_ms = 5000,
	};
}

static inline void sample_clusters(struct sample *s, uint32_t maglev_size)
{
	static const struct {
		const char *name;
		uint32_t first, count;
		uint8_t algorithm;
	} rows[SAMPLE_CLUSTERS] = {
		{"orders", 0, 2, LB_ROUND_ROBIN}, {"payments", 2, 2, LB_MAGLEV},
		{"dns6", 4, 2, LB_ROUND_ROBIN}, /* with the table of orders */
		{"empty", 6, 0, LB_ROUND_ROBIN},  {"cache", 6, 1, LB_RING_HASH},
	};

	for (uint32_t i = 0; i < SAMPLE_CLUSTERS; i++)
		s->clusters[i] = (struct image_cluster){
			.key = name_key(rows[i].name),
			.name = sample_string(s, rows[i].name),
			.first_endpoint = rows[i].first,
			.endpoint_count = rows[i].count,
			.algorithm = rows[i].algorithm,
			.hash_on = rows[i].algorithm == LB_ROUND_ROBIN ? 0 : HASH_ON_SOURCE_IP,
			.table_count = rows[i].count ? SAMPLE_CYCLE : 0,
			.weight_sum = rows[i].count == 2 ? 3 : rows[i].count,
			.timeouts = {1000, 15000, 3600000, 30000, 60000, 0, 1000, 30000},
			.balance = {.panic_threshold = 5000, .priorities = 1},
		};
	s->clusters[1].table_first = SAMPLE_CYCLE;
	s->clusters[1].table_count = maglev_size;
	s->clusters[4].table_first = SAMPLE_CYCLE + maglev_size;
	s->clusters[4].table_count = SAMPLE_POINTS;
	sample_blocks(s);
}

static inline void sample_endpoints(struct sample *s)
{
	static const struct {
		const char *cluster, *ip;
		uint16_t port;
	} rows[SAMPLE_ENDPOINTS] = {
		{"orders", "10.2.0.11", 80},    {"orders", "10.2.0.12", 80},
		{"payments", "10.2.0.11", 443}, {"payments", "10.2.0.11", 444},
		{"dns6", "fd02::53", 53},       {"dns6", "fd02::54", 53},
		{"cache", "10.2.0.13", 80},
	};
	char name[ENDPOINT_NAME_BYTES];

	for (uint32_t i = 0; i < SAMPLE_ENDPOINTS; i++) {
		struct image_endpoint *e = &s->endpoints[i];

		*e = (struct image_endpoint){
			.ip = sample_ip(rows[i].ip),
			.snat = sample_ip(strchr(rows[i].ip, ':') ? "fd02::1" : "10.2.0.1"),
			.next_hop = sample_ip(rows[i].ip),
			.port = htons(rows[i].port),
			.weight = (uint16_t)(1 + i % 2),
			.interface = 1,
			.family = sample_family(rows[i].ip),
		};
		endpoint_name(&e->ip, e->family, e->port, name);
		e->name = sample_string(s, name);
		e->key = endpoint_key(rows[i].cluster, name);
	}
}

static inline void sample_listeners(struct sample *s)
{
	static const struct {
		const char *name, *ip;
		uint16_t port, cluster;
		uint8_t proto;
	} rows[SAMPLE_LISTENERS] = {
		{"orders", "10.1.0.1", 80, 0, PROTO_TCP},
		{"payments", "0.0.0.0", 443, 1, PROTO_TCP},
		{"dns", "::", 53, 2, PROTO_UDP},
	};

	for (uint32_t i = 0; i < SAMPLE_LISTENERS; i++)
		s->listeners[i] = (struct image_listener){
			.key = name_key(rows[i].name),
			.ip = sample_ip(rows[i].ip),
			.name = sample_string(s, rows[i].name),
			.port = htons(rows[i].port),
			.cluster = rows[i].cluster,
			.proto = rows[i].proto,
			.family = sample_family(rows[i].ip),
		};
	s->listeners[0].bulkhead = (struct image_bulkhead){
		.mode = MODE_ENFORCE,
		.max_concurrent = 1000,
		.max_queue = 10,
		.queue_timeout_ms = 100,
	};
	s->listeners[0].rate_limit = (struct image_rate_limit){
		.packets = {.rate = 20000, .burst = 40000, .algorithm = IMAGE_LIMIT_TOKEN_BUCKET},
		.bytes = {.rate = 10 << 20,
			  .burst = 1 << 20,
			  .algorithm = IMAGE_LIMIT_LEAKY_BUCKET},
		.source = {.rate = 200, .window_ms = 1000, .algorithm = IMAGE_LIMIT_FIXED_WINDOW},
		.listener = {.rate = 5, .window_ms = 500, .algorithm = IMAGE_LIMIT_SLIDING_WINDOW},
		.action = IMAGE_LIMIT_MARK,
		.directions = IMAGE_LIMIT_TO_ENDPOINT | IMAGE_LIMIT_TO_CLIENT,
		.listener_action = IMAGE_LIMIT_OBSERVE,
	};
}

/* What stands behind struct sample. */
static inline void sample_tables(struct sample *s, uint32_t maglev_size, uint32_t tag)
{
	uint16_t *tables = (uint16_t *)((uint8_t *)s + s->header.tables.off);
	uint64_t *points = (uint64_t *)((uint8_t *)s + s->header.points.off);

	for (uint32_t i = 0; i < SAMPLE_CYCLE; i++)
		tables[i] = i % 2;
	for (uint32_t i = 0; i < maglev_size; i++)
		tables[SAMPLE_CYCLE + i] = (uint16_t)((tag >> i % 16) & 1);
	for (uint32_t i = 0; i < SAMPLE_POINTS; i++)
		points[i] = UINT64_MAX / SAMPLE_POINTS * i;
}

/*
 * @maglev_size: elements of the big table, which the image's size follows
 * @tag: stored as spin_us; the big table's contents follow it, see sample_is_whole()
 */
static inline struct sample *sample_make(uint32_t maglev_size, uint32_t tag)
{
	size_t bytes = sizeof(struct sample) + (SAMPLE_CYCLE + maglev_size + SAMPLE_POINTS) * 2 +
		       8 + SAMPLE_POINTS * 8 + SAMPLE_STRING_BYTES;
	struct sample *s = calloc(1, bytes);

	if (!s)
		abort();
	sample_spans(s, maglev_size);
	s->header.magic = IMAGE_MAGIC;
	s->header.abi = IMAGE_ABI;
	s->header.sidecar = (struct image_sidecar){
		.workers = 1,
		.connections = MIN_CONNECTIONS,
		.listeners = 4,
		.clusters = 5,
		.endpoints = 8,
		.slot_bytes = DEFAULT_SLOT_BYTES,
		.spin_us = tag,
		.name = sample_string(s, "sample-0"),
		.on_dataplane_loss = ON_LOSS_PASS,
	};
	s->header.guard = (struct image_guard){
		.watch_ms = 30000, .error_rate_ppm = 50000, .p99_us = 250000, .minimum_calls = 20};
	sample_network(s);
	sample_clusters(s, maglev_size);
	sample_endpoints(s);
	sample_listeners(s);
	sample_tables(s, maglev_size, tag);
	for (uint32_t i = 0; i < SAMPLE_CLUSTERS; i++)
		s->clusters[i].members_hash =
			image_members_hash(&s->endpoints[s->clusters[i].first_endpoint],
					   s->clusters[i].endpoint_count);
	image_seal(&s->header, 0);
	return s;
}

/* Header and strings: no arrays at all. */
static inline struct sample *sample_bare(uint32_t tag)
{
	static const char strings[8] = "\0alone";
	struct sample *s = sample_make(SAMPLE_MAGLEV, tag);
	struct image_header *h = &s->header;
	struct image_span none = {sizeof(*h), 0};

	h->interfaces = h->addresses = h->routes = h->neighbours = none;
	h->listeners = h->clusters = h->endpoints = h->tables = h->points = none;
	h->strings = (struct image_span){sizeof(*h), sizeof(strings)};
	h->length = sizeof(*h) + sizeof(strings);
	h->sidecar.name = 1;
	h->sidecar.on_dataplane_loss = ON_LOSS_DROP;
	h->guard = (struct image_guard){0};
	memcpy((uint8_t *)s + sizeof(*h), strings, sizeof(strings));
	image_seal(h, 0);
	return s;
}

/* True when the big table, if there is one, was made with the image's tag. */
static inline int sample_is_whole(const struct image_header *image)
{
	const uint16_t *tables = IMAGE_ARRAY(image, uint16_t, tables);

	for (uint32_t i = 0; SAMPLE_CYCLE + i + SAMPLE_POINTS < image->tables.count; i++) {
		if (tables[SAMPLE_CYCLE + i] != ((image->sidecar.spin_us >> i % 16) & 1))
			return 0;
	}
	return 1;
}

#endif
