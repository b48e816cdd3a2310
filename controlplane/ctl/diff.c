/* SPDX-License-Identifier: Apache-2.0 */
/* `fender diff`: what a reload would change, and what follows from it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diagnostics.h"
#include "config/difference.h"
#include "config/read_file.h"
#include "config/values.h"
#include "controlplane/ctl/client.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/simulate.h"
#include "controlplane/policy_diff.h"

enum { CONSEQUENCE_BYTES = 192, RESTART_KEY_BYTES = 64 };

/* One of the two policies. */
struct side {
	const char *name; /* of its file */
	char *text;
	size_t bytes;
	struct diagnostics *d;
	struct image_header *image;
};

struct diff {
	struct side before;
	struct side after;
	json_t *json; /* array of differences; NULL: they are printed */
	size_t count;
};

static int fail(const char *name, const char *why)
{
	fprintf(stderr, "fender diff: %s: %s\n", name, why);
	return EXIT_FAILED;
}

static int read_side(struct side *side, const char *path)
{
	FILE *file = fopen(path, "re");

	side->name = path;
	if (file) {
		side->text = read_bounded(file, MAX_POLICY_FILE_BYTES, &side->bytes);
		fclose(file);
	}
	return side->text ? EXIT_OK : fail(path, strerror(errno));
}

/* The text in force. Its files lie where those of @path do. */
static int ask_side(struct side *side, const struct options *options, const char *path)
{
	struct client *client;
	struct reply reply;
	int rc = client_create(&client, options);

	if (rc != 0)
		return rc;
	side->name = path;
	rc = client_request(client, "GET", "/policy", &reply);
	if (rc == 0) {
		const json_t *text = json_object_get(reply.body, "text");

		if (json_is_string(text)) {
			side->bytes = json_string_length(text);
			side->text = strndup(json_string_value(text), side->bytes);
		}
		if (!side->text)
			rc = fail("the policy in force", "its text is not known to the instance");
	}
	client_free(client);
	return rc;
}

static int compile_side(struct side *side)
{
	side->d = diagnostics_create(side->name);
	if (!side->d)
		return fail(side->name, "out of memory");
	side->image = config_compile(side->text, side->bytes, side->d);
	if (side->image)
		return EXIT_OK;
	diagnostics_print(side->d, stderr);
	return EXIT_FAILED;
}

static void free_side(struct side *side)
{
	free(side->text);
	free(side->image);
	diagnostics_free(side->d);
}

/* "web" of "clusters[web].timeouts": the element of the outermost list. */
static void element_of(const char *path, char *out, size_t size)
{
	const char *begin = strchr(path, '[');
	size_t bytes = begin ? strcspn(begin + 1, "]") : 0;

	snprintf(out, size, "%.*s", (int)bytes, begin ? begin + 1 : "");
}

static const struct image_cluster *cluster_of(const struct image_header *image, const char *name)
{
	const struct image_cluster *c = IMAGE_ARRAY(image, struct image_cluster, clusters);

	for (uint32_t i = 0; i < image->clusters.count; i++)
		if (strcmp(image_string(image, c[i].name), name) == 0)
			return &c[i];
	return NULL;
}

static const char *cluster_of_listener(const struct image_header *image, const char *name)
{
	const struct image_listener *l = IMAGE_ARRAY(image, struct image_listener, listeners);
	const struct image_cluster *c = IMAGE_ARRAY(image, struct image_cluster, clusters);

	for (uint32_t i = 0; i < image->listeners.count; i++)
		if (strcmp(image_string(image, l[i].name), name) == 0)
			return image_string(image, c[l[i].cluster].name);
	return "";
}

/* As the new policy says, where it still names the cluster. */
static uint64_t drain_ms(const struct diff *diff, const char *cluster)
{
	const struct image_cluster *c = cluster_of(diff->after.image, cluster);

	if (!c)
		c = cluster_of(diff->before.image, cluster);
	return c ? c->timeouts.drain_ms : 0;
}

static void say_drain(const struct diff *diff, const char *cluster, const char *what, char *out)
{
	char time[VALUE_TEXT_BYTES];

	snprintf(out, CONSEQUENCE_BYTES,
		 "%s drain: what has not ended by itself is reset, spread over up to %s", what,
		 value_print_duration(drain_ms(diff, cluster) * 1000000, time));
}

static int begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static int ends(const char *text, const char *with)
{
	const size_t bytes = strlen(text), end = strlen(with);

	return bytes >= end && strcmp(text + bytes - end, with) == 0;
}

/* What follows from one difference; "" when it says all itself. @out: CONSEQUENCE_BYTES. */
static void consequence(const struct diff *diff, const struct difference *d, char *out)
{
	const int removed = d->kind == DIFFERENCE_REMOVED;
	char name[NAME_BYTES];

	out[0] = '\0';
	element_of(d->path, name, sizeof(name));
	if (d->needs_restart)
		snprintf(out, CONSEQUENCE_BYTES, "needs a restart: a reload refuses it");
	else if (removed && begins(d->path, "listeners[") && ends(d->path, "]"))
		say_drain(diff, cluster_of_listener(diff->before.image, name), "its connections",
			  out);
	else if (removed && begins(d->path, "clusters[") && strstr(d->path, ".endpoints["))
		say_drain(diff, name, "its connections", out);
	else if (removed && begins(d->path, "clusters[") && ends(d->path, "]"))
		say_drain(diff, name, "connections to its endpoints", out);
	else if (begins(d->path, "listeners[") && ends(d->path, ".bind"))
		snprintf(out, CONSEQUENCE_BYTES,
			 "new connections to the old address are refused; those that are there go "
			 "on");
	else if (begins(d->path, "listeners[") && ends(d->path, ".cluster"))
		snprintf(out, CONSEQUENCE_BYTES,
			 "new connections go there; those that are there stay where they are");
}

static void print_difference(const struct difference *d, const char *follows)
{
	static const char *const words[] = {
		[DIFFERENCE_ADDED] = "added", [DIFFERENCE_REMOVED] = "removed"};

	if (d->kind == DIFFERENCE_CHANGED)
		printf("%s: %s -> %s\n", d->path, d->before, d->after);
	else
		printf("%s: %s\n", d->path, words[d->kind]);
	if (follows[0])
		printf("    %s\n", follows);
}

static void on_difference(void *ctx, const struct difference *d)
{
	static const char *const kinds[] = {[DIFFERENCE_CHANGED] = "changed",
					    [DIFFERENCE_ADDED] = "added",
					    [DIFFERENCE_REMOVED] = "removed"};
	struct diff *diff = ctx;
	char follows[CONSEQUENCE_BYTES];

	diff->count++;
	consequence(diff, d, follows);
	if (!diff->json) {
		print_difference(d, follows);
		return;
	}
	json_array_append_new(diff->json,
			      json_pack("{s:s,s:s,s:s,s:s,s:b,s:s}", "path", d->path, "kind",
					kinds[d->kind], "before", d->before, "after", d->after,
					"needs_restart", d->needs_restart, "consequence", follows));
}

static void print_moved(const struct image_header *before, const struct image_header *after)
{
	const struct image_cluster *c = IMAGE_ARRAY(after, struct image_cluster, clusters);

	for (uint32_t i = 0; i < after->clusters.count; i++) {
		const uint32_t moved = simulate_moved_keys(before, after, i);

		if (moved > 0 && moved != UINT32_MAX)
			printf("cluster %s: %.2f%% of the keys go to another endpoint\n",
			       image_string(after, c[i].name), moved / 100.0);
	}
}

static void print_summary(const struct diff *diff, const char *restart)
{
	if (diff->count == 0) {
		printf("no difference\n");
		return;
	}
	print_moved(diff->before.image, diff->after.image);
	if (restart[0])
		printf("%zu difference%s; a reload is refused: %s needs a restart of the "
		       "dataplane, by "
		       "`fender upgrade`\n",
		       diff->count, diff->count == 1 ? "" : "s", restart);
	else
		printf("%zu difference%s; a reload puts all of it in force at once, on connections "
		       "that are there too\n",
		       diff->count, diff->count == 1 ? "" : "s");
}

static int dump(struct diff *diff, const char *restart)
{
	const char *reload = restart[0] ? "needs_restart" : diff->count ? "applies" : "unchanged";
	json_t *body = json_pack("{s:s,s:s,s:O,s:o}", "reload", reload, "restart_key", restart,
				 "differences", diff->json, "moved_keys_percent",
				 simulate_moved_json(diff->before.image, diff->after.image));

	if (!body)
		return fail("JSON", "out of memory");
	json_dumpf(body, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(body);
	return EXIT_OK;
}

static int compare(struct diff *diff, int as_json)
{
	const struct config_input before = {.text = diff->before.text, .bytes = diff->before.bytes};
	const struct config_input after = {.text = diff->after.text, .bytes = diff->after.bytes};
	char restart[RESTART_KEY_BYTES] = "";

	diff->json = as_json ? json_array() : NULL;
	policy_needs_restart(diff->before.image, diff->after.image, restart, sizeof(restart));
	if (config_difference(&before, diff->before.d, &after, diff->after.d, on_difference,
			      diff) != 0)
		return fail(diff->after.name, "it cannot be compared: out of memory");
	if (as_json)
		return dump(diff, restart);
	print_summary(diff, restart);
	return EXIT_OK;
}

int command_diff(const struct options *options)
{
	struct diff diff = {0};
	int rc = options->operand2 ? read_side(&diff.before, options->operand)
				   : ask_side(&diff.before, options, options->operand);

	if (rc == EXIT_OK)
		rc = read_side(&diff.after,
			       options->operand2 ? options->operand2 : options->operand);
	if (rc == EXIT_OK)
		rc = compile_side(&diff.before);
	if (rc == EXIT_OK)
		rc = compile_side(&diff.after);
	if (rc == EXIT_OK)
		rc = compare(&diff, options->json);
	json_decref(diff.json);
	free_side(&diff.before);
	free_side(&diff.after);
	return rc;
}
