/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program compares the packet's source with each peer: "load a word of it; if it differs, go to the next peer". The
 * network header is at SKF_NET_OFF; what it returns is the index of a socket in the order of their listen().
 */
#include "mgmt/http/steer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SOURCE4      12 /* of an IPv4 header */
#define SOURCE6      8  /* of an IPv6 header */
#define STEPS_MAX    9  /* of a peer: four words of two steps, and the answer */
#define TO_STRANGERS 0  /* the first socket of the group, */
#define TO_PEERS     1  /* and the second */

static size_t add_peer(struct sock_filter *out, const struct addr *peer, bool is4)
{
	const uint8_t *bytes = is4 ? addr_bytes4(peer) : peer->bytes;
	size_t n = 0, n_words = is4 ? 1 : 4;

	for (size_t i = 0; i < n_words; i++) {
		uint32_t word,
		        off = (uint32_t)SKF_NET_OFF + (is4 ? SOURCE4 : SOURCE6) + (uint32_t)(4 * i);
		uint8_t to_next = (uint8_t)(2 * (n_words - 1 - i) + 1);

		memcpy(&word, bytes + 4 * i, sizeof(word));
		out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off);
		out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(word), 0,
		                                        to_next);
	}
	out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, TO_PEERS);
	return n;
}

int http_steer(int fd, bool is4, const struct addr *peers, size_t n)
{
	struct sock_filter *steps = calloc(n * STEPS_MAX + 1, sizeof(*steps));
	struct sock_fprog program = { .filter = steps };
	size_t at = 0;

	if (!steps)
		return -ENOMEM;
	for (size_t i = 0; i < n && at + STEPS_MAX < BPF_MAXINSNS; i++)
		if (addr_is4(&peers[i]) == is4)
			at += add_peer(steps + at, &peers[i], is4);
	steps[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, TO_STRANGERS);
	program.len = (unsigned short)at;
	int err = setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program))
	                  ? -errno
	                  : 0;
	free(steps);
	return err;
}
