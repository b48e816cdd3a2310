/* SPDX-License-Identifier: Apache-2.0 */
/* Text that is drawn again over itself, without flicker. Main thread. */
#ifndef FENDER_CONTROLPLANE_CTL_SCREEN_H
#define FENDER_CONTROLPLANE_CTL_SCREEN_H

#include <stdio.h>

#include "controlplane/ctl/terminal.h"

/* What the next picture is written to; NULL: out of memory. The first before any output. */
FILE *screen_begin(void);

/*
 * Show it, in one write: on a terminal in place of the one before, cut to the window's height
 * with a last line that says by how much; otherwise after it.
 */
void screen_end(FILE *picture);

#endif
