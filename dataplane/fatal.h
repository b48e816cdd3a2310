/* SPDX-License-Identifier: Apache-2.0 */
/* SIGBUS: the region's file was cut, and what was behind the cut is gone. */
#ifndef FENDER_DATAPLANE_FATAL_H
#define FENDER_DATAPLANE_FATAL_H

#include "shm/log_line.h"

/* From now on any thread that meets it says so and ends the process with EX_IOERR. */
void fatal_start(enum log_format format);

#endif
