/* SPDX-License-Identifier: Apache-2.0 */
/* --help and the manual pages, both from the tables of commands and options. */
#ifndef FENDER_CONTROLPLANE_CTL_HELP_H
#define FENDER_CONTROLPLANE_CTL_HELP_H

#include <stdio.h>

#include "controlplane/ctl/options.h"

/* Usage, summary, options and exit statuses of one command. */
void help_print(const struct command *command, FILE *out);

void help_print_commands(FILE *out);

/* One line on stderr with what was probably meant. Return EXIT_USAGE. */
int help_unknown(const char *name);

/* In roff: fender(1), which lists the commands, and fender-COMMAND(1). */
void man_print_commands(FILE *out);
void man_print(const struct command *command, FILE *out);

#endif
