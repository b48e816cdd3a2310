/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/state_text.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/view.h"

static enum colour say(char out[FORMAT_BYTES], enum colour colour, const char *text)
{
	snprintf(out, FORMAT_BYTES, "%s", text);
	return colour;
}

static int is(const json_t *row, const char *key, const char *word)
{
	return strcmp(view_text(row, key), word) == 0;
}

enum colour state_of_endpoint(char out[FORMAT_BYTES], const json_t *row)
{
	const json_t *health = json_object_get(row, "health");
	const json_t *breaker = json_object_get(row, "breaker");
	int observed = is(breaker, "mode", "observe");

	if (json_is_true(json_object_get(row, "drained")))
		return say(out, COLOUR_WARN, "drained");
	if (is(health, "state", "unhealthy"))
		return say(out, COLOUR_BAD, "unhealthy");
	if (is(breaker, "override", "open"))
		return say(out, COLOUR_BAD, "forced open");
	if (is(breaker, "phase", "open"))
		return observed ? say(out, COLOUR_WARN, "would eject")
				: say(out, COLOUR_BAD, "ejected");
	if (is(breaker, "phase", "half_open"))
		return say(out, COLOUR_WARN, observed ? "would probe" : "probing");
	return say(out, COLOUR_GOOD, "ok");
}

enum colour state_of_breaker(char out[FORMAT_BYTES], const json_t *breaker)
{
	const char *phase = view_text(breaker, "phase"), *override = view_text(breaker, "override");
	int is_open = strcmp(phase, "open") == 0;
	char left[FORMAT_BYTES];

	if (strcmp(override, "none") != 0) {
		snprintf(out, FORMAT_BYTES, "forced %.12s", override);
		return is(breaker, "override", "open") ? COLOUR_BAD : COLOUR_WARN;
	}
	if (is(breaker, "mode", "off"))
		return say(out, COLOUR_NONE, "-");
	if (is(breaker, "phase", "closed"))
		return say(out, COLOUR_GOOD, phase);
	if (is(breaker, "mode", "observe"))
		return say(out, COLOUR_WARN, is_open ? "would open" : "would probe");
	if (!is_open)
		return say(out, COLOUR_WARN, phase);
	format_duration(left, view_number(breaker, "until_ms") / 1000);
	snprintf(out, FORMAT_BYTES, "open %.16s", left);
	return COLOUR_BAD;
}
