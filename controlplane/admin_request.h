/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the admin API, from its headers to its answer. */
#ifndef FENDER_CONTROLPLANE_ADMIN_REQUEST_H
#define FENDER_CONTROLPLANE_ADMIN_REQUEST_H

#include <stddef.h>

#include <microhttpd.h>

#include "controlplane/admin.h"

/* What a request needs of its server. */
struct admin_server {
	struct admin_calls calls;
	void *ctx;
	void (*resumed)(void *ctx); /* a suspended connection has its answer: run the server */
};

/* MHD_AccessHandlerCallback; @cls: struct admin_server. */
enum MHD_Result admin_request_handle(void *cls, struct MHD_Connection *connection, const char *url,
				     const char *method, const char *version, const char *data,
				     size_t *data_bytes, void **slot);

/* MHD_RequestCompletedCallback. */
void admin_request_completed(void *cls, struct MHD_Connection *connection, void **slot,
			     enum MHD_RequestTerminationCode code);

#endif
