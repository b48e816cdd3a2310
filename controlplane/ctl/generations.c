/* SPDX-License-Identifier: Apache-2.0 */
/* `fender generations`: how the last policy changes ended. */
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/table.h"

enum { CELL_BYTES = 64 };

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *word(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void add_time(struct table *table, const json_t *attempt)
{
	const char *at = word(attempt, "at");
	char cell[CELL_BYTES];

	/* The second is enough: 2024-05-01T12:00:00 */
	snprintf(cell, sizeof(cell), "%.19s", at);
	table_cell(table, cell);
}

static void add_milliseconds(struct table *table, const json_t *attempt, const char *stage)
{
	const json_int_t us = number(json_object_get(attempt, "timings_us"), stage);
	char cell[CELL_BYTES] = "-";

	if (us > 0)
		snprintf(cell, sizeof(cell), "%.1f", (double)us / 1000);
	table_cell(table, cell);
}

/* The first line says most; all of it is in the JSON. */
static void add_reason(struct table *table, const json_t *attempt)
{
	const json_int_t restores = number(attempt, "restores");
	const char *reason = word(attempt, "reason");
	char cell[512];
	int used = 0;

	if (restores > 0)
		used = snprintf(cell, sizeof(cell), "that of %" JSON_INTEGER_FORMAT "%s", restores,
				reason[0] ? ": " : "");
	snprintf(cell + used, sizeof(cell) - (size_t)used, "%.*s", (int)strcspn(reason, "\n"),
		 reason);
	table_cell(table, cell);
}

static void add_attempt(struct table *table, const json_t *attempt, json_int_t in_force)
{
	const json_int_t generation = number(attempt, "generation");
	char cell[CELL_BYTES] = "-";

	if (generation > 0)
		snprintf(cell, sizeof(cell), "%" JSON_INTEGER_FORMAT "%s", generation,
			 generation == in_force ? "*" : "");
	table_cell(table, cell);
	add_time(table, attempt);
	table_cell(table, word(attempt, "source"));
	table_cell(table, word(attempt, "result"));
	add_milliseconds(table, attempt, "validate");
	add_milliseconds(table, attempt, "adopt");
	add_reason(table, attempt);
}

/* In full: in the table there is little room for why. */
static void print_last_refusal(const json_t *attempts)
{
	const size_t count = json_array_size(attempts);
	const json_t *last = count ? json_array_get(attempts, count - 1) : NULL;
	const char *reason = word(last, "reason");

	if (reason[0] && number(last, "generation") == 0)
		printf("last refusal, by %s:\n  %.*s\n", word(last, "source"),
		       (int)strcspn(reason, "\n"), reason);
}

static int print_table(const struct options *options, const json_t *body)
{
	const json_t *attempts = json_object_get(body, "attempts");
	struct table *table = table_create("GEN|=TIME (UTC)|=BY|=RESULT|CHECK MS|ADOPT MS|<REASON");

	if (!table) {
		fprintf(stderr, "fender: out of memory\n");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < json_array_size(attempts); i++)
		add_attempt(table, json_array_get(attempts, i), number(body, "in_force"));
	table_print(table, stdout);
	table_free(table);
	print_last_refusal(attempts);
	printf("generation %" JSON_INTEGER_FORMAT " is in force\n", number(body, "in_force"));
	return EXIT_OK;
}

int command_generations(const struct options *options)
{
	return ask(options, "GET", "/generations", print_table);
}
