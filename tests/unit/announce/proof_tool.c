/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plays the dataplane's part of RUN/proof.page for test_process.py: everything is proved for the
 * addresses that are given, until SIGTERM. Usage: proof-tool RUN DOCUMENT DRIVER VIP ADDRESS ...
 *
 * A line on standard input changes what is proved: "forwarded", "refused", "pools-down", "port-down"
 * or "silent" (no sign of life from then on).
 */
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
	p->max_services = 0;
	p->node = (struct proof_node){ .document = strtoull(argv[2], NULL, 10),
		                       .alive_ms = now_ms,
		                       .writer_pid = (uint64_t)getpid(),
		                       .state_arrived = PROOF_YES,
		                       .n_ports = 1,
		                       .ports = { { .interface = "lo", .attached = PROOF_YES } } };
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

int main(int argc, char **argv)
{
	char path[PATH_MAX], what[64] = "forwarded";
	struct page *page;

	if (argc < 6 || proc_path(argv[1], PROOF_PAGE_FILE, path) ||
	    page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT, proof_page_bytes(VIPS_MAX, 0),
	                &page)) {
		fprintf(stderr, "usage: proof-tool RUN DOCUMENT DRIVER VIP ADDRESS ...\n");
		return 2;
	}
	for (;;) {
		struct pollfd in = { .fd = 0, .events = POLLIN };
		ssize_t n = poll(&in, 1, 50) > 0 ? read(0, what, sizeof(what) - 1) : 1;

		if (n <= 0)
			return 0;
		what[strcspn(what, "\n")] = '\0';
		if (!strcmp(what, "silent"))
			continue;
		write_proof(page_payload(page), argv, argc, what);
		page_alive(page, clock_mono_ms());
		page_publish(page);
	}
}
