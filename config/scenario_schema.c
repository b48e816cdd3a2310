/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a scenario file. */
#include "config/scenario.h"

#define AT SCHEMA_AT

#define LONGEST_US (UINT64_C(100) * 24 * 3600 * 1000 * 1000)

static const struct schema_choice choices_shape[] = {{"fixed", SCENARIO_FIXED},
						     {"uniform", SCENARIO_UNIFORM},
						     {"exponential", SCENARIO_EXPONENTIAL},
						     {"lognormal", SCENARIO_LOGNORMAL},
						     {NULL, 0}};
static const struct schema_choice choices_failure[] = {{"refuse", SCENARIO_REFUSE},
						       {"blackhole", SCENARIO_BLACKHOLE},
						       {"hang", SCENARIO_HANG},
						       {"reset", SCENARIO_RESET},
						       {NULL, 0}};
static const struct schema_choice choices_outage[] = {
	{"refuse", SCENARIO_REFUSE}, {"blackhole", SCENARIO_BLACKHOLE}, {"hang", SCENARIO_HANG},
	{"reset", SCENARIO_RESET},   {"slow", SCENARIO_SLOW},           {NULL, 0}};
static const struct schema_choice choices_arrivals[] = {{"poisson", 0}, {"even", 1}, {NULL, 0}};
static const struct schema_choice choices_health[] = {{"unknown", SCENARIO_UNKNOWN},
						      {"healthy", SCENARIO_HEALTHY},
						      {"unhealthy", SCENARIO_UNHEALTHY},
						      {NULL, 0}};
static const struct schema_choice choices_drained[] = {
	{"true", SCENARIO_DRAINED}, {"false", SCENARIO_NOT_DRAINED}, {NULL, 0}};
static const struct schema_choice choices_breaker[] = {
	{"auto", SCENARIO_AUTO}, {"open", SCENARIO_OPEN}, {"closed", SCENARIO_CLOSED}, {NULL, 0}};

#define DURATION(of, key, field, what)                                                          \
	.name = (key), .description = (what), .type = SCHEMA_DURATION, .offset = AT(of, field), \
	.unit_ns = SCHEMA_US, .max = LONGEST_US

#define TIMES_KEYS(default_us)                                                                 \
	{                                                                                      \
		{.name = "distribution",                                                       \
		 .description = "How the times are spread.",                                   \
		 .type = SCHEMA_ENUM,                                                          \
		 .offset = AT(scenario_times, distribution),                                   \
		 .choices = choices_shape},                                                    \
			{DURATION(scenario_times, "value", value_us, "The time, of `fixed`."), \
			 .fallback = (default_us)},                                            \
			{DURATION(scenario_times, "min", min_us,                               \
				  "The shortest time, of `uniform`.")},                        \
			{DURATION(scenario_times, "max", max_us,                               \
				  "The longest time, of `uniform`.")},                         \
			{DURATION(scenario_times, "mean", mean_us,                             \
				  "The mean, of `exponential`.")},                             \
			{DURATION(scenario_times, "median", median_us,                         \
				  "The median, of `lognormal`.")},                             \
			{DURATION(scenario_times, "p99", p99_us,                               \
				  "The 99th percentile, of `lognormal`.")},                    \
	}

static const struct schema_key hold_keys[] = TIMES_KEYS(0);
static const struct schema_map hold_map = SCHEMA_KEYS(scenario_times, hold_keys);
static const struct schema_key connect_keys[] = TIMES_KEYS(500);
static const struct schema_map connect_map = SCHEMA_KEYS(scenario_times, connect_keys);
static const struct schema_key latency_keys[] = TIMES_KEYS(1000);
static const struct schema_map latency_map = SCHEMA_KEYS(scenario_times, latency_keys);

static const struct schema_key load_keys[] = {
	{.name = "listener",
	 .description = "Listener of the policy that is called.",
	 .type = SCHEMA_NAME,
	 .flags = SCHEMA_REQUIRED,
	 .offset = AT(scenario_load, listener),
	 .example = {"payments"}},
	{.name = "rate",
	 .description = "Calls a second, whatever becomes of them.",
	 .type = SCHEMA_COUNT,
	 .offset = AT(scenario_load, rate),
	 .min = 1,
	 .max = SCENARIO_MAX_RATE,
	 .fallback_text = "none, a closed loop"},
	{.name = "concurrency",
	 .description = "Instead of a rate: so many callers, each of which waits for the end of "
			"its call before it makes the next.",
	 .type = SCHEMA_COUNT,
	 .offset = AT(scenario_load, concurrency),
	 .min = 1,
	 .max = SCENARIO_MAX_CONCURRENCY,
	 .fallback_text = "none, by rate"},
	{.name = "arrivals",
	 .description = "By rate: a `poisson` process, or at `even` distances.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(scenario_load, evenly),
	 .choices = choices_arrivals},
	{DURATION(scenario_load, "from", from_us, "When it begins.")},
	{DURATION(scenario_load, "to", to_us, "When it ends."), .fallback_text = "the end"},
	{.name = "clients",
	 .description = "Distinct client addresses.",
	 .type = SCHEMA_COUNT,
	 .offset = AT(scenario_load, clients),
	 .min = 1,
	 .max = SCENARIO_MAX_CLIENTS,
	 .fallback = 1000},
	{.name = "hold",
	 .description = "How long a connection stays open after its first byte.",
	 .type = SCHEMA_MAP,
	 .map = &hold_map,
	 .offset = AT(scenario_load, hold)},
	{DURATION(scenario_load, "patience", patience_us,
		  "A client that has no byte after so long leaves; 0: it never does.")},
	{DURATION(scenario_load, "think", think_us,
		  "Closed loop: from the end of a call to the next one."),
	 .min = 1, .fallback = 1000},
};
static const struct schema_map load_map = SCHEMA_KEYS(scenario_load, load_keys);

static const struct schema_key outage_keys[] = {
	{DURATION(scenario_outage, "from", from_us, "When it begins.")},
	{DURATION(scenario_outage, "to", to_us, "When it ends."), .fallback_text = "the end"},
	{.name = "kind",
	 .description = "What the endpoint does meanwhile.",
	 .type = SCHEMA_ENUM,
	 .flags = SCHEMA_REQUIRED,
	 .offset = AT(scenario_outage, kind),
	 .choices = choices_outage,
	 .example = {"refuse"}},
	{.name = "factor",
	 .description = "Of `slow`: its latencies are so many times longer.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(scenario_outage, factor),
	 .min = 1,
	 .max = 1000 * 1000,
	 .fallback = 10},
};
static const struct schema_map outage_map = SCHEMA_KEYS(scenario_outage, outage_keys);

static const struct schema_key flap_keys[] = {
	{DURATION(scenario_flap, "period", period_us, "From one failure to the next."),
	 .flags = SCHEMA_REQUIRED, .min = 1, .example = {"10s"}},
	{DURATION(scenario_flap, "down", down_us, "How long it is down, at the end of each."),
	 .flags = SCHEMA_REQUIRED, .min = 1, .example = {"3s"}},
	{.name = "kind",
	 .description = "What it does while it is down.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(scenario_flap, kind),
	 .choices = choices_failure},
};
static const struct schema_map flap_map = SCHEMA_KEYS(scenario_flap, flap_keys);

static const struct schema_key endpoint_keys[] = {
	{.name = "address",
	 .description = "Endpoint of the policy, in every cluster that has it.",
	 .type = SCHEMA_ENDPOINT,
	 .offset = AT(scenario_endpoint, address),
	 .fallback_text = "all that no other entry names"},
	{.name = "connect",
	 .description = "Until it accepts or refuses a connection.",
	 .type = SCHEMA_MAP,
	 .map = &connect_map,
	 .offset = AT(scenario_endpoint, connect)},
	{.name = "latency",
	 .description = "From there to the first byte of its answer.",
	 .type = SCHEMA_MAP,
	 .map = &latency_map,
	 .offset = AT(scenario_endpoint, latency)},
	{.name = "failure_rate",
	 .description = "Attempts that fail.",
	 .type = SCHEMA_PERCENT,
	 .offset = AT(scenario_endpoint, failure_rate),
	 .max = 10000},
	{.name = "failure",
	 .description = "How they fail.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(scenario_endpoint, failure),
	 .choices = choices_failure},
	{.name = "outages",
	 .description = "When it does not work at all, or slowly; of several at once the first "
			"counts.",
	 .type = SCHEMA_LIST,
	 .item = SCHEMA_MAP,
	 .map = &outage_map,
	 .offset = AT(scenario_endpoint, outages),
	 .max = SCENARIO_MAX_OUTAGES},
	{.name = "flap",
	 .description = "Failures that come again and again.",
	 .type = SCHEMA_MAP,
	 .map = &flap_map,
	 .offset = AT(scenario_endpoint, flap)},
};
static const struct schema_map endpoint_map = SCHEMA_KEYS(scenario_endpoint, endpoint_keys);

static const struct schema_key event_keys[] = {
	{DURATION(scenario_event, "at", at_us, "When it happens."), .flags = SCHEMA_REQUIRED,
	 .example = {"10s"}},
	{.name = "reload",
	 .description = "Another policy file comes in force; relative to the scenario file.",
	 .type = SCHEMA_FILE,
	 .offset = AT(scenario_event, reload)},
	{.name = "endpoint",
	 .description = "Endpoint that the word is about.",
	 .type = SCHEMA_ENDPOINT,
	 .offset = AT(scenario_event, endpoint)},
	{.name = "cluster",
	 .description = "Cluster that `breaker` is about.",
	 .type = SCHEMA_NAME,
	 .offset = AT(scenario_event, cluster)},
	{.name = "health",
	 .description = "What health checks find from now on; heeded where the policy has a "
			"`health_check`.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(scenario_event, health),
	 .choices = choices_health,
	 .fallback_text = "unchanged"},
	{.name = "drained",
	 .description = "An operator takes it out of the balance, or back in.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(scenario_event, drained),
	 .choices = choices_drained,
	 .fallback_text = "unchanged"},
	{.name = "breaker",
	 .description = "An operator forces the breaker, or leaves it to itself.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(scenario_event, breaker),
	 .choices = choices_breaker,
	 .fallback_text = "unchanged"},
};
static const struct schema_map event_map = SCHEMA_KEYS(scenario_event, event_keys);

static const struct schema_key root_keys[] = {
	{DURATION(scenario, "duration", duration_us, "How long the run is."),
	 .flags = SCHEMA_REQUIRED, .min = 1, .example = {"60s"}},
	{.name = "seed",
	 .description = "Number that all randomness follows from.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(scenario, seed),
	 .max = UINT64_C(999999999999999999),
	 .fallback = 1},
	{.name = "workers",
	 .description = "Workers that decide, instead of the policy's.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(scenario, workers),
	 .min = 1,
	 .max = MAX_WORKERS,
	 .fallback_text = "the policy's"},
	{.name = "load",
	 .description = "Who calls.",
	 .type = SCHEMA_LIST,
	 .item = SCHEMA_MAP,
	 .map = &load_map,
	 .flags = SCHEMA_REQUIRED,
	 .offset = AT(scenario, load),
	 .min = 1,
	 .max = SCENARIO_MAX_LOADS},
	{.name = "endpoints",
	 .description = "How the endpoints behave.",
	 .type = SCHEMA_LIST,
	 .item = SCHEMA_MAP,
	 .map = &endpoint_map,
	 .offset = AT(scenario, endpoints),
	 .max = MAX_ENDPOINTS},
	{.name = "events",
	 .description = "What is changed during the run.",
	 .type = SCHEMA_LIST,
	 .item = SCHEMA_MAP,
	 .map = &event_map,
	 .offset = AT(scenario, events),
	 .max = SCENARIO_MAX_EVENTS},
};
const struct schema_map schema_scenario = SCHEMA_KEYS(scenario, root_keys);
