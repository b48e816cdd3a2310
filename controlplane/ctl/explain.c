/* SPDX-License-Identifier: Apache-2.0 */
/* `fender explain`: GET /explain as steps and a table of candidates. */
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/query.h"
#include "controlplane/ctl/table.h"
#include "controlplane/ctl/view.h"

enum { PATH_BYTES = 1024, AGAINST_BYTES = 160 };

static void against_text(const json_t *list, char *out, size_t size)
{
	size_t used = 0;

	snprintf(out, size, "-");
	for (size_t i = 0; i < json_array_size(list) && used < size; i++) {
		const char *name = json_string_value(json_array_get(list, i));

		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
					 name ? name : "?");
	}
}

static void add_candidate(struct table *table, const json_t *row, const char *chosen)
{
	const char *endpoint = view_text(row, "endpoint");
	char number[32], against[AGAINST_BYTES];

	table_cell(table, strcmp(endpoint, chosen) == 0 ? "=>" : "");
	table_cell(table, endpoint);
	snprintf(number, sizeof(number), "%.0f", view_number(row, "weight"));
	table_cell(table, number);
	snprintf(number, sizeof(number), "%.0f", view_number(row, "priority"));
	table_cell(table, number);
	if (view_number(row, "max_concurrent") > 0)
		snprintf(number, sizeof(number), "%.0f/%.0f", view_number(row, "in_flight"),
			 view_number(row, "max_concurrent"));
	else
		snprintf(number, sizeof(number), "%.0f", view_number(row, "in_flight"));
	table_cell(table, number);
	against_text(json_object_get(row, "against"), against, sizeof(against));
	table_cell(table, against);
}

static void print_candidates(const json_t *body)
{
	struct table *table = table_create("<|<CANDIDATE|WEIGHT|PRIORITY|IN FLIGHT|<AGAINST IT");
	const json_t *rows = json_object_get(body, "candidates");
	const char *chosen = view_text(json_object_get(body, "decision"), "endpoint");

	for (size_t i = 0; table && i < json_array_size(rows); i++)
		add_candidate(table, json_array_get(rows, i), chosen);
	if (table && json_array_size(rows) > 0) {
		putchar('\n');
		table_print(table, stdout);
	}
	table_free(table);
}

static void print_text(const json_t *body)
{
	const json_t *steps = json_object_get(body, "steps");

	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);

		printf("%-16s %s\n", view_text(step, "step"), view_text(step, "says"));
	}
	print_candidates(body);
}

static int make_path(const struct options *o, char *path, size_t size)
{
	strcpy(path, "/explain");
	if (query_add(path, size, "protocol", o->operand) == 0 &&
	    query_add(path, size, "client", o->operand2) == 0 &&
	    query_add(path, size, "destination", o->operand3) == 0 &&
	    query_add(path, size, "interface", o->interface) == 0 &&
	    query_add(path, size, "cluster", o->cluster) == 0 &&
	    query_add(path, size, "key", o->key) == 0)
		return 0;
	fprintf(stderr, "fender explain: the arguments are too long\n");
	return EXIT_USAGE;
}

static int print(const struct options *options, const struct reply *reply)
{
	if (reply->status != 200) {
		fprintf(stderr, "fender: %s\n", view_text(reply->body, "error"));
		return reply->status == 400 ? EXIT_USAGE : EXIT_FAILED;
	}
	if (options->json) {
		json_dumpf(reply->body, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_text(reply->body);
	}
	return EXIT_OK;
}

int command_explain(const struct options *options)
{
	struct client *client;
	struct reply reply;
	char path[PATH_BYTES];
	int rc = make_path(options, path, sizeof(path));

	if (rc != 0)
		return rc;
	rc = client_create(&client, options);
	if (rc != 0)
		return rc;
	rc = client_request(client, "GET", path, &reply);
	if (rc == 0)
		rc = print(options, &reply);
	client_free(client);
	return rc;
}
