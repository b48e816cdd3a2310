/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/instances.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/generations.h"
#include "controlplane/lock.h"
#include "controlplane/paths.h"
#include "shm/limits.h"

/* The instance of "<instance>.generations". Return 1 when it is one. */
static int name_of(const char *entry, char name[NAME_BYTES])
{
	static const size_t suffix = sizeof(HISTORY_SUFFIX) - 1;
	const size_t bytes = strlen(entry);

	if (bytes <= suffix || bytes - suffix >= NAME_BYTES ||
	    strcmp(entry + bytes - suffix, HISTORY_SUFFIX) != 0)
		return 0;
	memcpy(name, entry, bytes - suffix);
	name[bytes - suffix] = '\0';
	return 1;
}

static int is_left(const struct paths *paths, const char *file)
{
	char recorded[PATH_MAX];

	return generations_file(paths->history, recorded, sizeof(recorded)) == 0 &&
	       strcmp(recorded, file) == 0 && access(paths->region, F_OK) == 0 &&
	       lock_held(paths->lock) == 0;
}

int instances_of_file(const char *run_dir, const char *shm_dir, const char *file, char *names,
		      size_t size)
{
	DIR *dir = opendir(run_dir);
	char name[NAME_BYTES], why[160];
	const struct dirent *entry;
	struct paths paths;
	int count = 0, looked_at = 0;
	size_t used = 0;

	names[0] = '\0';
	if (!dir)
		return 0;
	while (looked_at < INSTANCES_LOOKED_AT && (entry = readdir(dir))) {
		if (!name_of(entry->d_name, name))
			continue;
		looked_at++;
		if (paths_set(&paths, run_dir, shm_dir, name, why, sizeof(why)) != 0 ||
		    !is_left(&paths, file))
			continue;
		if (used < size)
			used += (size_t)snprintf(names + used, size - used, "%s%s",
						 count ? ", " : "", name);
		count++;
	}
	closedir(dir);
	return count;
}
