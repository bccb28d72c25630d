/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page has room for all from the start and is written whole: some 100 bytes an address, at most
 * ten times a second. It is a seqlock: the writer makes `seq` odd while it writes, so a reader
 * copies and compares. Counts are checked against the page's room, since a reader must not trust
 * the writer.
 */
#include "weir/announce.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/page.h"
#include "base/proc.h"

/* Tries of 20 us each: a write takes far less, unless the writer died in the middle of one. */
#define TRIES 1000

/* The page's payload. */
struct payload {
	uint32_t seq; /* odd while it is written */
	uint32_t reserved;
	struct announced_node node;
	struct announced_neighbour neighbours[ANNOUNCED_NEIGHBOURS_MAX];
	struct announced_address addresses[ANNOUNCED_MAX];
};

struct announced_page {
	struct page *page;
};

static struct payload *payload_of(const struct announced_page *p)
{
	return page_payload(p->page);
}

static int open_page(const char *run_dir, bool writes, struct announced_page **out)
{
	static const struct page_form form = { ANNOUNCED_PAGE_FILE, ANNOUNCED_PAGE_KIND,
		                               ANNOUNCED_PAGE_LAYOUT, sizeof(struct payload),
		                               "announce" };
	struct announced_page *p = calloc(1, sizeof(*p));
	char path[PATH_MAX];
	int err = p ? proc_path(run_dir, form.file, path) : -ENOMEM;

	if (!err)
		err = writes ? page_create(path, form.kind, form.layout, form.least_bytes, &p->page)
		             : page_open_in(run_dir, &form, &p->page);
	if (err) {
		announced_close(p);
		return err;
	}
	*out = p;
	return 0;
}

int announced_create(const char *run_dir, struct announced_page **out)
{
	return open_page(run_dir, true, out);
}

int announced_open(const char *run_dir, struct announced_page **out)
{
	return open_page(run_dir, false, out);
}

void announced_close(struct announced_page *p)
{
	if (!p)
		return;
	page_close(p->page);
	free(p);
}

void announced_publish(struct announced_page *p, const struct announced_node *node,
                       const struct announced_address *addresses, size_t n,
                       const struct announced_neighbour *neighbours, size_t n_neighbours,
                       uint64_t now_ms)
{
	struct payload *to = payload_of(p);
	uint32_t seq = page_rows_begin(&to->seq);

	n = n < ANNOUNCED_MAX ? n : ANNOUNCED_MAX;
	n_neighbours =
	        n_neighbours < ANNOUNCED_NEIGHBOURS_MAX ? n_neighbours : ANNOUNCED_NEIGHBOURS_MAX;
	to->node = *node;
	to->node.alive_ms = now_ms;
	to->node.n_addresses = (uint32_t)n;
	to->node.n_neighbours = (uint32_t)n_neighbours;
	if (n)
		memcpy(to->addresses, addresses, n * sizeof(*addresses));
	if (n_neighbours)
		memcpy(to->neighbours, neighbours, n_neighbours * sizeof(*neighbours));
	page_rows_end(&to->seq, seq);
	page_alive(p->page, now_ms);
	page_publish(p->page);
}

void announced_keep(struct announced_page *p)
{
	(void)page_repair(p->page); /* the next publication fills it again */
}

/* Texts of another process end within their room. */
static void end_texts(struct announced_node *node, struct announced_neighbour *neighbours)
{
	node->daemon[ANNOUNCED_TEXT_MAX - 1] = node->daemon_state[ANNOUNCED_TEXT_MAX - 1] =
	        node->version[ANNOUNCED_TEXT_MAX - 1] = '\0';
	node->problem[ANNOUNCED_PROBLEM_MAX - 1] = '\0';
	for (uint32_t i = 0; neighbours && i < node->n_neighbours; i++)
		neighbours[i].name[ANNOUNCED_TEXT_MAX - 1] = '\0';
}

int announced_read(const struct announced_page *p, struct announced_node *node,
                   struct announced_address *addresses, size_t n_max,
                   struct announced_neighbour *neighbours)
{
	const struct payload *from = payload_of(p);

	if (page_is_replaced(p->page))
		return -ESTALE;
	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = page_rows_seq(&from->seq);

		*node = from->node;
		if (node->n_addresses <= ANNOUNCED_MAX &&
		    node->n_neighbours <= ANNOUNCED_NEIGHBOURS_MAX) {
			size_t n = node->n_addresses < n_max ? node->n_addresses : n_max;

			if (n)
				memcpy(addresses, from->addresses, n * sizeof(*addresses));
			if (neighbours)
				memcpy(neighbours, from->neighbours, sizeof(from->neighbours));
		}
		if (page_rows_whole(&from->seq, seq)) {
			if (!page_is_sound(p->page))
				return -ESTALE;
			if (node->n_addresses > ANNOUNCED_MAX ||
			    node->n_neighbours > ANNOUNCED_NEIGHBOURS_MAX)
				return -EPROTO;
			end_texts(node, neighbours);
			return 0;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	return -EAGAIN;
}

/* Nobody else writes: this process has the page's lock. */
int announced_read_left(const struct announced_page *p, struct announced_node *node,
                        struct announced_address *addresses, size_t n_max)
{
	const struct payload *from = payload_of(p);
	size_t most = n_max < ANNOUNCED_MAX ? n_max : ANNOUNCED_MAX;

	if (!from->seq)
		return -ENOENT;
	*node = from->node;
	if (node->n_addresses > most)
		node->n_addresses = (uint32_t)most;
	node->n_neighbours = 0;
	memcpy(addresses, from->addresses, node->n_addresses * sizeof(*addresses));
	end_texts(node, NULL);
	return 0;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *label, *text;
} reasons[] = {
#define ROW(name, label, text) { label, text },
	ANNOUNCE_REASONS(ROW)
#undef ROW
};

static const struct {
	const char *label, *text, *action;
} facts[] = {
#define ROW(name, label, text, action) { label, text, action },
	ANNOUNCE_FACTS(ROW)
#undef ROW
};

const char *announce_reason_label(enum announce_reason reason)
{
	return (size_t)reason < COUNT(reasons) ? reasons[reason].label : "";
}

const char *announce_reason_text(enum announce_reason reason)
{
	return (size_t)reason < COUNT(reasons) ? reasons[reason].text : "";
}

const char *announce_fact_label(enum announce_fact fact)
{
	return (size_t)fact < COUNT(facts) ? facts[fact].label : "";
}

const char *announce_fact_text(enum announce_fact fact)
{
	return (size_t)fact < COUNT(facts) ? facts[fact].text : "";
}

const char *announce_fact_action(enum announce_fact fact)
{
	return (size_t)fact < COUNT(facts) ? facts[fact].action : "";
}

const char *announce_answer_label(enum announce_answer answer)
{
#define LABEL(name, label) label,
	static const char *const labels[] = { ANNOUNCE_ANSWERS(LABEL) };
#undef LABEL
	return (size_t)answer < COUNT(labels) ? labels[answer] : "";
}

const char *announce_table_label(enum announce_table table)
{
	static const char *const labels[] = { "none", "normal", "shutdown" };

	return (size_t)table < COUNT(labels) ? labels[table] : "";
}
