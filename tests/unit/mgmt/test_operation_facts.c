/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All facts of an operation at once, of three sites with several nodes, services and VIPs of which each measures something
 * else: what belongs to another service, site or node is seen in the sums.
 */
#include "tests/unit/suite.h"
#include "whole_json.h"

#include "base/hash.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/overrides/override.h"

#define NOW        ((int64_t)1790000000000)
#define N_NODES    5u
#define N_SERVICES 3u

/* --- the world --- */

static struct model_site sites[4];
static const struct model_site *const everywhere[] = { &sites[0], &sites[1], &sites[2] },
                                      *const ams_and_fra[] = { &sites[0], &sites[1] };
static struct model_pool pools[7];
enum pool_index { WEB_AMS, WEB_FRA, WEB_LON, MAIL_AMS, MAIL_FRA, FTP_FRA, FTP_LON };
static struct model_vip vips[5];
enum vip_index { V_AMS, V_FRA, V_LON, V_BOTH, V_ANY };
static struct model_at web_at[3], mail_at[2], ftp_at[2];
static const struct model_check check = { .name = "tcp", .interval_ms = 500 };
static struct model_service services[N_SERVICES];
static struct model_dns_name names[3];
static struct model_node nodes[N_NODES];
static struct model m;
static struct operation_snapshot view;
static struct operation op;
static struct operation_observed seen;
static struct override overrides[4];

static void make_places(void)
{
	static const char *const pool_names[] = { "web-ams",  "web-fra", "web-lon", "mail-ams",
		                                  "mail-fra", "ftp-fra", "ftp-lon" };
	static const int pool_sites[] = { 0, 1, 2, 0, 1, 1, 2 };
	static const char *const node_names[] = { "ams-1", "ams-2", "fra-1", "fra-2", "lon-1" };
	static const int node_sites[] = { 0, 0, 1, 1, 2 };

	sites[0] = (struct model_site){ .name = "ams", .index = 0, .capacity_bits = 11 };
	sites[1] = (struct model_site){ .name = "fra", .index = 1, .capacity_flows = 12 };
	sites[2] = (struct model_site){ .name = "lon", .index = 2 };
	sites[3] = (struct model_site){ .name = "par", .index = 3 }; /* without a node */
	for (uint32_t i = 0; i < 7; i++)
		pools[i] = (struct model_pool){ .name = pool_names[i],
			                        .site = &sites[pool_sites[i]],
			                        .index = i };
	for (size_t i = 0; i < N_NODES; i++)
		nodes[i] = (struct model_node){ .name = node_names[i],
			                        .site = &sites[node_sites[i]],
			                        .api = "",
			                        .announce.daemon = MODEL_DAEMON_BIRD };
	nodes[3].announce.daemon = MODEL_DAEMON_NONE; /* fra-2 */
}

static void make_vips(void)
{
	for (size_t i = 0; i < 3; i++)
		vips[i] = (struct model_vip){ .sites = &everywhere[i], .n_sites = 1 };
	vips[V_AMS].name = "v-ams";
	vips[V_FRA].name = "v-fra";
	vips[V_LON].name = "v-lon";
	vips[V_BOTH] = (struct model_vip){ .name = "v-both", .sites = ams_and_fra, .n_sites = 2 };
	vips[V_ANY] = (struct model_vip){ .name = "v-any", .sites = everywhere, .n_sites = 3 };
}

/* web everywhere, in ams with a backup; mail in ams and fra, by one VIP; ftp in fra and lon. */
static void make_services(void)
{
	for (size_t i = 0; i < 3; i++)
		web_at[i] = (struct model_at){ .site = &sites[i],
			                       .vip = &vips[i],
			                       .pool = &pools[WEB_AMS + i] };
	web_at[0].backup = &pools[WEB_FRA];
	for (size_t i = 0; i < 2; i++) {
		mail_at[i] = (struct model_at){ .site = &sites[i],
			                        .vip = &vips[V_BOTH],
			                        .pool = &pools[MAIL_AMS + i] };
		ftp_at[i] = (struct model_at){ .site = &sites[i + 1],
			                       .vip = &vips[V_FRA + i],
			                       .pool = &pools[FTP_FRA + i] };
	}
	ftp_at[1].backup = &pools[FTP_FRA];
	services[0] = (struct model_service){
		.name = "web", .at = web_at, .n_at = 3, .vip_check = &check, .index = 0
	};
	services[1] =
	        (struct model_service){ .name = "mail", .at = mail_at, .n_at = 2, .index = 1 };
	services[2] = (struct model_service){ .name = "ftp", .at = ftp_at, .n_at = 2, .index = 2 };
	for (size_t i = 0; i < 3; i++)
		names[i] = (struct model_dns_name){ .service = &services[i] };
	names[0].ttl_max_s = 60;
	names[1].ttl_max_s = 300;
	names[2].ttl_max_s = 20;
}

static void give_report(size_t node, const char *measure)
{
	char *text = whole_quotes(measure, '\'', '"');

	json_decref(view.reports[node].measure);
	view.reports[node].measure = json_loads(text, 0, NULL);
	assert_non_null(view.reports[node].measure);
	view.reports[node].reached = true;
	free(text);
}

#define SERVICE(name, new, silent, repeated)                                                       \
	"{'service':'" name "','new_milli':" new ",'silent_ppm':" silent                           \
	                                         ",'repeated_ppm':" repeated "}"
#define POOL(name, own, backup, packets)                                                           \
	"{'pool':'" name "','own_milli':" own ",'backup_milli':" backup                            \
	",'own_packets_milli':" packets "}"

/* What each node measures: no number is there twice. */
static void give_measures(void)
{
	give_report(
	        0, /* ams-1 */
	        "{'bits_per_s':1001,'unannounced':{},'pools':{'web-ams':{'up_ppm':900000,'unknown_ppm':0,'min_ppm':500000},"
	        "'mail-ams':{'up_ppm':100000,'unknown_ppm':0,'min_ppm':500000}},'sites':["
	        "{'site':'ams','up':true,'checked':true,'failing':false},"
	        "{'site':'fra','up':true,'checked':true,'failing':true},"
	        "{'site':'lon','up':false,'checked':true,'failing':true}],"
	        "'checks':{'web':{'fra':2,'lon':1}},'check_sources':{'fra':{'ipv4':'192.0.2.9','ipv6':'2001:db8:9::9'},"
	        "'lon':{'ipv4':'192.0.2.9'}},"
	        "'backups':[{'service':'web','class':'own','backup_slots':0,'ready':true,'detail':''}],"
	        "'flows':{'window_ms':7000,'services':[" SERVICE("web", "40000", "0", "100000") "," SERVICE(
	                "mail", "7000", "0",
	                "0") "],'pools':[" POOL("web-ams", "3000", "1000",
	                                        "63000") "," POOL("mail-ams", "7000", "0",
	                                                          "9000") "],'drops':{'no_backend':1000,'not_sent':2000,"
	                                                                  "'backup_full':4000,'other':8000},'sources':["
	                                                                  "{'service':'web','prefix':'198.51.100.0/24','flows':601},{'service':'web','prefix':'192.0.2.0/24'},"
	                                                                  "{'service':'mail','prefix':'2001:db8:1::/48','flows':120}]}}");
	give_report(
	        1, /* ams-2 */
	        "{'bits_per_s':2002,'unannounced':{'v-ams':'unknown'},"
	        "'backups':[{'service':'web','class':'backup','backup_slots':7,'ready':false,'detail':'no route'}],"
	        "'flows':{'window_ms':6000,'services':[" SERVICE("web", "80000", "500000", "0") "," SERVICE(
	                "mail", "13000", "0",
	                "1000000") "],'pools':[" POOL("web-ams", "80000", "0",
	                                              "90000") "," POOL("mail-ams", "13000", "0",
	                                                                "14000") "],'drops':{'no_room':16000},'sources':["
	                                                                         "{'service':'web','prefix':'198.51.100.0/24','flows':421}]}}");
	give_report(
	        2, /* fra-1 */
	        "{'bits_per_s':4004,'unannounced':{'v-both':'no'},'pools':{'web-fra':{'up_ppm':500000,"
	        "'unknown_ppm':0,'min_ppm':500000},'mail-fra':{'up_ppm':1,'unknown_ppm':0,'min_ppm':1},"
	        "'ftp-fra':{'up_ppm':0,'unknown_ppm':500000,'min_ppm':500000}},'sites':["
	        "{'site':'ams','up':true,'checked':true,'failing':false},"
	        "{'site':'lon','up':false,'checked':true,'failing':true}],"
	        "'checks':{'web':{'ams':1,'lon':2}},'check_sources':{'ams':{'ipv4':'198.51.100.7'}},"
	        "'flows':{'window_ms':9000,'services':[" SERVICE("web", "160000", "0", "0") "," SERVICE(
	                "mail", "17000", "0",
	                "0") "," SERVICE("ftp", "19000", "0",
	                                 "0") "],'pools':[" POOL("web-fra", "150000", "50000",
	                                                         "350000") "," POOL("mail-fra",
	                                                                            "17000", "0",
	                                                                            "18000") "," POOL("ftp-fra",
	                                                                                              "19000",
	                                                                                              "0",
	                                                                                              "29000") "],'drops':{'backend_dead':32000}}}");
	give_report(
	        3, /* fra-2 */
	        "{'bits_per_s':8008,'flows':{'window_ms':9500,'services':[" SERVICE("web", "320000", "0", "0") "," SERVICE(
	                "mail", "23000", "0",
	                "0") "," SERVICE("ftp", "29000", "0",
	                                 "0") "],'pools':[" POOL("web-fra", "320000", "0",
	                                                         "420000") "," POOL("mail-fra",
	                                                                            "23000", "0",
	                                                                            "24000") "," POOL("ftp-fra",
	                                                                                              "29000",
	                                                                                              "0",
	                                                                                              "59000") "],'drops':{'no_source':64000,'no_next_hop':128000}}}");
	give_report(
	        4, /* lon-1 */
	        "{'bits_per_s':16016,'unannounced':{'v-any':'unknown'},'sites':["
	        "{'site':'ams','up':false,'checked':true,'failing':true},"
	        "{'site':'fra','up':true,'checked':true,'failing':false}],"
	        "'checks':{'web':{'ams':2}},'check_sources':{'ams':{'ipv4':'198.51.100.8','ipv6':'2001:db8:1::8'}},"
	        "'backups':[{'service':'ftp','class':'own','backup_slots':0,'ready':null,'detail':'no proof'}],"
	        "'flows':{'window_ms':5000,'services':[" SERVICE("web", "640000", "0", "0") "," SERVICE(
	                "ftp", "31000", "0",
	                "0") "],'pools':[" POOL("web-lon", "640000", "0",
	                                        "700000") "," POOL("ftp-lon", "31000", "0",
	                                                           "32000") "],'drops':{'no_tables':256000}}}");
}

static void set_target(size_t i, const char *site, const char *override_id)
{
	snprintf(op.targets[i].site, MODEL_NAME_MAX, "%s", site);
	snprintf(op.targets[i].override_id, MODEL_ID_MAX, "%s", override_id);
}

static int setup(void **state)
{
	(void)state;
	make_places();
	make_vips();
	make_services();
	m = (struct model){ .sites = sites,
		            .n_sites = 3,
		            .nodes = nodes,
		            .n_nodes = N_NODES,
		            .pools = pools,
		            .n_pools = 7,
		            .vips = vips,
		            .n_vips = 5,
		            .services = services,
		            .n_services = N_SERVICES,
		            .dns_names = names,
		            .n_dns_names = 3,
		            .max_sites_out = 2,
		            .self = &nodes[2] };
	memset(&view, 0, sizeof(view));
	memset(&op, 0, sizeof(op));
	memset(overrides, 0, sizeof(overrides));
	view.m = &m;
	view.now_ms = NOW;
	view.n_reports = N_NODES;
	view.clock_fine = true;
	view.overrides.items = overrides;
	snprintf(view.self, sizeof(view.self), "fra-1");
	for (size_t i = 0; i < N_NODES; i++)
		view.reports[i].node = &nodes[i];
	view.reports[2].self = true;
	give_measures();
	snprintf(op.id, sizeof(op.id), "o1");
	op.stamp = 1000;
	op.n_targets = 1;
	set_target(0, "ams", "v1");
	set_target(1, "lon", "v2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_NODES; i++) {
		json_decref(view.reports[i].levels);
		json_decref(view.reports[i].measure);
	}
	return 0;
}

/* --- as text --- */

static char shown[8192];

static void __attribute__((format(printf, 1, 2))) add_shown(const char *format, ...)
{
	size_t n = strlen(shown);
	va_list args;

	va_start(args, format);
	vsnprintf(shown + n, sizeof(shown) - n, format, args);
	va_end(args);
}

static void show_value(const char *word, struct operation_value v)
{
	if (v.known)
		add_shown(" %s=%llu", word, (unsigned long long)v.value);
	else
		add_shown(" %s=?", word);
	assert_true(v.known || !v.value);
}

static void show_truth(const char *word, enum operation_truth is)
{
	static const char *const words[] = { "?", "no", "yes" };

	add_shown(" %s=%s", word, words[is]);
}

static void show_site(const struct operation_site *s)
{
	add_shown("%s:%s%s%s%s%s%s", s->name, s->serves ? " serves" : "", s->backs ? " backs" : "",
	          s->absent ? " absent" : "", s->checked ? " checked" : "", s->held ? " held" : "",
	          s->incomplete ? " incomplete" : "");
	show_truth("up", s->up);
	show_truth("failing", s->failing);
	show_truth("pools", s->pools);
	show_truth("out", s->out);
	show_truth("announced", s->announced);
	show_truth("elsewhere", s->elsewhere);
	add_shown("\n ");
	show_value("flows", s->flows);
	show_value("arrivals", s->arrivals);
	show_value("backup", s->backup_flows);
	show_value("established", s->established);
	show_value("repeats", s->repeats);
	show_value("drops", s->drops);
	show_value("bits", s->bits);
	show_value("named", s->named);
	show_value("capacity", s->capacity_flows);
	show_value("bits", s->capacity_bits);
	if (s->has_backup) {
		show_truth("backup_ok", s->backup_ok);
		show_truth("left", s->backup_left);
		add_shown(" with=%s", s->slots_with ? s->slots_with : "none");
	}
	add_shown("\n");
}

/* All facts of sites and those that are sums over them. */
static void show_facts(void)
{
	const struct operation_facts *f = &seen.facts;

	shown[0] = '\0';
	operation_gather(&view, &op, 1000, &seen);
	for (size_t i = 0; i < f->n_sites; i++)
		show_site(&f->sites[i]);
	add_shown("document %d", (int)f->document);
	show_value("ttl", f->ttl_s);
	show_value("window", f->window_flows);
	add_shown("\n");
	for (size_t i = 0; i < f->n_late; i++) {
		add_shown("late %s", f->late[i].prefix);
		show_value("flows", f->late[i].flows);
		add_shown("\n");
	}
}

static void expect_shown(const char *why, const char *expected)
{
	if (!strcmp(shown, expected))
		return;
	fprintf(stderr, "%s: it is\n%s\nnot\n%s\n", why, shown, expected);
	fail();
}

static void use_service(const char *service)
{
	snprintf(op.service, sizeof(op.service), "%s", service);
}

static void give_levels(size_t node, const char *levels)
{
	char *text = whole_quotes(levels, '\'', '"');

	json_decref(view.reports[node].levels);
	view.reports[node].levels = json_loads(text, 0, NULL);
	assert_non_null(view.reports[node].levels);
	free(text);
}

/* --- tests --- */

static void the_facts_are_of_what_the_operation_moves(void **state)
{
	static const struct {
		const char *service, *facts;
	} rows[] = {
		{ "",
		  "ams: serves checked up=? failing=yes pools=no out=no announced=? elsewhere=no\n"
		  "  flows=83 arrivals=93 backup=10 established=61 repeats=17 drops=23 bits=3003 named=? capacity=? bits=11 backup_ok=no left=no with=none\n"
		  "fra: serves backs checked up=yes failing=yes pools=? out=no announced=no elsewhere=no\n"
		  "  flows=523 arrivals=563 backup=40 established=334 repeats=0 drops=224 bits=12012 named=? capacity=12 bits=?\n"
		  "lon: serves checked up=no failing=yes pools=? out=no announced=yes elsewhere=yes\n"
		  "  flows=664 arrivals=664 backup=0 established=49 repeats=0 drops=256 bits=16016 named=? capacity=? bits=? backup_ok=? left=yes with=none\n"
		  "document 1 ttl=300 window=9334\n"
		  "late 198.51.100.0/24 flows=9\n"
		  "late 2001:db8:1::/48 flows=2\n" },
		{ "web",
		  "ams: serves checked up=? failing=yes pools=yes out=no announced=? elsewhere=no\n"
		  "  flows=63 arrivals=73 backup=10 established=58 repeats=4 drops=23 bits=3003 named=? capacity=? bits=11 backup_ok=no left=no with=none\n"
		  "fra: serves backs checked up=yes failing=yes pools=yes out=no announced=yes elsewhere=no\n"
		  "  flows=435 arrivals=475 backup=40 established=292 repeats=0 drops=224 bits=12012 named=? capacity=12 bits=?\n"
		  "lon: serves checked up=no failing=yes pools=? out=no announced=yes elsewhere=yes\n"
		  "  flows=633 arrivals=633 backup=0 established=48 repeats=0 drops=256 bits=16016 named=? capacity=? bits=?\n"
		  "document 1 ttl=60 window=8203\n"
		  "late 198.51.100.0/24 flows=9\n" },
		{ "mail",
		  "ams: serves checked up=? failing=yes pools=no out=no announced=yes elsewhere=no\n"
		  "  flows=20 arrivals=20 backup=0 established=3 repeats=13 drops=23 bits=3003 named=? capacity=? bits=11\n"
		  "fra: serves checked up=yes failing=yes pools=yes out=no announced=no elsewhere=no\n"
		  "  flows=40 arrivals=40 backup=0 established=2 repeats=0 drops=224 bits=12012 named=? capacity=12 bits=?\n"
		  "lon: checked up=no failing=yes pools=yes out=no announced=yes elsewhere=yes\n"
		  "  flows=0 arrivals=0 backup=0 established=0 repeats=0 drops=256 bits=16016 named=? capacity=? bits=?\n"
		  "document 1 ttl=300 window=520\n"
		  "late 2001:db8:1::/48 flows=2\n" },
		{ "ftp",
		  "ams: checked up=? failing=yes pools=yes out=no announced=yes elsewhere=no\n"
		  "  flows=0 arrivals=0 backup=0 established=0 repeats=0 drops=23 bits=3003 named=? capacity=? bits=11\n"
		  "fra: serves checked up=yes failing=yes pools=? out=no announced=yes elsewhere=no\n"
		  "  flows=48 arrivals=48 backup=0 established=40 repeats=0 drops=224 bits=12012 named=? capacity=12 bits=?\n"
		  "lon: serves checked up=no failing=yes pools=? out=no announced=yes elsewhere=yes\n"
		  "  flows=31 arrivals=31 backup=0 established=1 repeats=0 drops=256 bits=16016 named=? capacity=? bits=? backup_ok=? left=yes with=none\n"
		  "document 3 ttl=0 window=611\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		use_service(rows[i].service);
		show_facts();
		expect_shown(rows[i].service, rows[i].facts);
	}
}

static void name_absent(const char *node)
{
	snprintf(op.without[op.n_without++], MODEL_NAME_MAX, "%s", node);
}

static void drop_measure(size_t node)
{
	json_decref(view.reports[node].measure);
	view.reports[node].measure = NULL;
}

/* Two targets, of which one has a node that is silent. */
static void a_node_that_is_silent_counts_unless_it_is_named_absent(void **state)
{
	(void)state;
	use_service("web");
	op.n_targets = 2;
	drop_measure(1);
	show_facts();
	expect_shown(
	        "ams-2 is silent",
	        "ams: serves checked up=? failing=yes pools=yes out=no announced=? elsewhere=no\n"
	        "  flows=? arrivals=? backup=? established=? repeats=? drops=? bits=? named=? capacity=? bits=11 backup_ok=? left=? with=none\n"
	        "fra: serves backs checked up=yes failing=yes pools=yes out=no announced=yes elsewhere=no\n"
	        "  flows=435 arrivals=475 backup=40 established=292 repeats=0 drops=224 bits=12012 named=? capacity=12 bits=?\n"
	        "lon: serves checked up=no failing=yes pools=? out=no announced=yes elsewhere=yes\n"
	        "  flows=633 arrivals=633 backup=0 established=48 repeats=0 drops=256 bits=16016 named=? capacity=? bits=?\n"
	        "document 1 ttl=60 window=?\n"
	        "late 198.51.100.0/24 flows=6\n");
	name_absent("ams-2");
	show_facts();
	expect_shown(
	        "ams-2 is named absent",
	        "ams: serves checked incomplete up=? failing=yes pools=yes out=no announced=yes elsewhere=no\n"
	        "  flows=23 arrivals=33 backup=10 established=48 repeats=4 drops=7 bits=1001 named=? capacity=? bits=11 backup_ok=yes left=yes with=none\n"
	        "fra: serves backs checked up=yes failing=yes pools=yes out=no announced=yes elsewhere=no\n"
	        "  flows=435 arrivals=475 backup=40 established=292 repeats=0 drops=224 bits=12012 named=? capacity=12 bits=?\n"
	        "lon: serves checked up=no failing=yes pools=? out=no announced=yes elsewhere=yes\n"
	        "  flows=633 arrivals=633 backup=0 established=48 repeats=0 drops=256 bits=16016 named=? capacity=? bits=?\n"
	        "document 1 ttl=60 window=7923\n"
	        "late 198.51.100.0/24 flows=6\n");
	name_absent("fra-1");
	show_facts();
	expect_shown(
	        "fra-1, too, which is heard",
	        "ams: serves checked incomplete up=? failing=yes pools=yes out=no announced=yes elsewhere=no\n"
	        "  flows=23 arrivals=33 backup=10 established=48 repeats=4 drops=7 bits=1001 named=? capacity=? bits=11 backup_ok=yes left=yes with=none\n"
	        "fra: serves backs checked up=yes failing=yes pools=yes out=no announced=yes elsewhere=no\n"
	        "  flows=435 arrivals=475 backup=40 established=292 repeats=0 drops=224 bits=12012 named=? capacity=12 bits=?\n"
	        "lon: serves checked up=no failing=yes pools=? out=no announced=yes elsewhere=yes\n"
	        "  flows=633 arrivals=633 backup=0 established=48 repeats=0 drops=256 bits=16016 named=? capacity=? bits=?\n"
	        "document 1 ttl=60 window=7923\n"
	        "late 198.51.100.0/24 flows=6\n");
	name_absent("lon-1");
	drop_measure(4);
	show_facts();
	expect_shown(
	        "all of lon",
	        "ams: serves checked incomplete up=yes failing=no pools=yes out=no announced=yes elsewhere=no\n"
	        "  flows=27 arrivals=37 backup=10 established=56 repeats=4 drops=7 bits=1001 named=? capacity=? bits=11 backup_ok=yes left=yes with=none\n"
	        "fra: serves backs checked up=yes failing=yes pools=yes out=no announced=yes elsewhere=no\n"
	        "  flows=435 arrivals=475 backup=40 established=292 repeats=0 drops=224 bits=12012 named=? capacity=12 bits=?\n"
	        "lon: serves absent checked incomplete up=no failing=yes pools=? out=no announced=? elsewhere=yes\n"
	        "  flows=? arrivals=? backup=? established=? repeats=? drops=? bits=? named=? capacity=? bits=?\n"
	        "document 1 ttl=60 window=?\n"
	        "late 198.51.100.0/24 flows=8\n");
}

/* Each by other means, and one of them not yet. */
static void sites_are_out_by_what_others_commanded(void **state)
{
	(void)state;
	use_service("web");
	overrides[0] = (struct override){ .id = "d1",
		                          .kind = MODEL_OVERRIDE_DISABLE,
		                          .target = MODEL_TARGET_SITE,
		                          .name = "lon",
		                          .from_ms = NOW,
		                          .until_ms = MODEL_TIME_NEVER };
	overrides[1] = (struct override){ .id = "d2",
		                          .kind = MODEL_OVERRIDE_DRAIN,
		                          .target = MODEL_TARGET_NODE,
		                          .name = "fra-1",
		                          .from_ms = NOW,
		                          .until_ms = NOW + 1 };
	overrides[2] = (struct override){ .id = "d3",
		                          .kind = MODEL_OVERRIDE_DISABLE,
		                          .target = MODEL_TARGET_NODE,
		                          .name = "fra-2",
		                          .from_ms = NOW + 1,
		                          .until_ms = MODEL_TIME_NEVER };
	static const struct {
		const char *why;
		size_t n;
		int64_t from_ms, until_ms; /* of the last one */
		enum operation_truth out[3];
	} rows[] = {
		{ "nobody", 0, 0, 0, { OPERATION_NO, OPERATION_NO, OPERATION_NO } },
		{ "lon is disabled",
		  1,
		  NOW,
		  MODEL_TIME_NEVER,
		  { OPERATION_NO, OPERATION_NO, OPERATION_YES } },
		{ "not yet",
		  1,
		  NOW + 1,
		  MODEL_TIME_NEVER,
		  { OPERATION_NO, OPERATION_NO, OPERATION_NO } },
		{ "no longer", 1, NOW - 9, NOW, { OPERATION_NO, OPERATION_NO, OPERATION_NO } },
		{ "one of two nodes",
		  2,
		  NOW,
		  NOW + 9,
		  { OPERATION_NO, OPERATION_NO, OPERATION_YES } },
		{ "the other one not yet",
		  3,
		  NOW + 1,
		  NOW + 9,
		  { OPERATION_NO, OPERATION_NO, OPERATION_YES } },
		{ "both nodes",
		  3,
		  NOW,
		  MODEL_TIME_NEVER,
		  { OPERATION_NO, OPERATION_YES, OPERATION_YES } },
		{ "the other one no longer",
		  3,
		  NOW - 9,
		  NOW,
		  { OPERATION_NO, OPERATION_NO, OPERATION_YES } },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		overrides[0].from_ms = NOW;
		overrides[0].until_ms = MODEL_TIME_NEVER;
		view.overrides.n_items = rows[i].n;
		if (rows[i].n) {
			overrides[rows[i].n - 1].from_ms = rows[i].from_ms;
			overrides[rows[i].n - 1].until_ms = rows[i].until_ms;
		}
		operation_gather(&view, &op, 1000, &seen);
		for (size_t k = 0; k < 3; k++)
			if (seen.sites[k].out != rows[i].out[k])
				fail_msg("%s: %s is %d", rows[i].why, sites[k].name,
				         (int)seen.sites[k].out);
		overrides[1].from_ms = NOW;
		overrides[1].until_ms = NOW + 1;
	}
}

/* Nothing holds a drain by the clock once it begins: who drains another site meanwhile must know. */
static void a_drain_that_is_to_come_counts_as_one(void **state)
{
	static const struct {
		const char *why;
		int64_t from_ms, until_ms, op_until_ms;
		bool counts;
	} rows[] = {
		{ "it will begin", NOW + 9, NOW + 99, MODEL_TIME_NEVER, true },
		{ "it rises", NOW - 9, NOW + 99, NOW + 1, true },
		{ "after the operation's end", NOW + 9, NOW + 99, NOW + 9, false },
		{ "it returns", NOW - 99, NOW, MODEL_TIME_NEVER, false },
	};

	(void)state;
	use_service("web");
	overrides[0] = (struct override){ .id = "d1",
		                          .kind = MODEL_OVERRIDE_DRAIN,
		                          .target = MODEL_TARGET_SITE,
		                          .name = "lon",
		                          .over_ms = 100 };
	view.overrides.n_items = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		overrides[0].from_ms = rows[i].from_ms;
		overrides[0].until_ms = rows[i].until_ms;
		op.until_ms = rows[i].op_until_ms;
		operation_gather(&view, &op, 1000, &seen);
		if (seen.sites[2].held != rows[i].counts || seen.sites[1].held ||
		    seen.sites[2].out != OPERATION_NO)
			fail_msg("%s", rows[i].why);
	}
}

/* A hold keeps what a drain has taken, also beyond its end: no client comes there. */
static void a_drain_that_a_hold_keeps_puts_its_site_out(void **state)
{
	static const struct {
		const char *why;
		int64_t held_ms;
		bool ended;
		enum operation_truth out;
	} rows[] = {
		{ "complete", NOW - 20, false, OPERATION_YES },
		{ "half-way", NOW - 35, false, OPERATION_NO },
		{ "it was ended", NOW - 20, true, OPERATION_NO },
		{ "nothing holds it", NOW + 1, false, OPERATION_NO },
	};

	(void)state;
	use_service("web");
	overrides[0] = (struct override){ .id = "d1",
		                          .kind = MODEL_OVERRIDE_DRAIN,
		                          .target = MODEL_TARGET_SITE,
		                          .name = "lon",
		                          .from_ms = NOW - 40,
		                          .over_ms = 1,
		                          .until_ms = NOW - 10 };
	overrides[1] = (struct override){ .id = "d2",
		                          .kind = MODEL_OVERRIDE_HOLD,
		                          .target = MODEL_TARGET_SITE,
		                          .name = "lon",
		                          .until_ms = MODEL_TIME_NEVER };
	view.overrides.n_items = 2;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		overrides[0].over_ms = i == 1 ? 10 : 1;
		overrides[0].ended = rows[i].ended;
		overrides[1].from_ms = rows[i].held_ms;
		operation_gather(&view, &op, 1000, &seen);
		if (seen.sites[2].out != rows[i].out)
			fail_msg("%s: %d", rows[i].why, (int)seen.sites[2].out);
	}
}

static void of_a_site_without_nodes_nothing_is_known(void **state)
{
	(void)state;
	m.n_sites = 4;
	show_facts();
	const char *par = strstr(shown, "par:");
	assert_non_null(par);
	memmove(shown, par, strlen(par) + 1);
	*strchr(strchr(shown, '\n') + 1, '\n') = '\0';
	expect_shown("par", "par: absent up=? failing=? pools=? out=no announced=? elsewhere=yes\n"
	                    "  flows=? arrivals=? backup=? established=? repeats=? drops=? bits=? "
	                    "named=? capacity=? bits=?");
}

#define PARTS(web, mail)                                                                           \
	"{'pools':{'web-ams':{'up_ppm':" web ",'unknown_ppm':0,'min_ppm':5},"                      \
	"'mail-ams':{'up_ppm':" mail ",'unknown_ppm':0,'min_ppm':5}}}"

static void of_two_nodes_the_one_that_sees_the_worse_pool_counts(void **state)
{
	static const struct {
		const char *why, *first, *second;
		enum operation_truth pools;
	} rows[] = {
		{ "both see all", PARTS("5", "5"), PARTS("9", "9"), OPERATION_YES },
		{ "one is below its least", PARTS("4", "5"), PARTS("5", "5"), OPERATION_NO },
		{ "the other node sees it", PARTS("5", "5"), PARTS("5", "4"), OPERATION_NO },
		{ "none is up", PARTS("5", "5"), PARTS("0", "5"), OPERATION_NO },
		{ "one does not say", "{}", PARTS("5", "5"), OPERATION_YES },
		{ "the other does not say", PARTS("5", "5"), "{}", OPERATION_YES },
		{ "nobody says", "{}", "{}", OPERATION_UNKNOWN },
		{ "half is not known",
		  "{'pools':{'web-ams':{'up_ppm':2,'unknown_ppm':3,'min_ppm':5}}}", "{}",
		  OPERATION_UNKNOWN },
		{ "all that is not known is too few",
		  "{'pools':{'web-ams':{'up_ppm':2,'unknown_ppm':2,'min_ppm':5},'mail-ams':{"
		  "'up_ppm':5,'unknown_ppm':0,'min_ppm':5}}}",
		  "{}", OPERATION_NO },
		{ "no least, and none is up",
		  "{'pools':{'web-ams':{'up_ppm':0,'unknown_ppm':0,'min_ppm':0}}}", "{}",
		  OPERATION_NO },
		{ "no least, and one may be up",
		  "{'pools':{'web-ams':{'up_ppm':0,'unknown_ppm':1,'min_ppm':0}}}", "{}",
		  OPERATION_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		give_report(0, rows[i].first);
		give_report(1, rows[i].second);
		operation_gather(&view, &op, 1000, &seen);
		if (seen.sites[0].pools != rows[i].pools)
			fail_msg("%s: %d", rows[i].why, (int)seen.sites[0].pools);
	}
}

#define WEB(new, own, backup, packets)                                                             \
	"{'flows':{'window_ms':7000,'services':[" SERVICE(                                         \
	        "web", new, "0", "0") "],'pools':[" POOL("web-ams", own, backup, packets) "]}}"

/* Six a second come to ams as checks: of own backends first, then of the backup. */
static void no_more_checks_are_taken_off_than_come(void **state)
{
	static const struct {
		const char *why, *measure;
		uint64_t own, backup, arrived, established;
	} rows[] = {
		{ "clients of both", WEB("20000", "10000", "10000", "60000"), 3, 10, 13, 38 },
		{ "own backends are rid of all", WEB("12000", "6000", "6000", "18000"), 0, 5, 5,
		  0 },
		{ "the backup has the rest", WEB("8000", "4000", "4000", "17000"), 0, 1, 1, 5 },
		{ "checks alone", WEB("6000", "3000", "3000", "9000"), 0, 0, 0, 0 },
		{ "some do not come", WEB("4000", "2000", "2000", "8000"), 0, 0, 0, 2 },
		{ "no packets beside the first", WEB("9000", "9000", "0", "9000"), 2, 0, 2, 0 },
	};

	(void)state;
	use_service("web");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct operation_site *s = &seen.sites[0];

		give_report(0, rows[i].measure);
		give_report(1, WEB("0", "0", "0", "0"));
		operation_gather(&view, &op, 1000, &seen);
		if (s->flows.value != rows[i].own || s->backup_flows.value != rows[i].backup ||
		    s->arrivals.value != rows[i].arrived ||
		    s->established.value != rows[i].established)
			fail_msg("%s: %llu %llu %llu %llu", rows[i].why,
			         (unsigned long long)s->flows.value,
			         (unsigned long long)s->backup_flows.value,
			         (unsigned long long)s->arrivals.value,
			         (unsigned long long)s->established.value);
	}
}

/* What one node lacks makes the whole sum unknown. */
static void a_part_that_is_missing_is_not_none(void **state)
{
	static const struct {
		const char *why, *measure;
		bool known;
	} rows[] = {
		{ "all of it", WEB("1", "1", "0", "0"), true },
		{ "no window",
		  "{'flows':{'services':[" SERVICE("web", "1", "0", "0") "],'pools':[" POOL(
		          "web-ams", "1", "0", "0") "]}}",
		  false },
		{ "no flows", "{'bits_per_s':1}", false },
		{ "no service",
		  "{'flows':{'window_ms':1,'services':[],'pools':[" POOL("web-ams", "1", "0",
		                                                         "0") "]}}",
		  false },
		{ "no pool",
		  "{'flows':{'window_ms':1,'services':[" SERVICE("web", "1", "0",
		                                                 "0") "],'pools':[]}}",
		  false },
		{ "no rate", WEB("-1", "1", "0", "0"), false },
		{ "no rate of own backends", WEB("1", "'1'", "0", "0"), false },
		{ "none of the backup", WEB("1", "1", "null", "0"), false },
		{ "the largest rate", WEB("999999999999", "1", "0", "0"), true },
		{ "too large", WEB("1000000000000", "1", "0", "0"), false },
		{ "own too large", WEB("1", "1000000000000", "0", "0"), false },
		{ "backup too large", WEB("1", "1", "1000000000000", "0"), false },
	};

	(void)state;
	use_service("web");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t node = 0; node < 2; node++) {
			struct operation_site f;

			give_report(node, rows[i].measure);
			give_report(1 - node, WEB("7000", "7000", "0", "0"));
			operation_gather(&view, &op, 1000, &seen);
			operation_service_at(&view, &op, &services[0], "ams", &f);
			if (seen.sites[0].flows.known != rows[i].known ||
			    seen.sites[0].drops.known != rows[i].known ||
			    seen.facts.window_flows.known != rows[i].known ||
			    (f.flows.known != rows[i].known &&
			     strcmp(rows[i].why, "no window") != 0))
				fail_msg("%s at node %zu", rows[i].why, node);
		}
}

/* What the projection begins with. */
static void show_begin(const struct operation_begin_flows *begin, const char *service,
                       const char *site)
{
	for (size_t i = 0; i < begin->n; i++) {
		const struct operation_begin_row *row = &begin->rows[i];

		if (row->service == hash_text(service) && row->site == hash_text(site))
			add_shown(" %llu", (unsigned long long)row->per_s);
		assert_true(i == 0 || row->service >= row[-1].service);
	}
}

static void each_service_has_its_own_flows_at_each_site(void **state)
{
	struct operation_begin_flows *begin;

	(void)state;
	shown[0] = '\0';
	name_absent("fra-2");
	for (size_t i = 0; i < N_SERVICES; i++)
		for (size_t k = 0; k < 3; k++) {
			struct operation_site f;
			uint64_t per_s = 0;
			bool known =
			        operation_flows_at(&view, &op, &services[i], sites[k].name, &per_s);

			operation_service_at(&view, &op, &services[i], sites[k].name, &f);
			assert_int_equal(f.flows.known, known);
			add_shown("%s %s:", services[i].name, sites[k].name);
			if (known)
				add_shown(" %llu, %llu own %llu backup %llu established %llu\n",
				          (unsigned long long)per_s,
				          (unsigned long long)f.arrivals.value,
				          (unsigned long long)f.flows.value,
				          (unsigned long long)f.backup_flows.value,
				          (unsigned long long)f.established.value);
			else
				add_shown(" ?\n");
		}
	op.level_ppm = 250000;
	begin = operation_list_flows(&view, &op);
	assert_non_null(begin);
	add_shown("begin %u:", begin->level_ppm);
	for (size_t i = 0; i < 3 * N_SERVICES; i++)
		show_begin(begin, services[i / 3].name, sites[i % 3].name);
	free(begin);
	expect_shown("all of them", "web ams: 80, 74 own 64 backup 10 established 58\n"
	                            "web fra: 160, 156 own 116 backup 40 established 192\n"
	                            "web lon: 640, 634 own 634 backup 0 established 48\n"
	                            "mail ams: 20, 20 own 20 backup 0 established 3\n"
	                            "mail fra: 17, 17 own 17 backup 0 established 1\n"
	                            "mail lon: ?\n"
	                            "ftp ams: ?\n"
	                            "ftp fra: 19, 19 own 19 backup 0 established 10\n"
	                            "ftp lon: 31, 31 own 31 backup 0 established 1\n"
	                            "begin 250000: 74 156 634 20 17 19 31");
}

/* --- nodes --- */

static void show_nodes(void)
{
	static const char *const dns[] = { "?", "no", "yes" };

	shown[0] = '\0';
	operation_gather(&view, &op, 1000, &seen);
	for (size_t i = 0; i < seen.facts.n_nodes; i++) {
		const struct operation_node *n = &seen.facts.nodes[i];

		add_shown("%s at %s%s%s%s dns=%s", n->name, n->site, n->self ? " self" : "",
		          n->reached ? " reached" : "", n->refuses ? " refuses" : "", dns[n->dns]);
		for (size_t k = 0; k < op.n_targets; k++) {
			const struct operation_level *l = &n->levels[k];

			add_shown(" [%s%s %u.%u %u]", l->known ? "known" : "?",
			          l->person ? " person" : "", l->epoch, l->step, l->level_ppm);
		}
		add_shown("\n");
	}
	show_value("ttl", seen.facts.ttl_s);
}

#define ROW(id, site, generation, epoch, step, level, ttl)                                         \
	"{'override':'" id "','site':'" site "','in_force':{'generation':" generation              \
	",'epoch':" epoch ",'step':" step "},'level_ppm':" level ",'longest_ttl_s':" ttl "}"

static void each_node_has_its_own_level_of_each_target(void **state)
{
	(void)state;
	op.n_targets = 2;
	op.write.epoch = 64;
	op.write.step = 3;
	give_levels(0, "[" ROW("v1", "ams", "1000", "64", "3", "250000",
	                       "17") "," ROW("v2", "lon", "1000", "64", "3", "260000", "18") "]");
	give_levels(1, "[" ROW("v1", "ams", "999", "64", "3", "270000", "90") "]");
	give_levels(2, "[" ROW("v2", "lon", "1000", "64", "2", "280000",
	                       "19") "," ROW("v9", "ams", "1001", "0", "0", "5", "91") "]");
	give_levels(3, "[" ROW("v1", "ams", "1000", "64", "3", "1000001",
	                       "20") "," ROW("v9", "lon", "1000", "0", "0", "5", "92") "]");
	view.reports[0].dns = view.reports[4].dns = true;
	view.reports[1].refuses = true;
	view.reports[3].reached = false;
	show_nodes();
	expect_shown("as they say",
	             "ams-1 at ams reached dns=yes [known 64.3 250000] [known 64.3 260000]\n"
	             "ams-2 at ams reached refuses dns=no [known 0.0 270000] [known 0.0 0]\n"
	             "fra-1 at fra self reached dns=no [known person 0.0 0] [known 64.2 280000]\n"
	             "fra-2 at fra dns=no [? 0.0 0] [known 0.0 0]\n"
	             "lon-1 at lon reached dns=? [? 0.0 0] [? 0.0 0]\n"
	             " ttl=18");
	view.reports[1].dns = true; /* it has not the last write: the document's TTL counts */
	show_nodes();
	assert_non_null(strstr(shown, " ttl=300"));
}

/* --- backups --- */

static void each_backup_is_shown_with_what_its_nodes_say(void **state)
{
	(void)state;
	op.n_targets = 2;
	expect_whole(
	        "all services", operation_backups_json(&view, &op),
	        "[{'backup': 'web-fra', 'detail': 'no route', 'ok': false, 'service': 'web', 'site': 'ams'}, {'backup': 'ftp-fra', 'detail': 'no proof', 'ok': null, 'service': 'ftp', 'site': 'lon'}]");
	use_service("ftp");
	expect_whole(
	        "one that has none at ams", operation_backups_json(&view, &op),
	        "[{'backup': 'ftp-fra', 'detail': 'no proof', 'ok': null, 'service': 'ftp', 'site': 'lon'}]");
	use_service("mail");
	expect_whole("one that has none", operation_backups_json(&view, &op), "[ ]");
	use_service("web");
	mail_at[0].pool = web_at[0].pool;
	mail_at[0].backup = web_at[0].backup;
	expect_whole(
	        "two that share slots", operation_backups_json(&view, &op),
	        "[{'backup': 'web-fra', 'detail': 'another service with the same pool and backup is not drained: late clients stay with own backends', 'ok': false, 'service': 'web', 'site': 'ams'}]");
	operation_gather(&view, &op, 1000, &seen);
	assert_string_equal(seen.sites[0].slots_with, "mail");
	assert_null(seen.sites[2].slots_with);
}

SUITE(operation_facts)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_facts_are_of_what_the_operation_moves),
		TEST(a_node_that_is_silent_counts_unless_it_is_named_absent),
		TEST(sites_are_out_by_what_others_commanded),
		TEST(a_drain_that_a_hold_keeps_puts_its_site_out),
		TEST(a_drain_that_is_to_come_counts_as_one),
		TEST(of_a_site_without_nodes_nothing_is_known),
		TEST(of_two_nodes_the_one_that_sees_the_worse_pool_counts),
		TEST(no_more_checks_are_taken_off_than_come),
		TEST(a_part_that_is_missing_is_not_none),
		TEST(each_service_has_its_own_flows_at_each_site),
		TEST(each_node_has_its_own_level_of_each_target),
		TEST(each_backup_is_shown_with_what_its_nodes_say),
	};

	return cmocka_run_group_tests_name("operation facts", tests, NULL, NULL);
}
