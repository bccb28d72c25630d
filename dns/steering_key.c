/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns may not read the cluster's hash key, so weir-mgmt derives the key for clients and writes
 * it to a file. Without that file (a node without weir-mgmt), and if the hash key may be read all
 * the same, the key is derived here: the result is the same.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "dns/generation.h"
#include "weir/placement.h"

/* Where a key was searched, and with what result. */
struct search {
	char path[PATH_MAX]; /* of weir-mgmt's file */
	int file_err, hash_err;
	struct placement found; /* in the file, or made of the hash key */
};

static bool is_key_of(const struct model *m, const struct placement *found)
{
	return !*m->meta.hash_key || !strcmp(found->derived_from, m->meta.hash_key);
}

/*
 * @return whether the key of @p m was found; if not, file_err and hash_err say why (0: there is
 * another key)
 */
static bool find_steering_key(const char *state_dir, const struct model *m, struct search *s)
{
	uint64_t hash_key[2];

	s->file_err = proc_path(state_dir, PLACEMENT_FILE, s->path);
	if (!s->file_err)
		s->file_err = placement_read(s->path, &s->found);
	if (!s->file_err && is_key_of(m, &s->found))
		return true;
	s->hash_err = model_key_read(m->hash_key_file, NULL, hash_key);
	if (s->hash_err)
		return false;
	placement_make(hash_key, &s->found);
	explicit_bzero(hash_key, sizeof(hash_key));
	return is_key_of(m, &s->found);
}

static const char *describe_key_file(int err)
{
	switch (err) {
	case 0:
		return "has another key than the version";
	case -ENOENT:
		return "does not exist";
	case -EPERM:
		return "does not belong to weir-mgmt";
	case -EBADMSG:
		return "is damaged";
	default:
		return strerror(-err);
	}
}

/*
 * What is wrong, for a person. A hash key that this user may not read is normal, and not
 * mentioned.
 */
static const char *describe_missing_key(const struct model *m, const struct search *s)
{
	const char *reason =
	        s->hash_err == -EACCES
	                ? arena_printf(m->arena, "%s %s; weir-mgmt writes it: see weir events",
	                               s->path, describe_key_file(s->file_err))
	                : arena_printf(m->arena,
	                               "%s %s, and %s %s; weir-mgmt writes the first when the "
	                               "second has the right key: see weir events",
	                               s->path, describe_key_file(s->file_err), m->hash_key_file,
	                               describe_key_file(s->hash_err));

	return reason ? reason : "out of memory";
}

static void install_key(const char *state_dir, struct model *m)
{
	struct search s = { 0 };

	if (find_steering_key(state_dir, m, &s)) {
		memcpy(m->hash_key, s.found.key, sizeof(m->hash_key));
		m->key_state = MODEL_KEY_GOOD;
	} else {
		m->key_fault = describe_missing_key(m, &s);
	}
	explicit_bzero(&s.found, sizeof(s.found));
}

int steering_key_read(const struct proc_dirs *dirs, const char *path,
                      const struct generation_how *how, struct model **out,
                      struct model_errors *errors)
{
	int err = model_read_without_key(path, dirs->node, out, errors);

	if (err)
		return err;
	install_key(dirs->state, *out);
	(void)model_key_keep(*out, how->before); /* without any, answers go by a key of zero */
	return 0;
}
