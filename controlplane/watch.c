/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"

/* What tells one content of a file from another; all zero: there is no such file. */
struct signature {
	dev_t device;
	ino_t number;
	off_t bytes;
	struct timespec modified;
	struct timespec changed;
};

struct file {
	char *path;
	int is_policy;
	struct signature signature;
};

struct files {
	struct file *all;
	uint32_t count;
};

struct folder {
	uv_fs_event_t handle;
	struct watch *watch;
	struct folder *next;
	char *path;
	struct signature signature; /* of the folder that is watched: device and number */
	int wanted;
};

struct watch {
	uv_loop_t *loop;
	struct watch_calls calls;
	struct files files;
	struct folder *folders;
	uv_timer_t debounce;
	uv_timer_t look;
};

static struct signature signature_of(const char *path)
{
	struct signature out;
	struct stat st;

	memset(&out, 0, sizeof(out));
	if (stat(path, &st) != 0)
		return out;
	out.device = st.st_dev;
	out.number = st.st_ino;
	out.bytes = st.st_size;
	out.modified = st.st_mtim;
	out.changed = st.st_ctim;
	return out;
}

static int same_file(const struct signature *a, const struct signature *b)
{
	return a->device == b->device && a->number == b->number;
}

static void look(struct watch *w)
{
	int endpoints = 0, policy = 0;

	for (uint32_t i = 0; i < w->files.count; i++) {
		struct file *file = &w->files.all[i];
		struct signature now = signature_of(file->path);
		int changed = memcmp(&now, &file->signature, sizeof(now)) != 0;

		endpoints |= changed && !file->is_policy;
		policy |= changed && file->is_policy;
		file->signature = now;
	}
	/* Either may end in watch_sync(). */
	if (policy)
		w->calls.policy(w->calls.ctx);
	if (endpoints)
		w->calls.endpoints(w->calls.ctx);
}

static void on_debounced(uv_timer_t *timer)
{
	look(timer->data);
}

/* Not put off by further events: a busy folder would keep a change waiting. */
static void look_soon(struct watch *w)
{
	if (!uv_is_active((uv_handle_t *)&w->debounce))
		uv_timer_start(&w->debounce, on_debounced, WATCH_DEBOUNCE_MS, 0);
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
	const struct folder *folder = handle->data;

	look_soon(folder->watch);
}

static void on_folder_closed(uv_handle_t *handle)
{
	struct folder *folder = handle->data;

	free(folder->path);
	free(folder);
}

/* One that is not there is tried again with the next look. */
static void start_folder(struct folder *folder)
{
	folder->signature = signature_of(folder->path);
	uv_fs_event_stop(&folder->handle);
	if (folder->signature.number != 0 &&
	    uv_fs_event_start(&folder->handle, on_event, folder->path, 0) != 0)
		memset(&folder->signature, 0, sizeof(folder->signature));
}

static void on_look(uv_timer_t *timer)
{
	struct watch *w = timer->data;

	for (struct folder *folder = w->folders; folder; folder = folder->next) {
		const struct signature now = signature_of(folder->path);

		if (!same_file(&now, &folder->signature))
			start_folder(folder);
	}
	look(w);
}

static int add_folder(struct watch *w, const char *path, size_t bytes)
{
	struct folder *folder = w->folders;

	while (folder && (strncmp(folder->path, path, bytes) != 0 || folder->path[bytes]))
		folder = folder->next;
	if (!folder) {
		folder = calloc(1, sizeof(*folder));
		if (!folder)
			return -ENOMEM;
		folder->path = strndup(path, bytes);
		if (!folder->path) {
			free(folder);
			return -ENOMEM;
		}
		uv_fs_event_init(w->loop, &folder->handle);
		folder->handle.data = folder;
		folder->watch = w;
		folder->next = w->folders;
		w->folders = folder;
		start_folder(folder);
	}
	folder->wanted = 1;
	return 0;
}

static int add_folder_of(struct watch *w, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return add_folder(w, ".", 1);
	return slash == path ? add_folder(w, "/", 1) : add_folder(w, path, (size_t)(slash - path));
}

static void end_unwanted(struct watch *w)
{
	struct folder **link = &w->folders;

	while (*link) {
		struct folder *folder = *link;

		if (folder->wanted) {
			link = &folder->next;
			continue;
		}
		*link = folder->next;
		uv_close((uv_handle_t *)&folder->handle, on_folder_closed);
	}
}

static void free_files(struct files *files)
{
	for (uint32_t i = 0; i < files->count; i++)
		free(files->all[i].path);
	free(files->all);
	*files = (struct files){0};
}

static const struct file *find_file(const struct files *files, const struct file *like)
{
	for (uint32_t i = 0; i < files->count; i++)
		if (files->all[i].is_policy == like->is_policy &&
		    strcmp(files->all[i].path, like->path) == 0)
			return &files->all[i];
	return NULL;
}

/* A new one looks changed: it may be another by now than the one that was compiled. */
static int add_file(struct files *files, const struct files *before, char *path, int is_policy)
{
	struct file file = {.path = path, .is_policy = is_policy};
	const struct file *known;

	if (!path)
		return -ENOMEM;
	if (find_file(files, &file)) {
		free(path);
		return 0;
	}
	known = find_file(before, &file);
	if (known)
		file.signature = known->signature;
	files->all[files->count++] = file;
	return 0;
}

static int make_files(struct watch *w, struct files *files, const struct image_header *policy,
		      const char *policy_path)
{
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	int rc = 0;

	*files = (struct files){.all = calloc(policy->clusters.count + 1, sizeof(struct file))};
	if (!files->all)
		return -ENOMEM;
	if (w->calls.policy)
		rc = add_file(files, &w->files, strdup(policy_path), 1);
	for (uint32_t i = 0; rc == 0 && i < policy->clusters.count; i++)
		if (c[i].source.kind == SOURCE_FILE)
			rc = add_file(files, &w->files,
				      config_endpoint_file(policy_path,
							   image_string(policy, c[i].source.name)),
				      0);
	return rc;
}

int watch_sync(struct watch *w, const struct image_header *policy, const char *policy_path)
{
	struct files files;
	int rc = make_files(w, &files, policy, policy_path);

	for (struct folder *folder = w->folders; folder; folder = folder->next)
		folder->wanted = rc != 0;
	for (uint32_t i = 0; rc == 0 && i < files.count; i++)
		rc = add_folder_of(w, files.all[i].path);
	if (rc != 0) {
		free_files(&files);
		return rc;
	}
	end_unwanted(w);
	free_files(&w->files);
	w->files = files;
	uv_timer_stop(&w->look);
	if (files.count > 0) {
		look_soon(w);
		uv_timer_start(&w->look, on_look, WATCH_LOOK_MS, WATCH_LOOK_MS);
	}
	return 0;
}

int watch_create(struct watch **out, uv_loop_t *loop, const struct watch_calls *calls)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->calls = *calls;
	uv_timer_init(loop, &w->debounce);
	uv_timer_init(loop, &w->look);
	w->debounce.data = w;
	w->look.data = w;
	*out = w;
	return 0;
}

void watch_stop(struct watch *w)
{
	for (struct folder *folder = w->folders; folder; folder = folder->next)
		folder->wanted = 0;
	end_unwanted(w);
	uv_timer_stop(&w->debounce);
	uv_timer_stop(&w->look);
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	free_files(&w->files);
	free(w);
}
