/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/capability.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *capability_missing(const struct capability *needed, size_t count)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	uint64_t have;

	if (syscall(SYS_capget, &header, data))
		return NULL;
	have = (uint64_t)data[1].effective << 32 | data[0].effective;
	for (size_t i = 0; i < count; i++)
		if (!((have >> needed[i].bit | have >> needed[i].stands_in) & 1))
			return needed[i].name;
	return NULL;
}
