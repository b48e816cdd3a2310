/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/in_force.h"

#include "config/config.h"
#include "shm/publish.h"

#include <stdlib.h>
#include <unistd.h>

static int failed(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	return -1;
}

struct image_header *in_force_compile(void (*write)(FILE *out, const void *ctx), const void *ctx)
{
	struct diagnostics *d = diagnostics_create("bench");
	struct image_header *image = NULL;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!d || !out)
		goto done;
	write(out, ctx);
	if (fclose(out) == 0)
		image = config_compile(text, bytes, d);
	if (!image)
		diagnostics_print(d, stderr);
done:
	free(text);
	diagnostics_free(d);
	return image;
}

static int make_region(struct region *region, const struct image_sidecar *s)
{
	struct region_spec spec = {
		.instance = "bench",
		.workers = s->workers,
		.connections = s->connections,
		.listeners = s->listeners,
		.clusters = s->clusters,
		.endpoints = s->endpoints,
		.slot_bytes = s->slot_bytes,
	};
	char path[64], why[256] = "";

	snprintf(path, sizeof(path), "/dev/shm/fender-bench-%d", (int)getpid());
	if (region_create(region, path, &spec, why, sizeof(why)))
		return failed("region", why);
	unlink(path);
	return 0;
}

static int adopt_image(struct in_force *f, const struct image_header *image)
{
	struct image_header *mine = NULL;
	uint64_t generation, refused;
	char why[256] = "";

	publisher_begin(&f->region);
	if (publish(&f->region, image, 1, &generation))
		return failed("region", "policy cannot be published");
	if (adopt(&f->region, 0, &mine, &refused, why, sizeof(why)) != 1)
		return failed("region", why);
	return adopted_create(&f->adopted, mine, &f->region) ? failed("policy", "not adopted") : 0;
}

int in_force_start(struct in_force *f, void (*write)(FILE *out, const void *ctx), const void *ctx)
{
	struct image_header *image = in_force_compile(write, ctx);
	int rc = -1;

	if (!image)
		return rc;
	if (make_region(&f->region, &image->sidecar) == 0) {
		rc = adopt_image(f, image);
		if (rc)
			region_close(&f->region);
	}
	free(image);
	return rc;
}

void in_force_stop(struct in_force *f)
{
	adopted_free(f->adopted);
	region_close(&f->region);
}
