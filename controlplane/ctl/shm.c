/* SPDX-License-Identifier: Apache-2.0 */
/* `fender shm dump`: a region's file, without its instance. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/table.h"
#include "controlplane/ctl/view.h"
#include "controlplane/liveness.h"
#include "controlplane/paths.h"
#include "controlplane/shm_dump.h"

enum { WHY_BYTES = 160, ROWS_SHOWN = 20, CELL_BYTES = 160 };

static void cell_of(struct table *table, const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);
	char text[CELL_BYTES];

	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(text, sizeof(text), "%s", view_text(row, key));
	table_cell(table, text);
}

/* @keys: of the columns, separated by '|'. */
static void print_rows(const json_t *body, const char *list, const char *titles, const char *keys)
{
	const json_t *rows = json_object_get(body, list);
	size_t count = json_array_size(rows), shown = count < ROWS_SHOWN ? count : ROWS_SHOWN;
	struct table *table = table_create(titles);
	char key[64];

	printf("\n%s: %zu%s\n", list, count,
	       shown < count ? ", the first of them (--json shows all)" : "");
	for (size_t i = 0; table && i < shown; i++) {
		const char *at = keys;

		while (*at) {
			size_t n = strcspn(at, "|");

			snprintf(key, sizeof(key), "%.*s", (int)n, at);
			cell_of(table, json_array_get(rows, i), key);
			at += n + (at[n] == '|');
		}
	}
	if (table)
		table_print(table, stdout);
	table_free(table);
}

static void print_header(const json_t *header)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)header, key, value)
	{
		if (json_is_integer(value))
			printf("%-26s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
		else if (*json_string_value(value))
			printf("%-26s %s\n", key, json_string_value(value));
	}
}

static void print_text(const json_t *body)
{
	print_header(json_object_get(body, "header"));
	print_rows(body, "policies",
		   "SLOT|<STATE|GENERATION|<HASH|BYTES|LISTENERS|CLUSTERS|ENDPOINTS",
		   "slot|state|generation|hash|bytes|listeners|clusters|endpoints");
	print_rows(body, "workers", "WORKER|<STATE|APPLIED|CONNECTIONS|RECEIVED|TRANSMITTED",
		   "worker|state|applied_generation|connections_open|received|transmitted");
	print_rows(body, "listeners", "<LISTENER|SLOT|STARTED|SUCCEEDED|FAILED|OPEN",
		   "name|slot|started|succeeded|failed|open");
	print_rows(body, "clusters", "<CLUSTER|SLOT|STARTED|SUCCEEDED|FAILED|OPEN",
		   "name|slot|started|succeeded|failed|open");
	print_rows(body, "endpoints", "<ENDPOINT|SLOT|STARTED|SUCCEEDED|FAILED|OPEN",
		   "name|slot|started|succeeded|failed|open");
	print_rows(body, "connections", "<CLIENT|<STATE|<LISTENER|<ENDPOINT|PACKETS",
		   "client|state|listener|endpoint|to_endpoint_packets");
	print_rows(body, "events", "SEQ|<TIME|<EVENT|<CLUSTER|<ENDPOINT",
		   "seq|time|event|cluster|endpoint");
}

/* A path, or the name of an instance. */
static int find_file(const struct options *options, char *path, size_t size)
{
	struct paths paths;
	char why[WHY_BYTES];

	if (strchr(options->operand2, '/')) {
		if ((size_t)snprintf(path, size, "%s", options->operand2) < size)
			return 0;
		fprintf(stderr, "fender shm: the path is too long\n");
		return EXIT_USAGE;
	}
	if (paths_set(&paths, options->run_dir, options->shm_dir, options->operand2, why,
		      sizeof(why)) != 0) {
		fprintf(stderr, "fender shm: %s\n", why);
		return EXIT_USAGE;
	}
	snprintf(path, size, "%s", paths.region);
	return 0;
}

int command_shm(const struct options *options)
{
	char path[PATH_BYTES], why[WHY_BYTES];
	struct region region;
	json_t *body;
	int other_boot, rc;

	if (strcmp(options->operand, "dump") != 0) {
		fprintf(stderr, "fender shm: dump is all it can do, not '%s'\n", options->operand);
		return EXIT_USAGE;
	}
	rc = find_file(options, path, sizeof(path));
	if (rc != 0)
		return rc;
	if (region_load(&region, path, &other_boot, why, sizeof(why)) != 0) {
		fprintf(stderr, "fender shm: %s\n", why);
		return EXIT_FAILED;
	}
	if (other_boot)
		fprintf(stderr, "fender shm: it is of another boot: ages and times are wrong\n");
	body = shm_dump(&region, monotonic_ns());
	region_close(&region);
	if (options->json) {
		json_dumpf(body, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_text(body);
	}
	json_decref(body);
	return EXIT_OK;
}
