/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/policy_diff.h"
#include "shm/publish.h"

enum {
	STEP_MS = 2,
	PUBLISH_STEP_MS = 50,
	LATE_STEP_MS = 100,
	PUBLISH_MS = 2000, /* a reader copies its slot and freed names rest in less */
	APPLY_MS = 5000,
	DEATHS_TO_BLAME = 2,
	DETAIL_BYTES = 512,
};

enum phase {
	IDLE,       /* good is active and applied by all */
	PUBLISHING, /* waiting for a free slot */
	APPLYING,   /* published, waiting for the workers */
	LATE,       /* the same, after the time for it */
};

struct reloader {
	struct reloader_config config;
	uv_timer_t timer;
	enum phase phase;
	int rollback;               /* the change under way puts good back */
	char refusal[DETAIL_BYTES]; /* why it does */
	int again;                  /* a request waits for its end */
	uint32_t deaths;
	uint64_t begun_ns;
	struct image_header *good; /* last one applied by all; NULL before the first */
	uint64_t good_generation;
	struct image_header *pending; /* of the change; good itself in a rollback */
	uint64_t pending_generation;
	reload_done *done;
	void *done_ctx;
};

static void on_step(uv_timer_t *timer);

/* One outcome: to the log and to who asked, who after a rollback wants to know its cause. */
static void report(struct reloader *r, enum reload_result result, uint64_t generation,
		   const char *detail)
{
	struct reload_report facts = {result, generation, detail};
	char refusal[DETAIL_BYTES];
	reload_done *done = r->done;

	reload_report_log(&facts);
	if (r->refusal[0]) {
		snprintf(refusal, sizeof(refusal), "%s", r->refusal);
		facts.result = RELOAD_REFUSED;
		facts.detail = refusal;
	}
	r->refusal[0] = '\0';
	r->done = NULL;
	if (done)
		done(r->done_ctx, &facts);
}

static void set_timer(struct reloader *r, uint64_t ms)
{
	uv_timer_start(&r->timer, on_step, ms, 0);
}

/* No reader of the FIFO: no dataplane runs, and one that starts reads the region first. */
static void wake_dataplane(const struct reloader *r)
{
	int fd = open(r->config.wake_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	/* A full FIFO wakes as well as one more byte would. */
	if (write(fd, "p", 1) < 0 && errno != EAGAIN)
		log_warn("policy", "event=wake_failed error=\"%s\"", strerror(errno));
	close(fd);
}

static void drop_pending(struct reloader *r)
{
	if (r->pending != r->good)
		free(r->pending);
	r->pending = NULL;
	r->rollback = 0;
	r->phase = IDLE;
}

/* Return 0 when published, -EBUSY to be called again, or publish()'s error. */
static int try_publish(struct reloader *r)
{
	int dead = r->config.dataplane_is_dead(r->config.ctx);
	int rc = publish(r->config.region, r->pending, dead, &r->pending_generation);

	if (rc != 0)
		return rc;
	r->phase = APPLYING;
	r->begun_ns = monotonic_ns();
	r->deaths = 0;
	wake_dataplane(r);
	log_info("policy", "event=published generation=%lu listeners=%u clusters=%u endpoints=%u",
		 r->pending_generation, r->pending->listeners.count, r->pending->clusters.count,
		 r->pending->endpoints.count);
	return 0;
}

static void begin(struct reloader *r, struct image_header *image, int rollback)
{
	r->pending = image;
	r->rollback = rollback;
	r->phase = PUBLISHING;
	r->begun_ns = monotonic_ns();
	on_step(&r->timer);
}

static void start_waiting_request(struct reloader *r)
{
	if (!r->again)
		return;
	r->again = 0;
	reloader_request(r, NULL, NULL);
}

/* The first policy came to nothing; it stays the one that is shown. */
static void first_failed(struct reloader *r, enum reload_result result, const char *why)
{
	r->phase = IDLE;
	report(r, result, 0, why);
	r->config.first_refused(r->config.ctx);
}

/* The dataplane will not have it: return to the last good policy, then say so. */
static void refused(struct reloader *r, const char *why)
{
	if (!r->good) {
		first_failed(r, RELOAD_REFUSED, why);
		return;
	}
	if (r->rollback) {
		drop_pending(r);
		report(r, RELOAD_REFUSED, r->good_generation, why);
		return;
	}
	log_error("policy", "event=refused generation=%lu detail=\"%s\" action=rollback",
		  r->pending_generation, why);
	snprintf(r->refusal, sizeof(r->refusal), "%s", why);
	drop_pending(r);
	begin(r, r->good, 1);
}

static void step_publishing(struct reloader *r, uint64_t elapsed_ms)
{
	char detail[DETAIL_BYTES];
	int rc = try_publish(r);

	if (rc == 0 || (rc == -EBUSY && elapsed_ms < PUBLISH_MS)) {
		set_timer(r, rc == 0 ? STEP_MS : PUBLISH_STEP_MS);
		return;
	}
	reload_describe_error(rc, r->pending->length, r->config.region->shape.slot_bytes, detail,
			      sizeof(detail));
	if (!r->good) {
		first_failed(r, RELOAD_FAILED, detail);
		return;
	}
	drop_pending(r);
	report(r, RELOAD_FAILED, r->good_generation, detail);
	start_waiting_request(r);
}

static void applied(struct reloader *r)
{
	struct image_header *before = r->good;

	r->good = r->pending;
	r->good_generation = r->pending_generation;
	r->pending = NULL;
	r->rollback = 0;
	r->phase = IDLE;
	if (before != r->good)
		free(before);
	report(r, RELOAD_APPLIED, r->good_generation, "");
	start_waiting_request(r);
}

static void step_applying(struct reloader *r, uint64_t elapsed_ms)
{
	const struct region_header *header = r->config.region->header;
	char detail[DETAIL_BYTES];
	struct liveness live;

	if (adoption(r->config.region, r->pending_generation, detail, sizeof(detail)) ==
	    ADOPTION_REFUSED) {
		refused(r, detail);
		return;
	}
	liveness_read(&live, r->config.region, header->dataplane_started_ns, monotonic_ns());
	if (live.applied_generation >= r->pending_generation) {
		applied(r);
		return;
	}
	if (r->phase == APPLYING && elapsed_ms >= APPLY_MS) {
		r->phase = LATE;
		snprintf(detail, sizeof(detail), "%u of %u workers run; worker %d is behind",
			 live.up, live.workers, live.slowest);
		report(r, RELOAD_LATE, r->pending_generation, detail);
	}
	set_timer(r, r->phase == LATE ? LATE_STEP_MS : STEP_MS);
}

static void on_step(uv_timer_t *timer)
{
	struct reloader *r = timer->data;
	uint64_t elapsed_ms = (monotonic_ns() - r->begun_ns) / 1000000;

	if (r->phase == PUBLISHING)
		step_publishing(r, elapsed_ms);
	else if (r->phase != IDLE)
		step_applying(r, elapsed_ms);
}

/* The first policy of this run. */
static int start(struct reloader *r, struct image_header *image, char *why, size_t why_size)
{
	int rc;

	if (r->good && r->good->content_hash == image->content_hash) {
		log_info("policy", "event=kept generation=%lu", r->good_generation);
		free(image);
		return 0;
	}
	r->pending = image;
	r->phase = PUBLISHING;
	r->begun_ns = monotonic_ns();
	rc = try_publish(r);
	if (rc == 0 || rc == -EBUSY) {
		set_timer(r, PUBLISH_STEP_MS);
		return 0;
	}
	reload_describe_error(rc, image->length, r->config.region->shape.slot_bytes, why, why_size);
	return rc;
}

int reloader_create(struct reloader **out, const struct reloader_config *config,
		    const struct reloader_images *images, char *why, size_t why_size)
{
	struct reloader *r = calloc(1, sizeof(*r));

	if (!r) {
		free(images->wanted);
		free(images->active);
		return -ENOMEM;
	}
	*out = r;
	r->config = *config;
	uv_timer_init(config->loop, &r->timer);
	r->timer.data = r;
	r->good = images->active;
	r->good_generation = r->good ? r->good->generation : 0;
	return start(r, images->wanted, why, why_size);
}

const struct image_header *reloader_policy(const struct reloader *r)
{
	/* Before the first is applied, and when it never is, there is no other. */
	return r->phase == APPLYING || r->phase == LATE || !r->good ? r->pending : r->good;
}

/* Errors of the file as one text, freed by the caller. */
static struct image_header *compile(const char *path, char **errors)
{
	struct diagnostics *d = diagnostics_create(path);
	struct image_header *image = d ? config_compile_file(path, d) : NULL;

	*errors = d ? diagnostics_text(d) : NULL;
	diagnostics_free(d);
	return image;
}

void reloader_request(struct reloader *r, reload_done *done, void *ctx)
{
	const struct image_header *running = reloader_policy(r);
	struct reload_report busy = {RELOAD_BUSY, r->good_generation, "a change is under way"};
	struct image_header *image;
	char detail[DETAIL_BYTES] = "needs a restart: ";
	size_t prefix = strlen(detail);
	char *errors;

	if (r->phase == PUBLISHING || r->phase == APPLYING) {
		if (done)
			done(ctx, &busy);
		return;
	}
	r->done = done;
	r->done_ctx = ctx;
	image = compile(r->config.policy_path, &errors);
	if (!image) {
		report(r, RELOAD_INVALID, r->good_generation, errors ? errors : "out of memory");
	} else if (image->content_hash == running->content_hash) {
		free(image);
		report(r, RELOAD_UNCHANGED, r->good_generation, "");
	} else if (policy_needs_restart(running, image, detail + prefix, sizeof(detail) - prefix)) {
		free(image);
		report(r, RELOAD_NEEDS_RESTART, r->good_generation, detail);
	} else {
		drop_pending(r);
		begin(r, image, 0);
	}
	free(errors);
}

void reloader_request_later(struct reloader *r)
{
	if (r->phase == PUBLISHING || r->phase == APPLYING)
		r->again = 1;
	else
		reloader_request(r, NULL, NULL);
}

void reloader_dataplane_died(struct reloader *r)
{
	if ((r->phase != APPLYING && r->phase != LATE) || !r->good || r->rollback)
		return;
	if (++r->deaths >= DEATHS_TO_BLAME)
		refused(r, "the dataplane died twice while adopting it");
}

void reloader_stop(struct reloader *r)
{
	struct reload_report stopping = {RELOAD_LATE, r->pending_generation, "fender is stopping"};

	if (r->done)
		r->done(r->done_ctx, &stopping);
	r->done = NULL;
	r->again = 0;
	uv_timer_stop(&r->timer);
}

void reloader_free(struct reloader *r)
{
	if (!r)
		return;
	drop_pending(r);
	free(r->good);
	free(r);
}
