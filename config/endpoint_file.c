/* SPDX-License-Identifier: Apache-2.0 */
#include "config/endpoint_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/parse.h"
#include "config/read_file.h"

struct reader {
	const struct config_input *in;
	struct arena *arena;
	struct diagnostics *d;
	size_t endpoints; /* of all clusters so far */
	size_t bytes;     /* of all files so far */
};

char *config_endpoint_file(const char *policy_path, const char *file)
{
	const char *slash = file[0] == '/' ? NULL : strrchr(policy_path, '/');
	size_t folder = slash != NULL ? (size_t)(slash - policy_path) + 1 : 0;
	size_t bytes = folder + strlen(file) + 1;
	char *path = malloc(bytes);

	if (path != NULL)
		snprintf(path, bytes, "%.*s%s", (int)folder, policy_path, file);
	return path;
}

static int parse_file(struct reader *r, const char *path, struct policy_cluster *cluster,
		      const char *text, size_t bytes)
{
	const struct yaml_node *root;
	int rc = 0;

	if (diagnostics_open(r->d, path) != 0)
		return -ENOMEM;
	root = yaml_tree(text, bytes, r->arena, r->d);
	if (root != NULL && root->kind == YAML_SCALAR)
		yaml_error(r->d, root, "found one value, expected a list of endpoints");
	else if (root != NULL)
		rc = schema_parse_list(root, &schema_endpoint_file, &cluster->endpoints, r->arena,
				       r->d);
	diagnostics_close(r->d);
	return rc;
}

/* Its text, malloc'ed; NULL with what is wrong reported. */
static char *read_text(struct reader *r, const char *path, const struct yaml_node *node,
		       size_t *bytes)
{
	FILE *file = open_regular(path);
	size_t most = MAX_ENDPOINT_FILE_BYTES - r->bytes;
	char *text = NULL, clean[YAML_QUOTE_BYTES];

	*bytes = 0;
	if (file != NULL)
		text = read_bounded(file, most, bytes);
	if (text == NULL) {
		yaml_error(r->d, node, "%s cannot be read: %s", yaml_clean(path, clean),
			   read_file_error(errno));
	} else if (*bytes > most) {
		yaml_error(r->d, node,
			   "%s is too long, expected at most %d MiB of all endpoint files together",
			   yaml_clean(path, clean), MAX_ENDPOINT_FILE_BYTES >> 20);
		free(text);
		text = NULL;
		*bytes = most;
	}
	if (file != NULL)
		fclose(file);
	return text;
}

static int read_file(struct reader *r, const char *path, struct policy_cluster *cluster)
{
	const struct file_text *instead =
		r->in->instead != NULL ? file_texts_find(r->in->instead, path) : NULL;
	const char *text;
	char *read = NULL;
	size_t bytes;
	int rc = 0;

	if (instead != NULL)
		bytes = instead->bytes;
	else
		read = read_text(r, path, check_at(&cluster->source.map, "file"), &bytes);
	text = instead != NULL ? instead->text : read;
	if (r->in->read != NULL)
		rc = file_texts_add(r->in->read, path, text, bytes);
	if (rc == 0 && text != NULL)
		rc = parse_file(r, path, cluster, text, bytes);
	r->bytes += bytes < MAX_ENDPOINT_FILE_BYTES - r->bytes ? bytes
							       : MAX_ENDPOINT_FILE_BYTES - r->bytes;
	free(read);
	return rc;
}

int endpoint_files_read(struct policy *policy, struct arena *arena, const struct config_input *in,
			struct diagnostics *d)
{
	struct reader r = {.in = in, .arena = arena, .d = d};
	int rc = 0;

	for (size_t i = 0; i < policy->clusters.count && rc == 0; i++) {
		struct policy_cluster *cluster = &policy->clusters.items[i];
		char *path;

		if (cluster->source.file != NULL && r.endpoints <= MAX_ENDPOINTS) {
			path = config_endpoint_file(diagnostics_file(d), cluster->source.file);
			rc = path != NULL ? read_file(&r, path, cluster) : -ENOMEM;
			free(path);
		}
		r.endpoints += cluster->endpoints.count;
	}
	return rc;
}
