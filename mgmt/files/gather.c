/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of included files and zone files are found without reading the configuration as a
 * whole, because files must be gathered before that, even if it has errors. A name too many only
 * gathers a file too many; a file that is missed is reported when the configuration is read. The gathered files are laid out below STATE/config/DIGEST and read from there.
 */
#include "mgmt/files/gather.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/owner.h"
#include "base/proc.h"
#include "mgmt/files/blobs.h"
#include "mgmt/files/includes.h"

#define DEPTH_MAX 10 /* levels of @include: the reader refuses more than 8 (model/scan.h) */

struct gathering {
	const char *dir;
	struct files *files;
	unsigned depth;
};

static int gather_named(void *arg, const char *name, bool included)
{
	struct gathering *g = arg;

	if (files_find(g->files, name) || !model_file_name_ok(name))
		return 0; /* reading reports the error with its line */
	int err = included ? files_add_from(g->files, g->dir, name)
	                   : includes_gather(g->files, g->dir, name);
	if (err == -E2BIG || err == -ENOMEM)
		return err;
	if (err || !included || g->depth == DEPTH_MAX)
		return 0;
	struct files_text text;
	g->depth++;
	err = files_read(files_find(g->files, name), &text);
	if (!err)
		err = model_named_files(text.bytes, text.n, gather_named, g);
	files_read_end(&text);
	g->depth--;
	return err;
}

int gather_files(const char *dir, const char *main_name, struct files *out)
{
	struct files files = { 0 };
	struct gathering g = { dir, &files, 0 };
	char path[PATH_MAX], *text;
	size_t n;
	int err = proc_path(dir, main_name, path);

	if (!err)
		err = files_slurp(path, &text, &n);
	if (err)
		return err;
	err = files_add(&files, FILES_MAIN, text, n);
	if (!err)
		err = model_named_files(text, n, gather_named, &g);
	free(text);
	if (err) {
		files_fini(&files);
		return err;
	}
	*out = files;
	return 0;
}

int gather_dir(const char *state_dir, const char *digest, char out[PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s/" PROC_CONFIG_DIR "/%.64s", state_dir, digest) >=
	                       PATH_MAX
	               ? -ENAMETOOLONG
	               : 0;
}

/*
 * The newest version below @p parent that was laid out, but for @p digest. @return whether there
 * is one
 */
static bool find_earlier(const char *parent, const char *digest, char out[PATH_MAX])
{
	const struct dirent *entry;
	DIR *dir = opendir(parent);
	struct timespec newest = { 0 };
	bool found = false;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (strlen(entry->d_name) != DIGEST_TEXT_MAX - 1 ||
		    !strcmp(entry->d_name, digest) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISDIR(st.st_mode) ||
		    (found && (st.st_mtim.tv_sec < newest.tv_sec ||
		               (st.st_mtim.tv_sec == newest.tv_sec &&
		                st.st_mtim.tv_nsec < newest.tv_nsec))) ||
		    proc_path(parent, entry->d_name, out))
			continue;
		newest = st.st_mtim;
		found = true;
	}
	if (dir)
		closedir(dir);
	return found;
}

/*
 * Files that lie in the newest version or among the blobs are linked, so that thousands of
 * unchanged zones are not written again.
 */
static int lay_out_version(const struct files *files, const char *state_dir, char dir[PATH_MAX])
{
	char digest[DIGEST_TEXT_MAX], parent[PATH_MAX], laid_out[PATH_MAX], earlier[PATH_MAX];
	char blobs[PATH_MAX];
	struct files_like like = { 0 };
	int err = proc_path(state_dir, PROC_CONFIG_DIR, parent);

	if (!err)
		err = owner_directory(parent, 0750, "mgmt");
	if (!err)
		err = gather_dir(state_dir, files_digest(files, digest), laid_out);
	if (!err && find_earlier(parent, digest, earlier))
		like.earlier = earlier;
	if (!err && blobs_dir(state_dir, blobs))
		like.by_digest = blobs;
	if (!err)
		err = files_lay_out(files, laid_out, &like);
	if (!err && !realpath(laid_out, dir))
		err = -errno;
	return err;
}

/* Take "DIR/" out of a text: operators know their files by the names that they gave them. */
static void shorten_paths(char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	for (char *at = strstr(text, prefix); at; at = strstr(at, prefix))
		memmove(at, at + n, strlen(at + n) + 1);
}

static void shorten_errors(struct model_errors *errors, const char *dir)
{
	char prefix[PATH_MAX + 1];

	if (!errors->arena) /* out of memory: a fixed text */
		return;
	snprintf(prefix, sizeof(prefix), "%s/", dir);
	for (size_t i = 0; i < errors->n_items; i++) {
		char *file = arena_strdup(errors->arena, errors->items[i].file);
		char *message = arena_strdup(errors->arena, errors->items[i].message);

		if (!file || !message)
			return;
		shorten_paths(file, prefix);
		shorten_paths(message, prefix);
		errors->items[i].file = file;
		errors->items[i].message = message;
	}
}

static void shorten_said(struct zones_findings *said, const char *dir)
{
	char prefix[PATH_MAX + 1];

	snprintf(prefix, sizeof(prefix), "%s/", dir);
	for (size_t i = 0; i < said->n_warnings; i++) {
		char *text = arena_strdup(said->arena, said->warnings[i]);

		if (!text)
			return;
		shorten_paths(text, prefix);
		said->warnings[i] = text;
	}
}

/* Give zones the digests of their contents. */
static int add_zone_digests(struct model *m, const struct files *files, const char *dir)
{
	struct model_zone *zones = ARENA_ARRAY(m->arena, struct model_zone, m->n_zones + 1);
	char digest[DIGEST_TEXT_MAX];
	size_t n = strlen(dir);

	if (!zones)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_zones; i++) {
		const char *path = m->zones[i].file;
		bool below = !strncmp(path, dir, n) && path[n] == '/';
		int err = below ? includes_digest(files, path + n + 1, digest) : -ENOENT;

		if (err && err != -ENOENT)
			return err;
		zones[i] = m->zones[i];
		if (!err)
			zones[i].digest = arena_strdup(m->arena, digest);
	}
	m->zones = zones;
	return arena_failed(m->arena) ? -ENOMEM : 0;
}

int gather_model(const struct files *files, const char *state_dir, const char *conf_dir,
                 const char *node, struct model **out, struct model_errors *errors)
{
	return gather_keyed(files, state_dir, conf_dir, NULL, node, out, errors);
}

int gather_keyed(const struct files *files, const char *state_dir, const char *conf_dir,
                 const char *key_expected, const char *node, struct model **out,
                 struct model_errors *errors)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct model *m = NULL;
	int err = lay_out_version(files, state_dir, dir);

	*errors = (struct model_errors){ 0 };
	if (!err)
		err = proc_path(dir, FILES_MAIN, path);
	if (err)
		return err;
	err = model_read_laid_out(path, conf_dir, key_expected, node, &m, errors);
	shorten_errors(errors, dir);
	if (!err)
		err = add_zone_digests(m, files, dir);
	if (err) {
		model_free(m);
		return err;
	}
	*out = m;
	return 0;
}

int gather_check_zones(const struct model *m, const struct files *files, const char *state_dir,
                       const struct model *head, struct model_errors *errors,
                       struct zones_findings *said)
{
	char digest[DIGEST_TEXT_MAX], laid_out[PATH_MAX], dir[PATH_MAX];
	int err = gather_dir(state_dir, files_digest(files, digest), laid_out);

	if (!err && !realpath(laid_out, dir))
		err = -errno;
	if (!err) {
		err = zones_judge(m, head, errors, said);
		shorten_said(said, dir);
	}
	if (err == -EINVAL)
		shorten_errors(errors, dir);
	return err;
}

void gather_first_error(const struct model_errors *errors, char *out, size_t size)
{
	const struct model_error *m = errors->items;

	snprintf(out, size, "it cannot be read");
	if (errors->n_items && m->line)
		snprintf(out, size, "line %u: %s: %s", m->line, m->field, m->message);
	else if (errors->n_items)
		snprintf(out, size, "%s%s%s", m->field, *m->field ? ": " : "", m->message);
}

void gather_log_errors(const char *what, const struct model_errors *errors)
{
	model_errors_log(errors);
	log_error("document-refused", "document=%s n_errors=%zu", what, errors->n_total);
}
