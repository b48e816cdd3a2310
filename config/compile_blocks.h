/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster's blocks as the image has them. One that is not in the file is zero throughout. */
#ifndef FENDER_CONFIG_COMPILE_BLOCKS_H
#define FENDER_CONFIG_COMPILE_BLOCKS_H

#include "config/image_writer.h"
#include "config/policy.h"

struct image_timeouts compile_timeouts(const struct policy_timeouts *in);
struct image_bulkhead compile_bulkhead(const struct policy_bulkhead *in);
struct image_breaker compile_breaker(const struct policy_breaker *in);
struct image_outlier compile_outlier(const struct policy_outlier *in);
struct image_retry compile_retry(const struct policy_retry *in);
struct image_health_check compile_health_check(struct image_writer *w,
					       const struct policy_health_check *in);
struct image_endpoint_source compile_source(struct image_writer *w,
					    const struct policy_endpoint_source *in);

/* @local: of its endpoints, those in the sidecar's own zone. */
struct image_balance compile_balance(const struct policy_cluster *cluster, size_t local);

#endif
