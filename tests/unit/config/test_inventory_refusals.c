/* Every way to write a wrong inventory, with the place and the remedy that the operator is told. */
#include "config/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "config/yaml.h"

/* Three beginnings, so that a case only writes what is wrong. */
#define DATASTORES "datastores: { redis: { versions: { 7.0: { suite: bookworm } } } }\n"
#define CLUSTER DATASTORES "clusters:\n  orders:\n    datastore: redis\n    topology: cluster\n"
#define NODES CLUSTER "    nodes: [ { address: a:1, directory: /a, config: /a/c } ]\n"
#define CLUSTERS_ONLY                                                                              \
    "clusters: { c: { datastore: redis, topology: cluster, nodes: [ { address: a:1, directory: "   \
    "/a, config: /a/c } ] } }\n"

struct refusal {
    const char *text;
    int64_t line, column;
    const char *what, *remedy;
};

static struct err *parse(const char *text, size_t size, struct config_complaints *ret_complaints)
{
    AUTO_INVENTORY inventory = {0};
    const struct config_source source = {
        .absolute_path = "/etc/upshift.yaml", .shown_path = "upshift.yaml", .text = {text, size}};
    return config_parse_inventory(&source, &inventory, ret_complaints);
}

/* Each case has exactly one mistake; all that are told differently are shown. */
static void check(const struct refusal *cases, size_t count)
{
    size_t wrong_count = 0;
    for (size_t i = 0; i < count; i++) {
        AUTO_COMPLAINTS complaints = {0};
        AUTO_ERR err = parse(cases[i].text, strlen(cases[i].text), &complaints);
        AUTO_FREE char *expected = mem_format("upshift.yaml:%lld:%lld: %s -> %s",
            (long long)cases[i].line, (long long)cases[i].column, cases[i].what, cases[i].remedy);
        AUTO_BUF told = {0};
        for (size_t k = 0; k < complaints.count; k++) {
            const struct config_complaint *complaint = &complaints.items[k];
            buf_printf(&told, "%s%s:%lld:%lld: %s -> %s", k == 0 ? "" : "\n", complaints.file,
                (long long)complaint->place.line, (long long)complaint->place.column,
                complaint->what, complaint->remedy);
        }
        if (!text_equal(buf_text(&told), expected)) {
            wrong_count++;
            print_error("expected: %s\ntold:     %s\nabout:\n%s\n", expected, buf_text(&told),
                cases[i].text);
        }
        assert_int_equal(err == NULL, complaints.count == 0);
        if (err != NULL) {
            assert_int_equal(err->kind, ERR_INVALID);
            assert_string_equal(err->code, "inventory_invalid");
        }
    }
    assert_int_equal(wrong_count, 0);
}

static void what_is_no_yaml_is_refused(void **UNUSED(state))
{
    static const char syntax_remedy[] =
        "check indentation (blanks, never tabs), brackets and quotes at and above this line";
    static const char byte_remedy[] = "save the file as UTF-8 without control characters";
    const struct refusal cases[] = {
        {"a: [1,\nb: }\n", 2, 1, "this is not YAML: wrongly indented flow sequence", syntax_remedy},
        {"a:\n\tb: 1\n", 2, 1, "this is not YAML: tab character may not be used as indentation",
            syntax_remedy},
        {"a: \"b\n", 1, 5, "this is not YAML: double-quoted scalar without closing quote",
            syntax_remedy},
        {"# \xc3\xbc\xff\n", 1, 4, "byte 0xff is not text", byte_remedy},
        {"a: b\n\x01\n", 2, 1, "byte 0x01 is not text", byte_remedy},
        {"%\n%\n", 1, 1, "directives (%) are not accepted",
            "remove the line; put quotes around a text"},
        {"\xef\xbb\xbf%\n", 1, 1, "directives (%) are not accepted",
            "remove the line; put quotes around a text"},
        {"# YAML\n%YAML 1.2\n---\n", 2, 1, "directives (%) are not accepted",
            "remove the line; put quotes around a text"},
        {"a: \xc3", 1, 4, "byte 0xc3 is not text", byte_remedy},
        {"a: \xed\x20\n", 1, 4, "byte 0xed is not text", byte_remedy},
        {"a: b\rc: d\n", 1, 5, "byte 0x0d is not text", byte_remedy},
        {"", 1, 1, "the inventory is empty", "describe your clusters as docs/inventory.md shows"},
        {"# only a comment\n", 1, 1, "the inventory is empty",
            "describe your clusters as docs/inventory.md shows"},
        {"- a\n- b\n", 1, 1, "the inventory must be a mapping",
            "write its keys below it, indented, or as {key: value}"},
        {"just text\n", 1, 1, "the inventory must be a mapping",
            "write its keys below it, indented, or as {key: value}"},
        {"a: *b\n", 1, 5, "aliases (*) are not accepted",
            "write the value out; put quotes around a text"},
        {NODES "    hosts: &h { via: local }\n", 7, 13, "anchors (&) are not accepted",
            "write the value out at each place"},
        {NODES "    hosts: !x { via: local }\n", 7, 12, "tags (!) are not accepted",
            "remove the tag; put quotes around a text"},
        {NODES "    hosts: { via: !!str local }\n", 7, 19, "tags (!) are not accepted",
            "remove the tag; put quotes around a text"},
        {NODES "---\na: b\n", 7, 1, "a second document begins here",
            "remove the line \"---\" and what follows"},
        {"? [a]\n: b\n", 1, 1, "a key in here is not a word",
            "write each member like \"name: value\""},
        {"a: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n", 1, 19, "this is nested too deeply",
            "no key needs more than 16 levels"},
        {CLUSTERS_ONLY "datastores: { redis: { versions: { 7.0: { suite: \"a\\tb\" } } } }\n", 2,
            50, "control characters are not accepted here", "write the value in one line"},
    };
    /* The last one is also no name of a suite: two mistakes, checked below. */
    check(cases, ARRAY_COUNT(cases) - 1);
    const struct refusal *last = &cases[ARRAY_COUNT(cases) - 1];
    AUTO_COMPLAINTS complaints = {0};
    AUTO_ERR err = parse(last->text, strlen(last->text), &complaints);
    assert_non_null(err);
    assert_int_equal(complaints.count, 2);
    assert_string_equal(complaints.items[0].what, last->what);
    assert_string_equal(complaints.items[0].remedy, last->remedy);
    assert_int_equal(complaints.items[0].place.column, last->column);
}

static void a_zero_byte_does_not_end_the_file(void **UNUSED(state))
{
    AUTO_COMPLAINTS complaints = {0};
    AUTO_ERR err = parse("a: b\n\0c: d\n", 11, &complaints);
    assert_non_null(err);
    assert_int_equal(complaints.count, 1);
    assert_string_equal(complaints.items[0].what, "byte 0x00 is not text");
    assert_int_equal(complaints.items[0].place.line, 2);
}

static void keys_must_be_known_and_complete(void **UNUSED(state))
{
    const struct refusal cases[] = {
        {NODES "    datastor: redis\n", 7, 5, "unknown key \"datastor\"",
            "did you mean \"datastore\"?"},
        {NODES "    policy: { soak: 3 }\n", 7, 15, "unknown key \"soak\"",
            "did you mean \"soak_s\"?"},
        {NODES "    hosts: { via: local, xyzzy: 1 }\n", 7, 26, "unknown key \"xyzzy\"",
            "use one of: via"},
        {NODES "balancers: {}\n", 7, 1, "unknown key \"balancers\"",
            "use one of: datastores, clusters"},
        {NODES "    topology: cluster\n", 7, 5, "key \"topology\" is written twice",
            "keep one of them; the first is in line 5"},
        {NODES "  orders: {}\n", 7, 3, "key \"orders\" is written twice",
            "keep one of them; the first is in line 3"},
        {CLUSTERS_ONLY, 1, 1, "the inventory needs the key \"datastores\"",
            "add \"datastores: { redis: { versions: { \"7.0\": { suite: bookworm } } } }\""},
        {DATASTORES, 1, 1, "the inventory needs the key \"clusters\"",
            "add \"clusters: { NAME: { datastore: redis, ... } }\""},
        {CLUSTER, 3, 3, "a cluster needs the key \"nodes\"",
            "add \"nodes: [{ address: 127.0.0.1:7001, directory: ..., config: ... }, ...]\""},
        {CLUSTER "    nodes:\n    - { directory: /a, config: /a/c }\n", 7, 7,
            "a node needs the key \"address\"", "add \"address: 127.0.0.1:7001\""},
        {CLUSTER "    nodes:\n    - { address: a:1, config: /a/c }\n", 7, 7,
            "a node needs the key \"directory\"", "add \"directory: /srv/redis/n1\""},
        {CLUSTER "    nodes:\n    - { address: a:1, directory: /a }\n", 7, 7,
            "a node needs the key \"config\"", "add \"config: /srv/redis/n1/redis.conf\""},
        {NODES "    auth: { user: x }\n", 7, 5, "auth needs the key \"password\"",
            "add \"password: { env: REDIS_PASSWORD }\""},
        {NODES "    service: { user: redis }\n", 7, 5, "service needs the key \"manager\"",
            "add \"manager: process\""},
    };
    check(cases, ARRAY_COUNT(cases));
}

static void values_must_be_of_their_kind(void **UNUSED(state))
{
    const char mapping_remedy[] = "write its keys below it, indented, or as {key: value}";
    const struct refusal cases[] = {
        {NODES "    policy: careful\n", 7, 5, "a policy must be a mapping", mapping_remedy},
        {NODES "    policy:\n", 7, 5, "a policy must be a mapping", mapping_remedy},
        {NODES "    tls: true\n", 7, 5, "tls must be a mapping", mapping_remedy},
        {NODES "    auth: secret\n", 7, 5, "auth must be a mapping", mapping_remedy},
        {CLUSTER "    nodes:\n    - a:1\n", 7, 7, "a node must be a mapping", mapping_remedy},
        {CLUSTER "    nodes: []\n", 6, 12, "\"nodes\" must be a list of at least one node",
            "write it like \"nodes: [{ address: 127.0.0.1:7001, directory: ..., config: ... }, "
            "...]\""},
        {CLUSTER "    nodes: { n1: a:1 }\n", 6, 12, "\"nodes\" must be a list of at least one node",
            "write it like \"nodes: [{ address: 127.0.0.1:7001, directory: ..., config: ... }, "
            "...]\""},
        {DATASTORES "clusters: {}\n", 2, 11,
            "\"clusters\" must be a mapping with at least one member",
            "write it like \"clusters: { NAME: { datastore: redis, ... } }\""},
        {CLUSTERS_ONLY "datastores: []\n", 2, 13,
            "\"datastores\" must be a mapping with at least one member",
            "write it like \"datastores: { redis: { versions: { \"7.0\": { suite: bookworm } } } "
            "}\""},
        {CLUSTERS_ONLY "datastores: { redis: { versions: [7.0] } }\n", 2, 34,
            "\"versions\" must be a mapping with at least one member",
            "write it like \"versions: { \"7.0\": { suite: bookworm } }\""},
        {NODES "    policy: { soak_s: soon }\n", 7, 23, "\"soak_s\" must be a whole number",
            "write it like \"soak_s: 30\""},
        {NODES "    policy: { soak_s: \"30\" }\n", 7, 23, "\"soak_s\" must be a whole number",
            "write it like \"soak_s: 30\""},
        {NODES "    policy: { soak_s: 1.5 }\n", 7, 23, "\"soak_s\" must be a whole number",
            "write it like \"soak_s: 30\""},
        {NODES "    policy: { soak_s: [1] }\n", 7, 23, "\"soak_s\" must be a whole number",
            "write it like \"soak_s: 30\""},
        {NODES "    policy: { soak_s: 99999999999999999999 }\n", 7, 23,
            "\"soak_s\" must be a whole number", "write it like \"soak_s: 30\""},
        {NODES "    policy: { backlog: 64MB }\n", 7, 24,
            "\"backlog\" must be a size in bytes, KiB, MiB or GiB",
            "write it like \"backlog: 64MiB\""},
        {NODES "    policy: { backlog: 9999999999999GiB }\n", 7, 24,
            "\"backlog\" must be a size in bytes, KiB, MiB or GiB",
            "write it like \"backlog: 64MiB\""},
        {NODES "    policy: { probe: { required: yes } }\n", 7, 34,
            "\"required\" must be true or false", "write it like \"required: true\""},
        {CLUSTER "    nodes: [ { address: a:1, directory: , config: /a/c } ]\n", 6, 30,
            "\"directory\" must be a path", "write it like \"directory: /srv/redis/n1\""},
        {CLUSTER "    nodes: [ { address: [a], directory: /a, config: /a/c } ]\n", 6, 25,
            "\"address\" must be an address", "write it like \"address: 127.0.0.1:7001\""},
        {NODES "    service: { manager: process, user: ~ }\n", 7, 40, "\"user\" must be a text",
            "write it like \"user: redis\""},
        {NODES "    hosts: { via: {} }\n", 7, 19, "\"via\" must be a word",
            "write it like \"via: local\""},
        {NODES "    auth: { password: { command: pass } }\n", 7, 34,
            "\"command\" must be a list of texts",
            "write it like \"command: [pass, show, redis]\""},
    };
    check(cases, ARRAY_COUNT(cases));
}

static void numbers_must_be_in_range(void **UNUSED(state))
{
    const struct refusal cases[] = {
        {NODES "    policy: { max_unavailable: 0 }\n", 7, 32,
            "\"max_unavailable\" must be between 1 and 100",
            "write it like \"max_unavailable: 1\""},
        {NODES "    policy: { soak_s: -1 }\n", 7, 23, "\"soak_s\" must be between 0 and 604800",
            "write it like \"soak_s: 30\""},
        {NODES "    policy: { step_timeout_s: 9 }\n", 7, 31,
            "\"step_timeout_s\" must be between 10 and 86400",
            "write it like \"step_timeout_s: 120\""},
        {NODES "    policy: { gate_timeout_s: 86401 }\n", 7, 31,
            "\"gate_timeout_s\" must be between 1 and 86400",
            "write it like \"gate_timeout_s: 300\""},
        {NODES "    policy: { lag_bytes_max: 2GiB }\n", 7, 30,
            "\"lag_bytes_max\" must be between 0 and 1073741824",
            "write it like \"lag_bytes_max: 1MiB\""},
        {NODES "    policy: { backlog: 1023KiB }\n", 7, 24,
            "\"backlog\" must be between 1048576 and 68719476736",
            "write it like \"backlog: 64MiB\""},
        {NODES "    policy: { probe: { rate: 0 } }\n", 7, 30,
            "\"rate\" must be between 1 and 100000", "write it like \"rate: 100\""},
        {NODES "    policy: { probe: { keys_max: 10 } }\n", 7, 34,
            "\"keys_max\" must be between 1000 and 10000000",
            "write it like \"keys_max: 1000000\""},
        {NODES "    policy: { probe: { ttl_s: 59 } }\n", 7, 31,
            "\"ttl_s\" must be between 60 and 604800", "write it like \"ttl_s: 3600\""},
        {NODES "    policy: { probe: { linger_s: 86401 } }\n", 7, 34,
            "\"linger_s\" must be between 0 and 86400", "write it like \"linger_s: 600\""},
    };
    check(cases, ARRAY_COUNT(cases));
}

static void topologies_have_their_own_keys(void **UNUSED(state))
{
#define TOPOLOGY(word)                                                                             \
    DATASTORES "clusters:\n  orders:\n    datastore: redis\n    topology: " word "\n"
#define ONE_NODE "    nodes: [ { address: a:1, directory: /a, config: /a/c } ]\n"
#define ONE_SENTINEL "    sentinels: [ { address: a:2, directory: /s, config: /s/c } ]\n"
    const char remove[] = "remove it, or correct \"topology\"";
    const char manual[] = "docs/inventory.md shows what to write";
    const struct refusal cases[] = {
        {TOPOLOGY("cluster") ONE_NODE ONE_SENTINEL, 7, 5,
            "\"sentinels\" has no meaning with topology \"cluster\"", remove},
        {TOPOLOGY("replication") ONE_NODE "    master_name: mymaster\n", 7, 5,
            "\"master_name\" has no meaning with topology \"replication\"", remove},
        {TOPOLOGY("cluster") ONE_NODE "    hooks: { primary_changed: [/bin/true] }\n", 7, 5,
            "\"hooks\" has no meaning with topology \"cluster\"", remove},
        {TOPOLOGY("sentinel") ONE_NODE "    master_name: mymaster\n", 3, 3,
            "topology \"sentinel\" needs \"sentinels\"", manual},
        {TOPOLOGY("sentinel") ONE_NODE ONE_SENTINEL, 3, 3,
            "topology \"sentinel\" needs \"master_name\"", manual},
        {TOPOLOGY("sentinel") ONE_NODE ONE_SENTINEL "    master_name: my master\n", 8, 18,
            "this is not a master name", "use letters, digits, '-', '_' and '.', at most 64"},
        {TOPOLOGY("replication") ONE_NODE "    hooks: { primary_changed: [tell] }\n", 7, 31,
            "\"primary_changed\" must begin with the absolute path of a program",
            "write e.g. primary_changed: [/usr/local/bin/tell-clients]"},
        {TOPOLOGY("replication") ONE_NODE "    hooks: { primary_changed: [] }\n", 7, 31,
            "\"primary_changed\" must begin with the absolute path of a program",
            "write e.g. primary_changed: [/usr/local/bin/tell-clients]"},
        {TOPOLOGY("sentinel") ONE_NODE
            "    master_name: mymaster\n"
            "    sentinels: [ { address: a:1, directory: /s, config: /s/c } ]\n",
            8, 29, "two nodes have the same address: a:1",
            "the other one is a:1 in line 6; change one"},
        {NODES "    policy: { hold_limit_ms: 100 }\n", 7, 30,
            "\"hold_limit_ms\" must be between 500 and 60000",
            "write it like \"hold_limit_ms: 5000\""},
    };
    check(cases, ARRAY_COUNT(cases));
}

static void words_must_exist_and_be_built(void **UNUSED(state))
{
    const char planned[] = "is planned, not built yet";
    const struct {
        const char *key, *word, *remedy;
    } later[] = {
        {"topology: ", "standalone", "use one of: cluster, sentinel, replication"},
        {"hosts:\n      via: ", "ssh", "use one of: local"},
        {"service:\n      manager: ", "systemd", "use one of: process"},
        {"package:\n      provider: ", "apt", "use one of: suite"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(later); i++) {
        AUTO_FREE char *text =
            mem_format("%sclusters:\n  orders:\n    datastore: redis\n%s"
                       "    nodes: [ { address: a:1, directory: /a, config: /a/c } ]\n    %s%s\n",
                DATASTORES, i == 0 ? "" : "    topology: cluster\n", later[i].key, later[i].word);
        AUTO_COMPLAINTS complaints = {0};
        AUTO_ERR err = parse(text, strlen(text), &complaints);
        assert_non_null(err);
        assert_int_equal(complaints.count, 1);
        assert_non_null(strstr(complaints.items[0].what, later[i].word));
        assert_non_null(strstr(complaints.items[0].what, planned));
        assert_string_equal(complaints.items[0].remedy, later[i].remedy);
    }
    const struct refusal cases[] = {
        {NODES "    policy: { on_failure: pase }\n", 7, 27, "\"on_failure\" cannot be \"pase\"",
            "did you mean \"pause\"?"},
        {NODES "    policy: { drift: rewritten }\n", 7, 22, "\"drift\" cannot be \"rewritten\"",
            "did you mean \"rewrite\"?"},
        {NODES "    policy: { min_replicas: 0 }\n", 7, 29, "\"min_replicas\" cannot be \"0\"",
            "use one of: refuse, relax"},
        {NODES "    policy: { backup: required }\n", 7, 5,
            "\"backup: required\" needs \"backup_dir\"",
            "name a folder on the hosts, e.g. backup_dir: /srv/backup/redis"},
        {NODES "    policy: { modules: some }\n", 7, 24, "\"modules\" cannot be \"some\"",
            "use one of: refuse, allow"},
        {NODES "    policy: { probe: { mode: everything } }\n", 7, 30,
            "\"mode\" cannot be \"everything\"", "use one of: off, read-only, write"},
        {CLUSTERS_ONLY "datastores: { reddis: { versions: { 7.0: { suite: a } } } }\n", 2, 15,
            "\"datastore\" cannot be \"reddis\"", "did you mean \"redis\"?"},
        {CLUSTERS_ONLY "datastores: { mariadb: { versions: { 10.11: { suite: a } } } }\n", 2, 15,
            "\"datastore: mariadb\" is planned, not built yet", "use one of: redis, valkey"},
        {DATASTORES "clusters: { c: { datastore: memcached, topology: cluster, nodes: [\n"
                    "  { address: a:1, directory: /a, config: /a/c } ] } }\n",
            2, 29, "\"datastore\" cannot be \"memcached\"", "use one of: redis, valkey"},
    };
    check(cases, ARRAY_COUNT(cases));
}

static void names_and_addresses_must_have_their_form(void **UNUSED(state))
{
    static const char address_remedy[] =
        "write host:port with a port from 1 to 65535; an IPv6 address in brackets, [::1]:7001";
    static const char *const addresses[] = {"a", "'a:'", "':1'", "a:0", "a:65536", "a:b", "a:-1",
        "a:+1", "'a b:1'", "'::1:7001'", "'[::1]'", "'[::g]:1'", "'[]:1'", "-a:1", ".a:1", "a/b:1",
        "a:1:2"};
    for (size_t i = 0; i < ARRAY_COUNT(addresses); i++) {
        AUTO_FREE char *text =
            mem_format("%s    nodes: [ { address: %s, directory: /a, config: /a/c } ]\n", CLUSTER,
                addresses[i]);
        const struct refusal refusal = {text, 6, 25, "this is not an address", address_remedy};
        check(&refusal, 1);
    }
    const struct refusal cases[] = {
        {CLUSTER "    nodes: [ { name: a/b, address: a:1, directory: /a, config: /a/c } ]\n", 6, 22,
            "this is not a node name",
            "use letters, digits, '-', '_', '.' and ':', at most 64; \"cluster\" itself is "
            "reserved"},
        {CLUSTER "    nodes: [ { name: cluster, address: a:1, directory: /a, config: /a/c } ]\n", 6,
            22, "this is not a node name",
            "use letters, digits, '-', '_', '.' and ':', at most 64; \"cluster\" itself is "
            "reserved"},
        {DATASTORES "clusters: { .c: { datastore: redis, topology: cluster, nodes: [\n"
                    "  { address: a:1, directory: /a, config: /a/c } ] } }\n",
            2, 13, "this is not a cluster name",
            "use letters, digits, '-', '_' and '.', at most 64, not beginning with '.'"},
        {DATASTORES "clusters: { a/c: { datastore: redis, topology: cluster, nodes: [\n"
                    "  { address: a:1, directory: /a, config: /a/c } ] } }\n",
            2, 13, "this is not a cluster name",
            "use letters, digits, '-', '_' and '.', at most 64, not beginning with '.'"},
        {CLUSTERS_ONLY "datastores: { redis: { versions: { valkey/8.1: { suite: a } } } }\n", 2, 36,
            "this is not a version",
            "write the number alone, exact like 7.0.15 or a series like 7.0"},
        {CLUSTERS_ONLY "datastores: { redis: { versions: { 7: { suite: a } } } }\n", 2, 36,
            "this is not a version",
            "write the number alone, exact like 7.0.15 or a series like 7.0"},
        {CLUSTERS_ONLY "datastores: { redis: { versions: { 7.0: { suite: ../x } } } }\n", 2, 50,
            "this is not the name of a suite", "write it as Debian does, e.g. bookworm"},
        {NODES "    service: { manager: process, user: 0day }\n", 7, 40,
            "this is not a user name of the system",
            "use letters, digits, '-' and '_', at most 32, not beginning with a digit or '-'"},
        {NODES "    tls: { server_name: 'a b' }\n", 7, 25, "this is not a host name",
            "write a host name or an IP address, without a port"},
        {NODES "    auth: { user: 'a b', password: { env: X } }\n", 7, 19,
            "this is not a user name", "use at most 64 characters without blanks and quotes"},
    };
    check(cases, ARRAY_COUNT(cases));
}

static void secrets_must_be_references(void **UNUSED(state))
{
    static const char remedy[] =
        "write { env: NAME }, { file: PATH } or { command: [PROGRAM, ARGUMENT, ...] }";
    static const char one_place[] = "\"password\" needs exactly one place to come from";
    const struct refusal cases[] = {
        {NODES "    auth: { password: hunter2 }\n", 7, 23,
            "\"password\" must say where the password is, not what it is", remedy},
        {NODES "    auth: { password: }\n", 7, 13,
            "\"password\" must say where the password is, not what it is", remedy},
        {NODES "    auth: { password: {} }\n", 7, 13, one_place, remedy},
        {NODES "    auth: { password: { env: A, file: /b } }\n", 7, 13, one_place, remedy},
        {NODES "    auth: { password: { command: [] } }\n", 7, 13, one_place, remedy},
        {NODES "    auth: { password: { env: 'my password' } }\n", 7, 30,
            "this is not the name of an environment variable",
            "use letters, digits and '_', not beginning with a digit"},
        {NODES "    auth: { password: { value: hunter2 } }\n", 7, 25, "unknown key \"value\"",
            "use one of: env, file, command"},
    };
    check(cases, ARRAY_COUNT(cases));
}

static void a_line_with_a_secret_is_never_shown(void **UNUSED(state))
{
    static const char *const texts[] = {
        NODES "    auth: { password: hunter2 }\n",
        NODES "    auth:\n      pasword:\n        hunter2: hunter2\n      user: hunter2 x\n",
        NODES "    auht: { password: hunter2 }\n",
        NODES "    auth: { password: { value: hunter2 } }\n",
        NODES "    auth: { password: \"hunter2\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        AUTO_COMPLAINTS complaints = {0};
        AUTO_ERR err = parse(texts[i], strlen(texts[i]), &complaints);
        assert_non_null(err);
        AUTO_FREE char *shown = config_complaints_text(&complaints);
        assert_null(strstr(shown, "hunter2"));
        assert_non_null(strstr(shown, "(not shown: it may hold a secret)"));
    }
}

static void a_certificate_needs_its_key(void **UNUSED(state))
{
    static const char remedy[] =
        "give both, or neither when the servers do not ask for a client certificate";
    const struct refusal cases[] = {
        {NODES "    tls: { cert_file: /c.pem }\n", 7, 5,
            "\"cert_file\" and \"key_file\" belong together", remedy},
        {NODES "    tls: { key_file: /c.key }\n", 7, 5,
            "\"cert_file\" and \"key_file\" belong together", remedy},
    };
    check(cases, ARRAY_COUNT(cases));
}

static void two_nodes_may_not_share(void **UNUSED(state))
{
    /* The first node is in line 7, the second in line 8. */
#define PAIR(first, second) CLUSTER "    nodes:\n    - " first "\n    - " second "\n"
#define N1 "{ name: n1, address: a:1, directory: /a, config: /a/c, server: /s, pid_file: /p }"
    static const char remedy[] = "the other one is n1 in line 7; change one";
    const struct refusal cases[] = {
        {PAIR(N1, "{ name: n1, address: b:1, directory: /b, config: /b/c }"), 8, 15,
            "two nodes have the same name: n1", remedy},
        {PAIR(N1, "{ name: n2, address: a:1, directory: /b, config: /b/c }"), 8, 28,
            "two nodes have the same address: a:1", remedy},
        {PAIR(N1, "{ name: n2, address: b:1, directory: /x/../a/, config: /b/c }"), 8, 44,
            "two nodes have the same directory: /a", remedy},
        {PAIR(N1, "{ name: n2, address: b:1, directory: /b, config: /a//c }"), 8, 56,
            "two nodes have the same config: /a/c", remedy},
        {PAIR(N1, "{ name: n2, address: b:1, directory: /b, config: /b/c, server: /s }"), 8, 70,
            "two nodes have the same server: /s", remedy},
        {PAIR(N1, "{ name: n2, address: b:1, directory: /b, config: /b/c, pid_file: /p }"), 8, 72,
            "two nodes have the same pid_file: /p", remedy},
        {PAIR("{ address: a:1, directory: /a, config: /a/c }",
             "{ address: a:1, directory: /b, config: /b/c }"),
            8, 18, "two nodes have the same address: a:1",
            "the other one is a:1 in line 7; change one"},
        {PAIR("{ name: n1, address: a:1, directory: /a, config: /a/c }",
             "{ name: n2, address: b:1, directory: /a, config: /b/c }"),
            8, 44, "two nodes have the same directory: /a", remedy},
        {PAIR("{ name: n1, address: a:1, directory: /a, config: /a/c, server: /b/server }",
             "{ name: n2, address: b:1, directory: /b, config: /b/c }"),
            8, 7, "two nodes have the same server: /b/server", remedy},
        {NODES "  other: { datastore: redis, topology: cluster, nodes: [\n"
               "    { address: a:1, directory: /b, config: /b/c } ] }\n",
            8, 16, "two nodes have the same address: a:1",
            "the other one is a:1 in line 6; change one"},
    };
    check(cases, ARRAY_COUNT(cases));
#undef PAIR
#undef N1
}

static void all_mistakes_are_told_at_once_in_order(void **UNUSED(state))
{
    AUTO_COMPLAINTS complaints = {0};
    static const char three[] = CLUSTER "    datastor: redis\n"
                                        "    policy: { soak_s: 1d }\n";
    AUTO_ERR err = parse(three, strlen(three), &complaints);
    assert_non_null(err);
    assert_string_equal(err->what, "the inventory has 3 mistakes");
    AUTO_FREE char *shown = config_complaints_text(&complaints);
    assert_string_equal(shown,
        "upshift.yaml:3:3: a cluster needs the key \"nodes\"\n"
        "  3 |   orders:\n"
        "    |   ^~~~~~\n"
        "  remedy: add \"nodes: [{ address: 127.0.0.1:7001, directory: ..., config: ... }, ...]\"\n"
        "upshift.yaml:6:5: unknown key \"datastor\"\n"
        "  6 |     datastor: redis\n"
        "    |     ^~~~~~~~\n"
        "  remedy: did you mean \"datastore\"?\n"
        "upshift.yaml:7:23: \"soak_s\" must be a whole number\n"
        "  7 |     policy: { soak_s: 1d }\n"
        "    |                       ^~\n"
        "  remedy: write it like \"soak_s: 30\"\n");
}

static void sizes_have_limits(void **UNUSED(state))
{
    AUTO_BUF many = {0};
    buf_append_text(&many, CLUSTER "    nodes:\n");
    for (int i = 0; i <= YAML_CHILDREN_MAX; i++) {
        buf_printf(&many, "    - { address: a:%d, directory: /%d, config: /c%d }\n", i + 1, i, i);
    }
    AUTO_COMPLAINTS members = {0};
    AUTO_ERR members_err = parse(buf_text(&many), many.size, &members);
    assert_non_null(members_err);
    assert_int_equal(members.count, 1);
    assert_string_equal(members.items[0].what, "more than 1024 members are not accepted");
    assert_string_equal(members.items[0].remedy, "split the inventory into several files");

    AUTO_BUF clusters = {0};
    buf_append_text(&clusters, DATASTORES "clusters:\n");
    for (int c = 0; c < 5; c++) {
        buf_printf(
            &clusters, "  c%d:\n    datastore: redis\n    topology: cluster\n    nodes:\n", c);
        for (int i = 0; i < 1000; i++) {
            buf_printf(&clusters, "    - { address: h%d:%d, directory: /%d/%d, config: /c%d/%d }\n",
                c, i + 1, c, i, c, i);
        }
    }
    AUTO_COMPLAINTS nodes = {0};
    AUTO_ERR nodes_err = parse(buf_text(&clusters), clusters.size, &nodes);
    assert_non_null(nodes_err);
    assert_int_equal(nodes.count, 1);
    assert_string_equal(
        nodes.items[0].what, "more than 4096 nodes are not accepted in one inventory");
    assert_string_equal(nodes.items[0].remedy, "write one inventory per group of clusters");
}

static void files_that_cannot_be_read_are_named(void **UNUSED(state))
{
    char folder[] = "/tmp/upshift-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *large = mem_format("%s/large.yaml", folder);
    AUTO_BUF content = {0};
    memset(buf_reserve(&content, INVENTORY_SIZE_MAX + 1), '#', INVENTORY_SIZE_MAX + 1);
    buf_grow_used(&content, INVENTORY_SIZE_MAX + 1);
    AUTO_ERR written = fs_write(large, content.data, content.size, 0600);
    assert_null(written);
    const char *const paths[] = {
        "/nonexistent/upshift.yaml", "/tmp/nonexistent.yaml", folder, large};
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        AUTO_INVENTORY inventory = {0};
        AUTO_COMPLAINTS complaints = {0};
        AUTO_ERR err = config_load_inventory(paths[i], &inventory, &complaints);
        assert_non_null(err);
        assert_string_equal(err->code, "inventory_unreadable");
        assert_string_equal(err->where, paths[i]);
        assert_non_null(err->hint);
        assert_int_equal(complaints.count, 0);
    }
    AUTO_ERR removed = fs_remove_tree(folder);
    assert_null(removed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_yaml_is_refused),
        cmocka_unit_test(a_zero_byte_does_not_end_the_file),
        cmocka_unit_test(keys_must_be_known_and_complete),
        cmocka_unit_test(values_must_be_of_their_kind),
        cmocka_unit_test(numbers_must_be_in_range),
        cmocka_unit_test(topologies_have_their_own_keys),
        cmocka_unit_test(words_must_exist_and_be_built),
        cmocka_unit_test(names_and_addresses_must_have_their_form),
        cmocka_unit_test(secrets_must_be_references),
        cmocka_unit_test(a_line_with_a_secret_is_never_shown),
        cmocka_unit_test(a_certificate_needs_its_key),
        cmocka_unit_test(two_nodes_may_not_share),
        cmocka_unit_test(all_mistakes_are_told_at_once_in_order),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(files_that_cannot_be_read_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
