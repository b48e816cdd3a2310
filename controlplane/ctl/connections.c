/* SPDX-License-Identifier: Apache-2.0 */
/* `fender connections`: GET /connections, page after page, as a table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/suggest.h"
#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/format.h"
#include "controlplane/ctl/view.h"

enum { ROWS_DEFAULT = 100, ROWS_MAX = 1000000, PAGE_ROWS = 10000 };

/* -- what to ask for --------------------------------------------------------------------- */

static const char *const filters[] = {"listener", "cluster", "endpoint", "client", "state"};

enum { FILTERS = sizeof(filters) / sizeof(filters[0]) };

static int unknown_filter(const char *word, size_t key_bytes)
{
	char key[64];
	struct suggestion s;

	snprintf(key, sizeof(key), "%.*s", (int)key_bytes, word);
	suggest_start(&s, key);
	for (size_t i = 0; i < FILTERS; i++)
		suggest_consider(&s, filters[i]);
	fprintf(stderr,
		"fender connections: found %s, expected %s%s=… (fender connections "
		"--help)\n",
		word, s.best ? "" : "a filter like ", s.best ? s.best : "listener");
	return EXIT_USAGE;
}

/* "listener=web" becomes "?listener=web". */
static int add_filter(char **path, const char *word)
{
	size_t bytes = strcspn(word, "=");

	for (size_t i = 0; i < FILTERS; i++) {
		if (strlen(filters[i]) != bytes || memcmp(filters[i], word, bytes) != 0)
			continue;
		if (word[bytes] != '=' || !word[bytes + 1])
			break;
		ask_add_query(path, filters[i], word + bytes + 1);
		return EXIT_OK;
	}
	return unknown_filter(word, bytes);
}

static int make_path(char **path, const struct options *options)
{
	int rc = EXIT_OK;

	*path = strdup("/connections");
	for (int i = 0; rc == EXIT_OK && i < options->word_count; i++)
		rc = add_filter(path, options->words[i]);
	return rc;
}

/* -- pages ------------------------------------------------------------------------------- */

struct pages {
	struct client *client;
	const char *path;
	unsigned long wanted;
	json_t *rows;
	const json_t *next; /* in @reply */
	struct reply reply;
};

static char *page_path(const struct pages *p)
{
	unsigned long left = p->wanted - json_array_size(p->rows);
	char *path = strdup(p->path);
	char text[32];

	snprintf(text, sizeof(text), "%lu", left < PAGE_ROWS ? left : PAGE_ROWS);
	ask_add_query(&path, "limit", text);
	if (!p->next)
		return path;
	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(p->next));
	ask_add_query(&path, "cursor", text);
	return path;
}

/* A page may be without rows and not the last: it ends after some hundred thousand entries. */
static int get_page(struct pages *p)
{
	char *path = page_path(p);
	int rc = path ? client_request(p->client, "GET", path, &p->reply) : EXIT_FAILED;

	free(path);
	if (rc != 0)
		return rc;
	if (p->reply.status != 200)
		return ask_refused(p->reply.body);
	json_array_extend(p->rows, json_object_get(p->reply.body, "connections"));
	p->next = json_object_get(p->reply.body, "next");
	return EXIT_OK;
}

static int get_pages(struct pages *p)
{
	int rc;

	do
		rc = get_page(p);
	while (rc == EXIT_OK && json_is_integer(p->next) && json_array_size(p->rows) < p->wanted);
	return rc;
}

/* -- the table --------------------------------------------------------------------------- */

/* Short, so that addresses find room. */
static const char *state_word(const json_t *row)
{
	const char *state = view_text(row, "state");

	if (strcmp(state, "established") == 0)
		return "estab";
	return strcmp(state, "tombstone") == 0 ? "given up" : state;
}

static void cell_of_bytes(struct table *table, double bytes)
{
	char text[FORMAT_BYTES];

	format_bytes_short(text, bytes);
	table_cell(table, text);
}

static void add_row(struct table *table, const json_t *row)
{
	const char *endpoint = view_text(row, "endpoint");
	char age[FORMAT_BYTES];

	format_duration(age, view_number(row, "age_ms") / 1000);
	table_cell(table, view_text(row, "protocol"));
	table_cell(table, view_text(row, "client"));
	table_cell(table, *endpoint ? endpoint : "-");
	table_cell(table, view_text(row, "listener"));
	table_cell(table, state_word(row));
	table_cell(table, age);
	cell_of_bytes(table, view_number(row, "to_endpoint_bytes"));
	cell_of_bytes(table, view_number(row, "to_client_bytes"));
}

static void print_table(const json_t *rows, int has_more)
{
	struct table *table = table_create("<|=CLIENT|=ENDPOINT|<LISTENER|=STATE|AGE|SENT|RECV");
	size_t count = json_array_size(rows);

	for (size_t i = 0; table && i < count; i++)
		add_row(table, json_array_get(rows, i));
	if (table)
		table_print(table, stdout);
	table_free(table);
	if (count == 0)
		printf("There is no such connection.\n");
	else if (has_more)
		printf("\nThere may be more (-n shows them).\n");
}

static int show(const struct pages *p, const struct options *options)
{
	json_t *body;

	if (!options->json) {
		print_table(p->rows, json_is_integer(p->next));
		return EXIT_OK;
	}
	body = json_pack("{s:O,s:O?}", "connections", p->rows, "next", p->next);
	if (!body)
		return EXIT_FAILED;
	ask_print_json(body);
	json_decref(body);
	return EXIT_OK;
}

static int get_and_show(const struct options *options, const char *path, unsigned long wanted)
{
	struct pages pages = {.path = path, .wanted = wanted};
	int rc = client_create(&pages.client, options);

	if (rc != 0)
		return rc;
	pages.rows = json_array();
	rc = get_pages(&pages);
	if (rc == EXIT_OK)
		rc = show(&pages, options);
	json_decref(pages.rows);
	client_free(pages.client);
	return rc;
}

int command_connections(const struct options *options)
{
	unsigned long wanted = ROWS_DEFAULT;
	char *path;
	int rc;

	if (options->rows && ask_number(options->rows, 1, ROWS_MAX, &wanted) != 0) {
		fprintf(stderr, "fender connections: -n takes 1 to %d, not '%s'\n", ROWS_MAX,
			options->rows);
		return EXIT_USAGE;
	}
	rc = make_path(&path, options);
	if (rc == EXIT_OK)
		rc = path ? get_and_show(options, path, wanted) : EXIT_FAILED;
	free(path);
	return rc;
}
