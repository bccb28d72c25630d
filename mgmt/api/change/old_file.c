/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Earlier versions are read one after the other, each under the lock for its files alone, and laid
 * out in a place of their own (STATE/base), which goes again.
 * They are read with the same reader as a configuration in force, and compared setting by setting
 * (mgmt/store/base.h); a version that cannot be read here is passed over.
 */
#include "mgmt/api/change/old_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/owner.h"
#include "base/plain.h"
#include "base/proc.h"
#include "mgmt/api/earlier.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/shared_intent.h"
#include "weir/json.h"

#define BASE_DIR "base" /* a directory below the state directory */

/* The versions from the head back, and the place of the base among them. */
struct history {
	struct version list[BASE_VERSIONS_MAX];
	size_t n, base;
	bool certain; /* the file says what it was made from */
};

static bool is_base_version(const struct version *v, uint64_t number, const char *digits)
{
	return v->number == number && !strncmp(v->digest, digits, strlen(digits));
}

/* The versions up to the one in force, newest first, without those that have ended. Under the lock. */
static size_t list_from_head(const struct core *core, struct version list[BASE_VERSIONS_MAX])
{
	const struct version_history *known = shared_intent_history(core->intent);
	const struct version *head = intent_head(core->intent);
	struct store *store = intent_store(core->intent);
	int n = store && head ? store_versions(store, head->number + 1, list, BASE_VERSIONS_MAX)
	                      : 0;

	return n > 0 ? history_drop_ended(known, head->number, list, (size_t)n) : 0;
}

/* Whether the base is a version that has ended: the file has changes of the one before it. */
static bool has_ended(struct core *core, uint64_t number, const char *digits)
{
	enum chain_mark mark = CHAIN_UNMARKED;

	core_lock(core);
	const struct version *v =
	        history_version(shared_intent_history(core->intent), number, &mark);
	bool is_ended = v && mark == CHAIN_ENDED && is_base_version(v, number, digits);
	core_unlock(core);
	return is_ended;
}

/*
 * Find the base. @return 0; -ENOENT: it is named, and not here; -EALREADY: there is nothing to
 * compare
 */
static int find_base_index(struct core *core, const struct old_file *from, struct history *h)
{
	char digits[17] = "";
	uint64_t number = 0;

	core_lock(core);
	h->n = list_from_head(core, h->list);
	core_unlock(core);
	h->certain = *from->base;
	if (!h->certain) {
		h->base = base_last_of(h->list, h->n, from->principal, from->author);
		if (h->base == h->n && h->n > 0)
			h->base = h->n - 1; /* never, or long ago: all that is looked at */
		return h->base == 0 || h->n == 0 ? -EALREADY : 0;
	}
	if (!base_read(from->base, &number, digits))
		return -ENOENT;
	while (h->base < h->n && !is_base_version(&h->list[h->base], number, digits))
		h->base++;
	if (h->base == h->n && has_ended(core, number, digits))
		for (h->base = 0; h->base < h->n && h->list[h->base].number > number;)
			h->base++;
	return h->base == h->n ? -ENOENT : h->base == 0 ? -EALREADY : 0;
}

/* Where earlier versions are laid out. */
static int make_base_dir(const struct core *core, char base_dir[PATH_MAX])
{
	int err = proc_path(core->dirs.state, BASE_DIR, base_dir);

	return err ? err : owner_directory(base_dir, 0700, "mgmt");
}

static struct model *read_earlier_version(struct core *core, const char *base_dir, uint64_t number)
{
	struct model_errors errors = { 0 };
	struct files files = { 0 };
	struct model *m = NULL;
	struct version v;

	if (!earlier_files(core, number, &v, &files) &&
	    earlier_model(core, base_dir, &files, &m, &errors))
		m = NULL;
	model_errors_free(&errors);
	files_fini(&files);
	return m;
}

/* A setting that the file takes back, and who made it so. */
#define SETTING_ROWS(X, t)                                                                         \
	X(t, const char *, path)                                                                   \
	X(t, const char *, kind)                                                                   \
	X(t, const char *, now)                                                                    \
	X(t, const char *, file)                                                                   \
	X(t, uint64_t, version)                                                                    \
	X(t, const char *, principal)                                                              \
	X(t, const char *, author)                                                                 \
	X(t, const char *, node)                                                                   \
	X(t, struct shown_time, time)                                                              \
	X(t, const char *, reason)
RECORD_SHOWN(setting_shown, "setting", SETTING_ROWS);

#define OLD_FILE_SHOWN_ROWS(X, t)                                                                  \
	X(t, const char *, base)                                                                   \
	X(t, bool, certain)                                                                        \
	X(t, size_t, n_reverted, .shown = "n_takes_back")                                          \
	X(t, json_t *, reverted, .shown = "takes_back", .each = &setting_shown_kind)
RECORD_ANSWER(old_file_shown, "old file", OLD_FILE_SHOWN_ROWS);

static json_t *setting_to_json(const struct plan_change *c, const struct version *by)
{
	const struct setting_shown shown = { .path = c->path,
		                             .kind = plan_kind_text(c->kind),
		                             .now = c->from,
		                             .file = c->to,
		                             .version = by->number,
		                             .principal = by->principal,
		                             .author = by->author,
		                             .node = by->node,
		                             .time = { by->time_ms },
		                             .reason = by->reason };

	return record_shown(&setting_shown_kind, &shown);
}

static json_t *reverted_to_json(const struct base_look *l, const struct change_plan *plan,
                                const struct history *h)
{
	char etag[HTTP_TEXT_MAX];
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_changes && json_array_size(list) < BASE_SHOWN_MAX; i++)
		if (l->marks[i].reverted)
			json_array_append_new(list,
			                      setting_to_json(&plan->changes[i],
			                                      &h->list[l->marks[i].version_index]));
	return SHOWN(old_file_shown, .base = version_etag_text(&h->list[h->base], etag),
	             .certain = h->certain, .n_reverted = l->n_reverted, .reverted = list);
}

/*
 * Compare with each version from the one before the head back to the base: a setting was taken
 * back only if one of them shows that it was changed since. Where the base is guessed, the file may be older than it: what
 * was changed since may have its value from before.
 */
static int compare_versions(struct core *core, const struct history *h,
                            const struct change_plan *plan, json_t **reverted)
{
	char base_dir[PATH_MAX];
	struct base_look l;
	int err = base_look_start(&l, plan, h->base);

	if (err)
		return err;
	err = make_base_dir(core, base_dir);
	if (err) { /* what is there is not ours: it stays */
		base_look_fini(&l);
		return err;
	}
	for (size_t i = 1; !err && i < h->n; i++) {
		if (i > h->base && (h->certain || !base_look_is_open(&l, plan)))
			break;
		struct model *m = read_earlier_version(core, base_dir, h->list[i].number);

		if (m)
			err = base_look_at(&l, plan, m, i, h->certain && i == h->base);
		model_free(m);
	}
	if (!err && l.n_reverted) {
		*reverted = reverted_to_json(&l, plan, h);
		err = -ESTALE;
	}
	base_look_fini(&l);
	files_remove_dir(base_dir);
	return err;
}

/* The base is not here: list what is known, as of a file without one. What came in between is not. */
static void list_known(struct core *core, struct history *h, const struct change_plan *plan,
                       json_t **reverted)
{
	h->certain = false;
	h->base = h->n > 0 ? h->n - 1 : 0;
	(void)!compare_versions(core, h, plan, reverted);
}

int old_file_check(struct core *core, const struct old_file *from,
                   const struct intent_candidate *candidate, json_t **reverted)
{
	struct history *h = MEMORY_NEW(struct history);
	int err = -EALREADY;

	if (!candidate->err && candidate->head && (*from->base || from->guess))
		err = find_base_index(core, from, h);
	if (err == -ENOENT && candidate->plan.n_changes == 0)
		err = 0; /* what is in force already takes nothing back: all nodes were restored from it */
	if (!err && candidate->plan.n_changes > 0)
		err = compare_versions(core, h, &candidate->plan, reverted);
	else if (err == -ENOENT)
		list_known(core, h, &candidate->plan, reverted);
	free(h);
	return err == -EALREADY ? 0 : err;
}

/*
 * One setting in words: what the version in force has, who set it, and what the file has. @return
 * bytes, as snprintf()
 */
static int describe_one(const json_t *item, char *out, size_t size)
{
	static const struct {
		const char *kind, *now, *file;
	} rows[] = { { "added", "was removed", "it" }, { "removed", "was added", "none" } };
	char now[96];
	const char *kind = json_text_of(item, "kind"), *file = json_text_of(item, "file");

	snprintf(now, sizeof(now), "is %s", json_text_of(item, "now"));
	plain_cut(now, sizeof(now));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].kind, kind)) {
			snprintf(now, sizeof(now), "%s", rows[i].now);
			file = rows[i].file;
		}
	return snprintf(out, size, "%s %s (version %lld by %s), the file has %s",
	                json_text_of(item, "path"), now,
	                (long long)json_integer_value(json_object_get(item, "version")),
	                json_text_of(item, "author"), file);
}

/* The first settings in words. */
static void describe_settings(const json_t *reverted, char *out, size_t size)
{
	const json_t *list = json_object_get(reverted, "takes_back"), *item;
	size_t i, used = 0;

	out[0] = '\0';
	json_array_foreach(list, i, item)
	{
		if (i < 3 && used + 2 < size && i > 0)
			used += (size_t)snprintf(out + used, size - used, "; ");
		if (i < 3 && used < size)
			used += (size_t)describe_one(item, out + used, size - used);
	}
	plain_cut(out, size);
}

void old_file_refuse(struct core *core, const struct old_file *from, int err, json_t *reverted,
                     struct http_reply *reply)
{
	const struct version *head = intent_head(core->intent);
	char settings[400];

	if (err == -ENOENT) {
		describe_settings(reverted, settings, sizeof(settings));
		http_problem(
		        reply, 412, "base-unknown",
		        "version %.40s, from which the file is said to be made, is not among the "
		        "last %u versions of this node (now at version %" PRIu64
		        "), so what others changed since is not known%s%s. Make the file again "
		        "from the version in force, or apply it with replace",
		        from->base, BASE_VERSIONS_MAX, head ? head->number : 0,
		        *settings ? " for certain; it takes back " : "", settings);
		json_object_update(reply->json, reverted);
		return;
	}
	if (err != -ESTALE) {
		http_problem(reply, err == -ENOMEM ? 503 : 500,
		             err == -ENOMEM ? "busy" : "internal",
		             "earlier versions cannot be read: %s", strerror(-err));
		return;
	}
	describe_settings(reverted, settings, sizeof(settings));
	http_problem(reply, 412, "old-file",
	             "the file takes back %lld setting%s changed since version %s, %s: %s",
	             (long long)json_integer_value(json_object_get(reverted, "n_takes_back")),
	             json_integer_value(json_object_get(reverted, "n_takes_back")) == 1 ? "" : "s",
	             json_get_text(reverted, "base"),
	             *from->base ? "from which it was made"
	                         : "its author's last, or the oldest that is compared",
	             settings);
	json_object_update(reply->json, reverted);
}
