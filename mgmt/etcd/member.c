/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One multi handle keeps the connections to all members. A member is left after any failure, also
 * one that is only slow: the next read or write finds a better one, and the slow one has its turn
 * again after the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/plain.h"
#include "mgmt/etcd/gateway_internal.h"

#define WAIT_MS  (ETCD_STOP_MS / 2) /* between two looks at the stop flag */
#define PAUSE_MS 100u               /* before members that have all failed are tried again */

const char *etcd_gateway_member(const struct etcd_gateway *g)
{
	return g->settings.endpoints[g->current];
}

void etcd_gateway_expect(struct etcd_gateway *g, uint64_t cluster_id)
{
	if (g->settings.cluster_id != cluster_id)
		memset(g->is_checked, 0, sizeof(g->is_checked));
	g->settings.cluster_id = cluster_id;
	g->foreign = 0;
}

uint64_t etcd_gateway_foreign(const struct etcd_gateway *g)
{
	return g->foreign;
}

unsigned etcd_gateway_limit_ms(const struct etcd_gateway *g)
{
	return g->settings.limit_ms ? g->settings.limit_ms : ETCD_WRITE_MS;
}

bool etcd_gateway_is_stopped(const struct etcd_gateway *g)
{
	return g->stop && atomic_load_explicit(g->stop, memory_order_relaxed);
}

int etcd_gateway_fail(struct etcd_gateway *g, int err, const char *text)
{
	char line[ETCD_URL_MAX + ETCD_REASON_MAX + 8];

	snprintf(line, sizeof(line), "%s: %s", etcd_gateway_member(g), text);
	plain_copy(g->reason, sizeof(g->reason), line);
	return err;
}

void etcd_gateway_run(struct etcd_gateway *g, uint64_t until_ms)
{
	uint64_t now_ms = clock_mono_ms(), left_ms = until_ms > now_ms ? until_ms - now_ms : 0;

	etcd_transfer_run(g->multi, left_ms < WAIT_MS ? (unsigned)left_ms : WAIT_MS);
}

void etcd_gateway_leave(struct etcd_gateway *g)
{
	g->current = (g->current + 1) % g->settings.n_endpoints;
	g->n_left++;
	if (g->n_left % g->settings.n_endpoints)
		return;
	for (uint64_t end_ms = clock_mono_ms() + PAUSE_MS;
	     clock_mono_ms() < end_ms && !etcd_gateway_is_stopped(g);)
		etcd_gateway_run(g, end_ms);
}

int etcd_gateway_judge(struct etcd_gateway *g, int err, const char *reason,
                       const struct etcd_header *header)
{
	char text[ETCD_REASON_MAX];

	if (err)
		return etcd_gateway_fail(g, err, reason);
	if (!g->settings.cluster_id || !header->cluster_id ||
	    header->cluster_id == g->settings.cluster_id)
		return 0;
	g->foreign = header->cluster_id;
	snprintf(text, sizeof(text), "this is cluster %llx, not %llx",
	         (unsigned long long)header->cluster_id,
	         (unsigned long long)g->settings.cluster_id);
	return etcd_gateway_fail(g, -EBADMSG, text);
}

/* What is reported if no other member says something else. */
static int err_of_error(const struct etcd_error *error)
{
	switch (etcd_try_of_error(error)) {
	case ETCD_TRY_TOKEN:
		return -EACCES;
	case ETCD_TRY_FULL:
		return -ENOSPC;
	default:
		break;
	}
	switch (error->code) {
	case ETCD_CODE_NONE:
		return -EBADMSG;
	case ETCD_CODE_INVALID:
	case ETCD_CODE_PRECONDITION:
		return -EINVAL;
	case ETCD_CODE_NOT_FOUND:
		return -ENOENT;
	case ETCD_CODE_PERMISSION:
		return -EACCES;
	case ETCD_CODE_OUT_OF_RANGE: /* compacted, or to come */
		return strstr(error->text, "compacted") ? -ESTALE : -EINVAL;
	default:
		return -EHOSTUNREACH;
	}
}

static int fail_with_error(struct etcd_gateway *g, const struct etcd_error *error)
{
	char text[ETCD_REASON_MAX];
	bool is_off = error->code == ETCD_CODE_NONE && error->status == 404;

	snprintf(text, sizeof(text), "HTTP status %ld: %s%.180s", error->status,
	         is_off ? "its JSON gateway is off, or this is no etcd: " : "", error->text);
	return etcd_gateway_fail(g, err_of_error(error), text);
}

/* One request with the token at hand. @return as etcd_gateway_try_as_user() */
static enum etcd_try try_with_token(struct etcd_gateway *g, const struct etcd_request *request,
                                    uint64_t end_ms, int *err)
{
	struct etcd_transfer *t = &g->transfer;
	struct etcd_error error;
	uint64_t now_ms = clock_mono_ms();

	if (now_ms >= end_ms) { /* the reason of the try before stays */
		*err = -EHOSTUNREACH;
		return ETCD_TRY_NOT_SENT;
	}
	unsigned left_ms =
	        end_ms - now_ms < ETCD_REQUEST_MS ? (unsigned)(end_ms - now_ms) : ETCD_REQUEST_MS;

	*err = etcd_transfer_begin(t, g->multi, etcd_gateway_member(g), request, g->token, left_ms);
	if (*err) {
		etcd_gateway_fail(g, *err, "the request cannot begin");
		etcd_transfer_end(t);
		return ETCD_TRY_NOT_SENT;
	}
	while (t->is_running && !etcd_gateway_is_stopped(g))
		etcd_gateway_run(g, UINT64_MAX);
	bool is_stopped = t->is_running;

	etcd_transfer_end(t);
	if (is_stopped || t->err) {
		g->is_checked[g->current] = false;
		*err = etcd_gateway_fail(g, is_stopped ? -ECANCELED : -EHOSTUNREACH,
		                         is_stopped ? "stopped" : t->failure);
		return etcd_transfer_is_sent(t) ? ETCD_TRY_UNCLEAR : ETCD_TRY_NOT_SENT;
	}
	if (etcd_answer_error(t->status, t->bytes ? t->bytes : "", t->n, &error)) {
		g->is_checked[g->current] = false;
		*err = fail_with_error(g, &error);
		return etcd_try_of_error(&error);
	}
	*err = 0;
	return ETCD_TRY_SUCCEEDED;
}

/*
 * etcd has no users by certificate through the gateway: a token is got for user and password, and
 * goes with each request. A token ends when it was not used for minutes, when its member starts
 * again, or when users change. The password is read from its file each time, so that it may be
 * replaced, and is not kept.
 */

/* @return the bytes that were read, or -EPERM (readable by others, or no regular file) or -errno */
static ssize_t read_secret(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	ssize_t n = -EPERM;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !(st.st_mode & (S_IRWXG | S_IRWXO))) {
		n = read(fd, out, size);
		n = n < 0 ? -errno : n;
	}
	close(fd);
	return n;
}

/* The first line of the password's file. @return 0, or -EACCES, noted */
static int read_password(struct etcd_gateway *g, char password[ETCD_PASSWORD_MAX])
{
	const char *path = g->settings.password_file;
	char text[ETCD_REASON_MAX];
	ssize_t n = read_secret(path, password, ETCD_PASSWORD_MAX);

	if (n > 0 && n < (ssize_t)ETCD_PASSWORD_MAX) {
		password[n] = '\0';
		password[strcspn(password, "\r\n")] = '\0';
		if (password[0])
			return 0;
	}
	snprintf(text, sizeof(text), "the password's file %.150s %s", path,
	         n == -EPERM ? "is readable by others, or no file"
	         : n < 0     ? strerror((int)-n)
	                     : "is empty or too long");
	explicit_bzero(password, ETCD_PASSWORD_MAX);
	return etcd_gateway_fail(g, -EACCES, text);
}

static int make_login(struct etcd_gateway *g, struct etcd_request *out)
{
	char password[ETCD_PASSWORD_MAX], reason[ETCD_REASON_MAX];
	int err = read_password(g, password);

	if (err)
		return err;
	err = etcd_request_authenticate(g->settings.user, password, out, reason);
	explicit_bzero(password, sizeof(password));
	return err ? etcd_gateway_fail(g, err, reason) : 0;
}

/* Get a token from the current member; the outcome as try_with_token()'s. */
static enum etcd_try fetch_token(struct etcd_gateway *g, uint64_t end_ms, int *err)
{
	struct etcd_request request;
	struct etcd_header header;
	char reason[ETCD_REASON_MAX];

	g->token[0] = '\0';
	*err = make_login(g, &request);
	if (*err)
		return ETCD_TRY_REJECTED;
	enum etcd_try outcome = try_with_token(g, &request, end_ms, err);

	etcd_request_fini(&request);
	if (outcome == ETCD_TRY_REJECTED)
		*err = -EACCES; /* "invalid user ID or password" comes as an invalid argument */
	if (outcome != ETCD_TRY_SUCCEEDED) /* a login that gets lost has written nothing */
		return outcome == ETCD_TRY_REJECTED ? outcome : ETCD_TRY_NOT_SENT;
	*err = etcd_answer_authenticate(g->transfer.bytes, g->transfer.n, &header, g->token,
	                                reason);
	*err = etcd_gateway_judge(g, *err, reason, &header);
	if (!*err)
		return ETCD_TRY_SUCCEEDED;
	g->token[0] = '\0';
	return ETCD_TRY_NOT_SENT;
}

enum etcd_try etcd_gateway_try_as_user(struct etcd_gateway *g, const struct etcd_request *request,
                                       uint64_t end_ms, int *err)
{
	if (g->settings.user[0] && !g->token[0]) {
		enum etcd_try outcome = fetch_token(g, end_ms, err);

		if (outcome != ETCD_TRY_SUCCEEDED)
			return outcome;
	}
	enum etcd_try outcome = try_with_token(g, request, end_ms, err);

	if (outcome != ETCD_TRY_TOKEN)
		return outcome;
	g->token[0] = '\0';
	return g->settings.user[0] ? ETCD_TRY_TOKEN : ETCD_TRY_REJECTED;
}
