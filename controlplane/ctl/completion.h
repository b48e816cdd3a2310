/* SPDX-License-Identifier: Apache-2.0 */
/* Completion of command lines. */
#ifndef FENDER_CONTROLPLANE_CTL_COMPLETION_H
#define FENDER_CONTROLPLANE_CTL_COMPLETION_H

#include <stdio.h>

/*
 * completion_print() - what may stand at the end of @line ("fender breaker op"), a word a line;
 * nothing where a file may. Names come from the instance the line is about, within a second.
 */
void completion_print(const char *line, FILE *out);

#endif
