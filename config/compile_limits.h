/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits and the guard of reloads, as checked, in the image's form. All zero when absent. */
#ifndef FENDER_CONFIG_COMPILE_LIMITS_H
#define FENDER_CONFIG_COMPILE_LIMITS_H

#include "config/policy.h"
#include "shm/image.h"

struct image_rate_limit compile_rate_limit(const struct policy_rate_limit *in);
struct image_guard compile_guard(const struct policy_reload *in);

#endif
