/* SPDX-License-Identifier: Apache-2.0 */
/* `fender run`: the control plane of one instance. */
#ifndef FENDER_CONTROLPLANE_RUN_H
#define FENDER_CONTROLPLANE_RUN_H

struct run_options {
	const char *policy_path;
	const char *dataplane; /* NULL: beside this program */
	const char *run_dir;
	const char *shm_dir;
	const char *dns_servers; /* "ip[:port],..."; NULL: as /etc/resolv.conf says */
};

/* Runs until it is told to stop. Return the exit status: 0 clean stop, 1 failure. */
int run_instance(const struct run_options *options);

#endif
