/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One libcurl handle per request, over the Unix socket or TLS. A change's random Idempotency-Key lets it
 * be sent again after a broken connection: management changes nothing twice. Silence ends a request,
 * not its length: management at work sends an interim response each second (on_progress()).
 */
#include "mgmt/cli/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/owner.h"
#include "base/random.h"
#include "weir/json.h"

#define ANSWER_MAX  ((size_t)64 << 20) /* bytes; a status of all backends is far smaller */
#define HEADERS_MAX 512                /* bytes of one header line */
#define KEY_MAX     33u                /* 128 bits in hexadecimal, and a NUL */
#define BEARER_MAX  512                /* bytes of a header line with a token */
#define RETRY_MAX_S 3600u              /* longer than any that the API says */

/* Where the API is asked. */
struct endpoint {
	const char *name; /* the socket, or the URL */
	const struct api_server *server;
};

/* An answer while it arrives. */
struct answer {
	char *bytes;
	size_t n, room;
	char *etag;
	size_t etag_size;
	uint64_t heard_ms;       /* when something was received or sent last */
	uint64_t last_report_ms; /* when a line was last printed; 0: print none */
	uint64_t since_ms;       /* when the command began to wait */
	bool again;              /* the change is sent again; a line has said so */
	unsigned retry_s;        /* Retry-After */
	char doing[96];          /* management's present job, as it names it; "": none */
	curl_off_t sent;
};

/* Room doubles: a large answer comes in thousands of pieces. @return whether there is room for @p n bytes */
static bool make_room(struct answer *a, size_t n)
{
	size_t room = a->room ? a->room : 4096;
	char *more;

	while (room < n)
		room *= 2;
	if (room == a->room)
		return true;
	more = realloc(a->bytes, room);
	if (!more)
		return false;
	a->bytes = more;
	a->room = room;
	return true;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;

	a->heard_ms = clock_mono_ms();

	n *= size;
	if (a->n + n > ANSWER_MAX || !make_room(a, a->n + n + 1))
		return 0;
	memcpy(a->bytes + a->n, bytes, n);
	a->n += n;
	return n;
}

/* Weir-Doing: it checks the zones */
static void store_doing(struct answer *a, const char *bytes, size_t n)
{
	static const char name[] = "weir-doing: ";
	size_t kept = 0;

	if (n <= strlen(name) || strncasecmp(bytes, name, strlen(name)) != 0)
		return;
	for (size_t i = strlen(name); i < n && kept + 1 < sizeof(a->doing); i++)
		if (bytes[i] >= ' ' && bytes[i] <= '~')
			a->doing[kept++] = bytes[i];
	a->doing[kept] = '\0';
}

/* Retry-After: 7. A date, which the API never gives, is passed over. */
static void store_retry(struct answer *a, const char *bytes, size_t n)
{
	static const char name[] = "retry-after:";
	unsigned s = 0;
	size_t i = strlen(name);

	if (n <= i || strncasecmp(bytes, name, i) != 0)
		return;
	while (i < n && bytes[i] == ' ')
		i++;
	for (; i < n && bytes[i] >= '0' && bytes[i] <= '9' && s < RETRY_MAX_S; i++)
		s = 10 * s + (unsigned)(bytes[i] - '0');
	a->retry_s = s < RETRY_MAX_S ? s : RETRY_MAX_S;
}

/* ETag: "v12-0123" */
static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
	static const char name[] = "etag:";
	struct answer *a = arg;
	size_t kept = 0;

	a->heard_ms = clock_mono_ms();
	n *= size;
	store_doing(a, bytes, n);
	store_retry(a, bytes, n);
	if (n <= strlen(name) || strncasecmp(bytes, name, strlen(name)) != 0)
		return n;
	for (size_t i = strlen(name); i < n && kept + 1 < a->etag_size; i++)
		if (bytes[i] > ' ' && bytes[i] != '"')
			a->etag[kept++] = bytes[i];
	a->etag[kept] = '\0';
	return n;
}

/* No command is silent for long: a person must see whether to wait. */
static void print_waiting(struct answer *a)
{
	uint64_t now_ms = clock_mono_ms();

	if (!a->last_report_ms || now_ms < a->last_report_ms + API_REPORT_MS ||
	    now_ms > a->heard_ms + API_HEARD_MS)
		return;
	fprintf(stderr, "weir: waiting for management's answer (%u s)%s%s\n",
	        (unsigned)((now_ms - a->since_ms) / 1000), *a->doing ? ": " : "", a->doing);
	a->last_report_ms = now_ms;
}

/* After a few seconds of silence management is stopped or stuck: the transfer is given up. */
static int on_progress(void *arg, curl_off_t total, curl_off_t got, curl_off_t send_total,
                       curl_off_t sent)
{
	struct answer *a = arg;

	(void)total;
	(void)got;
	(void)send_total;
	if (sent != a->sent)
		a->heard_ms = clock_mono_ms();
	a->sent = sent;
	print_waiting(a);
	return clock_mono_ms() - a->heard_ms > (a->again ? API_SILENCE_AGAIN_MS : API_SILENCE_MS);
}

/* An empty Expect: keeps libcurl from waiting for "100 Continue" before a large body. */
static struct curl_slist *headers_of(const struct endpoint *at, const struct api_request *request,
                                     const char *key)
{
	char line[HEADERS_MAX];
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	list = curl_slist_append(list, "Weir-Progress: 1");
	if (request->body || strcmp(request->method, "POST") == 0)
		list = curl_slist_append(list,
		                         strcmp(request->method, "PATCH") == 0
		                                 ? "Content-Type: application/merge-patch+json"
		                                 : "Content-Type: application/json");
	if (at->server && at->server->token) {
		char token[BEARER_MAX];

		snprintf(token, sizeof(token), "Authorization: Bearer %s", at->server->token);
		list = curl_slist_append(list, token);
	}
	if (request->is_new)
		list = curl_slist_append(list, "If-None-Match: *");
	if (key[0]) {
		snprintf(line, sizeof(line), "Idempotency-Key: %s", key);
		list = curl_slist_append(list, line);
	}
	if (request->if_match) {
		bool any = strcmp(request->if_match, "*") == 0;

		snprintf(line, sizeof(line), "If-Match: %s%s%s", any ? "" : "\"", request->if_match,
		         any ? "" : "\"");
		list = curl_slist_append(list, line);
	}
	return list;
}

/* A request that changes nothing can be given up at any time. */
static bool is_read_only(const struct api_request *request)
{
	return request->reads || strcmp(request->method, "GET") == 0;
}

/* Only servers that the given authority has signed get the token: libcurl's own folder has those of the whole world. */
static void set_endpoint(CURL *curl, const struct endpoint *at)
{
	if (!at->server) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, at->name);
		return;
	}
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	if (at->server->ca) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, at->server->ca);
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	}
}

/* No proxy and no signals: the environment and alarms must not change how a command behaves. */
static void set_curl_options(CURL *curl, const struct endpoint *at, const char *url,
                             const struct api_request *request, const char *body, struct answer *a)
{
	set_endpoint(curl, at);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	/* else "pools/web/backends/.." would become another path than the one that was given */
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, a);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
	                 (long)(request->timeout_ms                   ? request->timeout_ms
	                        : strcmp(request->method, "GET") == 0 ? API_READ_TIMEOUT_MS
	                                                              : API_TIMEOUT_MS));
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	else if (strcmp(request->method, "POST") == 0)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
}

/* What the callbacks ended for silence is a timeout for the caller. @return libcurl's code */
static int perform_request(CURL *curl, const struct endpoint *at, const struct api_request *request,
                           const char *key, struct answer *a, long *status)
{
	const char *base = at->server ? at->server->url : "http://weir";
	struct curl_slist *headers = headers_of(at, request, key);
	char *body = request->body ? json_dumps(request->body, JSON_COMPACT) : NULL;
	size_t n = strlen(base) + strlen(request->path) + 1;
	char *url = malloc(n);
	CURLcode code = CURLE_OUT_OF_MEMORY;

	if (url && headers && (body || !request->body)) {
		snprintf(url, n, "%s%s", base, request->path);
		set_curl_options(curl, at, url, request, body, a);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		a->heard_ms = clock_mono_ms();
		a->sent = 0;
		code = curl_easy_perform(curl);
		if (code == CURLE_ABORTED_BY_CALLBACK)
			code = CURLE_OPERATION_TIMEDOUT;
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
	}
	curl_slist_free_all(headers);
	free(body);
	free(url);
	return (int)code;
}

/* Random, so that no other command has it: the same change made twice on purpose is two changes. */
static void make_key(char key[KEY_MAX])
{
	/* without a key an interrupted change is not asked for again */
	(void)!random_hex(key, (KEY_MAX - 1) / 2);
}

static int send_once(const struct endpoint *at, const struct api_request *request, const char *key,
                     struct answer *a, long *status, long *error)
{
	CURL *curl = curl_easy_init();
	int code = CURLE_OUT_OF_MEMORY;

	free(a->bytes);
	a->bytes = NULL;
	a->n = a->room = 0;
	a->retry_s = 0;
	*error = 0;
	if (curl) {
		code = perform_request(curl, at, request, key, a, status);
		curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, error);
	}
	curl_easy_cleanup(curl);
	return code;
}

/* Whether the request may have been carried out although there is no answer. */
static bool is_unknown(int code)
{
	return code == CURLE_OPERATION_TIMEDOUT || code == CURLE_GOT_NOTHING ||
	       code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE;
}

/* Safe: the same key gives the first outcome, or makes the change if it was not made yet. */
static int repeat_change(const struct endpoint *at, const struct api_request *request,
                         const char *key, struct answer *a, long *status, long *error)
{
	uint64_t last_report_ms = clock_mono_ms(), until_ms = last_report_ms + API_AGAIN_MS;
	int code = CURLE_OPERATION_TIMEDOUT;

	a->again = true;
	a->last_report_ms = 0;
	fprintf(stderr,
	        "weir: the connection to management broke off; the change may or may not have been made; asking again for its outcome\n");
	while (key[0] && clock_mono_ms() < until_ms) {
		usleep(API_AGAIN_EVERY_MS * 1000);
		if (clock_mono_ms() >= last_report_ms + API_REPORT_MS) {
			last_report_ms = clock_mono_ms();
			fprintf(stderr,
			        "weir: no answer yet; asking for %u s more (if management hangs: weir drain --offline works without it)\n",
			        (unsigned)((until_ms - last_report_ms) / 1000 + 1));
		}
		code = send_once(at, request, key, a, status, error);
		if (code == CURLE_OK)
			return code;
	}
	return CURLE_OPERATION_TIMEDOUT;
}

/* Why there is no answer. */
static int report_no_answer(const char *socket, CURLcode code, long error, bool reads, bool quietly)
{
	if (code == CURLE_OPERATION_TIMEDOUT && reads)
		return quietly ? CLI_UNREACHABLE
		               : cli_fail(
		                         CLI_UNREACHABLE,
		                         "management did not answer on %s in time; weir status works without management, too",
		                         socket);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return cli_fail(
		        CLI_TIMEOUT,
		        "management did not answer: the change may or may not have been made; look at weir versions and weir overrides once management answers; if it hangs, weir drain --offline works without it");
	if (error == EACCES)
		return cli_fail(CLI_DENIED, "this user may not use %s; members of group weir may",
		                socket);
	if (quietly)
		return CLI_UNREACHABLE;
	return cli_fail(CLI_UNREACHABLE,
	                "management does not answer on %s (%s); is weir run or weir-mgmt running? "
	                "Forwarding and DNS continue without it; weir drain --offline works "
	                "without it",
	                socket, error ? strerror((int)error) : curl_easy_strerror(code));
}

/* An unreadable success must not pass for an empty list. @return as report_no_answer() */
static int refuse_answer(struct api_reply *reply, const char *socket, bool reads, bool quietly)
{
	long status = reply->status;

	api_reply_fini(reply);
	reply->status = 0;
	if (reads && quietly)
		return CLI_UNREACHABLE;
	return cli_fail(reads ? CLI_UNREACHABLE : CLI_TIMEOUT,
	                "management answers on %s with status %ld, but not in JSON%s; does another "
	                "program have that socket? ss -xlp shows which",
	                socket, status,
	                reads ? ""
	                      : ": the change may or may not have been made (look at weir versions "
	                        "and weir overrides)");
}

/* Errors are at the file that was given, whatever management calls it. */
static void name_file(json_t *body, const char *file)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(body, "mistakes"), i, item)
	{
		if (strcmp(api_text(item, "file", ""), PROC_CONF_FILE) == 0)
			json_object_set_new(item, "file", json_string(file));
	}
}

/* Any process of ours may put a socket where there is none: only weir-mgmt's is the API. */
static bool is_foreign(const char *socket)
{
	struct stat st;

	return lstat(socket, &st) == 0 && !owner_is(st.st_uid, "mgmt");
}

/* The answer's bytes become the reply's body: what is no JSON is shown as a text. */
static void read_answer(struct answer *a, struct api_reply *reply)
{
	if (a->n)
		reply->body = json_read(a->bytes, a->n, JSON_DECODE_ANY, NULL);
	if (a->n && !reply->body)
		reply->body = json_stringn(a->bytes, a->n);
	free(a->bytes);
}

/* Every way out frees the request's body: the callers hand it over. */
static int send_to_management(const struct cli *cli, const struct api_request *request,
                              struct api_reply *reply, bool quietly)
{
	char socket[PATH_MAX] = "";
	const struct endpoint at = { cli->server ? cli->server->url : socket, cli->server };
	struct answer a = { .etag = reply->etag, .etag_size = sizeof(reply->etag) };
	char key[KEY_MAX] = "";
	long error = 0;
	int code = CURLE_OUT_OF_MEMORY;

	*reply = (struct api_reply){ 0 };
	a.since_ms = clock_mono_ms();
	a.last_report_ms = quietly || request->timeout_ms ? 0 : a.since_ms;
	if (!is_read_only(request))
		make_key(key);
	if (!cli->server && (proc_path(cli->dirs.run, PROC_API_SOCKET, socket) != 0 ||
	                     strlen(socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))) {
		json_decref(request->body);
		return quietly ? CLI_UNREACHABLE
		               : cli_fail(CLI_USAGE,
		                          "%s/" PROC_API_SOCKET " is too long for a socket",
		                          cli->dirs.run);
	}
	if (!cli->server && is_foreign(socket)) {
		json_decref(request->body);
		return cli_fail(
		        CLI_DENIED,
		        "%s is not trusted, because it belongs neither to root nor to weir-mgmt: find out who made it (ls -l), remove it, restart weir-mgmt",
		        socket);
	}
	code = send_once(&at, request, key, &a, &reply->status, &error);
	if (is_unknown(code) && !is_read_only(request))
		code = repeat_change(&at, request, key, &a, &reply->status, &error);
	json_decref(request->body);
	reply->retry_s = a.retry_s;
	if (code != CURLE_OK) {
		free(a.bytes);
		reply->status = 0; /* a part of an answer is none */
		snprintf(reply->failure, sizeof(reply->failure), "%s",
		         code == CURLE_OPERATION_TIMEDOUT ? "no answer in time"
		         : error                          ? strerror((int)error)
		                                          : curl_easy_strerror((CURLcode)code));
		return report_no_answer(at.name, (CURLcode)code, error, is_read_only(request),
		                        quietly);
	}
	read_answer(&a, reply);
	if (api_succeeded(reply) && !json_is_object(reply->body)) {
		snprintf(reply->failure, sizeof(reply->failure), "its answer is not JSON");
		return refuse_answer(reply, at.name, is_read_only(request), quietly);
	}
	if (request->file)
		name_file(reply->body, request->file);
	return CLI_OK;
}

int api_call_quietly(const struct cli *cli, const struct api_request *request,
                     struct api_reply *reply)
{
	return send_to_management(cli, request, reply, true);
}

void api_reply_fini(struct api_reply *reply)
{
	json_decref(reply->body);
	reply->body = NULL;
}

char *api_escape(const char *text)
{
	static const char plain[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	char *out = malloc(3 * strlen(text) + 1), *p = out;

	if (!out)
		return NULL;
	for (; *text; text++) {
		if (strchr(plain, *text))
			*p++ = *text;
		else
			p += sprintf(p, "%%%02X", (unsigned char)*text);
	}
	*p = '\0';
	return out;
}

int api_query(const struct cli *cli, const struct api_request *request, struct api_reply *reply)
{
	return send_to_management(cli, request, reply, false);
}

int api_get(const struct cli *cli, const struct api_request *request, struct api_reply *reply)
{
	int status = send_to_management(cli, request, reply, false);

	return status ? status : api_conclude(cli, reply);
}

int api_conclude(const struct cli *cli, struct api_reply *reply)
{
	int status = api_status(reply);

	if (api_succeeded(reply))
		return status;
	if (cli->json && reply->body)
		api_print_json(reply->body);
	api_refusal(reply);
	api_reply_fini(reply);
	return status;
}

int api_show(const struct cli *cli, const struct api_request *request,
             void (*print)(const json_t *body))
{
	struct api_reply reply;
	int status = api_get(cli, request, &reply);

	if (api_succeeded(&reply)) {
		api_print_body(cli, reply.body, print);
		api_reply_fini(&reply);
	}
	return status;
}

int api_show_text(const struct cli *cli, const struct api_request *request, const char *text)
{
	struct api_reply reply;
	int status = api_get(cli, request, &reply);

	if (api_succeeded(&reply)) {
		api_print_text(cli, reply.body, text);
		api_reply_fini(&reply);
	}
	return status;
}
