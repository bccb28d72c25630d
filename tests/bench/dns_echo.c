/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What any server of DNS over UDP costs at least: each datagram that comes is sent back as an answer
 * of the given size and response code, with one recvmmsg() and one sendmmsg() for a batch, and
 * nothing else. No name is read.
 *
 *     dns-echo ADDRESS PORT BYTES RCODE        BYTES: what an answer is longer than its query
 */
#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH     32 /* as in dns/udp.c */
#define BYTES_MAX 4096
#define RCVBUF    (8 << 20)

struct echo_room {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	struct sockaddr_storage from[BATCH];
	uint8_t bytes[BATCH][BYTES_MAX];
};

static int bind_socket(const char *address, const char *port)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		                        .ai_socktype = SOCK_DGRAM };
	struct addrinfo *at;
	int bytes = RCVBUF, fd;

	if (getaddrinfo(address, port, &hints, &at))
		return -1;
	fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) /* without the right to it, the usual size does */
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (fd >= 0 && bind(fd, at->ai_addr, at->ai_addrlen))
		fd = -1;
	freeaddrinfo(at);
	return fd;
}

static void open_room(struct echo_room *r)
{
	for (unsigned i = 0; i < BATCH; i++) {
		r->parts[i].iov_base = r->bytes[i];
		r->messages[i].msg_hdr.msg_name = &r->from[i];
		r->messages[i].msg_hdr.msg_iov = &r->parts[i];
		r->messages[i].msg_hdr.msg_iovlen = 1;
	}
}

/* Make query number @p i an answer, which is @p more bytes longer. */
static void turn_message(struct echo_room *r, unsigned i, size_t more, uint8_t rcode)
{
	size_t length = r->messages[i].msg_len + more;

	r->bytes[i][2] |= 0x80; /* an answer */
	r->bytes[i][3] = rcode;
	r->parts[i].iov_len = length < BYTES_MAX ? length : BYTES_MAX;
}

static int echo_batch(struct echo_room *r, int fd, size_t more, uint8_t rcode)
{
	int n, sent = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		r->messages[i].msg_hdr.msg_namelen = sizeof(r->from[i]);
		r->parts[i].iov_len = BYTES_MAX;
	}
	n = recvmmsg(fd, r->messages, BATCH, MSG_WAITFORONE, NULL);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++)
		turn_message(r, (unsigned)i, more, rcode);
	while (sent < n) {
		int got = sendmmsg(fd, r->messages + sent, (unsigned)(n - sent), 0);

		sent += got > 0 ? got : 1; /* what cannot be sent is skipped */
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct echo_room room;
	int fd = argc == 5 ? bind_socket(argv[1], argv[2]) : -1, err;

	if (fd < 0) {
		fprintf(stderr, "dns-echo ADDRESS PORT BYTES RCODE: %s\n", strerror(errno));
		return 1;
	}
	open_room(&room);
	do
		err = echo_batch(&room, fd, strtoul(argv[3], NULL, 10),
		                 (uint8_t)strtoul(argv[4], NULL, 10));
	while (!err || err == -EINTR);
	fprintf(stderr, "dns-echo: %s\n", strerror(-err));
	return 1;
}
