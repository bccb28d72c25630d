/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A library that a program with DPDK is started with (LD_PRELOAD): each frame that its first queues
 * receive gets the source of another flow, BENCH_FLOWS of them in turn. So net_pcap, whose file has
 * thousands of frames, delivers a million flows, to Weir and to testpmd alike.
 *
 * The sources lie in a row, with the sums of their words, so that a frame costs a few instructions
 * and one line in eight of the cache.
 *
 * The number of frames so far is the first word of the file BENCH_FLOWS_SEEN: who measures looks there
 * whether they came by at all.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define IP_OFF     14u /* of a frame without a tag */
#define SUM_OFF    (IP_OFF + 10)
#define SOURCE_OFF (IP_OFF + 12)
#define PORT_OFF   (IP_OFF + 20)
#define IP_WORDS   10u
#define SUM_WORD   5u /* and behind it the source's two */

struct flow_source {
	uint32_t address_be;
	uint16_t port_be, sum; /* of the header with this source */
};

static struct flow_source *sources;
static size_t n_sources, next_source;
static volatile uint64_t *n_seen; /* of one thread */

static uint16_t fold_sum(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* The sum of what all headers have in common, which is that of the first frame. */
static uint32_t sum_common(const uint8_t *frame)
{
	uint16_t words[IP_WORDS];
	uint32_t sum = 0;

	memcpy(words, frame + IP_OFF, sizeof(words));
	for (uint32_t i = 0; i < IP_WORDS; i++)
		if (i < SUM_WORD || i > SUM_WORD + 2)
			sum += words[i];
	return sum;
}

static void make_sources(const uint8_t *frame)
{
	uint32_t common = sum_common(frame);
	uint64_t random = 88172645463325252u;

	for (size_t i = 0; i < n_sources; i++) {
		struct flow_source *s = &sources[i];

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		s->address_be = rte_cpu_to_be_32(0x64400000u | (uint32_t)(random >> 42));
		s->port_be = rte_cpu_to_be_16((uint16_t)(1024 + (random & 0x7fff)));
		s->sum = (uint16_t)~fold_sum(common + (s->address_be & 0xffff) +
		                             (s->address_be >> 16));
	}
	next_source = 0;
}

static uint16_t write_sources(uint16_t port, uint16_t queue, struct rte_mbuf *frames[], uint16_t n,
                              uint16_t max, void *arg)
{
	(void)port, (void)queue, (void)max, (void)arg;
	if (n && next_source == n_sources)
		make_sources(rte_pktmbuf_mtod(frames[0], const uint8_t *));
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *frame = rte_pktmbuf_mtod(frames[i], uint8_t *);
		const struct flow_source *s = &sources[next_source];

		memcpy(frame + SOURCE_OFF, &s->address_be, 4);
		memcpy(frame + PORT_OFF, &s->port_be, 2);
		memcpy(frame + SUM_OFF, &s->sum, 2);
		next_source = next_source + 1 < n_sources ? next_source + 1 : 0;
	}
	*n_seen += n;
	return n;
}

static volatile uint64_t *open_seen(const char *path)
{
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *at = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, sizeof(*n_seen)))
		at = mmap(NULL, sizeof(*n_seen), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return at == MAP_FAILED ? NULL : at;
}

/* In place of DPDK's. */
int rte_eth_dev_start(uint16_t port)
{
	int (*start)(uint16_t) = (int (*)(uint16_t))dlsym(RTLD_NEXT, "rte_eth_dev_start");
	const char *flows = getenv("BENCH_FLOWS");

	if (!sources && flows) {
		n_sources = next_source = strtoul(flows, NULL, 10);
		sources = calloc(n_sources ? n_sources : 1, sizeof(*sources));
		n_seen = open_seen(getenv("BENCH_FLOWS_SEEN"));
	}
	if (!start || !n_sources || !sources || !n_seen ||
	    !rte_eth_add_rx_callback(port, 0, write_sources, NULL)) {
		fprintf(stderr, "bench-flows: no flows\n");
		exit(1);
	}
	return start(port);
}
