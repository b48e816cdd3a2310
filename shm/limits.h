/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every bound of Fender in one place. The configuration checker refuses what
 * exceeds them, the region is sized by them, and the image reader rejects an
 * image that claims more.
 */
#ifndef FENDER_SHM_LIMITS_H
#define FENDER_SHM_LIMITS_H

enum fender_limits {
	MAX_WORKERS = 16,
	MAX_INTERFACES = 16,
	MAX_ADDRESSES = 256,  /* over all interfaces */
	MAX_ROUTES = 512,     /* on-link routes of the addresses included */
	MAX_NEIGHBOURS = 256, /* static ones, from the policy */

	MAX_LISTENERS = 1024,
	MAX_CLUSTERS = 1024,
	MAX_ENDPOINTS = 16384, /* over all clusters */
	DEFAULT_LISTENERS = 256,
	DEFAULT_CLUSTERS = 256,
	DEFAULT_ENDPOINTS = 4096,
	MAX_WEIGHT = 256,

	MIN_MTU = 68, /* of IPv4, RFC 791; IPv6 needs 1280 */
	MAX_MTU = 9216,
	MAX_VLAN = 4094,
	MAX_SPIN_US = 1000 * 1000,
	MAX_TIMEOUT_MS = 20 * 24 * 3600 * 1000,

	MIN_CONNECTIONS = 64,
	DEFAULT_CONNECTIONS = 16 * 1024,
	MAX_CONNECTIONS = 4 * 1024 * 1024,

	MAX_BUFFERS = 4 * 1024 * 1024,

	MIN_SLOT_BYTES = 64 * 1024,
	DEFAULT_SLOT_BYTES = 4 * 1024 * 1024,
	MAX_SLOT_BYTES = 256 * 1024 * 1024,
	POLICY_SLOTS = 3,

	NAME_BYTES = 64, /* of listeners, clusters, interfaces, instances; NUL included */
	MAX_DEVICE_BYTES = 256,
	MAX_TEXT_BYTES = 4096, /* paths, host and domain names; NUL included */
	MAX_POLICY_FILE_BYTES = 16 * 1024 * 1024,

	/* A connection belongs to a bucket, a bucket to a worker (DESIGN "Sharding"). */
	OWNER_BUCKETS = 64,

	/* Maglev: table sizes are primes. */
	MAGLEV_MIN_SIZE = 1009,
	MAGLEV_DEFAULT_MAX_SIZE = 65537,
	MAGLEV_MAX_SIZE = 5000011,
	ROUND_ROBIN_MAX_CYCLE = 65536,
	RING_MAX_POINTS = 8388608,       /* of all clusters */
	RENDEZVOUS_MAX_ENDPOINTS = 1024, /* a pick looks at each */
	BOUNDED_MAX_ENDPOINTS = 1024,    /* likewise */

	MAX_OPEN_MS = 14 * 24 * 3600 * 1000, /* with 50 % jitter within 2^31 ms */
	MIN_WINDOW_MS = 100,
	MIN_WINDOW_CALLS = 10,
	MAX_WINDOW_CALLS = 40000,
	MAX_PRIORITIES = 8,
	MAX_ATTEMPTS = 10,
	MAX_QUEUE = 2048,       /* pending calls of a listener or cluster */
	MAX_PERMITS = 16777215, /* of a bulkhead */

	MIN_LIMIT_WINDOW_MS = 100, /* of a rate limit */
	MAX_LIMIT_WINDOW_MS = 3600 * 1000,
	MAX_LIMIT_FILL_S = 24 * 3600, /* a bucket takes to fill: burst / rate */
	MAX_GUARD_WATCH_MS = 3600 * 1000,
	MAX_GUARD_P99_US = 600 * 1000 * 1000,
	MAX_GUARD_CALLS = 1000 * 1000,
	COMMON_MTU = 1500, /* of an interface that does not say */
};

/* Rate limits; the same bounds as those of ebpf/limit_rule.h. */
#define MAX_LIMIT_RATE  (1ull << 35) /* units a second */
#define MAX_LIMIT_BURST (1ull << 40)
#define MAX_LIMIT_COUNT ((1ull << 33) - 1) /* units a window */

#endif
