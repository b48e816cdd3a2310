/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_CONTROLPLANE_WAKE_H
#define FENDER_CONTROLPLANE_WAKE_H

/* Wake the dataplane's main thread by a byte into its FIFO. 0, also when none runs; or -errno. */
int wake_dataplane(const char *fifo);

#endif
