/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for people. Pure. */
#ifndef FENDER_CONTROLPLANE_CTL_FORMAT_H
#define FENDER_CONTROLPLANE_CTL_FORMAT_H

#include <stddef.h>

enum { FORMAT_BYTES = 24 };

/* @out: FORMAT_BYTES. "0", "9999", "12.3k", "4.56M"; at most 6 characters below 10^18. */
void format_count(char *out, double value);
/* "512 B", "1.50 KiB", "12.3 GiB". */
void format_bytes(char *out, double bytes);
/* "512", "1.50K", "12.3G": at most 5 characters below 10^15. */
void format_bytes_short(char *out, double bytes);
/* "12us", "1.50ms", "12.3s". */
void format_latency(char *out, double seconds);
/* "850ms", "12s", "3m 20s", "2h 03m", "4d 05h". */
void format_duration(char *out, double seconds);

#endif
