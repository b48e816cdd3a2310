/* SPDX-License-Identifier: Apache-2.0 */
/* What `fender COMMAND` does. Each returns the exit status. */
#ifndef FENDER_CONTROLPLANE_CTL_COMMANDS_H
#define FENDER_CONTROLPLANE_CTL_COMMANDS_H

#include "controlplane/ctl/options.h"

int command_run(const struct options *options);
int command_check(const struct options *options);
int command_stats(const struct options *options);
int command_ready(const struct options *options);
int command_top(const struct options *options);
int command_reload(const struct options *options);
int command_rollback(const struct options *options);
int command_generations(const struct options *options);
int command_diff(const struct options *options);
int command_simulate(const struct options *options);
int command_breaker(const struct options *options);
int command_drain(const struct options *options);
int command_undrain(const struct options *options);
int command_limits(const struct options *options);
int command_upgrade(const struct options *options);
int command_schema(const struct options *options);
int command_endpoints(const struct options *options);
int command_breakers(const struct options *options);
int command_connections(const struct options *options);
int command_events(const struct options *options);
int command_completion(const struct options *options);
int command_help(const struct options *options);
int command_shm(const struct options *options);
int command_capture(const struct options *options);
int command_explain(const struct options *options);
int command_version(const struct options *options);

#endif
