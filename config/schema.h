/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of policy keys. Parsing, defaults, ranges, error messages, the reference, the
 * sample and the JSON Schema all come from it: a new key is one row here, one field in
 * config/policy.h, and what uses it.
 */
#ifndef FENDER_CONFIG_SCHEMA_H
#define FENDER_CONFIG_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "shm/limits.h"

/* Field types in brackets. */
enum schema_type {
	SCHEMA_INTEGER,   /* [uint64_t] */
	SCHEMA_COUNT,     /* 10k, 16Ki [uint64_t] */
	SCHEMA_SIZE,      /* bytes [uint64_t] */
	SCHEMA_DURATION,  /* in units of unit_ns [uint64_t] */
	SCHEMA_PERCENT,   /* in hundredths of a percent [uint64_t] */
	SCHEMA_FACTOR,    /* 1.5, in hundredths [uint64_t] */
	SCHEMA_BOOL,      /* [uint64_t] */
	SCHEMA_ENUM,      /* a choice's value [uint64_t] */
	SCHEMA_NAME,      /* [const char *] */
	SCHEMA_DEVICE,    /* [struct value_device] */
	SCHEMA_ADDRESS,   /* [struct address], as are the next four */
	SCHEMA_INTERFACE, /* address/prefix of ours */
	SCHEMA_NETWORK,
	SCHEMA_ENDPOINT,
	SCHEMA_BIND,
	SCHEMA_MAC,      /* [uint8_t[6]] */
	SCHEMA_PORTS,    /* [struct value_port_range] */
	SCHEMA_WINDOW,   /* calls or a duration [struct value_window] */
	SCHEMA_BURST,    /* units, bytes or seconds' worth [struct value_burst] */
	SCHEMA_URL_PATH, /* [const char *], as are the next two */
	SCHEMA_HOST,
	SCHEMA_FILE,
	SCHEMA_DNS,  /* name:port, or a name alone [struct value_dns] */
	SCHEMA_SET,  /* list of integers (bit = number) or choices (bit = value) [uint64_t] */
	SCHEMA_LIST, /* [POLICY_LIST of the item's type; addresses: struct policy_address] */
	SCHEMA_MAP,  /* [a structure that begins with struct policy_map] */
};

enum schema_flags {
	SCHEMA_REQUIRED = 1 << 0,
	SCHEMA_RESTART = 1 << 1, /* a change needs a restart of the dataplane */
};

struct schema_choice {
	const char *name;
	uint64_t value;
};

struct schema_map;

struct schema_key {
	const char *name;
	const char *description; /* one sentence */
	enum schema_type type;
	unsigned int flags;
	size_t offset; /* of the field in the map's structure */
	/*
	 * Numbers and durations: range of the value; windows: of the calls; ports: of each port;
	 * lists and sets of choices: of the number of elements; sets of integers: of each element.
	 */
	uint64_t min;
	uint64_t max;
	uint64_t unit_ns; /* durations */
	/*
	 * Default of numbers, choices, sets, windows (calls) and ports (low << 16 | high); of the
	 * rest zero.
	 */
	uint64_t fallback;
	const char *fallback_text; /* documents: instead of the fallback; NULL: print that */
	const struct schema_choice *choices; /* ends with a NULL name */
	enum schema_type item;               /* of a list or set */
	const struct schema_map *map;        /* of a map or a list of maps */
	/* A map that may stand in place of a list, and where its structure is; NULL: none. */
	const struct schema_map *instead;
	size_t instead_offset;
	/*
	 * The value in the sample, as YAML: [0] for the first element of the list around the key
	 * (or where there is none), [1] for the second. NULL: left out; "": the keys inside it
	 * follow; after a '#': commented out.
	 */
	const char *example[2];
};

struct schema_map {
	const struct schema_key *keys;
	size_t count;
	size_t bytes; /* of its structure */
};

enum { SCHEMA_MAX_KEYS = 16 }; /* of one map */

#define SCHEMA_AT(type, field) offsetof(struct type, field)
#define SCHEMA_KEYS(type, rows)                                            \
	{                                                                  \
		.keys = (rows), .count = sizeof(rows) / sizeof((rows)[0]), \
		.bytes = sizeof(struct type)                               \
	}

enum schema_units {
	SCHEMA_US = 1000, /* of unit_ns */
	SCHEMA_MS = 1000 * 1000,
	SCHEMA_WINDOW_MIN_MS = MIN_WINDOW_MS, /* of windows that are durations */
	SCHEMA_WINDOW_MAX_MS = 3600 * 1000,
	SECOND_MS = 1000, /* of durations in milliseconds */
	MINUTE_MS = 60 * SECOND_MS,
	HOUR_MS = 60 * MINUTE_MS,
	DAY_MS = 24 * HOUR_MS,
};

extern const struct schema_map schema_root;

/* Parts of it with a file of their own: schema_cluster.c, schema_policies.c, schema_limits.c. */
extern const struct schema_map schema_cluster;
extern const struct schema_map schema_listener_bulkhead;
extern const struct schema_map schema_load_balancing;
extern const struct schema_map schema_health_check;
extern const struct schema_map schema_circuit_breaker;
extern const struct schema_map schema_outlier_detection;
extern const struct schema_map schema_bulkhead;
extern const struct schema_map schema_endpoint_bulkhead;
extern const struct schema_map schema_retry;
extern const struct schema_map schema_rate_limit;
extern const struct schema_map schema_reload;

/* A file that holds a cluster's list of endpoints. */
extern const struct schema_key schema_endpoint_file;

/* How the reference calls the type: "duration", "name". */
const char *schema_type_name(enum schema_type type);

/* Bytes of a list's element. */
size_t schema_item_bytes(const struct schema_key *list);

enum { SCHEMA_TEXT_BYTES = 192 };

/* A value of the key's type and unit as it would stand in a file. @out: SCHEMA_TEXT_BYTES. */
const char *schema_print_value(const struct schema_key *key, uint64_t value, char *out);

/* "1 to 256", "1ms to 5m", "tcp, udp", "up to 16 elements"; "" when the type alone says it. */
const char *schema_print_range(const struct schema_key *key, char *out);

/* The default as text; "" when there is none. */
const char *schema_print_fallback(const struct schema_key *key, char *out);

/* The choice with this name or NULL. */
const struct schema_choice *schema_choice_find(const struct schema_key *key, const char *name);

#endif
