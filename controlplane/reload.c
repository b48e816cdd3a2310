/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/policy_diff.h"
#include "shm/publish.h"

enum {
	STEP_MS = 2,
	PUBLISH_STEP_MS = 50,
	LATE_STEP_MS = 100,
	RETRY_MS = 1000,   /* endpoints that found no room, until old names are free */
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

enum again { AGAIN_FILE = 1, AGAIN_ENDPOINTS = 2 };

struct reloader {
	struct reloader_config config;
	uv_timer_t timer;
	enum phase phase;
	int rollback;               /* the change under way puts good back */
	char refusal[DETAIL_BYTES]; /* why it does */
	int again;                  /* a request waits for its end: bits of enum again */
	int told;                   /* that there is no room; it is tried again in silence */
	uint32_t deaths;
	uint64_t begun_ns;
	struct policy_edition *good; /* last one applied by all; NULL before the first */
	uint64_t good_generation;
	struct policy_edition *pending; /* of the change; good itself in a rollback */
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
		policy_edition_free(r->pending);
	r->pending = NULL;
	r->rollback = 0;
	r->phase = IDLE;
}

/* Return 0 when published, -EBUSY to be called again, or publish()'s error. */
static int try_publish(struct reloader *r)
{
	int dead = r->config.dataplane_is_dead(r->config.ctx);
	const struct image_header *image = r->pending->image;
	int rc = publish(r->config.region, image, dead, &r->pending_generation);

	if (rc != 0)
		return rc;
	r->phase = APPLYING;
	r->begun_ns = monotonic_ns();
	r->deaths = 0;
	wake_dataplane(r);
	log_info("policy", "event=published generation=%lu listeners=%u clusters=%u endpoints=%u",
		 r->pending_generation, image->listeners.count, image->clusters.count,
		 image->endpoints.count);
	if (!r->rollback) {
		policy_edition_measure(r->pending, r->good);
		policy_edition_tell_endpoints(r->pending, r->good, r->config.region);
	}
	if (r->config.published)
		r->config.published(r->config.ctx);
	return 0;
}

static void begin(struct reloader *r, struct policy_edition *edition, int rollback)
{
	r->pending = edition;
	r->rollback = rollback;
	r->phase = PUBLISHING;
	r->begun_ns = monotonic_ns();
	on_step(&r->timer);
}

static void start_waiting_request(struct reloader *r)
{
	int again = r->again;

	r->again = 0;
	if (again & AGAIN_FILE)
		reloader_request(r, NULL, NULL);
	/* Waits again behind a file that is put in force, which may yet be refused. */
	if (again & AGAIN_ENDPOINTS)
		reloader_refresh(r);
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
		start_waiting_request(r);
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
	reload_describe_error(rc, r->pending->image->length, r->config.region->shape.slot_bytes,
			      detail, sizeof(detail));
	if (!r->good) {
		first_failed(r, RELOAD_FAILED, detail);
		return;
	}
	drop_pending(r);
	if (r->done || !r->told)
		report(r, RELOAD_FAILED, r->good_generation, detail);
	if (rc == -EBUSY || rc == -ENOSPC) {
		r->told = 1;
		r->again |= AGAIN_ENDPOINTS;
		set_timer(r, RETRY_MS);
	} else {
		start_waiting_request(r);
	}
}

static void applied(struct reloader *r)
{
	struct policy_edition *before = r->good;

	r->good = r->pending;
	r->good_generation = r->pending_generation;
	r->pending = NULL;
	r->rollback = 0;
	r->told = 0;
	r->phase = IDLE;
	if (before != r->good)
		policy_edition_free(before);
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
		start_waiting_request(r);
	}
	if (r->phase == APPLYING || r->phase == LATE)
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
	else
		start_waiting_request(r);
}

/* The region says the same already: its generation stays, the text is ours. */
static void keep(struct reloader *r, struct policy_edition *wanted)
{
	policy_edition_free(r->good);
	r->good = wanted;
	policy_edition_measure(r->good, NULL);
	log_info("policy", "event=kept generation=%lu", r->good_generation);
}

/* The first policy of this run. */
static int start(struct reloader *r, struct policy_edition *wanted, char *why, size_t why_size)
{
	int rc;

	if (r->good && r->good->image->content_hash == wanted->image->content_hash) {
		keep(r, wanted);
		return 0;
	}
	r->pending = wanted;
	r->phase = PUBLISHING;
	r->begun_ns = monotonic_ns();
	rc = try_publish(r);
	if (rc == 0 || rc == -EBUSY) {
		set_timer(r, PUBLISH_STEP_MS);
		return 0;
	}
	reload_describe_error(rc, wanted->image->length, r->config.region->shape.slot_bytes, why,
			      why_size);
	return rc;
}

int reloader_create(struct reloader **out, const struct reloader_config *config,
		    const struct reloader_images *images, char *why, size_t why_size)
{
	struct reloader *r = calloc(1, sizeof(*r));
	uint64_t active_generation = images->active ? images->active->generation : 0;
	struct policy_edition *active = images->active ? policy_edition_of(images->active) : NULL;

	if (!r || (images->active && !active)) {
		policy_edition_free(images->wanted);
		policy_edition_free(active);
		free(r);
		return -ENOMEM;
	}
	*out = r;
	r->config = *config;
	uv_timer_init(config->loop, &r->timer);
	r->timer.data = r;
	r->good = active;
	r->good_generation = active_generation;
	return start(r, images->wanted, why, why_size);
}

static struct policy_edition *current(const struct reloader *r)
{
	/* Before the first is applied, and when it never is, there is no other. */
	return r->phase == APPLYING || r->phase == LATE || !r->good ? r->pending : r->good;
}

const struct image_header *reloader_policy(const struct reloader *r)
{
	return current(r)->image;
}

const struct table_report *reloader_table_report(const struct reloader *r, uint32_t cluster)
{
	const struct policy_edition *edition = current(r);

	return edition->reports && cluster < edition->image->clusters.count
		       ? &edition->reports[cluster]
		       : NULL;
}

uint64_t reloader_build_us(const struct reloader *r)
{
	return current(r)->build_us;
}

static int is_busy(const struct reloader *r)
{
	return r->phase == PUBLISHING || r->phase == APPLYING;
}

/* @same makes the same image of another text, a comment's perhaps. Taken over. */
static void take_text(struct reloader *r, struct policy_edition *same)
{
	struct policy_edition *edition = current(r);
	char *before = edition->text;

	edition->text = same->text;
	edition->bytes = same->bytes;
	same->text = before;
	policy_edition_free(same);
}

/* Not the same ones again with each new address. */
static void tell_new_warnings(const struct policy_edition *before,
			      const struct policy_edition *next)
{
	if (next->warnings && strcmp(next->warnings, before->warnings ? before->warnings : "") != 0)
		log_warn_lines("policy", next->warnings);
}

/* Put what @text_of says in force, or the policy file when NULL. */
static void change(struct reloader *r, const struct policy_edition *text_of)
{
	const struct image_header *running = reloader_policy(r);
	const struct endpoint_sets *sets = r->config.sets ? r->config.sets(r->config.ctx) : NULL;
	struct policy_edition *edition;
	char detail[DETAIL_BYTES] = "needs a restart: ";
	size_t prefix = strlen(detail);
	char *errors;

	if (!text_of)
		r->told = 0;
	edition = policy_edition_compile(r->config.policy_path, text_of, sets, &errors);
	if (!edition) {
		report(r, RELOAD_INVALID, r->good_generation, errors ? errors : "out of memory");
	} else if (edition->image->content_hash == running->content_hash) {
		take_text(r, edition);
		r->told = 0;
		if (!text_of)
			report(r, RELOAD_UNCHANGED, r->good_generation, "");
	} else if (policy_needs_restart(running, edition->image, detail + prefix,
					sizeof(detail) - prefix)) {
		policy_edition_free(edition);
		report(r, RELOAD_NEEDS_RESTART, r->good_generation, detail);
	} else {
		tell_new_warnings(current(r), edition);
		drop_pending(r);
		begin(r, edition, 0);
	}
	free(errors);
}

void reloader_request(struct reloader *r, reload_done *done, void *ctx)
{
	struct reload_report busy = {RELOAD_BUSY, r->good_generation, "a change is under way"};

	if (is_busy(r)) {
		if (done)
			done(ctx, &busy);
		return;
	}
	r->done = done;
	r->done_ctx = ctx;
	change(r, NULL);
}

void reloader_refresh(struct reloader *r)
{
	if (is_busy(r))
		r->again |= AGAIN_ENDPOINTS;
	else
		change(r, current(r));
}

void reloader_request_later(struct reloader *r)
{
	if (is_busy(r))
		r->again |= AGAIN_FILE;
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
	policy_edition_free(r->good);
	free(r);
}
