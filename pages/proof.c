/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading what the dataplane has proved. The page is a seqlock: the writer makes `seq` odd while it
 * writes, so a reader copies and compares. Row counts are checked against the page's size, since a
 * reader must not trust the writer. Each reader turns facts that are too old into unknown ones, so
 * that no caller can forget to.
 */
#include "weir/proof.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/page.h"
#include "base/proc.h"
#include "weir/fwd/reason.h"

/* Tries of 20 us each: a write takes far less, unless the writer died in the middle of one. */
#define TRIES 1000

struct proof {
	struct page *page;
};

/* What is looked for, and where it is to go. */
struct lookup {
	struct proof_vip vip;
	struct proof_service service;
	struct proof_node node;
};

int proof_open(const char *run_dir, struct proof **out)
{
	struct proof *p = calloc(1, sizeof(*p));
	char path[PATH_MAX];
	int err = p ? proc_path(run_dir, PROOF_PAGE_FILE, path) : -ENOMEM;

	if (!err)
		err = page_open(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT, "dataplane", &p->page);
	if (!err && page_size(p->page) < sizeof(struct proof_page))
		err = -EPROTO;
	if (err) {
		proof_close(p);
		return err;
	}
	*out = p;
	return 0;
}

void proof_close(struct proof *p)
{
	if (!p)
		return;
	page_close(p->page);
	free(p);
}

int proof_vip_compare(const struct proof_vip *a, const struct proof_vip *b)
{
	if (a->vip != b->vip)
		return a->vip < b->vip ? -1 : 1;
	return addr_compare(&a->address, &b->address);
}

static int by_vip(const void *a, const void *b)
{
	return proof_vip_compare(a, b);
}

static int by_service(const void *a, const void *b)
{
	uint64_t x = ((const struct proof_service *)a)->service;
	uint64_t y = ((const struct proof_service *)b)->service;

	return (x > y) - (x < y);
}

typedef int read_part(struct proof_page *p, struct lookup *l);

static int read_node(struct proof_page *p, struct lookup *l)
{
	memcpy(&l->node, &p->node, sizeof(l->node));
	return 0;
}

static int read_vip(struct proof_page *p, struct lookup *l)
{
	size_t n = p->node.n_vips < p->max_vips ? p->node.n_vips : p->max_vips;
	const struct proof_vip *row = bsearch(&l->vip, proof_page_vips(p), n, sizeof(*row), by_vip);

	if (row)
		memcpy(&l->vip, row, sizeof(l->vip));
	return row ? 0 : -ENOENT;
}

static int read_service(struct proof_page *p, struct lookup *l)
{
	size_t n = p->node.n_services < p->max_services ? p->node.n_services : p->max_services;
	const struct proof_service *row =
	        bsearch(&l->service, proof_page_services(p), n, sizeof(*row), by_service);

	if (row)
		memcpy(&l->service, row, sizeof(l->service));
	return row ? 0 : -ENOENT;
}

static bool is_within(const struct proof *p, const struct proof_page *page)
{
	return page_size(p->page) >= proof_page_bytes(page->max_vips, page->max_services);
}

/*
 * Repeat @p part until the page did not change during it. The key is put back before each try: a
 * torn row may have overwritten it.
 */
static int read_consistent(const struct proof *p, read_part *part, struct lookup *l)
{
	struct proof_page *page = page_payload(p->page);
	const struct lookup key = *l;

	if (page_is_replaced(p->page))
		return -ESTALE;
	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);
		int got;

		*l = key;
		got = is_within(p, page) ? part(page, l) : -EPROTO;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(seq & 1) && __atomic_load_n(&page->seq, __ATOMIC_RELAXED) == seq)
			return page_is_sound(p->page) ? got : -ESTALE;
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	return -EAGAIN;
}

/* Whether @p at_ms is more than @p limit_ms before @p now_ms; both clocks are one machine's. */
static bool is_old(uint64_t at_ms, uint64_t now_ms, uint64_t limit_ms)
{
	return now_ms > at_ms && now_ms - at_ms > limit_ms;
}

int proof_node(const struct proof *p, uint64_t now_ms, struct proof_node *out)
{
	struct lookup l = { 0 };
	int err = read_consistent(p, read_node, &l);

	if (err)
		return err;
	l.node.alive_ms = page_header(p->page)->alive_ms;
	l.node.writer_pid = page_header(p->page)->writer_pid;
	l.node.driver[PROOF_DRIVER_MAX - 1] = 0;
	l.node.n_ports = l.node.n_ports < PROOF_PORTS_MAX ? l.node.n_ports : PROOF_PORTS_MAX;
	for (uint32_t i = 0; i < l.node.n_ports; i++)
		l.node.ports[i].interface[PROOF_INTERFACE - 1] = 0;
	if (is_old(l.node.alive_ms, now_ms, PROOF_OLD_MS)) {
		l.node.document = 0;
		l.node.state_arrived = PROOF_UNKNOWN;
		l.node.hops_needed = l.node.hops_known = 0;
		for (uint32_t i = 0; i < l.node.n_ports; i++)
			l.node.ports[i].up = l.node.ports[i].attached = PROOF_UNKNOWN;
	}
	*out = l.node;
	return 0;
}

int proof_vip(const struct proof *p, const char *vip, const struct addr *address, uint64_t now_ms,
              struct proof_vip *out)
{
	struct lookup l = { .vip = { .vip = hash_text(vip), .address = *address } };
	int err = read_consistent(p, read_vip, &l);
	bool is_silent;

	if (err)
		return err;
	is_silent = is_old(page_header(p->page)->alive_ms, now_ms, PROOF_OLD_MS);
	if (is_silent || (l.vip.state == PROOF_STATE_FORWARDED &&
	                  is_old(l.vip.proved_ms, now_ms, PROOF_VIP_OLD_MS))) {
		l.vip.state = PROOF_STATE_UNKNOWN;
		l.vip.reason = PROOF_REASON_NONE;
	}
	if (is_silent)
		l.vip.n_services = l.vip.n_serving = l.vip.n_reachable = 0;
	*out = l.vip;
	return 0;
}

int proof_service(const struct proof *p, const char *service, struct proof_service *out)
{
	struct lookup l = { .service = { .service = hash_text(service) } };
	int err = read_consistent(p, read_service, &l);

	if (!err)
		*out = l.service;
	return err;
}

const char *proof_state_text(enum proof_state state)
{
	static const char *const texts[] = { "unknown", "forwarded", "refused" };

	return state <= PROOF_STATE_REFUSED ? texts[state] : texts[0];
}

const char *proof_fact_text(enum proof_fact fact)
{
	static const char *const texts[] = { "unknown", "no", "yes" };

	return fact <= PROOF_YES ? texts[fact] : texts[0];
}

const char *proof_reason_text(uint8_t reason)
{
	static const char *const labels[FWD_REASON_COUNT] = {
#define LABEL(name, kind, label, text) [FWD_REASON_##name] = label,
		FWD_REASONS(LABEL)
#undef LABEL
	};
	static const char *const own[] = {
		[PROOF_REASON_NONE - PROOF_REASON_NONE] = "",
		[PROOF_REASON_PROGRAM - PROOF_REASON_NONE] = "program",
		[PROOF_REASON_OUTPUT - PROOF_REASON_NONE] = "output",
		[PROOF_REASON_STALLED - PROOF_REASON_NONE] = "stalled",
	};

	if (reason < FWD_REASON_COUNT)
		return labels[reason];
	if (reason >= PROOF_REASON_NONE && reason <= PROOF_REASON_STALLED)
		return own[reason - PROOF_REASON_NONE];
	return "";
}
