/* SPDX-License-Identifier: Apache-2.0 */
/* Stage, publish, see every worker take it; or leave everything as it was. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/reload_private.h"
#include "controlplane/wake.h"
#include "shm/publish.h"

enum {
	STEP_MS = 2,
	PUBLISH_STEP_MS = 50,
	LATE_STEP_MS = 100,
	RETRY_MS = 1000,   /* endpoints that found no room, until old names are free */
	PUBLISH_MS = 2000, /* a reader copies its slot and freed names rest in less */
	APPLY_MS = 5000,
};

static void on_step(uv_timer_t *timer);

static uint64_t wall_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t us_since(uint64_t ns)
{
	return (monotonic_ns() - ns) / 1000;
}

void reload_open(struct reloader *r, enum reload_source source, uint64_t restores)
{
	r->attempt = (struct generation){
		.at_ms = wall_clock_ms(),
		.source = source,
		.restores = restores,
	};
}

/* JSON takes no half characters, and a reason may be cut anywhere. */
static void make_plain(char *text)
{
	for (char *c = text; *c; c++)
		if ((signed char)*c < 0)
			*c = '?';
}

static void set_reason(struct generation *attempt, const char *reason)
{
	snprintf(attempt->reason, sizeof(attempt->reason), "%s", reason);
	make_plain(attempt->reason);
}

static void add_event(const struct reloader *r, enum reload_result result)
{
	const int back =
		r->attempt.source == RELOAD_BY_ROLLBACK || r->attempt.source == RELOAD_BY_GUARD;
	struct event event = {
		.at_ns = monotonic_ns(),
		.kind = back ? EVENT_POLICY_ROLLED_BACK : EVENT_POLICY_APPLIED,
		.detail = r->attempt.number,
	};

	if (result == RELOAD_REFUSED)
		event.kind = EVENT_POLICY_REFUSED;
	else if (result != RELOAD_APPLIED)
		return;
	event_write(r->config.region->events, &event);
}

static void add_to_history(struct reloader *r, const struct reload_report *facts)
{
	if (facts->result == RELOAD_UNCHANGED || facts->result == RELOAD_BUSY)
		return;
	r->attempt.result = facts->result;
	if (facts->detail[0])
		set_reason(&r->attempt, facts->detail);
	generations_add(r->history, &r->attempt);
}

static int is_operators(enum reload_source source)
{
	return source == RELOAD_BY_COMMAND || source == RELOAD_BY_SIGNAL ||
	       source == RELOAD_BY_FILE || source == RELOAD_BY_UPGRADE;
}

static int is_in_vain(enum reload_result result)
{
	return result == RELOAD_INVALID || result == RELOAD_NEEDS_RESTART ||
	       result == RELOAD_REFUSED || result == RELOAD_FAILED;
}

/* What a start puts in force in the place of a refused file does not mend the file. */
static void note_fault(struct reloader *r, const struct reload_report *facts)
{
	const int in_vain = is_in_vain(facts->result);

	if (!is_operators(facts->source) && !(facts->source == RELOAD_BY_START && in_vain))
		return;
	snprintf(r->file_fault, sizeof(r->file_fault), "%.*s",
		 in_vain ? (int)strcspn(facts->detail, "\n") : 0, facts->detail);
	make_plain(r->file_fault);
}

void reload_note_refusal(struct reloader *r, const struct reload_refusal *refusal)
{
	const struct reload_report facts = {
		.result = refusal->result,
		.detail = refusal->detail,
		.source = RELOAD_BY_START,
	};

	reload_open(r, RELOAD_BY_START, 0);
	add_to_history(r, &facts);
	note_fault(r, &facts);
}

void reloader_note_upgrade(struct reloader *r, const char *error)
{
	const struct generation under_way = r->attempt;
	const struct reload_report facts = {
		.result = error ? RELOAD_FAILED : RELOAD_APPLIED,
		.detail = error ? error : "",
		.source = RELOAD_BY_UPGRADE,
	};

	if (r->is_unproven && !error && r->good && r->good->text)
		generations_add_text(r->history, r->good_generation, r->good->text, r->good->bytes);
	r->is_unproven = 0;
	reload_open(r, RELOAD_BY_UPGRADE, 0);
	r->attempt.number = error ? 0 : r->good_generation;
	r->attempt.policy_hash = r->good ? r->good->image->content_hash : 0;
	add_to_history(r, &facts);
	note_fault(r, &facts);
	add_event(r, facts.result);
	r->attempt = under_way;
}

void reload_close(struct reloader *r, enum reload_result result, uint64_t generation,
		  const char *detail)
{
	struct reload_report facts = {
		.result = result,
		.generation = generation,
		.detail = detail,
		.source = r->attempt.source,
		.timings = r->attempt.timings,
		.changed = r->attempt.changed,
	};
	const struct reload_askers askers = r->askers;
	char refusal[RELOAD_DETAIL_BYTES];

	reload_report_log(&facts);
	/* After a return to the last good one its cause is what matters. */
	if (r->refusal[0]) {
		snprintf(refusal, sizeof(refusal), "%s", r->refusal);
		facts.result = RELOAD_REFUSED;
		facts.detail = refusal;
	}
	r->refusal[0] = '\0';
	r->askers.count = 0;
	add_to_history(r, &facts);
	note_fault(r, &facts);
	add_event(r, facts.result);
	for (uint32_t i = 0; i < askers.count; i++)
		askers.all[i].done(askers.all[i].ctx, &facts);
}

static void set_timer(struct reloader *r, uint64_t ms)
{
	uv_timer_start(&r->timer, on_step, ms, 0);
}

static void wake(const struct reloader *r)
{
	int rc = wake_dataplane(r->config.wake_path);

	if (rc != 0)
		log_warn("policy", "event=wake_failed error=\"%s\"", strerror(-rc));
}

void reload_drop_pending(struct reloader *r)
{
	if (r->pending != r->good)
		policy_edition_free(r->pending);
	r->pending = NULL;
	r->returning = 0;
	r->phase = RELOAD_IDLE;
}

/* Put what was staged for a swap that failed back to what is in force. */
static void unstage(struct reloader *r)
{
	char why[RELOAD_DETAIL_BYTES] = "";

	if (!r->config.stage || !r->good)
		return;
	if (r->config.stage(r->config.ctx, r->good->image, r->good_generation, why, sizeof(why)))
		log_error("policy", "event=unstage_failed generation=%lu detail=\"%s\"",
			  r->good_generation, why);
}

static void repair_names(const struct reloader *r)
{
	const uint32_t count = registry_copy_put_back(r->names);

	if (count > 0)
		log_error("region", "event=names_repaired count=%u", count);
}

/*
 * Return 0 when published; -EBUSY to be called again; else publish()'s error or stage()'s, which
 * sets @why: everything is as before.
 */
static int try_publish(struct reloader *r, char *why, size_t why_size)
{
	const int dead = r->config.dataplane_is_dead(r->config.ctx);
	const struct image_header *image = r->pending->image;
	uint64_t at_ns = monotonic_ns();
	int rc;

	repair_names(r);
	rc = publish_prepare(r->config.region, image, dead, &r->pending_generation);
	registry_copy_take(r->names);
	if (rc == 0 && r->config.stage)
		rc = r->config.stage(r->config.ctx, image, r->pending_generation, why, why_size);
	if (rc != 0)
		return rc;
	r->attempt.timings.stage_us = us_since(at_ns);
	at_ns = monotonic_ns();
	rc = publish_commit(r->config.region, image, dead, &r->pending_generation);
	if (rc != 0) {
		unstage(r);
		return rc;
	}
	r->begun_ns = monotonic_ns();
	r->attempt.timings.publish_us = (r->begun_ns - at_ns) / 1000;
	wake(r);
	return 0;
}

static void after_publish(struct reloader *r)
{
	const struct image_header *image = r->pending->image;

	r->phase = RELOAD_APPLYING;
	r->deaths = 0;
	log_info("policy", "event=published generation=%lu listeners=%u clusters=%u endpoints=%u",
		 r->pending_generation, image->listeners.count, image->clusters.count,
		 image->endpoints.count);
	if (!r->returning) {
		r->attempt.number = r->pending_generation;
		policy_edition_measure(r->pending, r->good);
		policy_edition_tell_endpoints(r->pending, r->good, r->config.region);
	}
	if (r->config.published)
		r->config.published(r->config.ctx);
}

static void take(struct reloader *r, struct policy_edition *edition)
{
	r->pending = edition;
	r->phase = RELOAD_PUBLISHING;
	r->begun_ns = monotonic_ns();
}

void reload_begin(struct reloader *r, struct policy_edition *edition)
{
	/* Endpoints come and go under the policy that is watched. */
	if (r->attempt.source != RELOAD_BY_ENDPOINTS)
		guard_stop(r->guard);
	if (edition != r->good) {
		r->attempt.policy_hash = edition->image->content_hash;
		r->attempt.timings.validate_us = edition->build_us;
		r->attempt.changed = policy_counts(r->good ? r->good->image : NULL, edition->image);
	}
	take(r, edition);
	on_step(&r->timer);
}

static void describe(const struct reloader *r, int error, char *why, size_t why_size)
{
	if (!why[0])
		reload_describe_error(error, r->pending->image->length,
				      r->config.region->shape.slot_bytes, why, why_size);
}

int reload_begin_first(struct reloader *r, struct policy_edition *edition, char *why,
		       size_t why_size)
{
	int rc;

	r->attempt.policy_hash = edition->image->content_hash;
	r->attempt.timings.validate_us = edition->build_us;
	r->attempt.changed = policy_counts(r->good ? r->good->image : NULL, edition->image);
	take(r, edition);
	why[0] = '\0';
	rc = try_publish(r, why, why_size);
	if (rc == 0)
		after_publish(r);
	if (rc == 0 || (rc == -EBUSY && !why[0])) {
		set_timer(r, PUBLISH_STEP_MS);
		return 0;
	}
	describe(r, rc, why, why_size);
	return rc;
}

/* The first policy came to nothing; it stays the one that is shown. */
static void first_failed(struct reloader *r, enum reload_result result, const char *why)
{
	r->phase = RELOAD_IDLE;
	reload_close(r, result, 0, why);
	r->config.first_refused(r->config.ctx);
}

/* Others may have come to nothing since it was late. */
static void resume_attempt(struct reloader *r)
{
	if (r->phase == RELOAD_WATCHING)
		r->attempt = r->late;
}

/* Return to the last good policy, then say so. */
void reload_refused(struct reloader *r, const char *why)
{
	resume_attempt(r);
	if (!r->good) {
		first_failed(r, RELOAD_REFUSED, why);
		return;
	}
	if (r->returning) {
		reload_drop_pending(r);
		reload_close(r, RELOAD_REFUSED, r->good_generation, why);
		reload_next(r);
		return;
	}
	log_error("policy", "event=refused generation=%lu detail=\"%s\" action=rollback",
		  r->pending_generation, why);
	snprintf(r->refusal, sizeof(r->refusal), "%s", why);
	reload_drop_pending(r);
	r->returning = 1;
	reload_begin(r, r->good);
}

void reloader_look(struct reloader *r)
{
	const struct region_header *header = r->config.region->header;
	struct liveness live;

	repair_names(r);
	/* Pairs with adopt_nack(). */
	if (r->phase != RELOAD_IDLE || !r->good || r->repaired == r->good_generation ||
	    __atomic_load_n(&header->nacked_generation, __ATOMIC_ACQUIRE) != r->good_generation)
		return;
	liveness_read(&live, r->config.region, header->dataplane_started_ns, monotonic_ns());
	if (live.applied_generation >= r->good_generation)
		return;
	log_error("policy", "event=refused generation=%lu detail=\"%.*s\" action=publish",
		  r->good_generation, (int)sizeof(header->nack_text) - 1, header->nack_text);
	r->repaired = r->good_generation;
	reload_open(r, RELOAD_BY_ROLLBACK, r->good_generation);
	r->attempt.policy_hash = r->good->image->content_hash;
	set_reason(&r->attempt, "the dataplane refused what its slot held");
	reload_begin(r, r->good);
}

/* The one that was late may still be adopted, although this one was to take its place. */
static int another_is_active(const struct reloader *r)
{
	const uint64_t active = counter_read(&r->config.region->header->active);

	return !r->returning && active_generation(active) != r->good_generation;
}

static void step_publishing(struct reloader *r, uint64_t elapsed_ms)
{
	char why[RELOAD_DETAIL_BYTES] = "";
	int rc = try_publish(r, why, sizeof(why));
	int may_wait = rc == -EBUSY && !why[0];

	if (rc == 0) {
		after_publish(r);
		set_timer(r, STEP_MS);
		return;
	}
	if (may_wait && elapsed_ms < PUBLISH_MS) {
		set_timer(r, PUBLISH_STEP_MS);
		return;
	}
	describe(r, rc, why, sizeof(why));
	if (!r->good) {
		first_failed(r, RELOAD_FAILED, why);
		return;
	}
	if (another_is_active(r)) {
		r->again |= may_wait || rc == -ENOSPC ? AGAIN_ENDPOINTS : 0;
		reload_refused(r, why);
		return;
	}
	reload_drop_pending(r);
	if (r->askers.count || !r->told)
		reload_close(r, RELOAD_FAILED, r->good_generation, why);
	if (may_wait || rc == -ENOSPC) {
		r->told = 1;
		r->again |= AGAIN_ENDPOINTS;
		set_timer(r, RETRY_MS);
	} else {
		reload_next(r);
	}
}

/* From the swap until the last worker decided by it; what adopts it later counts to now. */
static uint64_t adopt_us(const struct reloader *r)
{
	const struct region *region = r->config.region;
	uint64_t last_ns = r->begun_ns;

	for (uint32_t i = 0; i < region->shape.workers; i++) {
		/* After liveness_read(), whose acquire pairs with the worker's release. */
		uint64_t ns = __atomic_load_n(&region->workers[i].applied_ns, __ATOMIC_RELAXED);

		if (ns > last_ns)
			last_ns = ns;
	}
	return (last_ns - r->begun_ns) / 1000;
}

static void applied(struct reloader *r)
{
	struct policy_edition *before = r->good;
	const int returned = r->returning;

	resume_attempt(r);
	r->good = r->pending;
	r->good_generation = r->pending_generation;
	r->pending = NULL;
	r->returning = 0;
	r->told = 0;
	r->phase = RELOAD_IDLE;
	if (!returned)
		r->attempt.timings.adopt_us = adopt_us(r);
	if (before != r->good)
		policy_edition_free(before);
	if (r->good->text)
		generations_add_text(r->history, r->good_generation, r->good->text, r->good->bytes);
	if (!returned && is_operators(r->attempt.source))
		guard_watch(r->guard, r->good->image);
	generations_watch(r->history, guard_end_ns(r->guard));
	reload_close(r, RELOAD_APPLIED, r->good_generation, "");
	reload_next(r);
}

static void step_applying(struct reloader *r, uint64_t elapsed_ms)
{
	const struct region_header *header = r->config.region->header;
	char detail[RELOAD_DETAIL_BYTES];
	struct liveness live;

	if (adoption(r->config.region, r->pending_generation, detail, sizeof(detail)) ==
	    ADOPTION_REFUSED) {
		reload_refused(r, detail);
		return;
	}
	liveness_read(&live, r->config.region, header->dataplane_started_ns, monotonic_ns());
	if (live.applied_generation >= r->pending_generation) {
		applied(r);
		return;
	}
	if (r->phase == RELOAD_APPLYING && elapsed_ms >= APPLY_MS) {
		r->phase = RELOAD_WATCHING;
		snprintf(detail, sizeof(detail), "%u of %u workers run; worker %d is behind",
			 live.up, live.workers, live.slowest);
		r->late = r->attempt;
		reload_close(r, RELOAD_LATE, r->pending_generation, detail);
		reload_next(r);
	}
	if (r->phase == RELOAD_APPLYING || r->phase == RELOAD_WATCHING)
		set_timer(r, r->phase == RELOAD_WATCHING ? LATE_STEP_MS : STEP_MS);
}

static void on_step(uv_timer_t *timer)
{
	struct reloader *r = timer->data;
	uint64_t elapsed_ms = (monotonic_ns() - r->begun_ns) / 1000000;

	if (r->phase == RELOAD_PUBLISHING)
		step_publishing(r, elapsed_ms);
	else if (r->phase != RELOAD_IDLE)
		step_applying(r, elapsed_ms);
	else
		reload_next(r);
}
