/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/event_text.h"

#include <ctype.h>
#include <string.h>

#include "controlplane/ctl/format.h"
#include "controlplane/ctl/table.h"
#include "controlplane/ctl/view.h"

enum { LINE_BYTES = 512 };

static enum colour colour_of(const json_t *event)
{
	static const struct {
		const char *event;
		enum colour colour;
	} rows[] = {
		{"breaker_opened", COLOUR_BAD},     {"ejected", COLOUR_BAD},
		{"panic_began", COLOUR_BAD},        {"policy_refused", COLOUR_BAD},
		{"breaker_half_open", COLOUR_WARN}, {"probing", COLOUR_WARN},
		{"breaker_closed", COLOUR_GOOD},    {"readmitted", COLOUR_GOOD},
		{"panic_ended", COLOUR_GOOD},       {"policy_applied", COLOUR_GOOD},
	};
	const char *name = view_text(event, "event");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].event, name) == 0)
			return rows[i].colour;
	return strcmp(view_text(event, "health"), "unhealthy") == 0 ? COLOUR_BAD : COLOUR_NONE;
}

/* "cluster api: ", or nothing when it is about the instance. */
static void print_subject(const json_t *event, FILE *out)
{
	static const char *const kinds[] = {"listener", "cluster", "endpoint"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *name = view_text(event, kinds[i]);

		if (*name)
			fprintf(out, "%s %s: ", kinds[i], name);
	}
}

static void print_number(const json_t *event, const char *key, const char *before, FILE *out)
{
	const json_t *value = json_object_get(event, key);

	if (json_is_integer(value))
		fprintf(out, "%s%" JSON_INTEGER_FORMAT, before, json_integer_value(value));
}

static void print_words(const char *name, FILE *out)
{
	for (; *name; name++)
		fputc(*name == '_' ? ' ' : *name, out);
}

static void print_what(const json_t *event, FILE *out)
{
	const char *health = view_text(event, "health"), *why = view_text(event, "why");
	const json_t *for_ms = json_object_get(event, "for_ms");
	char text[FORMAT_BYTES];

	print_words(*health ? health : view_text(event, "event"), out);
	if (*why)
		fprintf(out, ", %s", why);
	if (json_is_integer(for_ms)) {
		format_duration(text, (double)json_integer_value(for_ms) / 1000);
		fprintf(out, " for %s", text);
	}
	print_number(event, "priority", ", priority ", out);
	print_number(event, "generation", ", generation ", out);
	print_number(event, "endpoints", ", number ", out);
	if (json_is_true(json_object_get(event, "observed")))
		fputs(" (observed only)", out);
}

/* "11-21 17:03:12.123" of "2026-11-21T17:03:12.123Z". */
static void print_time(const char *time, FILE *out)
{
	if (strlen(time) >= 23)
		fprintf(out, "%.5s %.12s  ", time + 5, time + 11);
}

static void compose(const json_t *event, FILE *out)
{
	const json_int_t lost = json_integer_value(json_object_get(event, "lost"));
	const json_int_t seq = json_integer_value(json_object_get(event, "seq"));

	if (lost > 0) {
		fprintf(out,
			"%" JSON_INTEGER_FORMAT " events up to %" JSON_INTEGER_FORMAT
			" were overwritten before they could be shown",
			lost, seq);
		return;
	}
	if (json_is_true(json_object_get(event, "restarted"))) {
		fputs("the instance was started anew and so were the numbers, or there is no such "
		      "number yet",
		      out);
		print_number(event, "last", ": the last is ", out);
		return;
	}
	fprintf(out, "%5" JSON_INTEGER_FORMAT "  ", seq);
	print_time(view_text(event, "time"), out);
	print_subject(event, out);
	print_what(event, out);
}

void event_print(const json_t *event, FILE *out)
{
	enum colour colour = colour_of(event);
	char line[LINE_BYTES] = "";
	FILE *text;

	if (json_object_get(event, "heartbeat"))
		return;
	text = fmemopen(line, sizeof(line), "w");
	if (!text)
		return;
	compose(event, text);
	fclose(text);
	line[sizeof(line) - 1] = '\0';
	for (char *c = line; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	if (terminal()->is_tty)
		line[text_bytes(line, (size_t)terminal()->width)] = '\0';
	fprintf(out, "%s%s%s\n", colour_begin(colour), line, colour_end(colour));
}
