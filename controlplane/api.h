/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API: which path answers what (docs/admin-api.md). A handler per route, in
 * api_<subject>.c; @ctx of each is the struct run.
 */
#ifndef FENDER_CONTROLPLANE_API_H
#define FENDER_CONTROLPLANE_API_H

#include "controlplane/admin.h"

extern const struct admin_route api_routes[];
extern const size_t api_route_count;

/* api_status.c */
admin_handler api_index;
admin_handler api_schema;
admin_handler api_healthz;
admin_handler api_readyz;
/* api_policy.c */
admin_handler api_policy;
admin_handler api_generations;
/* api_stats.c: views of the statistics */
admin_handler api_stats;
/* api_metrics.c */
admin_handler api_metrics;
/* api_connections.c, api_events.c */
admin_handler api_connections;
admin_handler api_events;
/* api_limits.c */
admin_handler api_limits;
/* api_capture.c */
admin_handler api_capture;
/* api_explain.c */
admin_handler api_explain;
/* api_operate.c */
admin_handler api_reload;
admin_handler api_rollback;
admin_handler api_operate;
/* api_upgrade.c */
admin_handler api_upgrade;
admin_handler api_upgrade_outcome;

#endif
