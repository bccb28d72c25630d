/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as what the kernel says over rtnetlink: each fact lies within them, and its name ends. */
#include <assert.h>

#include "dataplane/nexthop/rtnl.h"
#include "tests/fuzz/fuzz_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *copy = malloc(n ? n : 1);
	size_t at = 0, took;
	struct rtnl_fact f;

	if (!copy)
		abort();
	if (n)
		memcpy(copy, bytes, n);
	while ((took = rtnl_next(copy + at, n - at, &f)) > 0) {
		assert(took <= n - at);
		if (f.kind == RTNL_LINK)
			assert(strnlen(f.link.name, sizeof(f.link.name)) < sizeof(f.link.name));
		at += took;
	}
	free(copy);
	return 0;
}
