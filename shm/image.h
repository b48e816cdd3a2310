/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy image: what the compiler in config/ writes and the dataplane
 * adopts. One flat block of bytes, offsets instead of pointers, fixed-width
 * integers in host byte order (addresses, ports and MACs in network order).
 *
 * The reader treats it as hostile: image_check() bounds-checks everything once
 * on a private copy; after that the arrays may be indexed without checks.
 *
 * One policy has one image, byte for byte. The arrays stand behind the header in the order of
 * its spans, each starting at the next multiple of 8; padding is zero; names, keys and sort
 * orders are those of shm/names.h and shm/image_order.h. image_check() refuses anything else.
 */
#ifndef FENDER_SHM_IMAGE_H
#define FENDER_SHM_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "shm/limits.h"

#define IMAGE_MAGIC 0x504e4446u /* "FDNP" */
#define IMAGE_ABI   3u

/* An array inside the image: byte offset from its start (8-aligned) and element count. */
struct image_span {
	uint32_t off;
	uint32_t count;
};

/* IPv4 is kept v4-mapped (::ffff:a.b.c.d), so one comparison serves both families. */
struct image_ip {
	uint8_t b[16];
};

enum image_family { FAMILY_V4 = 4, FAMILY_V6 = 6 };
enum image_proto { PROTO_TCP = 6, PROTO_UDP = 17 };
enum image_device { DEVICE_AF_XDP = 1, DEVICE_PCI = 2, DEVICE_VDEV = 3 };
enum image_idle { IDLE_ADAPTIVE = 0, IDLE_POLL = 1 };
enum image_hugepages { HUGEPAGES_AUTO = 0, HUGEPAGES_NEVER = 1, HUGEPAGES_ALWAYS = 2 };
enum image_algorithm {
	LB_ROUND_ROBIN = 0,
	LB_MAGLEV = 1,
	LB_RANDOM = 2,
	LB_LEAST_REQUESTS = 3,
	LB_PEAK_EWMA = 4,
	LB_RING_HASH = 5,
	LB_RENDEZVOUS = 6,
	LB_ALGORITHMS,
};
/* Of a policy block: absent, in force, or counting what it would do. */
enum image_mode { MODE_OFF = 0, MODE_ENFORCE = 1, MODE_OBSERVE = 2 };
enum image_window { WINDOW_CALLS = 0, WINDOW_DURATION = 1 };
enum image_scope { SCOPE_CLUSTER = 0, SCOPE_SOURCE = 1 };
enum image_retry_on { RETRY_ON_CONNECT_FAILURE = 1, RETRY_ON_CONNECT_TIMEOUT = 2 };
enum image_jitter { JITTER_FULL = 0, JITTER_NONE = 1 };
enum image_health_type { HEALTH_NONE = 0, HEALTH_TCP = 1, HEALTH_HTTP = 2 };
enum image_outlier_statistics { OUTLIER_SUCCESS_RATE = 1, OUTLIER_LATENCY = 2 };
enum image_source { SOURCE_LIST = 0, SOURCE_FILE = 1, SOURCE_DNS = 2 };
/* Who enforces rate limits on what an interface receives. */
enum image_limiter { LIMITER_AUTO = 0, LIMITER_XDP = 1, LIMITER_DPDK = 2, LIMITER_NONE = 3 };
/* Numbers of ebpf/limit.h. */
enum image_limit_algorithm {
	IMAGE_LIMIT_NONE = 0,
	IMAGE_LIMIT_TOKEN_BUCKET = 1,
	IMAGE_LIMIT_LEAKY_BUCKET = 2,
	IMAGE_LIMIT_FIXED_WINDOW = 3,
	IMAGE_LIMIT_SLIDING_WINDOW = 4,
};
enum image_limit_action {
	IMAGE_LIMIT_DROP = 0,
	IMAGE_LIMIT_MARK = 1,
	IMAGE_LIMIT_OBSERVE = 2,
};
enum image_limit_direction { IMAGE_LIMIT_TO_ENDPOINT = 1, IMAGE_LIMIT_TO_CLIENT = 2 };
/* What to do when no dataplane will come back. */
enum image_on_loss { ON_LOSS_DROP = 0, ON_LOSS_PASS = 1 };
enum image_address_flag { ADDRESS_KERNEL = 1 }; /* the kernel's, on an exclusive interface */
enum image_hash_on { HASH_ON_SOURCE_IP = 1, HASH_ON_SOURCE_PORT = 2 };

/* What needs a restart of the dataplane: compared by the control plane at reload. */
struct image_sidecar {
	uint32_t workers;
	uint32_t connections;
	uint32_t listeners; /* capacity of the state tables, not what is in use */
	uint32_t clusters;
	uint32_t endpoints;
	uint32_t slot_bytes;
	uint32_t idle;      /* enum image_idle */
	uint32_t hugepages; /* enum image_hugepages */
	uint64_t cpus;    /* bit i: CPU i may be used by a worker; 0: all allowed ones, unpinned */
	uint32_t spin_us; /* adaptive idle: how long to spin before sleeping */
	uint32_t name;    /* offset into strings */
	uint32_t verify_checksums;
	uint32_t buffers;           /* packet buffers beyond what workers and queues need */
	uint32_t on_dataplane_loss; /* enum image_on_loss; changes without a restart */
	uint32_t pad;
};
_Static_assert(sizeof(struct image_sidecar) == 64, "ABI");

/*
 * What the control plane alone acts on; changes without a restart. metrics and the log's form
 * are no policy: they are options of `fender run`.
 */
struct image_guard {
	uint32_t watch_ms;       /* 0: no guard */
	uint32_t error_rate_ppm; /* of calls while watched; 0: not looked at */
	uint32_t p99_us;         /* time to first byte; 0: not looked at */
	uint32_t minimum_calls;  /* fewer calls judge nothing */
};
_Static_assert(sizeof(struct image_guard) == 16, "ABI");

/* Names differ. */
struct image_interface {
	uint32_t name;   /* offset into strings */
	uint32_t device; /* offset into strings: netdev, PCI address or vdev arguments */
	uint8_t kind;    /* enum image_device */
	uint8_t shared;  /* AF_XDP, 1: the kernel keeps the address, only what is Fender's is taken
			  */
	uint16_t vlan;   /* 0: untagged, else the one VLAN id this interface speaks */
	uint16_t mtu;    /* IP bytes; 0: the device's own */
	uint16_t snat_port_low; /* host order, inclusive */
	uint16_t snat_port_high;
	uint8_t limiter; /* enum image_limiter */
	uint8_t pad0;
	uint16_t pad1[2];
};
_Static_assert(sizeof(struct image_interface) == 24, "ABI");

/* No two alike. */
struct image_address {
	struct image_ip ip;
	uint8_t family;
	uint8_t prefix; /* bits, in terms of the family */
	uint16_t interface;
	uint32_t flags; /* enum image_address_flag */
};
_Static_assert(sizeof(struct image_address) == 24, "ABI");

/*
 * One limit. Bounds are those of ebpf/limit_rule.h: limit_rule_make() takes what image_check()
 * lets pass. Absent: all zero.
 */
struct image_limit {
	uint64_t rate;      /* packets, bytes of IP total length, or connections a second */
	uint64_t burst;     /* buckets: units; windows: 0 */
	uint32_t window_ms; /* windows; buckets: 0 */
	uint8_t algorithm;  /* enum image_limit_algorithm */
	uint8_t pad[3];
};
_Static_assert(sizeof(struct image_limit) == 24, "ABI");

/* A listener's rate limits. */
struct image_rate_limit {
	struct image_limit packets; /* a connection's, each direction of @directions by itself */
	struct image_limit bytes;
	struct image_limit source;   /* starts of connections, per client address */
	struct image_limit listener; /* starts of connections */
	uint8_t action;              /* enum image_limit_action; of packets and bytes */
	uint8_t directions;          /* enum image_limit_direction, or-ed; 0 without both */
	uint8_t source_action;       /* drop or observe */
	uint8_t listener_action;     /* drop or observe */
	uint32_t pad;
};
_Static_assert(sizeof(struct image_rate_limit) == 104, "ABI");

/*
 * Sorted: interface, family, then longest prefix first; ties by address. Host bits of to are
 * zero.
 */
struct image_route {
	struct image_ip to;
	struct image_ip via; /* all zero: on-link */
	uint8_t family;
	uint8_t prefix;
	uint16_t interface;
	uint32_t pad;
};
_Static_assert(sizeof(struct image_route) == 40, "ABI");

/* No two alike in interface and ip. */
struct image_neighbour {
	struct image_ip ip;
	uint8_t mac[6];
	uint16_t interface;
};
_Static_assert(sizeof(struct image_neighbour) == 24, "ABI");

/* Percentages in hundredths of a percent: 10000 is all. */

/* Permits. Block absent: mode MODE_OFF and the rest zero; so with every block below. */
struct image_bulkhead {
	uint8_t mode;  /* enum image_mode */
	uint8_t scope; /* enum image_scope; SCOPE_SOURCE has no queue */
	/* Of a worker's connection entries; 0: no bound. Set alone: MODE_ENFORCE, max_concurrent 0.
	 */
	uint16_t share;
	uint32_t max_concurrent; /* 1 and up; 0: no bound */
	uint32_t max_queue;      /* 0..MAX_QUEUE */
	uint32_t queue_timeout_ms;
	uint32_t pad[2];
};
_Static_assert(sizeof(struct image_bulkhead) == 24, "ABI");

/* A breaker's rules, a cluster's or an endpoint's. */
struct image_breaker {
	uint8_t mode;
	uint8_t window_kind;   /* enum image_window */
	uint8_t probes;        /* 1..BREAKER_MAX_PROBES, at once over all workers */
	uint8_t successes;     /* 1..BREAKER_MAX_PROBES: so many close it */
	uint16_t failure_rate; /* 0: off */
	uint16_t slow_rate;    /* 0: off; used when slow_us is not 0 */
	uint32_t window;       /* calls (a multiple of 10, 10..40000) or ms (100..) */
	uint32_t minimum_calls;
	uint32_t consecutive_failures; /* 0: off; up to BREAKER_MAX_CONSECUTIVE */
	uint32_t slow_us;              /* a verdict that took this long is slow; 0: none is */
	uint32_t open_ms;              /* the first time; doubled at each failed recovery */
	uint32_t max_open_ms;
	uint32_t half_open_ms; /* reopens without a verdict for so long */
	uint32_t pad;
};
_Static_assert(sizeof(struct image_breaker) == 40, "ABI");

struct image_outlier {
	struct image_breaker breaker;
	uint16_t max_ejected;
	uint8_t statistics; /* bits of enum image_outlier_statistics */
	uint8_t pad0;
	uint32_t interval_ms;
	uint32_t minimum_hosts;
	uint32_t minimum_calls; /* an interval, to take part in the statistics */
};
_Static_assert(sizeof(struct image_outlier) == 56, "ABI");

struct image_retry {
	uint8_t mode;
	uint8_t max_attempts; /* 1..MAX_ATTEMPTS, the first included */
	uint8_t on;           /* bits of enum image_retry_on */
	uint8_t jitter;       /* enum image_jitter */
	uint32_t base_us;     /* back-off */
	uint32_t max_us;
	uint32_t factor_percent; /* 100..1000: 200 doubles */
	/* budget */
	uint16_t ratio;
	uint16_t pad0;
	uint32_t minimum_per_second;
	uint32_t window_ms;
	uint32_t max_concurrent; /* 0: max(64, 20 % of the attempts in flight) */
};
_Static_assert(sizeof(struct image_retry) == 32, "ABI");

struct image_balance {
	uint16_t bounded_load;    /* percent of the mean load, 100..1000; 0: unbounded */
	uint16_t panic_threshold; /* hundredths of a percent; 0: never */
	uint32_t slow_start_ms;   /* 0: none */
	uint32_t has_zones;       /* some endpoint is ENDPOINT_LOCAL and some is not */
	uint32_t priorities;      /* levels: 1..MAX_PRIORITIES */
};
_Static_assert(sizeof(struct image_balance) == 16, "ABI");

/* For the control plane. */
struct image_health_check {
	uint8_t type; /* enum image_health_type */
	uint8_t initial_unhealthy;
	uint8_t healthy_threshold;
	uint8_t unhealthy_threshold;
	uint32_t path; /* string; http */
	uint32_t host; /* string: Host header; empty: the endpoint's address */
	uint32_t interval_ms;
	uint32_t unhealthy_interval_ms;
	uint32_t timeout_ms;
	uint16_t port; /* host order; 0: the endpoint's */
	uint8_t mode;  /* MODE_OBSERVE: probes and events, but no word of health */
	uint8_t pad0;
	uint32_t pad1;
	struct image_ip source; /* probes come from it; all zero: the kernel's choice */
};
_Static_assert(sizeof(struct image_health_check) == 48, "ABI");

struct image_endpoint_source {
	uint8_t kind; /* enum image_source */
	uint8_t stale_ok;
	uint16_t port; /* dns: of the addresses, host order; 0: SRV records say */
	uint32_t name; /* string: path or domain name; empty for a list */
	uint32_t refresh_ms;
	uint32_t pad;
};
_Static_assert(sizeof(struct image_endpoint_source) == 16, "ABI");

/*
 * Sorted by (interface, proto, family, port, ip): found by binary search. Its cluster's
 * endpoints are of its family.
 */
struct image_listener {
	uint64_t key;       /* name_key(); finds its state and counters */
	struct image_ip ip; /* all zero (v4: mapped zero): every address of the interface */
	uint32_t name;
	uint16_t port; /* network order */
	uint16_t interface;
	uint16_t cluster; /* index into clusters */
	uint8_t proto;
	uint8_t family;
	uint32_t pad;
	struct image_bulkhead bulkhead; /* scope cluster, share 0 */
	struct image_rate_limit rate_limit;
};
_Static_assert(sizeof(struct image_listener) == 168, "ABI");

/*
 * Milliseconds, at most MAX_TIMEOUT_MS; 0 = off where the reference says so, but connect, idle
 * and half_closed always end.
 */
struct image_timeouts {
	uint32_t connect_ms;
	uint32_t request_ms;
	uint32_t idle_tcp_ms;
	uint32_t idle_udp_ms;
	uint32_t half_closed_ms;
	uint32_t max_duration_ms;
	uint32_t verdict_after_ms;
	uint32_t drain_ms;
	uint32_t expect_reply_ms; /* udp: no reply for so long is a failure; 0: no verdict */
	uint32_t pad;
};
_Static_assert(sizeof(struct image_timeouts) == 40, "ABI");

/* In the order of the clusters, their endpoints fill the endpoint array without a gap. */
struct image_cluster {
	uint64_t key;
	uint32_t name;
	uint32_t first_endpoint; /* its endpoints are contiguous, sorted by address, port */
	uint32_t endpoint_count;
	uint8_t algorithm; /* enum image_algorithm */
	uint8_t hash_on;   /* bits of enum image_hash_on */
	uint16_t pad0;
	/*
	 * Elements of the tables array: endpoint numbers within the cluster. Maglev: the
	 * look-up table, its prime size. Ring hash: the endpoint of each point. All others: one
	 * full smooth weighted cycle. Never empty for a cluster with endpoints, {0, 0} without.
	 * Each table starts where the one before it ended, or is the very table of an earlier
	 * cluster with as many endpoints (ring hash: and the same points).
	 */
	uint32_t table_first;
	uint32_t table_count;
	uint32_t point_first;  /* ring hash: of its table_count points; else 0 */
	uint32_t weight_sum;   /* of its endpoints */
	uint64_t members_hash; /* image_members_hash() of what its table was built from */
	struct image_timeouts timeouts;
	struct image_balance balance;
	struct image_breaker breaker;
	struct image_outlier outlier;
	struct image_bulkhead bulkhead;
	struct image_bulkhead endpoint_bulkhead; /* of each endpoint: no queue, scope, share */
	struct image_retry retry;
	struct image_health_check health;
	struct image_endpoint_source source;
};
_Static_assert(sizeof(struct image_cluster) == 48 + 40 + 16 + 40 + 56 + 24 + 24 + 32 + 48 + 16,
	       "ABI");

struct image_endpoint {
	uint64_t key; /* endpoint_key() */
	struct image_ip ip;
	struct image_ip snat;     /* our address towards it: one of its interface's */
	struct image_ip next_hop; /* itself when on-link, else the gateway */
	uint32_t name;            /* endpoint_name() */
	uint16_t port;            /* network order */
	uint16_t weight;          /* 1..MAX_WEIGHT */
	uint16_t interface;       /* it is reached by */
	uint8_t family;
	uint8_t priority; /* 0, used first, to MAX_PRIORITIES - 1 */
	uint8_t local;    /* in the sidecar's own zone */
	uint8_t pad0[3];
};
_Static_assert(sizeof(struct image_endpoint) == 72, "ABI");

struct image_header {
	uint32_t magic;
	uint32_t abi;
	uint32_t length;       /* of the whole image, header included; multiple of 8 */
	uint32_t crc32c;       /* over length bytes with this field zero */
	uint64_t generation;   /* set when published; 0 as compiled */
	uint64_t content_hash; /* xxh64 of the image with crc32c, generation and this field zero */
	struct image_sidecar sidecar;
	struct image_guard guard;
	struct image_span interfaces;
	struct image_span addresses;
	struct image_span routes;
	struct image_span neighbours;
	struct image_span listeners;
	struct image_span clusters;
	struct image_span endpoints;
	struct image_span tables;  /* uint16_t */
	struct image_span points;  /* uint64_t: hashes of ring hash, each ring ascending */
	struct image_span strings; /* bytes; the first is the empty string, the last a NUL */
};
_Static_assert(sizeof(struct image_header) == 32 + 64 + 16 + 10 * 8, "ABI");

/* Typed access to an array of an image that image_check() accepted. */
#define IMAGE_ARRAY(img, type, span) ((const type *)((const uint8_t *)(img) + (img)->span.off))

static inline const char *image_string(const struct image_header *img, uint32_t off)
{
	return (const char *)img + img->strings.off + off;
}

static inline struct image_ip image_ip_v4(uint32_t be_addr)
{
	struct image_ip ip = {.b = {[10] = 0xff, [11] = 0xff}};

	__builtin_memcpy(&ip.b[12], &be_addr, 4);
	return ip;
}

static inline int image_ip_is_v4(const uint8_t ip[16])
{
	const struct image_ip mapped = image_ip_v4(0);

	return __builtin_memcmp(ip, mapped.b, 12) == 0;
}

/*
 * xxh64 over key, weight and priority of a cluster's endpoints in their order: what its table is
 * built from. The dataplane compares it at adoption; a difference is a counted alarm.
 */
uint64_t image_members_hash(const struct image_endpoint *endpoints, uint32_t count);

/**
 * image_seal() - set generation, content hash and checksum of an image
 * @img: image of img->length bytes, otherwise complete
 * @generation: of the publication; the compiler passes 0
 */
void image_seal(struct image_header *img, uint64_t generation);

/**
 * image_check() - decide whether a block of bytes is a usable policy image
 * @bytes: private copy of the image, 8-aligned (never shared memory itself)
 * @size: bytes readable at @bytes
 * @why: at least 160 bytes; receives one sentence when the image is refused
 *
 * Checks magic, ABI, length, checksum, every span, every index, enumerator, string offset,
 * sort order and bound of shm/limits.h. After 0 the arrays may be used unchecked.
 * Return: 0, or -EINVAL (content), -EPROTO (another ABI), -EMSGSIZE (length).
 */
int image_check(const void *bytes, size_t size, char *why, size_t why_size);

#endif
