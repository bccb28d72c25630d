/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any frame through the backend agent's code: it must not read or write outside of it, what
 * it takes off must end where the frame ends, and no list of owners is followed for longer than
 * it has owners.
 *
 * The first byte chooses what sockets the host has; the rest is the frame, in a copy of its
 * exact size that begins at an even address.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "weir/fwd/decap_second.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline int decap_source_accepted(void *arg, const unsigned char source[16])
{
	(void)arg;
	return source[0] < 0xfe;
}

static inline int decap_owner_accepted(void *arg, const unsigned char owner[16])
{
	(void)arg;
	return owner[15] != 0;
}

static inline enum second_socket decap_socket(void *arg, const unsigned char *frame,
                                              const unsigned char *end,
                                              const struct decap_flow *flow)
{
	if (flow->tcp_off && end - frame < (long)(flow->tcp_off + DECAP_TCP_LEN))
		abort();
	return *(const enum second_socket *)arg;
}

static enum decap_reason step_frame(uint8_t *frame, uint8_t *end, enum second_socket *socket,
                                    struct decap_result *r)
{
	enum decap_reason why = decap_parse(frame, end, socket, r);

	return why == DECAP_GUE && r->owners_n ? decap_second(frame, end, socket, r) : why;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum second_socket socket;
	struct decap_result r = { 0 };
	enum decap_reason why;
	unsigned steps = 0;
	uint8_t *copy;

	if (size < 1)
		return 0;
	socket = (enum second_socket)(data[0] % 4);
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data + 1, size - 1);
	why = step_frame(copy, copy + size - 1, &socket, &r);
	while (why == DECAP_PASSED_ON && steps++ < 4) {
		memset(&r, 0, sizeof(r));
		why = step_frame(copy, copy + size - 1, &socket, &r);
	}
	if (steps > SECOND_OWNERS_MAX)
		abort();
	if (why == DECAP_IPIP || why == DECAP_GUE || why == DECAP_OWNED || why == DECAP_LAST) {
		if (r.inner_off >= size - 1)
			abort();
		decap_finish(copy, copy + size - 1, why, &r);
	}
	free(copy);
	return 0;
}
