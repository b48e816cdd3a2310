/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of rate limits, and of the guard of reloads. */
#include "config/schema.h"

#include "config/policy.h"

#define AT SCHEMA_AT

static const struct schema_choice choices_mode[] = {
	{"enforce", MODE_ENFORCE}, {"observe", MODE_OBSERVE}, {NULL, 0}};
static const struct schema_choice choices_algorithm[] = {
	{"token_bucket", IMAGE_LIMIT_TOKEN_BUCKET},
	{"leaky_bucket", IMAGE_LIMIT_LEAKY_BUCKET},
	{"fixed_window", IMAGE_LIMIT_FIXED_WINDOW},
	{"sliding_window", IMAGE_LIMIT_SLIDING_WINDOW},
	{NULL, 0}};
static const struct schema_choice choices_action[] = {{"drop", IMAGE_LIMIT_DROP},
						      {"mark", IMAGE_LIMIT_MARK},
						      {"observe", IMAGE_LIMIT_OBSERVE},
						      {NULL, 0}};
static const struct schema_choice choices_start_action[] = {
	{"drop", IMAGE_LIMIT_DROP}, {"observe", IMAGE_LIMIT_OBSERVE}, {NULL, 0}};
static const struct schema_choice choices_direction[] = {
	{"both", IMAGE_LIMIT_TO_ENDPOINT | IMAGE_LIMIT_TO_CLIENT},
	{"to_endpoint", IMAGE_LIMIT_TO_ENDPOINT},
	{"to_client", IMAGE_LIMIT_TO_CLIENT},
	{NULL, 0}};

#define MODE_KEY                                                                                \
	{                                                                                       \
		.name = "mode",                                                                 \
		.description =                                                                  \
			"`observe` drops and marks nothing and counts what the limit would "    \
			"refuse.",                                                              \
		.type = SCHEMA_ENUM, .offset = AT(policy_limit, mode), .choices = choices_mode, \
		.fallback = MODE_ENFORCE, .fallback_text = "enforce, or what `action` says",    \
		.example = {                                                                    \
			"enforce"                                                               \
		}                                                                               \
	}

#define ALGORITHM_KEY                                                                            \
	{                                                                                        \
		.name = "algorithm",                                                             \
		.description =                                                                   \
			"At most `burst` and what the rate makes meanwhile (`token_bucket`, "    \
			"`leaky_bucket`), or so many in each `window` (`fixed_window`), or in "  \
			"any time as long, about (`sliding_window`).",                           \
		.type = SCHEMA_ENUM, .offset = AT(policy_limit, algorithm),                      \
		.choices = choices_algorithm, .fallback = IMAGE_LIMIT_TOKEN_BUCKET, .example = { \
			"token_bucket"                                                           \
		}                                                                                \
	}

#define WINDOW_KEY                                                                            \
	{                                                                                     \
		.name = "window",                                                             \
		.description = "Time over which `fixed_window` and `sliding_window` count.",  \
		.type = SCHEMA_DURATION, .offset = AT(policy_limit, window_ms),               \
		.unit_ns = SCHEMA_MS, .min = MIN_LIMIT_WINDOW_MS, .max = MAX_LIMIT_WINDOW_MS, \
		.fallback = SECOND_MS, .example = {                                           \
			"#1s"                                                                 \
		}                                                                             \
	}

static const struct schema_key per_connection_keys[] = {
	MODE_KEY,
	ALGORITHM_KEY,
	{.name = "packets_per_second",
	 .description = "Packets of a connection or flow, each direction by itself.",
	 .type = SCHEMA_COUNT,
	 .offset = AT(policy_limit, packets.per_second),
	 .min = 1,
	 .max = MAX_LIMIT_RATE,
	 .fallback_text = "unlimited",
	 .example = {"20k"}},
	{.name = "bytes_per_second",
	 .description = "Bytes of its IP packets, each direction by itself.",
	 .type = SCHEMA_SIZE,
	 .offset = AT(policy_limit, bytes.per_second),
	 .min = 1,
	 .max = MAX_LIMIT_RATE,
	 .fallback_text = "unlimited",
	 .example = {"10MiB"}},
	{.name = "burst",
	 .description = "What a bucket lets pass at once: so many seconds' worth of either rate, "
			"or packets, or bytes where only these are limited; a bucket of bytes "
			"holds at least one packet of the interface's `mtu`.",
	 .type = SCHEMA_BURST,
	 .offset = AT(policy_limit, burst),
	 .fallback_text = "1x, or one packet of the `mtu` when that is more",
	 .example = {"2x"}},
	WINDOW_KEY,
	{.name = "action",
	 .description = "What becomes of a packet beyond the limit: `drop`; `mark` tells TCP to "
			"slow down by ECN and drops what goes beyond twice the burst or cannot "
			"be marked; `observe` only counts it.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(policy_limit, action),
	 .choices = choices_action,
	 .fallback = IMAGE_LIMIT_DROP,
	 .fallback_text = "drop, or what `mode` says",
	 .example = {"drop"}},
	{.name = "direction",
	 .description = "Which packets are limited: those to the endpoint, to the client, or both.",
	 .type = SCHEMA_ENUM,
	 .offset = AT(policy_limit, directions),
	 .choices = choices_direction,
	 .fallback = IMAGE_LIMIT_TO_ENDPOINT | IMAGE_LIMIT_TO_CLIENT,
	 .example = {"both"}},
};
static const struct schema_map per_connection_map = SCHEMA_KEYS(policy_limit, per_connection_keys);

#define START_KEYS(rate_text, rate_example, burst_example)                                      \
	{                                                                                       \
		MODE_KEY, ALGORITHM_KEY,                                                        \
			{.name = "connections_per_second",                                      \
			 .description = (rate_text),                                            \
			 .type = SCHEMA_COUNT,                                                  \
			 .flags = SCHEMA_REQUIRED,                                              \
			 .offset = AT(policy_limit, connections.per_second),                    \
			 .min = 1,                                                              \
			 .max = MAX_LIMIT_RATE,                                                 \
			 .example = {rate_example}},                                            \
			{.name = "burst",                                                       \
			 .description = "How many a bucket lets start at once: a number, or "   \
					"so many seconds' worth.",                              \
			 .type = SCHEMA_BURST,                                                  \
			 .offset = AT(policy_limit, burst),                                     \
			 .fallback_text = "1x",                                                 \
			 .example = {burst_example}},                                           \
			WINDOW_KEY,                                                             \
			{.name = "action",                                                      \
			 .description = "What becomes of a start beyond the limit: `drop`, or " \
					"`observe`, which only counts it.",                     \
			 .type = SCHEMA_ENUM,                                                   \
			 .offset = AT(policy_limit, action),                                    \
			 .choices = choices_start_action,                                       \
			 .fallback = IMAGE_LIMIT_DROP,                                          \
			 .fallback_text = "drop, or what `mode` says",                          \
			 .example = {"drop"}},                                                  \
	}

static const struct schema_key per_source_keys[] =
	START_KEYS("Connections or flows that a client address may start.", "200", "50");
static const struct schema_map per_source_map = SCHEMA_KEYS(policy_limit, per_source_keys);

static const struct schema_key listener_keys[] =
	START_KEYS("Connections or flows that all clients may start.", "5k", "1x");
static const struct schema_map listener_map = SCHEMA_KEYS(policy_limit, listener_keys);

static const struct schema_key rate_limit_keys[] = {
	{.name = "per_connection",
	 .description = "Packets and bytes of each connection or flow.",
	 .type = SCHEMA_MAP,
	 .map = &per_connection_map,
	 .offset = AT(policy_rate_limit, per_connection),
	 .example = {""}},
	{.name = "per_source",
	 .description = "New connections or flows of each client address.",
	 .type = SCHEMA_MAP,
	 .map = &per_source_map,
	 .offset = AT(policy_rate_limit, per_source),
	 .example = {""}},
	{.name = "listener",
	 .description = "New connections or flows of the listener.",
	 .type = SCHEMA_MAP,
	 .map = &listener_map,
	 .offset = AT(policy_rate_limit, listener),
	 .example = {""}},
};
const struct schema_map schema_rate_limit = SCHEMA_KEYS(policy_rate_limit, rate_limit_keys);

static const struct schema_key rollback_if_keys[] = {
	{.name = "error_rate",
	 .description = "At least this part of a cluster's calls failed or was rejected; 0 is "
			"never.",
	 .type = SCHEMA_PERCENT,
	 .offset = AT(policy_rollback_if, error_rate),
	 .max = 100 * 100,
	 .fallback = 5 * 100,
	 .example = {"5%"}},
	{.name = "p99",
	 .description = "One in a hundred calls to a cluster waited at least this long for its "
			"first byte; 0 is never.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_rollback_if, p99_us),
	 .unit_ns = SCHEMA_US,
	 .max = MAX_GUARD_P99_US,
	 .example = {"250ms"}},
};
static const struct schema_map rollback_if_map = SCHEMA_KEYS(policy_rollback_if, rollback_if_keys);

static const struct schema_key reload_keys[] = {
	{.name = "watch",
	 .description = "How long a policy is watched after it has been applied.",
	 .type = SCHEMA_DURATION,
	 .offset = AT(policy_reload, watch_ms),
	 .unit_ns = SCHEMA_MS,
	 .min = SECOND_MS,
	 .max = MAX_GUARD_WATCH_MS,
	 .fallback = 30 * SECOND_MS,
	 .example = {"30s"}},
	{.name = "minimum_calls",
	 .description = "A cluster with fewer calls in that time is not judged.",
	 .type = SCHEMA_INTEGER,
	 .offset = AT(policy_reload, minimum_calls),
	 .min = 1,
	 .max = MAX_GUARD_CALLS,
	 .fallback = 20,
	 .example = {"20"}},
	{.name = "rollback_if",
	 .description = "What brings the policy before it back into force.",
	 .type = SCHEMA_MAP,
	 .map = &rollback_if_map,
	 .offset = AT(policy_reload, rollback_if),
	 .example = {""}},
};
const struct schema_map schema_reload = SCHEMA_KEYS(policy_reload, reload_keys);
