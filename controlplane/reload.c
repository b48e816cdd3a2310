/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be put in force: the policy file, endpoints that are others, a text from before. */
#include "controlplane/reload.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/log.h"
#include "controlplane/paths.h"
#include "controlplane/policy_diff.h"
#include "controlplane/reload_private.h"
#include "shm/publish.h"

enum { DEATHS_TO_BLAME = 2 };

static struct policy_edition *current(const struct reloader *r)
{
	/* Before the first is applied, and when it never is, there is no other. */
	return r->phase == RELOAD_APPLYING || r->phase == RELOAD_WATCHING || !r->good ? r->pending
										      : r->good;
}

static int is_busy(const struct reloader *r)
{
	return r->phase == RELOAD_PUBLISHING || r->phase == RELOAD_APPLYING;
}

/* The region says the same already: its generation stays, the text is ours. */
static int keep(struct reloader *r, struct policy_edition *wanted, char *why, size_t why_size)
{
	int rc = 0;

	policy_edition_free(r->good);
	r->good = wanted;
	/* A control plane may have died between staging another policy and publishing it. */
	if (r->config.stage)
		rc = r->config.stage(r->config.ctx, wanted->image, r->good_generation, why,
				     why_size);
	policy_edition_measure(r->good, NULL);
	if (wanted->text && !r->is_unproven)
		generations_add_text(r->history, r->good_generation, wanted->text, wanted->bytes);
	guard_resume(r->guard, wanted->image, generations_watched(r->history));
	log_info("policy", "event=kept generation=%lu", r->good_generation);
	return rc;
}

/* Without them it is published anew: that makes them, and the dataplane looks them up again. */
static int has_names(const struct reloader *r)
{
	if (publish_has_names(r->config.region, r->good->image))
		return 1;
	log_error("region", "event=names_damaged action=publish");
	return 0;
}

static void on_guard(void *ctx, const char *why);

static void name_file(struct reloader *r)
{
	char path[PATH_MAX];

	if (paths_absolute(r->config.policy_path, path, sizeof(path)) == 0)
		generations_set_file(r->history, path);
}

static int create_parts(struct reloader *r)
{
	const struct guard_config guard = {
		.loop = r->config.loop,
		.region = r->config.region,
		.ctx = r,
		.tripped = on_guard,
	};

	uv_timer_init(r->config.loop, &r->timer);
	r->timer.data = r;
	r->history =
		generations_create(r->config.history_path, r->config.region->header->region_id);
	if (r->history)
		name_file(r);
	r->names = registry_copy_create(r->config.region);
	return r->history && r->names ? guard_create(&r->guard, &guard) : -ENOMEM;
}

int reloader_create(struct reloader **out, const struct reloader_config *config,
		    const struct reloader_images *images, char *why, size_t why_size)
{
	struct reloader *r = calloc(1, sizeof(*r));
	uint64_t active_generation = images->active ? images->active->generation : 0;
	struct policy_edition *active = images->active ? policy_edition_of(images->active) : NULL;
	struct policy_edition *wanted = images->wanted;

	if (!r || (images->active && !active)) {
		policy_edition_free(wanted);
		policy_edition_free(active);
		free(r);
		return -ENOMEM;
	}
	*out = r;
	r->config = *config;
	r->good = active;
	r->good_generation = active_generation;
	if (create_parts(r) != 0) {
		policy_edition_free(wanted);
		snprintf(why, why_size, "no memory for the history of the policy");
		return -ENOSPC;
	}
	r->file_hash = images->file_hash;
	r->is_unproven = images->unproven;
	if (images->refused && images->refused->detail[0]) {
		r->is_frozen = !wanted->text;
		reload_note_refusal(r, images->refused);
	}
	reload_open(r, RELOAD_BY_START, 0);
	if (r->good && r->good->image->content_hash == wanted->image->content_hash && has_names(r))
		return keep(r, wanted, why, why_size);
	return reload_begin_first(r, wanted, why, why_size);
}

const struct image_header *reloader_policy(const struct reloader *r)
{
	return current(r)->image;
}

const char *reloader_file_fault(const struct reloader *r)
{
	return r->file_fault;
}

const char *reloader_text(const struct reloader *r, size_t *bytes)
{
	*bytes = current(r)->bytes;
	return current(r)->text;
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

json_t *reloader_generations_json(const struct reloader *r)
{
	return json_pack("{s:I,s:o}", "in_force", (json_int_t)r->good_generation, "attempts",
			 generations_json(r->history));
}

static void swap_pointers(char **a, char **b)
{
	char *before = *a;

	*a = *b;
	*b = before;
}

/* @same makes the same image of another text, a comment's perhaps. Taken over. */
static void take_text(struct reloader *r, struct policy_edition *same)
{
	struct policy_edition *edition = current(r);
	const struct file_texts files = edition->files;

	swap_pointers(&edition->text, &same->text);
	swap_pointers(&edition->warnings, &same->warnings);
	edition->bytes = same->bytes;
	edition->text_hash = same->text_hash;
	edition->files = same->files;
	same->files = files;
	policy_edition_free(same);
	if (edition == r->good)
		generations_add_text(r->history, r->good_generation, edition->text, edition->bytes);
}

/* Not the same ones again with each new address. */
static void tell_new_warnings(const struct policy_edition *before,
			      const struct policy_edition *next)
{
	if (next->warnings && strcmp(next->warnings, before->warnings ? before->warnings : "") != 0)
		log_warn_lines("policy", next->warnings);
}

/* Put what @text_of says in force, or the policy file when NULL. Its attempt is open. */
static void change(struct reloader *r, const struct policy_edition *text_of)
{
	const struct image_header *running = reloader_policy(r);
	const struct edition_source source = {
		.path = r->config.policy_path,
		.text_of = text_of,
		.sets = r->config.sets ? r->config.sets(r->config.ctx) : NULL,
		.known = &current(r)->files,
	};
	char detail[RELOAD_DETAIL_BYTES] = "needs a restart: ";
	const size_t prefix = strlen(detail);
	const int silent = r->attempt.source == RELOAD_BY_ENDPOINTS;
	struct policy_edition *edition;
	char *errors;

	if (!silent)
		r->told = 0;
	edition = policy_edition_compile(&source, &errors);
	if (edition)
		tell_new_warnings(current(r), edition);
	if (!edition) {
		reload_close(r, RELOAD_INVALID, r->good_generation,
			     errors ? errors : "out of memory");
	} else if (edition->image->content_hash == running->content_hash) {
		take_text(r, edition);
		r->told = 0;
		if (!silent)
			reload_close(r, RELOAD_UNCHANGED, r->good_generation, "");
	} else if (policy_needs_restart(running, edition->image, detail + prefix,
					sizeof(detail) - prefix)) {
		policy_edition_free(edition);
		reload_close(r, RELOAD_NEEDS_RESTART, r->good_generation, detail);
	} else {
		reload_drop_pending(r);
		reload_begin(r, edition);
	}
	free(errors);
}

static void change_to_file(struct reloader *r, enum reload_source source)
{
	r->file_hash = policy_file_hash(r->config.policy_path);
	reload_open(r, source, 0);
	generations_hold(r->history, 0);
	change(r, NULL);
}

static void change_endpoints(struct reloader *r)
{
	/* Without a text of its own the file's would be taken, which was refused. */
	if (r->is_frozen && !current(r)->text)
		return;
	reload_open(r, RELOAD_BY_ENDPOINTS, 0);
	change(r, current(r));
}

/* Put the text of @number in force again; the file that says otherwise waits for an edit. */
static void change_back(struct reloader *r, enum reload_source source, uint64_t number,
			const char *reason)
{
	struct policy_edition text = {0};

	text.text = generations_copy(r->history, number, &text.bytes);
	reload_open(r, source, number);
	snprintf(r->attempt.reason, sizeof(r->attempt.reason), "%s", reason);
	if (!text.text) {
		reload_close(r, RELOAD_FAILED, r->good_generation, "out of memory");
		return;
	}
	generations_hold(r->history, r->file_hash);
	log_info("policy", "event=rollback to=%lu source=%s", number, reload_source_name(source));
	change(r, &text);
	free(text.text);
}

void reload_next(struct reloader *r)
{
	const int again = r->again;

	if (is_busy(r))
		return;
	r->again = 0;
	if (again & AGAIN_GUARD)
		on_guard(r, r->guard_why);
	if (again & AGAIN_FILE) {
		if (is_busy(r)) {
			r->again |= AGAIN_FILE;
		} else {
			r->askers = r->waiting;
			r->waiting.count = 0;
			change_to_file(r, r->again_by);
		}
	}
	/* Waits again behind a file that is put in force, which may yet be refused. */
	if (again & AGAIN_ENDPOINTS)
		reloader_refresh(r);
}

static void ask(struct reload_askers *askers, reload_done *done, void *ctx)
{
	if (!done)
		return;
	askers->all[askers->count].done = done;
	askers->all[askers->count].ctx = ctx;
	askers->count++;
}

static void request_later(struct reloader *r, enum reload_source source)
{
	r->again |= AGAIN_FILE;
	r->again_by = source;
}

/* What was never begun: no part of the history. */
static void answer(const struct reloader *r, enum reload_result result, const char *detail,
		   const struct reload_askers *askers)
{
	const struct reload_report report = {
		.result = result,
		.generation = r->good_generation,
		.detail = detail,
		.source = RELOAD_BY_COMMAND,
	};

	for (uint32_t i = 0; i < askers->count; i++)
		askers->all[i].done(askers->all[i].ctx, &report);
}

static void answer_one(const struct reloader *r, enum reload_result result, const char *detail,
		       reload_done *done, void *ctx)
{
	struct reload_askers one = {0};

	ask(&one, done, ctx);
	answer(r, result, detail, &one);
}

static void request(struct reloader *r, enum reload_source source, reload_done *done, void *ctx)
{
	if (!is_busy(r)) {
		ask(&r->askers, done, ctx);
		change_to_file(r, source);
	} else if (!done || r->waiting.count < RELOAD_ASKERS) {
		ask(&r->waiting, done, ctx);
		request_later(r, source);
	} else {
		answer_one(r, RELOAD_BUSY, "too many wait for a change already", done, ctx);
	}
}

void reloader_request(struct reloader *r, reload_done *done, void *ctx)
{
	request(r, RELOAD_BY_COMMAND, done, ctx);
}

void reloader_request_later(struct reloader *r, reload_done *done, void *ctx)
{
	request(r, RELOAD_BY_SIGNAL, done, ctx);
}

void reloader_file_changed(struct reloader *r)
{
	const uint64_t hash = policy_file_hash(r->config.policy_path);

	if (hash == r->file_hash)
		return;
	if (!is_busy(r))
		change_to_file(r, RELOAD_BY_FILE);
	else if (!(r->again & AGAIN_FILE))
		request_later(r, RELOAD_BY_FILE);
}

void reloader_refresh(struct reloader *r)
{
	if (is_busy(r))
		r->again |= AGAIN_ENDPOINTS;
	else
		change_endpoints(r);
}

void reloader_rollback(struct reloader *r, uint64_t to, reload_done *done, void *ctx)
{
	char detail[RELOAD_DETAIL_BYTES], kept[RELOAD_DETAIL_BYTES / 2];
	size_t bytes;

	if (is_busy(r)) {
		answer_one(r, RELOAD_BUSY, "a change is under way: try again", done, ctx);
		return;
	}
	if (to == 0)
		to = generations_before(r->history);
	if (to == 0 || !generations_text(r->history, to, &bytes)) {
		generations_list(r->history, kept, sizeof(kept));
		if (!kept[0] && to == 0)
			snprintf(detail, sizeof(detail), "there is no earlier policy to return to");
		else if (!kept[0])
			snprintf(detail, sizeof(detail),
				 "the policy of generation %lu is not kept, nor is another one to "
				 "return to",
				 to);
		else if (to == 0)
			snprintf(detail, sizeof(detail),
				 "there is no other policy to return to that was not taken back; "
				 "these are kept: %s",
				 kept);
		else
			snprintf(detail, sizeof(detail),
				 "the policy of generation %lu is not kept; these are: %s", to,
				 kept);
		answer_one(r, RELOAD_INVALID, detail, done, ctx);
		return;
	}
	ask(&r->askers, done, ctx);
	change_back(r, RELOAD_BY_ROLLBACK, to, "");
}

static void on_guard(void *ctx, const char *why)
{
	struct reloader *r = ctx;
	uint64_t to;
	char reason[RELOAD_DETAIL_BYTES];

	snprintf(reason, sizeof(reason), "%s", why);
	if (is_busy(r)) {
		snprintf(r->guard_why, sizeof(r->guard_why), "%s", reason);
		r->again |= AGAIN_GUARD;
		return;
	}
	generations_take_back(r->history);
	to = generations_before(r->history);
	log_error("policy", "event=guard generation=%lu detail=\"%s\" action=%s",
		  r->good_generation, reason, to ? "rollback" : "none");
	if (to)
		change_back(r, RELOAD_BY_GUARD, to, reason);
}

void reloader_dataplane_died(struct reloader *r)
{
	if ((r->phase != RELOAD_APPLYING && r->phase != RELOAD_WATCHING) || !r->good ||
	    r->returning)
		return;
	if (++r->deaths >= DEATHS_TO_BLAME)
		reload_refused(r, "the dataplane died twice while adopting it");
}

void reloader_stop(struct reloader *r)
{
	const struct reload_askers askers = r->askers, waiting = r->waiting;

	r->askers.count = r->waiting.count = 0;
	r->again = 0;
	answer(r, RELOAD_LATE, "fender is stopping", &askers);
	answer(r, RELOAD_LATE, "fender is stopping", &waiting);
	uv_timer_stop(&r->timer);
	guard_stop(r->guard);
}

void reloader_free(struct reloader *r)
{
	if (!r)
		return;
	reload_drop_pending(r);
	policy_edition_free(r->good);
	generations_free(r->history);
	registry_copy_free(r->names);
	guard_free(r->guard);
	free(r);
}
