/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/api.h"

const struct admin_route api_routes[] = {
	{"GET", "/", ADMIN_READ, NULL, api_index, "this list"},
	{"GET", "/schema", ADMIN_READ, NULL, api_schema, "JSON Schema of the answers"},
	{"GET", "/healthz", ADMIN_METRICS, NULL, api_healthz, "the control plane is alive"},
	{"GET", "/readyz", ADMIN_METRICS, NULL, api_readyz, "every worker decides by a policy"},
	{"GET", "/metrics", ADMIN_METRICS, "endpoints", api_metrics, "all of it for Prometheus"},
	{"GET", "/stats", ADMIN_READ, NULL, api_stats, "all counters and states"},
	{"GET", "/listeners", ADMIN_READ, NULL, api_stats, "those of the listeners"},
	{"GET", "/clusters", ADMIN_READ, NULL, api_stats, "those of the clusters"},
	{"GET", "/clusters/*", ADMIN_READ, NULL, api_stats, "of one cluster, with its endpoints"},
	{"GET", "/endpoints", ADMIN_READ, "cluster", api_stats, "those of the endpoints"},
	{"GET", "/breakers", ADMIN_READ, "all", api_stats,
	 "the clusters' breakers, and the endpoints' that are not at rest"},
	{"GET", "/connections", ADMIN_READ, "listener cluster endpoint client state limit cursor",
	 api_connections, "the connection table"},
	{"GET", "/events", ADMIN_READ, "since follow", api_events, "what changed, a line each"},
	{"GET", "/limits", ADMIN_READ, "limit", api_limits,
	 "the connections that are limited most, with their rates"},
	{"GET", "/capture", ADMIN_OPERATE,
	 "host port protocol interface listener reason dropped seconds", api_capture,
	 "packets as they come, with what became of them"},
	{"GET", "/explain", ADMIN_READ, "protocol client destination interface cluster key",
	 api_explain, "what happens to a packet, or to a cluster's client, and why"},
	{"GET", "/policy", ADMIN_READ, "format", api_policy, "the policy in force"},
	{"GET", "/generations", ADMIN_READ, NULL, api_generations,
	 "policies tried, and what came of it"},
	{"POST", "/reload", ADMIN_OPERATE, NULL, api_reload, "put the policy file in force"},
	{"POST", "/rollback", ADMIN_OPERATE, "to", api_rollback, "put an earlier policy in force"},
	{"POST", "/upgrade", ADMIN_OPERATE, "dataplane", api_upgrade,
	 "another dataplane program, or the same anew, takes over; with what the policy file "
	 "changes "
	 "in interfaces, workers and table sizes"},
	{"GET", "/upgrade", ADMIN_READ, NULL, api_upgrade_outcome,
	 "how the last upgrade to other interfaces, workers or table sizes ended"},
	{"POST", "/breakers/*/*", ADMIN_OPERATE, NULL, api_operate,
	 "a cluster's breaker: open, close, reset"},
	{"POST", "/endpoints/*/*/*", ADMIN_OPERATE, NULL, api_operate,
	 "an endpoint: drain, undrain; its breaker: open, close, reset"},
};

const size_t api_route_count = sizeof(api_routes) / sizeof(api_routes[0]);
