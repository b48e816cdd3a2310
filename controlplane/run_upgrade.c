/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/run_upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/program_record.h"
#include "controlplane/reshape.h"
#include "controlplane/run_state.h"

enum {
	ANSWER_MS = 50,   /* for the answer to leave; the dataplane works on */
	PROVE_MS = 20000, /* for the new one to come up */
	LOOK_MS = 5,
	NS_A_MS = 1000000,
};

static uint32_t ended_of(const struct migrated *moved)
{
	uint32_t sum = 0;

	for (int i = 0; i < MIGRATE_ENDS; i++)
		sum += moved->ended[i];
	return sum;
}

int run_upgrade_check(struct run *run, const struct policy_edition *wanted, char *why,
		      size_t why_size)
{
	const struct image_header *image = wanted->image;
	struct supervise_status status;

	supervisor_status(run->supervisor, &status);
	if (run->draining || run->stopping || run->carry->phase != CARRY_NOTHING) {
		snprintf(why, why_size, "an upgrade or a stop is under way");
		return -EBUSY;
	}
	if (status.state != SUPERVISE_UP) {
		snprintf(why, why_size, "the dataplane is not up: wait until it is ready");
		return -EAGAIN;
	}
	if (strcmp(image_string(image, image->sidecar.name), run->instance) != 0) {
		snprintf(why, why_size,
			 "sidecar.name: an instance keeps its name: stop it and start the other "
			 "one");
		return -EINVAL;
	}
	if (run_check_devices(image, why, why_size) != 0)
		return -ENODEV;
	return reshape_try_room(&run->paths, image, why, why_size);
}

static void on_answered(uv_timer_t *timer)
{
	struct run *run = timer->data;

	if (run->stopping || run->again)
		return;
	run->carry->phase = CARRY_OVER;
	run->carry->stop_ns = monotonic_ns();
	run->again = 1;
	run_stop_now(run, 0);
}

void run_upgrade_begin(struct run *run, const char *changed, const char *program)
{
	struct upgrade_outcome *outcome = &run->carry->outcome;

	*outcome = (struct upgrade_outcome){.id = outcome->id + 1, .result = UPGRADE_BEGUN};
	snprintf(outcome->changed, sizeof(outcome->changed), "%s", changed);
	snprintf(run->carry->dataplane, sizeof(run->carry->dataplane), "%s",
		 program ? program : "");
	log_info("control", "event=upgrade_begun changed=\"%s\"", changed);
	uv_timer_start(&run->upgrade, on_answered, ANSWER_MS, 0);
}

int run_upgrade_keeps(const struct run *run)
{
	return run->again && (run->carry->phase == CARRY_OVER || run->carry->phase == CARRY_RETURN);
}

int run_upgrade_returns(const struct run *run)
{
	return run->carry->phase == CARRY_RETURNED;
}

void run_upgrade_files(struct run *run)
{
	int rc = 0;

	if (run->carry->phase == CARRY_RETURN) {
		rc = reshape_return(&run->paths);
		run->carry->phase = CARRY_RETURNED;
		run->renumbered = 1;
	}
	if (rc != 0 && rc != -ENOENT)
		log_error("region", "event=not_put_back path=%s error=\"%s\"", run->paths.region,
			  strerror(-rc));
	reshape_forget(&run->paths);
}

void run_upgrade_moved(struct run *run, const struct migrated *moved)
{
	log_info("region",
		 "event=carried_over path=%s bytes=%lu generation=%lu connections=%u resting=%u "
		 "waiting_ended=%u ended=%u",
		 run->paths.region, run->region.bytes, moved->generation, moved->carried,
		 moved->resting, moved->waiting, ended_of(moved));
	if (run->carry->phase != CARRY_OVER)
		return;
	run->carry->outcome.moved = *moved;
	run->carry->phase = CARRY_PROVES;
}

static void on_look(uv_timer_t *timer)
{
	struct run *run = timer->data;

	/* May be the end of it: run_upgrade_ready(). */
	supervisor_look(run->supervisor);
	if (run->carry->phase == CARRY_PROVES && uv_now(&run->loop) > run->upgrade_end_ms)
		run_upgrade_failed(run, "the dataplane did not come up with it");
}

void run_upgrade_watch(struct run *run)
{
	uv_timer_init(&run->loop, &run->upgrade);
	run->upgrade.data = run;
	if (run->carry->phase == CARRY_PROVES)
		uv_timer_start(&run->upgrade, on_look, LOOK_MS, LOOK_MS);
	run->upgrade_end_ms = uv_now(&run->loop) + PROVE_MS;
}

static void tell(struct run *run, enum upgrade_result result)
{
	struct upgrade_outcome *outcome = &run->carry->outcome;

	outcome->result = result;
	outcome->pause_ms = (monotonic_ns() - run->carry->stop_ns) / NS_A_MS;
	run->carry->phase = CARRY_NOTHING;
	run->carry->dataplane[0] = '\0';
	if (result == UPGRADE_DONE)
		log_info("control",
			 "event=upgraded changed=\"%s\" pause_ms=%lu connections=%u ended=%u",
			 outcome->changed, outcome->pause_ms, outcome->moved.carried,
			 ended_of(&outcome->moved));
	else
		log_error("control", "event=upgrade_failed changed=\"%s\" why=\"%s\" pause_ms=%lu",
			  outcome->changed, outcome->error, outcome->pause_ms);
	reloader_note_upgrade(run->reloader, result == UPGRADE_DONE ? NULL : outcome->error);
}

void run_upgrade_ready(struct run *run)
{
	const enum upgrade_phase_of_run phase = run->carry->phase;
	struct upgrade_outcome *outcome = &run->carry->outcome;

	if (phase == CARRY_NOTHING) {
		reshape_forget(&run->paths);
		return;
	}
	uv_timer_stop(&run->upgrade);
	if (phase == CARRY_PROVES) {
		if (run->carry->dataplane[0])
			program_record_write(run->paths.program, run->named_dataplane,
					     run->dataplane);
		reshape_forget(&run->paths);
	} else if (phase == CARRY_OVER) {
		snprintf(outcome->error, sizeof(outcome->error),
			 "the policy file was changed meanwhile: nothing was carried over");
	}
	tell(run, phase == CARRY_PROVES ? UPGRADE_DONE : UPGRADE_FAILED);
}

int run_upgrade_failed(struct run *run, const char *why)
{
	struct run_carry *carry = run->carry;

	if (carry->phase != CARRY_OVER && carry->phase != CARRY_PROVES)
		return 0;
	snprintf(carry->outcome.error, sizeof(carry->outcome.error),
		 "%s; what ran before runs again", why);
	log_error("control", "event=upgrade_returns why=\"%s\"", why);
	carry->phase = CARRY_RETURN;
	carry->dataplane[0] = '\0';
	run->again = 1;
	if (run->begun)
		run_stop_now(run, 0);
	return 1;
}

void run_upgrade_cancel(struct run *run)
{
	if (run->carry->phase == CARRY_NOTHING)
		return;
	run->carry->phase = CARRY_NOTHING;
	run->again = 0;
}

static json_t *ended_json(const struct migrated *moved)
{
	json_t *out = json_object();

	for (unsigned int i = 0; i < MIGRATE_ENDS; i++)
		if (moved->ended[i])
			json_object_set_new(out, migrate_end_name(i),
					    json_integer(moved->ended[i]));
	return out;
}

json_t *run_upgrade_json(const struct run *run)
{
	static const char *const names[] = {
		[UPGRADE_NEVER] = "none",
		[UPGRADE_BEGUN] = "begun",
		[UPGRADE_DONE] = "reshaped",
		[UPGRADE_FAILED] = "failed",
	};
	const struct upgrade_outcome *o = &run->carry->outcome;
	json_t *out =
		json_pack("{s:s,s:I}", "result", names[o->result], "upgrade", (json_int_t)o->id);

	if (o->result == UPGRADE_NEVER)
		return out;
	json_object_set_new(out, "changed", json_string(o->changed));
	if (o->result == UPGRADE_BEGUN)
		return out;
	json_object_set_new(out, "pause_ms", json_integer((json_int_t)o->pause_ms));
	if (o->result == UPGRADE_FAILED) {
		json_object_set_new(out, "error", json_string(o->error));
		return out;
	}
	json_object_set_new(out, "generation", json_integer((json_int_t)o->moved.generation));
	json_object_set_new(out, "carried", json_integer(o->moved.carried));
	json_object_set_new(out, "waiting_ended", json_integer(o->moved.waiting));
	json_object_set_new(out, "ended", json_integer(ended_of(&o->moved)));
	json_object_set_new(out, "ended_by_reason", ended_json(&o->moved));
	return out;
}
