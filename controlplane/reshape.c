/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/reshape.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "controlplane/active.h"
#include "shm/why.h"

enum { FILE_BYTES = PATH_BYTES + 8 };

static const char *next_of(const struct paths *paths, char out[FILE_BYTES])
{
	snprintf(out, FILE_BYTES, "%s.next", paths->region);
	return out;
}

static const char *before_of(const struct paths *paths, char out[FILE_BYTES])
{
	snprintf(out, FILE_BYTES, "%s.before", paths->region);
	return out;
}

int reshape_try_room(const struct paths *paths, const struct image_header *image, char *why,
		     size_t why_size)
{
	const struct region_spec spec = active_spec(image);
	char next[FILE_BYTES];
	struct region region;
	int rc = region_create(&region, next_of(paths, next), &spec, why, why_size);

	if (rc != 0)
		return rc;
	region_close(&region);
	unlink(next);
	return 0;
}

/* From here on @next is the instance's region. */
static int commit(const struct paths *paths, const char *next, const struct why *why)
{
	char before[FILE_BYTES];

	before_of(paths, before);
	unlink(before);
	if (link(paths->region, before) != 0)
		return why_fail(why, -errno, "cannot keep %.80s: %m", paths->region);
	if (rename(next, paths->region) == 0)
		return 0;
	why_fail(why, -errno, "cannot rename %.80s: %m", next);
	unlink(before);
	return -EIO;
}

int reshape_region(struct region *region, const struct paths *paths,
		   const struct image_header *active, const struct image_header *image,
		   struct migrated *moved, char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	const struct region_spec spec = active_spec(image);
	char file[FILE_BYTES];
	const char *next = next_of(paths, file);
	struct region made;
	const struct migration migration = {region, &made, active, image};
	int rc = region_create(&made, next, &spec, why_text, why_size);

	if (rc != 0)
		return rc;
	rc = region_migrate(&migration, moved, why_text, why_size);
	if (rc == 0)
		rc = commit(paths, next, &why);
	if (rc != 0) {
		region_close(&made);
		unlink(next);
		return rc;
	}
	region_close(region);
	*region = made;
	return 0;
}

int reshape_return(const struct paths *paths)
{
	char before[FILE_BYTES];

	return rename(before_of(paths, before), paths->region) == 0 ? 0 : -errno;
}

void reshape_forget(const struct paths *paths)
{
	char file[FILE_BYTES];

	unlink(next_of(paths, file));
	unlink(before_of(paths, file));
}
