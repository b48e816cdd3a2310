/* SPDX-License-Identifier: Apache-2.0 */
/* The commands: what main(), --help, the manual pages and completion know of them. */
#ifndef FENDER_CONTROLPLANE_CTL_COMMAND_TABLE_H
#define FENDER_CONTROLPLANE_CTL_COMMAND_TABLE_H

#include "controlplane/ctl/options.h"

extern const struct command commands[];
extern const size_t command_count;

/* NULL: there is none. */
const struct command *command_find(const char *name);
/* What @name was probably meant to be, or NULL. */
const char *command_nearest(const char *name);

#endif
