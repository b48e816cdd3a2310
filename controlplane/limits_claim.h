/* SPDX-License-Identifier: Apache-2.0 */
/* One control plane a folder of pins: instances of one name may have other run directories. */
#ifndef FENDER_CONTROLPLANE_LIMITS_CLAIM_H
#define FENDER_CONTROLPLANE_LIMITS_CLAIM_H

/**
 * limits_claim() - be the one that uses @root, until the process ends or limits_unclaim()
 *
 * Locks the folder "lock-<root's name>" beside it, for a BPF file system holds no files. Waits up
 * to half a second for one that is just ending.
 * Return: descriptor; -EWOULDBLOCK: another process uses it; other -errno: it cannot be known,
 * @root is not on a BPF file system or not in a folder that we may write to.
 */
int limits_claim(const char *root);

/* And remove the folder. @fd negative: nothing. */
void limits_unclaim(const char *root, int fd);

#endif
