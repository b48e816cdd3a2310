/* SPDX-License-Identifier: Apache-2.0 */
/* Rules across the keys of a scenario. */
#ifndef FENDER_CONFIG_SCENARIO_CHECKS_H
#define FENDER_CONFIG_SCENARIO_CHECKS_H

#include "config/scenario.h"

/* Reports every breach where it stands; passes over maps with errors of their own. */
void scenario_check(const struct scenario *s, struct diagnostics *d);

#endif
