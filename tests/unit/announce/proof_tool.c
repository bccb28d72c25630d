/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plays the dataplane's part of RUN/proof.page for test_process.py: everything is proved for the
 * addresses that are given, until SIGTERM. Usage: proof-tool RUN DOCUMENT DRIVER VIP ADDRESS ...
 *
 * A line on standard input changes what is proved: "forwarded", "refused", "pools-down", "port-down"
 * or "silent" (no sign of life from then on). "announced" is answered with what weir-announce publishes: the numbers of
 * the document on its page and of that in its conditions, and the conditions' codes.
 */
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "base/proc.h"
#include "weir/announce.h"
#include "weir/condition.h"
#include "weir/proof.h"

#define VIPS_MAX 8u

static int by_vip(const void *a, const void *b)
{
	return proof_vip_compare(a, b);
}

/* Write the whole page as @p what says. */
static void write_proof(struct proof_page *p, char **argv, int argc, const char *what)
{
	struct proof_vip *vips = proof_page_vips(p);
	uint64_t now_ms = clock_mono_ms();
	bool refused = !strcmp(what, "refused"), serves = strcmp(what, "pools-down") != 0;

	p->seq |= 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	p->max_vips = VIPS_MAX;
	p->node = (struct proof_node){ .document = strtoull(argv[2], NULL, 10),
		                       .alive_ms = now_ms,
		                       .writer_pid = (uint64_t)getpid(),
		                       .state_arrived = PROOF_YES,
		                       .n_ports = 1,
		                       .ports = {
		                               { .interface = "nosuch", .attached = PROOF_YES } } };
	if (!strcmp(what, "bare")) {
		snprintf(p->node.ports[0].interface, sizeof(p->node.ports[0].interface), "lo");
		p->node.ports[0].ifindex = if_nametoindex("lo");
	}
	p->node.ports[0].up = strcmp(what, "port-down") ? PROOF_YES : PROOF_NO;
	snprintf(p->node.driver, sizeof(p->node.driver), "%s", argv[3]);
	for (int i = 5; i < argc && p->node.n_vips < VIPS_MAX; i++) {
		struct proof_vip *v = &vips[p->node.n_vips++];

		*v = (struct proof_vip){ .vip = hash_text(argv[4]),
			                 .proved_ms = now_ms,
			                 .tried_ms = now_ms,
			                 .n_services = 1,
			                 .n_serving = serves,
			                 .n_reachable = serves,
			                 .state = refused ? PROOF_STATE_REFUSED
			                                  : PROOF_STATE_FORWARDED };
		if (addr_parse(argv[i], &v->address))
			exit(2);
	}
	qsort(vips, p->node.n_vips, sizeof(*vips), by_vip);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	p->seq++;
}

static void print_announced(const char *run_dir)
{
	static struct announced_address addresses[1];
	struct conditions c = { .n = 0 };
	struct announced_node node = { .document = 0 };
	struct announced_page *a = NULL;

	if (announced_open(run_dir, &a) || announced_read(a, &node, addresses, 1, NULL))
		node.document = 0;
	announced_close(a);
	if (conditions_read(run_dir, "announce", &c))
		c.n = 0;
	printf("%llu %llu", (unsigned long long)node.document, (unsigned long long)c.document);
	for (uint32_t i = 0; i < c.n; i++)
		printf(" %s", c.items[i].code);
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char path[PATH_MAX], what[64] = "forwarded", line[64];
	struct page *page;

	if (argc < 6 || proc_path(argv[1], PROOF_PAGE_FILE, path) ||
	    page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT, proof_page_bytes(VIPS_MAX),
	                &page)) {
		fprintf(stderr, "usage: proof-tool RUN DOCUMENT DRIVER VIP ADDRESS ...\n");
		return 2;
	}
	for (;;) {
		struct pollfd in = { .fd = 0, .events = POLLIN };
		ssize_t n = 1;

		if (poll(&in, 1, 50) > 0) {
			n = read(0, line, sizeof(line) - 1);
			line[n > 0 ? n : 0] = '\0';
			line[strcspn(line, "\n")] = '\0';
			if (!strcmp(line, "announced"))
				print_announced(argv[1]);
			else
				strcpy(what, line);
		}
		if (n <= 0)
			return 0;
		if (!strcmp(what, "silent"))
			continue;
		write_proof(page_payload(page), argv, argc, what);
		page_alive(page, clock_mono_ms());
		page_publish(page);
	}
}
