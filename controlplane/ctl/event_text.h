/* SPDX-License-Identifier: Apache-2.0 */
/* A line of GET /events in words. */
#ifndef FENDER_CONTROLPLANE_CTL_EVENT_TEXT_H
#define FENDER_CONTROLPLANE_CTL_EVENT_TEXT_H

#include <jansson.h>
#include <stdio.h>

/*
 * One line: number, time (UTC), whom it is about, what happened. It is cut to the width of a
 * terminal and left whole in a file. A heartbeat is no line.
 */
void event_print(const json_t *event, FILE *out);

#endif
