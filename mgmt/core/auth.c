/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mode of the UNIX socket decides who may connect; the credentials of the other end only
 * choose between admin and operator. Over TCP, the token of a request is hashed and compared with
 * each line of CONF/tokens; without a token, the names of the client's certificate are. Secrets are compared in constant time. Both
 * files are read for each request, so that who was revoked is refused at once. What cannot be found out for a
 * shortage lets nobody in, and says nothing against who asks.
 */
#include "mgmt/core/auth.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/proc.h"
#include "mgmt/audit/log.h"
#include "mgmt/core/core.h"
#include "mgmt/files/digest.h"
#include "mgmt/files/files.h"
#include "mgmt/store/tokens.h"

#define PEER_TOKEN_FILE "peer.token" /* the same on all nodes */

static const struct {
	const char *name;
	enum http_role role;
} roles[] = {
	{ "viewer", HTTP_VIEWER }, { "oncall", HTTP_ONCALL },   { "operator", HTTP_OPERATOR },
	{ "admin", HTTP_ADMIN },   { "metrics", HTTP_METRICS }, { "peer", HTTP_PEER },
};

static enum http_role role_of(const char *name)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (!strcmp(roles[i].name, name))
			return roles[i].role;
	return HTTP_NO_ROLE;
}

/* The other processes are in group weir because of their own sockets; they do not use the API. */
static bool is_sibling(const char *user)
{
	static const char *const siblings[] = { "weir-dataplane", "weir-health", "weir-dns",
		                                "weir-announce" };

	for (size_t i = 0; i < sizeof(siblings) / sizeof(siblings[0]); i++)
		if (!strcmp(user, siblings[i]))
			return true;
	return false;
}

#define NAMES_MAX       16u    /* users; with more, whose name is to be looked up next gives way */
#define NAMES_KEPT_MS   60000u /* so long a user who was renamed keeps the old name */
#define NAMES_FAILED_MS 10000u /* from one failed look-up, which may take seconds, to the next */
#define ENTRY_MAX       (1u << 18) /* bytes of a user's entry */

/* A user that was looked up. */
struct auth_name {
	uid_t uid;
	bool is_known;
	uint64_t until_ms; /* 0: of nobody */
	char name[64];
};

/* The row of @p uid, or the one that is to be looked up next. */
static struct auth_name *find_name(struct auth_name names[NAMES_MAX], uid_t uid)
{
	struct auth_name *next = &names[0];

	for (size_t i = 0; i < NAMES_MAX; i++) {
		if (names[i].until_ms && names[i].uid == uid)
			return &names[i];
		if (names[i].until_ms < next->until_ms)
			next = &names[i];
	}
	return next;
}

/* @return 0 or what getpwuid_r() says; a user without a name is known by the number */
static int look_up_name(uid_t uid, char out[64])
{
	struct passwd pw, *found = NULL;
	int err = ERANGE;

	for (size_t n = 4096; err == ERANGE && n <= ENTRY_MAX; n *= 4) {
		char *text = malloc(n);

		err = text ? getpwuid_r(uid, &pw, text, n, &found) : ENOMEM;
		if (!err && found)
			snprintf(out, 64, "%.63s", found->pw_name);
		free(text);
	}
	if (err == ENOENT || err == ESRCH)
		err = 0; /* there is none */
	if (!err && !found)
		snprintf(out, 64, "uid-%u", (unsigned)uid);
	return err;
}

/*
 * Name a user from a small cache: a look-up may ask a directory service, and the thread that waits
 * serves all connections. While look-ups fail, a name that was found stays.
 * @return whether it is known; else @p out is the number
 */
static bool name_user(uid_t uid, char out[64])
{
	static struct auth_name names[NAMES_MAX];
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	struct auth_name *n = find_name(names, uid);
	if (n->uid != uid || clock_mono_ms() >= n->until_ms) {
		bool was_known = n->uid == uid && n->is_known;
		int err = look_up_name(uid, n->name);

		if (err && !was_known)
			snprintf(n->name, sizeof(n->name), "uid-%u", (unsigned)uid);
		n->is_known = !err || was_known;
		n->uid = uid;
		n->until_ms = clock_mono_ms() + (err ? NAMES_FAILED_MS : NAMES_KEPT_MS);
	}
	bool is_known = n->is_known;
	memcpy(out, n->name, sizeof(n->name));
	pthread_mutex_unlock(&lock);
	return is_known;
}

/*
 * The mode of the socket (0660) lets in root and group weir; only Weir's own processes are
 * refused here.
 */
void auth_local(struct core *core, int fd, const char *authorization, struct http_request *request)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(peer);

	(void)core;
	(void)authorization;
	snprintf(request->source, sizeof(request->source), "socket");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
		return;
	bool is_admin = peer.uid == 0 || peer.uid == geteuid();
	bool is_known = name_user(peer.uid, request->principal);

	snprintf(request->identity, sizeof(request->identity), "user:%s", request->principal);
	request->unjudged = !is_admin && !is_known;
	if (is_admin)
		request->role = HTTP_ADMIN;
	else if (is_known && !is_sibling(request->principal))
		request->role = HTTP_OPERATOR;
	/* root may be anybody, a user is one person */
	if (request->role == HTTP_OPERATOR)
		snprintf(request->person, sizeof(request->person), "%s", request->principal);
}

/* A line that is looked for. */
struct token_search {
	const char *digest; /* "": a request without a token */
	const struct http_tls_client *client;
	struct tokens_entry *found;
	bool is_found, is_named; /* is_named: no later line can be nearer */
};

static bool names_client(const struct tokens_entry *entry, const struct http_tls_client *client)
{
	for (size_t i = 0; i < client->n; i++)
		if (!strcmp(entry->key, client->names[i]))
			return true;
	return false;
}

/* Whether the line is that of the request: by name, or, until one is found by name, the one of all. */
static bool matches_search(const struct token_search *s, const struct tokens_entry *entry,
                           bool *is_named)
{
	if (*s->digest)
		*is_named = strlen(entry->key) == DIGEST_TEXT_MAX - 1 &&
		            !CRYPTO_memcmp(entry->key, s->digest, DIGEST_TEXT_MAX - 1);
	else
		*is_named = names_client(entry, s->client);
	return *is_named || (!*s->digest && !s->is_found && !strcmp(entry->key, "*"));
}

/* The first line with the token, or with a name of the client's, decides. */
static void compare_token(void *arg, size_t line, const struct tokens_entry *entry,
                          const char *err_text)
{
	struct token_search *s = arg;

	(void)line;
	(void)err_text;
	bool is_named;

	if (!entry || s->is_named || !matches_search(s, entry, &is_named))
		return;
	s->is_found = true;
	s->is_named = is_named;
	*s->found = *entry;
}

bool auth_find(const char *tokens, size_t n, const char *token,
               const struct http_tls_client *client, struct tokens_entry *out)
{
	char digest[DIGEST_TEXT_MAX] = "";
	struct token_search s = { .digest = digest, .client = client, .found = out };

	if (*token)
		digest_bytes(token, strlen(token), digest);
	(void)tokens_scan(tokens, n, compare_token, &s);
	return s.is_found;
}

/*
 * The answer says why to who has the token: from elsewhere first, as a stolen one is not to show whether it would do
 * elsewhere. A request without a token is of nobody in any case.
 */
static const struct http_denial *find_denial(const struct tokens_entry *entry,
                                             const struct addr *from,
                                             const struct http_tls_client *client)
{
	static const struct http_denial elsewhere = { 403, "token-elsewhere",
		                                      "the token is not taken from this address" },
	                                ended = { 401, "token-ended", "the token has ended" },
	                                certificate_ended = {
		                                401, "certificate-ended",
		                                "the client's certificate has ended"
	                                };
	int64_t now_ms = clock_believed_ms();

	if (!tokens_is_from(entry, from))
		return &elsewhere;
	if (tokens_has_ended(entry, now_ms))
		return &ended;
	return tokens_is_certificate(entry->key) && now_ms >= client->end_ms ? &certificate_ended
	                                                                     : NULL;
}

/* Become who the line names, if it may be used now and from @p from; NULL: not known. */
static void use_entry(const struct tokens_entry *entry, const struct addr *from,
                      struct http_request *request)
{
	_Static_assert(SCOPE_MAX == HTTP_SCOPE_MAX, "a scope is kept whole");
	_Static_assert(sizeof(entry->person) == sizeof(request->person), "so is a person");
	_Static_assert(sizeof("token: ()") + TOKENS_BOTH_MAX <= HTTP_IDENTITY_MAX, "and a name");
	char identity[sizeof("token: ()") + sizeof(entry->name) + sizeof(entry->person)] = "";
	const char *kind = tokens_is_certificate(entry->key) ? "cert" : "token";
	bool has_person = *entry->person;

	snprintf(identity, sizeof(identity), "%s:%s%s%s%s", kind, entry->name,
	         has_person ? " (" : "", entry->person, has_person ? ")" : "");
	memcpy(request->identity, identity,
	       sizeof(request->identity)); /* the reader has a bound of both */
	request->denied = find_denial(entry, from, &request->client);
	if (request->denied)
		return; /* the audit log says whose token it is */
	request->role = role_of(entry->role);
	memcpy(request->principal, entry->name, sizeof(entry->name));
	memcpy(request->person, entry->person, sizeof(entry->person));
	request->is_scoped = entry->is_scoped;
	memcpy(request->scope, entry->scope, sizeof(entry->scope));
}

/* Whether a file may be readable in a moment; any other error is there until somebody mends it. */
static bool is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -EIO;
}

int auth_peer_token(const char *conf_dir, char out[HTTP_TEXT_MAX])
{
	char path[PATH_MAX], *text;
	size_t n;
	int err = proc_path(conf_dir, PEER_TOKEN_FILE, path);

	if (!err)
		err = files_slurp(path, &text, &n);
	if (is_shortage(err))
		return err;
	out[0] = '\0';
	if (err)
		return 0;
	n = strcspn(text, "\r\n");
	if (n >= 16 && n < HTTP_TEXT_MAX) {
		memcpy(out, text, n);
		out[n] = '\0';
	}
	free(text);
	return 0;
}

/*
 * The token of "Bearer TOKEN", or the password of "Basic ..." (so that a browser may ask for it).
 */
static void token_of(const char *authorization, char out[HTTP_TEXT_MAX])
{
	char plain[HTTP_TEXT_MAX] = "";

	out[0] = '\0';
	if (!authorization)
		return;
	if (!strncasecmp(authorization, "Bearer ", 7)) {
		if (strlen(authorization + 7) < HTTP_TEXT_MAX)
			snprintf(out, HTTP_TEXT_MAX, "%s", authorization + 7);
		return;
	}
	if (strncasecmp(authorization, "Basic ", 6) ||
	    files_base64_bytes(authorization + 6, plain, sizeof(plain) - 1) < 0)
		return;
	const char *colon = strchr(plain, ':');
	if (colon)
		snprintf(out, HTTP_TEXT_MAX, "%s", colon + 1);
}

/* @return whether it is known: a client that has gone has no address */
static bool read_peer(int fd, struct addr *out)
{
	struct sockaddr_storage at = { 0 };
	socklen_t n = sizeof(at);

	return !getpeername(fd, (struct sockaddr *)&at, &n) &&
	       !addr_from_sockaddr((const struct sockaddr *)&at, out, NULL);
}

/* Have the login on record; a token that is none may have been meant for another node. One that is right and was refused is named. */
static void note_login(struct core *core, const char *authorization, const struct http_request *r)
{
	struct audit_line line = { .kind = AUDIT_LOGIN };

	if ((!authorization && !r->client.n) || r->unjudged)
		return;
	memcpy(line.source, r->source, sizeof(line.source));
	snprintf(line.who, sizeof(line.who), "%s", r->identity);
	if (r->role == HTTP_NO_ROLE) {
		line.kind = AUDIT_BAD_LOGIN;
		line.status = r->denied ? r->denied->status : 401;
		snprintf(line.code, sizeof(line.code), "%s",
		         r->denied ? r->denied->code : "unauthorized");
	}
	audit_log_note(core->audit, &line);
}

static void judge_token(struct core *core, const struct addr *from, const char *authorization,
                        struct http_request *request)
{
	char token[HTTP_TEXT_MAX], peer[HTTP_TEXT_MAX] = "", path[PATH_MAX], *tokens = NULL;
	size_t n;

	request->is_scoped = false;
	request->denied = NULL;
	token_of(authorization, token);
	if (authorization && !*token)
		return; /* garbled is not anonymous: a line of the file may let anonymous clients in */
	bool lacks = auth_peer_token(core->dirs.conf, peer) && *token;
	if (*token && *peer && strlen(peer) == strlen(token) &&
	    !CRYPTO_memcmp(peer, token, strlen(peer))) {
		request->role = HTTP_PEER;
		snprintf(request->principal, sizeof(request->principal), "peer");
		snprintf(request->identity, sizeof(request->identity), "peer");
		return;
	}
	int err = proc_path(core->dirs.conf, TOKENS_FILE, path);
	if (!err)
		err = files_slurp(path, &tokens, &n);
	if (!err) {
		struct tokens_entry entry;

		if (auth_find(tokens, n, token, &request->client, &entry))
			use_entry(&entry, from, request);
		free(tokens);
	}
	request->unjudged =
	        request->role == HTTP_NO_ROLE && !request->denied && (lacks || is_shortage(err));
}

void auth_token(struct core *core, int fd, const char *authorization, struct http_request *request)
{
	struct addr from;
	bool is_known = read_peer(fd, &from);

	if (is_known)
		(void)addr_text(&from, request->source);
	judge_token(core, is_known ? &from : NULL, authorization, request);
	note_login(core, authorization, request);
}
