/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which policy a start goes by: that of the file; or, where the file cannot be put in force and the
 * instance is at work, the one that was applied last. Its text is in the history; where that is
 * lost the image in the region serves as it is.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/active.h"
#include "controlplane/generations.h"
#include "controlplane/instances.h"
#include "controlplane/lock.h"
#include "controlplane/log.h"
#include "controlplane/resolve_set.h"
#include "controlplane/run_state.h"

enum { NAMES_BYTES = 192 };

/*
 * The policy file, or, where it is not NULL, @text_of with what @sets says of names. Return NULL
 * with lines in *errors, for the caller to free.
 */
static struct policy_edition *compile(const struct run *run, const struct policy_edition *text_of,
				      const struct endpoint_sets *sets, char **errors)
{
	const struct edition_source source = {
		.path = run->options->policy_path,
		.text_of = text_of,
		.sets = sets,
	};

	return policy_edition_compile(&source, errors);
}

/* What is in force without the file; said in the log when it cannot be compiled. */
static struct policy_edition *compile_again(const struct run *run,
					    const struct policy_edition *text_of,
					    const struct endpoint_sets *sets)
{
	char *errors;
	struct policy_edition *edition = compile(run, text_of, sets, &errors);

	if (!edition)
		log_warn_lines("policy", errors ? errors : "out of memory");
	free(errors);
	return edition;
}

static void take(struct run *run, struct policy_edition *edition)
{
	policy_edition_free(run->wanted);
	run->wanted = edition;
}

static void refuse(struct run *run, enum reload_result result, const char *detail)
{
	run->refusal.result = result;
	snprintf(run->refusal.detail, sizeof(run->refusal.detail), "%s", detail);
}

static void needs_restart(struct run *run, const char *key)
{
	char text[128];

	snprintf(text, sizeof(text), "needs a restart: %s", key);
	refuse(run, RELOAD_NEEDS_RESTART, text);
}

/* -- whose policy it is --------------------------------------------------------------------- */

/* Whose file it was, as its history says. Return how many there are. */
static int instance_by_file(const struct run *run, char names[NAMES_BYTES])
{
	const struct run_options *o = run->options;
	char path[PATH_MAX];

	if (paths_absolute(o->policy_path, path, sizeof(path)) != 0)
		return 0;
	return instances_of_file(o->run_dir, o->shm_dir, path, names, NAMES_BYTES);
}

/* The file does not say whose it is. */
static int find_instance(struct run *run)
{
	char names[NAMES_BYTES];
	const int count = instance_by_file(run, names);

	if (count == 1) {
		snprintf(run->instance, sizeof(run->instance), "%.*s", NAME_BYTES - 1, names);
		log_info("control", "event=instance_found name=%s by=policy_path", run->instance);
		return 0;
	}
	if (count > 1)
		snprintf(run->why, sizeof(run->why),
			 "the policy has errors, and it was that of %d instances (%s): mend it",
			 count, names);
	else
		snprintf(run->why, sizeof(run->why), "the policy has errors");
	return -EINVAL;
}

static int is_at_work(const struct run *run, const char *instance)
{
	struct paths paths;
	char why[RUN_WHY_BYTES];

	return paths_set(&paths, run->options->run_dir, run->options->shm_dir, instance, why,
			 sizeof(why)) == 0 &&
	       access(paths.region, F_OK) == 0 && lock_held(paths.dataplane_lock) == 1;
}

/* As at a reload: a dataplane that runs by this file does not change its name. */
static void keep_name(struct run *run)
{
	char names[NAMES_BYTES];

	if (is_at_work(run, run->instance) || instance_by_file(run, names) != 1 ||
	    strcmp(names, run->instance) == 0 || !is_at_work(run, names))
		return;
	snprintf(run->instance, sizeof(run->instance), "%.*s", NAME_BYTES - 1, names);
	needs_restart(run, "sidecar.name");
	take(run, NULL);
}

int run_read_policy(struct run *run)
{
	char *errors;

	/* First: a change while it is compiled is seen as one. */
	run->file_hash = policy_file_hash(run->options->policy_path);
	run->wanted = compile(run, NULL, NULL, &errors);
	if (run->wanted) {
		if (run->wanted->warnings)
			log_warn_lines("policy", run->wanted->warnings);
		snprintf(run->instance, sizeof(run->instance), "%s",
			 image_string(run->wanted->image, run->wanted->image->sidecar.name));
		keep_name(run);
		return 0;
	}
	refuse(run, RELOAD_INVALID, errors ? errors : "out of memory");
	log_error_lines("policy", errors ? errors : "out of memory");
	free(errors);
	return find_instance(run);
}

void run_free_policy(struct run *run)
{
	policy_edition_free(run->wanted);
	free(run->active);
}

/* -- what is put in force ------------------------------------------------------------------- */

static int fits(const struct run *run, const struct policy_edition *edition)
{
	char key[64];

	return !active_misfit(&run->region, run->active, edition->image, key, sizeof(key));
}

/* NULL: not known, or not any more what it was, as endpoint files may. */
static struct policy_edition *edition_of_history(const struct run *run,
						 const struct generations *history)
{
	struct policy_edition text = {0}, *edition = NULL;
	struct endpoint_sets sets = {0};

	if (run->active)
		text.text = generations_copy(history, run->active->generation, &text.bytes);
	if (!text.text)
		text.text = generations_copy(history, generations_newest(history), &text.bytes);
	if (text.text && (!run->active || resolve_sets_of_image(&sets, run->active) == 0))
		edition = compile_again(run, &text, &sets);
	resolve_sets_free(&sets);
	free(text.text);
	if (edition && !fits(run, edition)) {
		policy_edition_free(edition);
		edition = NULL;
	}
	return edition;
}

static struct policy_edition *edition_of_region(const struct run *run)
{
	struct image_header *copy = run->active ? malloc(run->active->length) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, run->active, run->active->length);
	return policy_edition_of(copy);
}

/* Go by what was in force before. */
static int go_on(struct run *run, const struct generations *history)
{
	struct policy_edition *edition = edition_of_history(run, history);
	const char *from = edition ? "history" : "region";

	if (!edition)
		edition = edition_of_region(run);
	if (!edition)
		return -ENOENT;
	take(run, edition);
	log_warn("policy", "event=file_not_used file=%s result=%s why=\"%.*s\" goes_on_with=%s",
		 run->options->policy_path, reload_result_name(run->refusal.result),
		 (int)strcspn(run->refusal.detail, "\n"), run->refusal.detail, from);
	return 0;
}

/* The operator has rolled back and the file is still the one that was left. */
static int stays_rolled_back(struct run *run, const struct generations *history)
{
	struct policy_edition *edition;

	if (!run->active || generations_held(history) != run->wanted->text_hash)
		return 0;
	edition = edition_of_history(run, history);
	if (!edition || edition->image->content_hash != run->active->content_hash) {
		policy_edition_free(edition);
		return 0;
	}
	take(run, edition);
	return 1;
}

/* Names that were resolved by the run before keep their endpoints until they are again. */
void run_keep_resolved(struct run *run)
{
	struct policy_edition *edition = NULL;
	struct endpoint_sets sets;

	if (!run->active || resolve_sets_of_image(&sets, run->active) != 0)
		return;
	if (sets.count > 0)
		edition = compile_again(run, run->wanted, &sets);
	resolve_sets_free(&sets);
	if (edition)
		take(run, edition);
}

/* Return 1 when all of the file's policy can be put in force on the region that is there. */
static int file_fits(struct run *run)
{
	char key[64];
	const char *what;

	if (run->refusal.detail[0])
		return 0;
	what = active_misfit(&run->region, run->active, run->wanted->image, key, sizeof(key));
	if (what)
		needs_restart(run, what);
	return !what;
}

/* Return 1 when the region can be continued by what is wanted now. */
static int choose(struct run *run, const struct generations *history, int is_served)
{
	if (file_fits(run)) {
		if (!stays_rolled_back(run, history))
			run_keep_resolved(run);
		return 1;
	}
	/* Where nobody forwards nothing is lost by doing what the file says. */
	return (is_served || !run->wanted || run_upgrade_returns(run)) && go_on(run, history) == 0;
}

int run_no_policy(struct run *run)
{
	snprintf(run->why, sizeof(run->why), "%s",
		 run->refusal.result == RELOAD_INVALID ? "the policy has errors"
						       : run->refusal.detail);
	return -EINVAL;
}

int run_choose_policy(struct run *run, int is_served)
{
	struct generations *history =
		generations_create(run->paths.history, run->region.header->region_id);
	int stays;

	if (!history)
		return -ENOMEM;
	stays = choose(run, history, is_served);
	generations_free(history);
	if (stays)
		return 1;
	if (!run->wanted)
		return run_no_policy(run);
	log_info("region", "event=other_shape reason=\"%s\"", run->refusal.detail);
	refuse(run, RELOAD_APPLIED, "");
	return 0;
}
