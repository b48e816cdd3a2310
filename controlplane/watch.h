/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the policy file and of the endpoint files that it names. Their folders are watched, so
 * that a rename and a swapped symbolic link (a ConfigMap's) are seen too; what decides is the
 * file's own number, size and time of change, which are looked at again every WATCH_LOOK_MS in any
 * case.
 */
#ifndef FENDER_CONTROLPLANE_WATCH_H
#define FENDER_CONTROLPLANE_WATCH_H

#include <uv.h>

#include "shm/image.h"

enum { WATCH_DEBOUNCE_MS = 50, WATCH_LOOK_MS = 2000 };

struct watch;

struct watch_calls {
	void *ctx;
	void (*endpoints)(void *ctx); /* some endpoint file is another than before */
	void (*policy)(void *ctx);    /* the policy file is; NULL: it is not watched */
};

/* Return: 0, -ENOMEM. */
int watch_create(struct watch **out, uv_loop_t *loop, const struct watch_calls *calls);

/**
 * watch_sync() - watch the files of @policy (checked) from now on
 * @policy_path: the policy file; what the others are relative to
 * A file that was watched before is compared with what it was then, a new one counts as changed
 * once. Return: 0; -ENOMEM: the files before are watched on.
 */
int watch_sync(struct watch *w, const struct image_header *policy, const char *policy_path);

void watch_stop(struct watch *w);
/* When its loop has closed all handles. NULL is fine. */
void watch_free(struct watch *w);

#endif
