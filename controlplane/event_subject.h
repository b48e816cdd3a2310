/* SPDX-License-Identifier: Apache-2.0 */
/* Whom an event of the region is about. */
#ifndef FENDER_CONTROLPLANE_EVENT_SUBJECT_H
#define FENDER_CONTROLPLANE_EVENT_SUBJECT_H

#include "shm/region.h"

enum { EVENT_SUBJECT_BYTES = sizeof(((struct registry_entry *)0)->name) };

/* "listener", "cluster", "endpoint", or "subject". */
const char *event_subject_kind(const struct event *event);

/* The name, or its key in hexadecimal when another name has the slot by now. */
void event_subject_name(const struct region *region, const struct event *event,
			char out[EVENT_SUBJECT_BYTES]);

#endif
