/* SPDX-License-Identifier: Apache-2.0 */
#include "config/endpoint_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/parse.h"
#include "config/read_file.h"

struct reader {
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

/* A pipe or device could keep the reader for ever. NULL with errno set. */
static FILE *open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	FILE *file = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0) {
		if (S_ISREG(st.st_mode))
			file = fdopen(fd, "r");
		else
			errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	}
	if (file == NULL) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return file;
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

static int read_file(struct reader *r, const char *path, struct policy_cluster *cluster)
{
	const struct yaml_node *node = check_at(&cluster->source.map, "file");
	FILE *file = open_regular(path);
	char *text = NULL, clean[YAML_QUOTE_BYTES];
	size_t bytes = 0, most = MAX_ENDPOINT_FILE_BYTES - r->bytes;
	int rc = 0;

	if (file != NULL)
		text = read_bounded(file, most, &bytes);
	if (text == NULL)
		yaml_error(r->d, node, "%s cannot be read: %s", yaml_clean(path, clean),
			   errno == EINVAL ? "it is no regular file" : strerror(errno));
	else if (bytes > most)
		yaml_error(r->d, node,
			   "%s is too long, expected at most %d MiB of all endpoint files together",
			   yaml_clean(path, clean), MAX_ENDPOINT_FILE_BYTES >> 20);
	else
		rc = parse_file(r, path, cluster, text, bytes);
	r->bytes += bytes < most ? bytes : most;
	free(text);
	if (file != NULL)
		fclose(file);
	return rc;
}

int endpoint_files_read(struct policy *policy, struct arena *arena, struct diagnostics *d)
{
	struct reader r = {.arena = arena, .d = d};
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
