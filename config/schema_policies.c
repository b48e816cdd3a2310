/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the policies: bulkheads, breakers, outlier detection, retry, health checks. */
#include "config/schema.h"

#include "config/policy.h"
#include "shm/breaker_word.h"

#define AT SCHEMA_AT

enum {
	ALL = 100 * 100,
	/* Intervals are judged in their last quarter, and looked at every second. */
	MIN_INTERVAL_MS = 4 * SECOND_MS,
};

static const struct schema_choice choices_mode[] = {
	{"enforce", MODE_ENFORCE}, {"observe", MODE_OBSERVE}, {NULL, 0}};
static const struct schema_choice choices_scope[] = {
	{"cluster", SCOPE_CLUSTER}, {"source", SCOPE_SOURCE}, {NULL, 0}};
static const struct schema_choice choices_retry_on[] = {
	{"connect_failure", RETRY_ON_CONNECT_FAILURE},
	{"connect_timeout", RETRY_ON_CONNECT_TIMEOUT},
	{NULL, 0}};
static const struct schema_choice choices_jitter[] = {
	{"full", JITTER_FULL}, {"none", JITTER_NONE}, {NULL, 0}};
static const struct schema_choice choices_health_type[] = {
	{"tcp", HEALTH_TCP}, {"http", HEALTH_HTTP}, {"none", HEALTH_NONE}, {NULL, 0}};
static const struct schema_choice choices_initial[] = {{"unknown", 0}, {"unhealthy", 1}, {NULL, 0}};
static const struct schema_choice choices_statistics[] = {
	{"success_rate", OUTLIER_SUCCESS_RATE}, {"latency", OUTLIER_LATENCY}, {NULL, 0}};

/* Rows that several blocks have alike. */

#define REFUSES_NOTHING "`observe` refuses nothing and counts what it would refuse."

#define MODE_KEY(block, sentence)                                                             \
	{                                                                                     \
		.name = "mode", .description = (sentence), .type = SCHEMA_ENUM,               \
		.offset = AT(block, mode), .choices = choices_mode, .fallback = MODE_ENFORCE, \
		.example = {                                                                  \
			"enforce"                                                             \
		}                                                                             \
	}

#define MAX_CONCURRENT_KEY(sentence, without)                                                \
	{                                                                                    \
		.name = "max_concurrent", .description = (sentence), .type = SCHEMA_COUNT,   \
		.offset = AT(policy_bulkhead, max_concurrent), .min = 1, .max = MAX_PERMITS, \
		.fallback_text = (without), .example = {                                     \
			"64"                                                                 \
		}                                                                            \
	}

#define QUEUE_KEYS                                                                               \
	{.name = "max_queue",                                                                    \
	 .description = "TCP connections that may wait for a place; UDP never waits.",           \
	 .type = SCHEMA_INTEGER,                                                                 \
	 .offset = AT(policy_bulkhead, max_queue),                                               \
	 .max = MAX_QUEUE,                                                                       \
	 .example = {"128"}},                                                                    \
	{                                                                                        \
		.name = "queue_timeout",                                                         \
		.description = "How long one may wait before it is refused as `queue_timeout`.", \
		.type = SCHEMA_DURATION, .offset = AT(policy_bulkhead, queue_timeout_ms),        \
		.unit_ns = SCHEMA_MS, .min = 1, .max = HOUR_MS, .fallback = SECOND_MS,           \
		.example = {                                                                     \
			"1s"                                                                     \
		}                                                                                \
	}

static const struct schema_key listener_bulkhead_keys[] = {
	MODE_KEY(policy_bulkhead, REFUSES_NOTHING),
	MAX_CONCURRENT_KEY("Connections or flows of the listener at once.", "none, to be given"),
	QUEUE_KEYS,
};
const struct schema_map schema_listener_bulkhead =
	SCHEMA_KEYS(policy_bulkhead, listener_bulkhead_keys);

static const struct schema_key bulkhead_keys[] = {
	MODE_KEY(policy_bulkhead, REFUSES_NOTHING),
	{.name = "scope",
	 .description = "Whether `max_concurrent` is the cluster's or each client address's, which "
			"has no queue.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(policy_bulkhead, scope),
	 .choices = choices_scope,
	 .fallback = SCOPE_CLUSTER,
	 .example = {"cluster"}},
	MAX_CONCURRENT_KEY("Connections or flows at once, exactly, over all workers; a TCP "
			   "connection counts until it is over.",
			   "none, to be given unless `share` is"),
	QUEUE_KEYS,
	{.name = "share",
	 .description = "Most of each worker's connection entries that the cluster may take; more "
			"is refused as `overload`.",
	 .type = SCHEMA_PERCENT,
	 .offset = AT(policy_bulkhead, share),
	 .min = 1,
	 .max = ALL,
	 .fallback_text = "unbounded",
	 .example = {"50%"}},
};
const struct schema_map schema_bulkhead = SCHEMA_KEYS(policy_bulkhead, bulkhead_keys);

static const struct schema_key endpoint_bulkhead_keys[] = {
	MODE_KEY(policy_bulkhead, REFUSES_NOTHING),
	MAX_CONCURRENT_KEY("Connections or flows an endpoint carries at once.",
			   "none, to be given"),
};
const struct schema_map schema_endpoint_bulkhead =
	SCHEMA_KEYS(policy_bulkhead, endpoint_bulkhead_keys);

static const struct schema_key slow_call_keys[] = {
	{.name = "threshold",
	 .description = "A call whose outcome took at least this long is slow; 0 is never.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_slow_call, threshold_us),
	 .unit_ns = SCHEMA_US,
	 .max = 10 * MINUTE_MS * 1000,
	 .example = {"0"}},
	{.name = "rate",
	 .description = "Opens when at least this part of the window is slow; 0 is never.",
	 .type = SCHEMA_PERCENT,
	 .offset = AT(policy_slow_call, rate),
	 .max = ALL,
	 .fallback = ALL,
	 .example = {"100%"}},
};
static const struct schema_map slow_call_map = SCHEMA_KEYS(policy_slow_call, slow_call_keys);

static const struct schema_key half_open_keys[] = {
	{.name = "probes",
	 .description = "Calls admitted at once, over all workers, to find out whether it has "
			"recovered.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(policy_half_open, probes),
	 .min = 1,
	 .max = BREAKER_MAX_PROBES,
	 .fallback = 3,
	 .fallback_text = "3, or all of a smaller bulkhead",
	 .example = {"3"}},
	{.name = "successes",
	 .description = "So many that succeed close it; any failure opens it again.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(policy_half_open, successes),
	 .min = 1,
	 .max = BREAKER_MAX_PROBES,
	 .fallback = 3,
	 .example = {"3"}},
	{.name = "timeout",
	 .description = "Opens again when this long has passed without an outcome; at least "
			"`timeouts.connect`.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_half_open, timeout_ms),
	 .unit_ns = SCHEMA_MS,
	 .min = 10,
	 .max = HOUR_MS,
	 .fallback = 10 * SECOND_MS,
	 .fallback_text = "10s, or a larger `timeouts.connect`",
	 .example = {"10s"}},
};
static const struct schema_map half_open_map = SCHEMA_KEYS(policy_half_open, half_open_keys);

/* Of a struct policy_breaker, which a struct policy_outlier begins with. */
#define BREAKER_KEYS(observe, consecutive_default, consecutive_text)                               \
	MODE_KEY(policy_breaker, observe),                                                         \
		{.name = "failure_rate",                                                           \
		 .description = "Opens when at least this part of the window failed; 0 is never.", \
		 .type = SCHEMA_PERCENT,                                                           \
		 .offset = AT(policy_breaker, failure_rate),                                       \
		 .max = ALL,                                                                       \
		 .fallback = 50 * 100,                                                             \
		 .example = {"50%"}},                                                              \
		{.name = "minimum_calls",                                                          \
		 .description = "Outcomes the window must hold before its rates count.",           \
		 .type = SCHEMA_INTEGER,                                                           \
		 .offset = AT(policy_breaker, minimum_calls),                                      \
		 .min = 1,                                                                         \
		 .max = MAX_WINDOW_CALLS,                                                          \
		 .fallback = 20,                                                                   \
		 .fallback_text = "20, or all of a smaller `window`",                              \
		 .example = {"20"}},                                                               \
		{.name = "window",                                                                 \
		 .description =                                                                    \
			 "What the rates are taken over: the last calls, or the last time.",       \
		 .type = SCHEMA_WINDOW,                                                            \
		 .offset = AT(policy_breaker, window),                                             \
		 .min = MIN_WINDOW_CALLS,                                                          \
		 .max = MAX_WINDOW_CALLS,                                                          \
		 .fallback = 100,                                                                  \
		 .fallback_text = "100 calls, or what a larger `minimum_calls` needs",             \
		 .example = {"100 calls"}},                                                        \
		{.name = "consecutive_failures",                                                   \
		 .description = "Opens after so many failures in a row; 0 is never.",              \
		 .type = SCHEMA_INTEGER,                                                           \
		 .offset = AT(policy_breaker, consecutive_failures),                               \
		 .max = BREAKER_MAX_CONSECUTIVE,                                                   \
		 .fallback = (consecutive_default),                                                \
		 .example = {consecutive_text}},                                                   \
		{.name = "slow_call",                                                              \
		 .description = "When slow calls open it.",                                        \
		 .type = SCHEMA_MAP,                                                               \
		 .map = &slow_call_map,                                                            \
		 .offset = AT(policy_breaker, slow_call),                                          \
		 .example = {""}},                                                                 \
		{.name = "open_for",                                                               \
		 .description =                                                                    \
			 "How long it stays open before probes are admitted, and up to half as "   \
			 "long again by chance; doubled at each failed recovery.",                 \
		 .type = SCHEMA_DURATION,                                                          \
		 .offset = AT(policy_breaker, open_ms),                                            \
		 .unit_ns = SCHEMA_MS,                                                             \
		 .min = 10,                                                                        \
		 .max = HOUR_MS,                                                                   \
		 .fallback = 5 * SECOND_MS,                                                        \
		 .fallback_text = "5s, or a smaller `max_open_for`",                               \
		 .example = {"5s"}},                                                               \
		{.name = "max_open_for",                                                           \
		 .description = "Doubling ends here.",                                             \
		 .type = SCHEMA_DURATION,                                                          \
		 .offset = AT(policy_breaker, max_open_ms),                                        \
		 .unit_ns = SCHEMA_MS,                                                             \
		 .min = 10,                                                                        \
		 .max = DAY_MS,                                                                    \
		 .fallback = MINUTE_MS,                                                            \
		 .fallback_text = "1m, or a larger `open_for`",                                    \
		 .example = {"60s"}},                                                              \
	{                                                                                          \
		.name = "half_open", .description = "How it finds out about a recovery.",          \
		.type = SCHEMA_MAP, .map = &half_open_map,                                         \
		.offset = AT(policy_breaker, half_open), .example = {                              \
			""                                                                         \
		}                                                                                  \
	}

static const struct schema_key circuit_breaker_keys[] = {BREAKER_KEYS(REFUSES_NOTHING, 0, "0")};
const struct schema_map schema_circuit_breaker = SCHEMA_KEYS(policy_breaker, circuit_breaker_keys);

static const struct schema_key statistics_keys[] = {
	{.name = "modes",
	 .description = "What endpoints are compared by: `success_rate` ejects those far below the "
			"mean, `latency` those far above the median.",
	 .type = SCHEMA_SET,
	 .item = SCHEMA_ENUM,
	 .offset = AT(policy_statistics, modes),
	 .choices = choices_statistics,
	 .max = 2,
	 .example = {"[success_rate]"}},
	{.name = "interval",
	 .description = "How often they are compared.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_statistics, interval_ms),
	 .unit_ns = SCHEMA_MS,
	 .min = MIN_INTERVAL_MS,
	 .max = HOUR_MS,
	 .fallback = 10 * SECOND_MS,
	 .example = {"10s"}},
	{.name = "minimum_hosts",
	 .description = "Fewer endpoints with enough calls are not compared.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(policy_statistics, minimum_hosts),
	 .min = 2,
	 .max = MAX_ENDPOINTS,
	 .fallback = 5,
	 .example = {"5"}},
	{.name = "minimum_calls",
	 .description = "Calls in an interval that make an endpoint take part.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(policy_statistics, minimum_calls),
	 .min = 1,
	 .max = 1000 * 1000,
	 .fallback = 100,
	 .example = {"100"}},
};
static const struct schema_map statistics_map = SCHEMA_KEYS(policy_statistics, statistics_keys);

static const struct schema_key outlier_detection_keys[] = {
	BREAKER_KEYS("`observe` ejects nothing and counts what it would eject.", 5, "5"),
	{.name = "max_ejected",
	 .description = "Most of the cluster's endpoints that may be ejected at once; a usable one "
			"always remains.",
	 .type = SCHEMA_PERCENT,
	 .offset = AT(policy_outlier, max_ejected),
	 .max = ALL,
	 .fallback = 50 * 100,
	 .example = {"50%"}},
	{.name = "statistics",
	 .description = "Comparison of an endpoint with the others of its cluster.",
	 .type = SCHEMA_MAP,
	 .map = &statistics_map,
	 .offset = AT(policy_outlier, statistics),
	 .example = {""}},
};
const struct schema_map schema_outlier_detection =
	SCHEMA_KEYS(policy_outlier, outlier_detection_keys);

static const struct schema_key backoff_keys[] = {
	{.name = "base",
	 .description = "Pause before the first retry.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_backoff, base_us),
	 .unit_ns = SCHEMA_US,
	 .max = MINUTE_MS * 1000,
	 .fallback = 25 * 1000,
	 .fallback_text = "25ms, or a smaller `max`",
	 .example = {"25ms"}},
	{.name = "max",
	 .description = "Longest pause.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_backoff, max_us),
	 .unit_ns = SCHEMA_US,
	 .max = MINUTE_MS * 1000,
	 .fallback = 250 * 1000,
	 .fallback_text = "250ms, or a larger `base`",
	 .example = {"250ms"}},
	{.name = "factor",
	 .description = "What each further pause is multiplied by.",
	 .type = SCHEMA_FACTOR,
	 .offset = AT(policy_backoff, factor),
	 .min = 1 * 100,
	 .max = 10 * 100,
	 .fallback = 2 * 100,
	 .example = {"2"}},
	{.name = "jitter",
	 .description = "`full` draws the pause evenly from nothing up to what it would be.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(policy_backoff, jitter),
	 .choices = choices_jitter,
	 .fallback = JITTER_FULL,
	 .example = {"full"}},
};
static const struct schema_map backoff_map = SCHEMA_KEYS(policy_backoff, backoff_keys);

static const struct schema_key budget_keys[] = {
	{.name = "ratio",
	 .description = "Retries started in a window, as part of the connections first attempted "
			"in it.",
	 .type = SCHEMA_PERCENT,
	 .offset = AT(policy_budget, ratio),
	 .max = ALL,
	 .fallback = 20 * 100,
	 .example = {"20%"}},
	{.name = "minimum_per_second",
	 .description = "Retries a second that are allowed however few connections there are.",
	 .type = SCHEMA_COUNT,
	 .offset = AT(policy_budget, minimum_per_second),
	 .max = 1000 * 1000,
	 .fallback = 10,
	 .example = {"10"}},
	{.name = "window",
	 .description = "Time over which retries and connections are counted.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_budget, window_ms),
	 .unit_ns = SCHEMA_MS,
	 .min = SECOND_MS,
	 .max = MINUTE_MS,
	 .fallback = 10 * SECOND_MS,
	 .example = {"10s"}},
	{.name = "max_concurrent",
	 .description = "Retries under way at once.",
	 .type = SCHEMA_COUNT,
	 .offset = AT(policy_budget, max_concurrent),
	 .min = 1,
	 .max = MAX_PERMITS,
	 .fallback_text = "64, or 20% of the attempts under way when that is more",
	 .example = {"#64"}},
};
static const struct schema_map budget_map = SCHEMA_KEYS(policy_budget, budget_keys);

static const struct schema_key retry_keys[] = {
	MODE_KEY(policy_retry, "`observe` retries nothing and counts what it would retry."),
	{.name = "max_attempts",
	 .description = "Attempts in all, the first included.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(policy_retry, max_attempts),
	 .min = 1,
	 .max = MAX_ATTEMPTS,
	 .fallback = 3,
	 .example = {"3"}},
	{.name = "retry_on",
	 .description = "What is retried: `connect_failure` is a refused connection or a reset "
			"before the handshake is over, `connect_timeout` no answer in time.",
	 .type = SCHEMA_SET,
	 .item = SCHEMA_ENUM,
	 .offset = AT(policy_retry, retry_on),
	 .choices = choices_retry_on,
	 .min = 1,
	 .max = 2,
	 .fallback = RETRY_ON_CONNECT_FAILURE | RETRY_ON_CONNECT_TIMEOUT,
	 .example = {"[connect_failure, connect_timeout]"}},
	{.name = "backoff",
	 .description = "Pauses between attempts.",
	 .type = SCHEMA_MAP,
	 .map = &backoff_map,
	 .offset = AT(policy_retry, backoff),
	 .example = {""}},
	{.name = "budget",
	 .description =
		 "Bound on the retries of the whole cluster, so that they cannot multiply an "
		 "outage.",
	 .type = SCHEMA_MAP,
	 .map = &budget_map,
	 .offset = AT(policy_retry, budget),
	 .example = {""}},
};
const struct schema_map schema_retry = SCHEMA_KEYS(policy_retry, retry_keys);

static const struct schema_key health_check_keys[] = {
	MODE_KEY(policy_health_check,
		 "`observe` probes and reports, but changes no endpoint's state."),
	{.name = "type",
	 .description =
		 "`tcp` connects, `http` wants an answer of 200 to 399, `none` does nothing.",
	 .type = SCHEMA_ENUM,
	 .flags = SCHEMA_REQUIRED,
	 .offset = AT(policy_health_check, type),
	 .choices = choices_health_type,
	 .example = {"http"}},
	{.name = "path",
	 .description = "What `http` asks for.",
	 .type = SCHEMA_URL_PATH,
	 .offset = AT(policy_health_check, path),
	 .fallback_text = "`" POLICY_HEALTH_PATH "`",
	 .example = {"/health"}},
	{.name = "host",
	 .description = "Host header of `http`.",
	 .type = SCHEMA_HOST,
	 .offset = AT(policy_health_check, host),
	 .fallback_text = "the endpoint's address",
	 .example = {"payments.example.com"}},
	{.name = "interval",
	 .description = "Time between two probes of an endpoint, give or take 15 %.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_health_check, interval_ms),
	 .unit_ns = SCHEMA_MS,
	 .min = 100,
	 .max = HOUR_MS,
	 .fallback = 10 * SECOND_MS,
	 .fallback_text = "10s, or a larger `timeout`",
	 .example = {"10s"}},
	{.name = "timeout",
	 .description = "A probe without an answer for so long has failed.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_health_check, timeout_ms),
	 .unit_ns = SCHEMA_MS,
	 .min = 10,
	 .max = 5 * MINUTE_MS,
	 .fallback = 5 * SECOND_MS,
	 .fallback_text = "5s, or a smaller `interval`",
	 .example = {"5s"}},
	{.name = "unhealthy_interval",
	 .description = "The same while the endpoint is unhealthy.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_health_check, unhealthy_interval_ms),
	 .unit_ns = SCHEMA_MS,
	 .min = 100,
	 .max = HOUR_MS,
	 .fallback_text = "`interval`",
	 .example = {"10s"}},
	{.name = "healthy_threshold",
	 .description = "Probes in a row that must succeed to make it healthy again.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(policy_health_check, healthy_threshold),
	 .min = 1,
	 .max = 100,
	 .fallback = 2,
	 .example = {"2"}},
	{.name = "unhealthy_threshold",
	 .description = "Probes in a row that must fail to make it unhealthy.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(policy_health_check, unhealthy_threshold),
	 .min = 1,
	 .max = 100,
	 .fallback = 3,
	 .example = {"3"}},
	{.name = "initial",
	 .description = "What an endpoint is before its first probe: `unknown` ones are used.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(policy_health_check, initial_unhealthy),
	 .choices = choices_initial,
	 .fallback = 0,
	 .example = {"unknown"}},
	{.name = "port",
	 .description = "Port the probes go to.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(policy_health_check, port),
	 .min = 1,
	 .max = UINT16_MAX,
	 .fallback_text = "the endpoint's",
	 .example = {"8081"}},
	{.name = "source",
	 .description = "Address the probes come from: one that the kernel itself holds, such as "
			"one of `kernel_addresses`, as interfaces that are not shared belong to "
			"Fender.",
	 .type = SCHEMA_ADDRESS,
	 .offset = AT(policy_health_check, source),
	 .fallback_text = "none, to be given unless `type` is `none` or shared interfaces lead "
			  "to the endpoints",
	 .example = {"10.2.0.3"}},
};
const struct schema_map schema_health_check = SCHEMA_KEYS(policy_health_check, health_check_keys);
