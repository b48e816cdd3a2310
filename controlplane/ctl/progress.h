/* SPDX-License-Identifier: Apache-2.0 */
/* "what, 3 s" on a terminal while something takes longer than a second. Main thread. */
#ifndef FENDER_CONTROLPLANE_CTL_PROGRESS_H
#define FENDER_CONTROLPLANE_CTL_PROGRESS_H

/*
 * Shows @what (at most 60 bytes are) once a second on stderr, from SIGALRM, if that is a
 * terminal; the line is gone after progress_end(). System calls under way are resumed, but for
 * those that wait with a time.
 */
void progress_begin(const char *what);
void progress_end(void);

#endif
