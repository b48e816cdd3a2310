/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario file of `fender simulate` as checked C structures: who calls, how the endpoints
 * behave, what is changed meanwhile. Read by the machinery of the policy file (config/schema.h),
 * from tables of its own (scenario_schema.c); docs/simulate.md describes it. Times are in us.
 */
#ifndef FENDER_CONFIG_SCENARIO_H
#define FENDER_CONFIG_SCENARIO_H

#include "config/policy.h"
#include "config/schema.h"

struct diagnostics;
struct image_header;

enum scenario_bounds {
	SCENARIO_MAX_BYTES = 1024 * 1024, /* of the file */
	SCENARIO_MAX_LOADS = 256,
	SCENARIO_MAX_OUTAGES = 256, /* of an endpoint */
	SCENARIO_MAX_EVENTS = 256,
	SCENARIO_MAX_RELOADS = 16,
	SCENARIO_MAX_RATE = 10 * 1000 * 1000,
	SCENARIO_MAX_CONCURRENCY = 1000 * 1000,
	SCENARIO_MAX_CLIENTS = 8 * 1024 * 1024,
	SCENARIO_MAX_CALLS = 1000 * 1000 * 1000, /* of all loads by rate together */
};

enum scenario_shape {
	SCENARIO_FIXED,
	SCENARIO_UNIFORM,
	SCENARIO_EXPONENTIAL,
	SCENARIO_LOGNORMAL,
};

struct scenario_times {
	struct policy_map map;
	uint64_t distribution; /* enum scenario_shape */
	uint64_t value_us;
	uint64_t min_us;
	uint64_t max_us;
	uint64_t mean_us;
	uint64_t median_us;
	uint64_t p99_us;
};

enum scenario_fault {
	SCENARIO_REFUSE,
	SCENARIO_BLACKHOLE,
	SCENARIO_HANG,
	SCENARIO_RESET,
	SCENARIO_SLOW,
};

struct scenario_load {
	struct policy_map map;
	const char *listener;
	uint64_t rate;        /* 0: closed loop */
	uint64_t concurrency; /* 0: by rate */
	uint64_t evenly;
	uint64_t from_us;
	uint64_t to_us; /* the end, where the file says nothing */
	uint64_t clients;
	struct scenario_times hold;
	uint64_t patience_us;
	uint64_t think_us;
};

struct scenario_outage {
	struct policy_map map;
	uint64_t from_us;
	uint64_t to_us; /* the end, where the file says nothing */
	uint64_t kind;  /* enum scenario_fault */
	uint64_t factor;
};

struct scenario_flap {
	struct policy_map map;
	uint64_t period_us; /* 0: does not flap */
	uint64_t down_us;
	uint64_t kind;
};

struct scenario_endpoint {
	struct policy_map map;
	struct address address; /* family 0: every one that no other entry names */
	struct scenario_times connect;
	struct scenario_times latency;
	uint64_t failure_rate; /* hundredths of a percent */
	uint64_t failure;      /* enum scenario_fault */
	POLICY_LIST(struct scenario_outage) outages;
	struct scenario_flap flap;
};

enum scenario_word { SCENARIO_UNSET, SCENARIO_FIRST }; /* of the next three: 0 is "not there" */
enum scenario_health { SCENARIO_UNKNOWN = SCENARIO_FIRST, SCENARIO_HEALTHY, SCENARIO_UNHEALTHY };
enum scenario_drained { SCENARIO_NOT_DRAINED = SCENARIO_FIRST, SCENARIO_DRAINED };
enum scenario_breaker { SCENARIO_AUTO = SCENARIO_FIRST, SCENARIO_OPEN, SCENARIO_CLOSED };

struct scenario_event {
	struct policy_map map;
	uint64_t at_us;
	const char *reload; /* policy file; NULL: no reload */
	struct address endpoint;
	const char *cluster;
	uint64_t health;  /* enum scenario_health */
	uint64_t drained; /* enum scenario_drained */
	uint64_t breaker; /* enum scenario_breaker */
};

struct scenario {
	struct policy_map map;
	uint64_t duration_us;
	uint64_t seed;
	uint64_t workers; /* 0: the policy's */
	POLICY_LIST(struct scenario_load) load;
	POLICY_LIST(struct scenario_endpoint) endpoints;
	POLICY_LIST(struct scenario_event) events;
};

extern const struct schema_map schema_scenario;

/**
 * scenario_parse() - read a scenario and apply the rules it can be judged by alone
 * @arena: where it lives
 * Return: the scenario; NULL with at least one error in @d.
 */
struct scenario *scenario_parse(const char *text, size_t bytes, struct arena *arena,
				struct diagnostics *d);

/* The same from a file of at most SCENARIO_MAX_BYTES; its name is d's. */
struct scenario *scenario_parse_file(const char *path, struct arena *arena, struct diagnostics *d);

/* Does every name of the scenario stand in one of @images? An error in @d for each that does not.
 */
void scenario_check_names(const struct scenario *s, const struct image_header *const *images,
			  size_t count, struct diagnostics *d);

#endif
