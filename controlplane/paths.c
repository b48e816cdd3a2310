/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/paths.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int join(char *out, size_t out_size, const char *dir, const char *prefix, const char *name,
		const char *suffix)
{
	int n = snprintf(out, out_size, "%s/%s%s%s", dir, prefix, name, suffix);

	return n < 0 || (size_t)n >= out_size ? -ENAMETOOLONG : 0;
}

int paths_set(struct paths *paths, const char *run_dir, const char *shm_dir, const char *instance,
	      char *why, size_t why_size)
{
	int n = snprintf(paths->run_dir, sizeof(paths->run_dir), "%s", run_dir);
	int rc = n < 0 || (size_t)n >= sizeof(paths->run_dir) ? -ENAMETOOLONG : 0;

	if (instance[0] == '\0' || instance[0] == '.' || strchr(instance, '/')) {
		snprintf(why, why_size, "'%s' cannot name an instance: it names files", instance);
		return -EINVAL;
	}
	if (rc == 0)
		rc = join(paths->socket, sizeof(paths->socket), run_dir, "", instance, ".sock");
	if (rc == 0)
		rc = join(paths->socket_ro, sizeof(paths->socket_ro), run_dir, "", instance,
			  ".sock.ro");
	if (rc == 0)
		rc = join(paths->lock, sizeof(paths->lock), run_dir, "", instance, ".lock");
	if (rc == 0)
		rc = join(paths->dataplane_lock, sizeof(paths->dataplane_lock), run_dir, "",
			  instance, ".dataplane.lock");
	if (rc == 0)
		rc = join(paths->wake, sizeof(paths->wake), run_dir, "", instance, ".wake");
	if (rc == 0)
		rc = join(paths->routes, sizeof(paths->routes), run_dir, "", instance, ".routes");
	if (rc == 0)
		rc = join(paths->history, sizeof(paths->history), run_dir, "", instance,
			  HISTORY_SUFFIX);
	if (rc == 0)
		rc = join(paths->program, sizeof(paths->program), run_dir, "", instance,
			  ".program");
	if (rc == 0)
		rc = join(paths->region, sizeof(paths->region), shm_dir, "fender-", instance, "");
	if (rc != 0)
		snprintf(why, why_size,
			 "the paths of instance '%s' are too long (a socket's: %d bytes at most)",
			 instance, SOCKET_PATH_BYTES - 1 - (int)strlen(".ro"));
	return rc;
}

int paths_absolute(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[PATH_MAX], real[PATH_MAX];
	int n = snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(name - path) : 1,
			 slash ? path : ".");

	if (n < 0 || (size_t)n >= sizeof(folder))
		return -ENAMETOOLONG;
	if (!realpath(folder, real))
		return -errno;
	n = snprintf(out, size, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int paths_find_dataplane(const char *wanted, char *path, size_t path_size, char *why,
			 size_t why_size)
{
	char self[PATH_BYTES];
	ssize_t bytes;
	int n;

	if (wanted) {
		n = snprintf(path, path_size, "%s", wanted);
	} else {
		bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (bytes < 0)
			return -errno;
		self[bytes] = '\0';
		*strrchr(self, '/') = '\0';
		n = snprintf(path, path_size, "%s/fender-dataplane", self);
	}
	if (n < 0 || (size_t)n >= path_size) {
		snprintf(why, why_size, "the dataplane's path is too long");
		return -ENAMETOOLONG;
	}
	if (access(path, X_OK) != 0) {
		int error = errno;

		snprintf(why, why_size, "the dataplane program %s: %s (--dataplane names another)",
			 path, strerror(error));
		return -error;
	}
	return 0;
}
