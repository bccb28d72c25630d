/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etcd has no users by certificate through the gateway: a token is got for user and password, and
 * goes with each request. A token ends when it was not used for minutes, when its member starts
 * again, or when users change. The password is read from its file each time, so that it may be
 * replaced, and is not kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mgmt/etcd/gateway_internal.h"

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

/* Get a token from the current member; the outcome as etcd_gateway_try()'s. */
static enum etcd_try fetch_token(struct etcd_gateway *g, uint64_t end_ms, int *err)
{
	struct etcd_request request;
	struct etcd_header header;
	char reason[ETCD_REASON_MAX];

	g->token[0] = '\0';
	*err = make_login(g, &request);
	if (*err)
		return ETCD_TRY_REJECTED;
	enum etcd_try outcome = etcd_gateway_try(g, &request, end_ms, err);

	etcd_request_fini(&request);
	if (outcome == ETCD_TRY_REJECTED)
		*err = -EACCES; /* "invalid user ID or password" comes as an invalid argument */
	if (outcome != ETCD_TRY_SUCCEEDED) /* a login that gets lost has written nothing */
		return outcome == ETCD_TRY_REJECTED ? outcome : ETCD_TRY_NOT_SENT;
	*err = etcd_answer_authenticate(g->transfer.bytes, g->transfer.n, &header, g->token,
	                                reason);
	if (*err)
		etcd_gateway_fail(g, *err, reason);
	else
		*err = etcd_gateway_check_cluster(g, &header);
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
	enum etcd_try outcome = etcd_gateway_try(g, request, end_ms, err);

	if (outcome != ETCD_TRY_TOKEN)
		return outcome;
	g->token[0] = '\0';
	return g->settings.user[0] ? ETCD_TRY_TOKEN : ETCD_TRY_REJECTED;
}
