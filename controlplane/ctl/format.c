/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/format.h"

#include <stdio.h>

/* Three digits that count, as many decimals as leaves. */
static int decimals(double value)
{
	if (value < 9.995)
		return 2;
	return value < 99.95 ? 1 : 0;
}

void format_count(char *out, double value)
{
	static const char units[] = "kMGTPE";
	size_t unit = 0;

	if (value < 9999.5) {
		snprintf(out, FORMAT_BYTES, "%.0f", value);
		return;
	}
	value /= 1000;
	while (value >= 999.5 && units[unit + 1]) {
		value /= 1000;
		unit++;
	}
	snprintf(out, FORMAT_BYTES, "%.*f%c", decimals(value), value, units[unit]);
}

/* Return the unit, 0 for bytes. */
static char scale_bytes(double *bytes)
{
	static const char units[] = "KMGTPE";
	size_t unit = 0;

	if (*bytes < 1023.5)
		return 0;
	*bytes /= 1024;
	while (*bytes >= 999.5 && units[unit + 1]) {
		*bytes /= 1024;
		unit++;
	}
	return units[unit];
}

void format_bytes(char *out, double bytes)
{
	char unit = scale_bytes(&bytes);

	if (unit)
		snprintf(out, FORMAT_BYTES, "%.*f %ciB", decimals(bytes), bytes, unit);
	else
		snprintf(out, FORMAT_BYTES, "%.0f B", bytes);
}

void format_bytes_short(char *out, double bytes)
{
	char unit = scale_bytes(&bytes);

	if (unit)
		snprintf(out, FORMAT_BYTES, "%.*f%c", decimals(bytes), bytes, unit);
	else
		snprintf(out, FORMAT_BYTES, "%.0f", bytes);
}

void format_latency(char *out, double seconds)
{
	if (seconds < 0.0009995)
		snprintf(out, FORMAT_BYTES, "%.0fus", seconds * 1e6);
	else if (seconds < 0.9995)
		snprintf(out, FORMAT_BYTES, "%.*fms", decimals(seconds * 1e3), seconds * 1e3);
	else
		snprintf(out, FORMAT_BYTES, "%.*fs", decimals(seconds), seconds);
}

void format_duration(char *out, double seconds)
{
	unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

	if (s == 0)
		snprintf(out, FORMAT_BYTES, "%.0fms", seconds > 0 ? seconds * 1000 : 0.0);
	else if (s < 60)
		snprintf(out, FORMAT_BYTES, "%lus", s);
	else if (s < 3600)
		snprintf(out, FORMAT_BYTES, "%lum %02lus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, FORMAT_BYTES, "%luh %02lum", s / 3600, s / 60 % 60);
	else
		snprintf(out, FORMAT_BYTES, "%lud %02luh", s / 86400, s / 3600 % 24);
}
