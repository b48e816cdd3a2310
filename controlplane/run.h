/* SPDX-License-Identifier: Apache-2.0 */
/* `fender run`: the control plane of one instance. */
#ifndef FENDER_CONTROLPLANE_RUN_H
#define FENDER_CONTROLPLANE_RUN_H

struct run_options {
	const char *policy_path;
	const char *dataplane; /* NULL: beside this program */
	const char *run_dir;
	const char *shm_dir;
	const char *bpf_dir;     /* a BPF file system, for the pins of the limiter */
	int no_watch;            /* the policy file is read when told to only */
	const char *admin_group; /* of the operators' socket; NULL: this process's */
	const char *read_group;  /* of the readers' */
	const char *metrics;     /* "127.0.0.1:9901": serve metrics there too; NULL: not */
	const char *log_format;  /* names, passed on to the dataplane; NULL: its default */
	const char *log_level;
	const char *dns_servers; /* "ip[:port],..."; NULL: as /etc/resolv.conf says */
};

/* Runs until it is told to stop. Return the exit status: 0 clean stop, 1 failure. */
int run_instance(const struct run_options *options);

#endif
