/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heads of all nodes are one list in the order in which they were heard, which is also the file, as JSON. The file has no
 * signature of its own: each head has one, by the node that it is of, and is judged by it where it is used.
 */
#include "mgmt/audit/heads.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/replace.h"
#include "mgmt/files/files.h"

#define HEADS_FILE "heads"
#define HEADS_MAX  ((size_t)AUDIT_HEADS_NODES * AUDIT_HEADS_PER_NODE)

struct audit_heads {
	char path[PATH_MAX];
	pthread_mutex_t lock;
	struct audit_head *heads; /* in the order in which they were heard */
	size_t n, room;
	bool is_unsaved;
	char stranger[AUDIT_KEY_MAX]; /* the last key that was not followed */
};

static bool add_head(struct audit_heads *h, const struct audit_head *head)
{
	if (h->n == h->room) {
		size_t room = h->room ? 2 * h->room : AUDIT_HEADS_PER_NODE;
		struct audit_head *heads = realloc(h->heads, room * sizeof(*heads));

		if (!heads)
			return false;
		h->heads = heads;
		h->room = room;
	}
	h->heads[h->n++] = *head;
	return true;
}

static void remove_at(struct audit_heads *h, size_t i)
{
	memmove(h->heads + i, h->heads + i + 1, (--h->n - i) * sizeof(h->heads[0]));
}

/* What is no head is passed over: with fewer heads less is proved, and nothing wrongly. */
static void read_heads(struct audit_heads *h, const char *text)
{
	json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		struct audit_head head = { .seq = 0 };

		if (h->n < HEADS_MAX && !record_from_json(&audit_head_record, one, &head, NULL) &&
		    !add_head(h, &head))
			break;
	}
	json_decref(list);
}

struct audit_heads *audit_heads_open(const char *dir)
{
	struct audit_heads *h = memory_must(calloc(1, sizeof(*h)));
	char *text = NULL;
	size_t n;

	snprintf(h->path, sizeof(h->path), "%.*s/" HEADS_FILE, PATH_MAX - 64, dir);
	pthread_mutex_init(&h->lock, NULL);
	if (!files_slurp(h->path, &text, &n))
		read_heads(h, text);
	free(text);
	return h;
}

void audit_heads_free(struct audit_heads *h)
{
	if (!h)
		return;
	pthread_mutex_destroy(&h->lock);
	free(h->heads);
	free(h);
}

/* The heads of a node, by their place. */
struct heads_list {
	size_t at[AUDIT_HEADS_PER_NODE], n;
};

static void list_heads(const struct audit_heads *h, const char *node, struct heads_list *out)
{
	out->n = 0;
	for (size_t i = 0; i < h->n && out->n < AUDIT_HEADS_PER_NODE; i++)
		if (!strcmp(h->heads[i].node, node))
			out->at[out->n++] = i;
}

/*
 * The head between @p first and @p end without which the gap is smallest for its age, so gaps double towards the past; not one from
 * which the log went back. 0: there is none.
 */
static size_t choose_between(const struct audit_heads *h, const struct heads_list *list,
                             size_t first, size_t end)
{
	uint64_t newest = h->heads[list->at[end]].seq;
	double least = 0;
	size_t chosen = 0;

	for (size_t i = first + 1; i < end; i++) {
		const struct audit_head *head = &h->heads[list->at[i]];
		uint64_t from = h->heads[list->at[i - 1]].seq, to = h->heads[list->at[i + 1]].seq;
		double gap = to > from ? (double)(to - from) : 0;
		double age = newest > head->seq ? (double)(newest - head->seq) : 0;

		if (!head->went_back && (!chosen || gap / (age + 1) < least)) {
			chosen = i;
			least = gap / (age + 1);
		}
	}
	return chosen;
}

/*
 * Which head of a full list goes: not the first, nor the last. Once the log went back, those up to the first step keep half of the
 * room, the head at that step among them; behind it the newest goes where all went back.
 */
static size_t choose_superfluous(const struct audit_heads *h, const struct heads_list *list)
{
	size_t step = 0, chosen = 0;

	while (step + 1 < list->n && !h->heads[list->at[step]].went_back)
		step++;
	if (step >= AUDIT_HEADS_PER_NODE / 2)
		chosen = choose_between(h, list, 0, step);
	else
		chosen = choose_between(h, list, step, list->n - 1);
	return list->at[chosen ? chosen : list->n - 2];
}

/* The log went back: to a lower number, or to another line with the same one. */
static bool is_behind(const struct audit_head *head, const struct audit_head *last)
{
	return head->seq < last->seq ||
	       (head->seq == last->seq && strcmp(head->hash, last->hash) != 0);
}

/* One that is kept comes again where another node says it late: it is no step back. */
static bool is_kept(const struct audit_heads *h, const struct heads_list *list,
                    const struct audit_head *head)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct audit_head *kept = &h->heads[list->at[i]];

		if (kept->seq == head->seq && !strcmp(kept->hash, head->hash))
			return true;
	}
	return false;
}

/* It comes each minute; it is said when it is another one than before. Under the lock. */
static void note_stranger(struct audit_heads *h, const struct audit_head *head,
                          const struct audit_head *last)
{
	if (!strcmp(h->stranger, head->key))
		return;
	memcpy(h->stranger, head->key, sizeof(h->stranger));
	log_warn("audit-other-key",
	         "node=%s key=%.16s known=%.16s effect=\"its heads are not kept\" do=\"weir audit "
	         "verify at that node\"",
	         head->node, head->key, last->key);
}

/* Under the lock. */
static void keep_head(struct audit_heads *h, const struct audit_head *head)
{
	struct heads_list list;

	list_heads(h, head->node, &list);
	struct audit_head *last = list.n ? &h->heads[list.at[list.n - 1]] : NULL;
	if (is_kept(h, &list, head))
		return;
	if (last && !audit_head_follows(head, last->key)) {
		note_stranger(h, head, last);
		return;
	}
	if (last && is_behind(head, last)) {
		log_warn("audit-went-back",
		         "node=%s from=%" PRIu64 " to=%" PRIu64
		         " do=\"weir audit verify at that node\"",
		         head->node, last->seq, head->seq);
		last->went_back = true;
	}
	if (list.n == AUDIT_HEADS_PER_NODE)
		remove_at(h, choose_superfluous(h, &list));
	else if (h->n >= HEADS_MAX)
		remove_at(h, 0);
	h->is_unsaved |= add_head(h, head);
}

bool audit_heads_hear(struct audit_heads *h, const char *node, const json_t *said)
{
	struct audit_head head = { .seq = 0 };

	if (record_from_json(&audit_head_record, said, &head, NULL) || !head.seq ||
	    strcmp(head.node, node) != 0 || !audit_head_is_signed(&head))
		return false;
	head.went_back = false; /* which is for this node to say */
	if (!h)
		return true;
	pthread_mutex_lock(&h->lock);
	keep_head(h, &head);
	pthread_mutex_unlock(&h->lock);
	return true;
}

json_t *audit_heads_json(struct audit_heads *h, const char *node)
{
	json_t *list = json_array();

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->n; i++)
		if (!node || !strcmp(h->heads[i].node, node))
			json_array_append_new(list, record_shown(&audit_head_record, &h->heads[i]));
	pthread_mutex_unlock(&h->lock);
	return list;
}

/* What is to be saved is noted as saved before it is written: a head that comes meanwhile asks for another save. */
int audit_heads_save(struct audit_heads *h)
{
	pthread_mutex_lock(&h->lock);
	bool needs = h->is_unsaved;
	h->is_unsaved = false;
	pthread_mutex_unlock(&h->lock);
	if (!needs)
		return 0;
	json_t *list = audit_heads_json(h, NULL);
	char *text = json_dumps(list, JSON_INDENT(1));
	int err = text ? replace_file(h->path, S_IRUSR | S_IWUSR, text, strlen(text),
	                              REPLACE_SYNC_NAME)
	               : -ENOMEM;

	json_decref(list);
	free(text);
	if (err) {
		pthread_mutex_lock(&h->lock);
		h->is_unsaved = true;
		pthread_mutex_unlock(&h->lock);
	}
	return err;
}
