/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends the frames of a file by an interface again and again, as fast as it can or at a rate.
 *
 *     flood INTERFACE FRAMES SECONDS RATE
 *
 * FRAMES: length (16 bits, host order), bytes, and so on. RATE: frames a second; 0: all that goes.
 * Prints how many were sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAMES_MAX 65536
#define BATCH      64

static struct iovec frames[FRAMES_MAX];

static void exit_with_error(const char *what)
{
	perror(what);
	exit(1);
}

static size_t read_frames(const char *path)
{
	FILE *f = fopen(path, "re");
	uint16_t len;
	size_t n = 0;

	if (!f)
		exit_with_error(path);
	while (n < FRAMES_MAX && fread(&len, sizeof(len), 1, f) == 1) {
		frames[n] = (struct iovec){ malloc(len), len };
		if (!frames[n].iov_base || fread(frames[n].iov_base, len, 1, f) != 1)
			exit_with_error("a frame");
		n++;
	}
	fclose(f);
	return n;
}

static int open_socket(const char *interface)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		                  .sll_ifindex = (int)if_nametoindex(interface) };
	int s = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	if (s < 0 || bind(s, (struct sockaddr *)&to, sizeof(to)))
		exit_with_error(interface);
	(void)setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	return s;
}

static double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static struct mmsghdr messages[BATCH];
	uint64_t sent = 0;
	double start, seconds, rate;
	size_t n, at = 0;
	int s;

	if (argc != 5)
		return 2;
	n = read_frames(argv[2]);
	seconds = atof(argv[3]);
	rate = atof(argv[4]);
	s = open_socket(argv[1]);
	start = now_seconds();
	for (double t = start; n && t - start < seconds; t = now_seconds()) {
		if (rate > 0 && (double)sent > (t - start) * rate) {
			usleep(100); /* the pace of the flood */
			continue;
		}
		for (size_t i = 0; i < BATCH; i++) {
			messages[i].msg_hdr.msg_iov = &frames[at];
			messages[i].msg_hdr.msg_iovlen = 1;
			at = (at + 1) % n;
		}
		int done = sendmmsg(s, messages, BATCH, 0);

		if (done < 0 && errno != ENOBUFS && errno != EAGAIN)
			exit_with_error("send");
		sent += done > 0 ? (uint64_t)done : 0;
	}
	printf("%llu\n", (unsigned long long)sent);
	return 0;
}
