/* Good inventories: what is read, the defaults, and where paths lead. */
#include "config/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sha256.h"

static const char small[] =
    "datastores: { redis: { versions: { 7.0: { suite: bookworm } } } }\n"
    "clusters:\n"
    "  orders:\n"
    "    datastore: redis\n"
    "    topology: cluster\n"
    "    nodes:\n"
    "      - { address: '127.0.0.1:7001', directory: n1, config: ./conf//n1.conf }\n"
    "      - { address: '[::1]:7002', directory: /srv/n2/, config: ../n2.conf, name: two,\n"
    "          server: bin/redis, pid_file: /run/n2.pid, log_file: /var/log/n2.log }\n";

static void load(const char *text, struct inventory *ret_inventory)
{
    AUTO_COMPLAINTS complaints = {0};
    const struct config_source source = {.absolute_path = "/etc/upshift/upshift.yaml",
        .shown_path = "upshift.yaml",
        .text = str_of(text)};
    AUTO_ERR err = config_parse_inventory(&source, ret_inventory, &complaints);
    AUTO_FREE char *shown = config_complaints_text(&complaints);
    assert_string_equal(shown, "");
    assert_null(err);
}

static void what_is_left_out_has_its_default(void **UNUSED(state))
{
    AUTO_INVENTORY inventory = {0};
    load(small, &inventory);
    const struct inv_cluster *cluster = inventory_find_cluster(&inventory, "orders");
    assert_non_null(cluster);
    assert_string_equal(cluster->place, "upshift.yaml:3:3");
    assert_string_equal(cluster->host_via, "local");
    assert_string_equal(cluster->service_manager, "process");
    assert_null(cluster->service_user);
    assert_string_equal(cluster->package_provider, "suite");
    assert_null(cluster->user);
    assert_int_equal(cluster->password.source, SECRET_NONE);
    assert_false(cluster->tls.is_enabled);
    const struct inv_policy *policy = &cluster->policy;
    assert_int_equal(policy->max_unavailable, 1);
    assert_int_equal(policy->soak_s, 30);
    assert_int_equal(policy->step_timeout_s, 120);
    assert_int_equal(policy->gate_timeout_s, 300);
    assert_int_equal(policy->lag_bytes_max, 1048576);
    assert_int_equal(policy->backlog_bytes, 67108864);
    assert_int_equal(policy->on_failure, INV_FAILURE_PAUSE);
    assert_int_equal(policy->drift, INV_DRIFT_REFUSE);
    assert_int_equal(policy->min_replicas, INV_MIN_REPLICAS_REFUSE);
    assert_int_equal(policy->modules, INV_MODULES_REFUSE);
    assert_int_equal(policy->probe.mode, INV_PROBE_WRITE);
    assert_false(policy->probe.is_required);
    assert_int_equal(policy->probe.rate, 100);
    assert_int_equal(policy->probe.keys_max, 1000000);
    assert_int_equal(policy->probe.ttl_s, 3600);
    assert_int_equal(policy->probe.linger_s, 600);
}

static void paths_begin_at_the_folder_of_the_file(void **UNUSED(state))
{
    AUTO_INVENTORY inventory = {0};
    load(small, &inventory);
    const struct inv_node *first = &inventory.clusters[0].nodes[0];
    assert_string_equal(first->name, "127.0.0.1:7001");
    assert_string_equal(first->host, "127.0.0.1");
    assert_int_equal(first->port, 7001);
    assert_string_equal(first->directory, "/etc/upshift/n1");
    assert_string_equal(first->config_file, "/etc/upshift/conf/n1.conf");
    assert_string_equal(first->server_link, "/etc/upshift/n1/server");
    assert_string_equal(first->pid_file, "/etc/upshift/n1/upshift.pid");
    assert_string_equal(first->log_file, "/etc/upshift/n1/server.log");

    const struct inv_node *second = inv_cluster_find_node(&inventory.clusters[0], "two");
    assert_non_null(second);
    assert_string_equal(second->host, "::1");
    assert_int_equal(second->port, 7002);
    assert_string_equal(second->directory, "/srv/n2");
    assert_string_equal(second->config_file, "/etc/n2.conf");
    assert_string_equal(second->server_link, "/etc/upshift/bin/redis");
    assert_string_equal(second->pid_file, "/run/n2.pid");
    assert_string_equal(second->log_file, "/var/log/n2.log");
}

static void versions_keep_their_spelling(void **UNUSED(state))
{
    AUTO_INVENTORY inventory = {0};
    load("datastores:\n"
         "  redis: { versions: { 7.10: { suite: sid }, \"7.0.15\": { suite: bookworm-backports } } "
         "}\n"
         "  valkey: { versions: { 8.1: { suite: trixie } } }\n"
         "clusters: { c: { datastore: valkey, topology: cluster, nodes: [\n"
         "  { address: 'a:1', directory: /a, config: /a/c } ] } }\n",
        &inventory);
    const struct inv_datastore *redis = inventory_find_datastore(&inventory, "redis");
    assert_int_equal(redis->version_count, 2);
    assert_string_equal(redis->versions[0].name, "7.10");
    assert_string_equal(redis->versions[0].product, "redis");
    assert_string_equal(redis->versions[1].name, "7.0.15");
    assert_string_equal(redis->versions[1].suite, "bookworm-backports");
    assert_string_equal(
        inventory_find_datastore(&inventory, "valkey")->versions[0].product, "valkey");
}

static void sentinels_are_nodes_of_their_own_kind(void **UNUSED(state))
{
    AUTO_INVENTORY inventory = {0};
    load("datastores: { redis: { versions: { 7.0: { suite: bookworm } } } }\n"
         "clusters: { c: { datastore: redis, topology: sentinel, master_name: mymaster,\n"
         "  nodes: [ { address: 'a:1', directory: /a, config: /a/c } ],\n"
         "  sentinels: [ { address: 'a:2', directory: /s, config: /s/c, name: s1 } ],\n"
         "  hooks: { primary_changed: [/bin/tell, \"--all\"] },\n"
         "  policy: { hold_limit_ms: 2000, drift: rewrite, min_replicas: relax,\n"
         "    modules: allow, backup: required, backup_dir: b } } }\n",
        &inventory);
    const struct inv_cluster *cluster = &inventory.clusters[0];
    assert_true(inv_cluster_has_one_primary(cluster));
    assert_string_equal(cluster->master_name, "mymaster");
    assert_int_equal(cluster->sentinel_count, 1);
    const struct inv_node *sentinel = inv_cluster_find_node(cluster, "s1");
    assert_ptr_equal(sentinel, &cluster->sentinels[0]);
    assert_true(sentinel->is_sentinel);
    assert_string_equal(sentinel->server_link, "/s/server");
    assert_false(inv_cluster_find_node(cluster, "a:1")->is_sentinel);
    assert_int_equal(cluster->primary_changed_count, 2);
    assert_string_equal(cluster->primary_changed[1], "--all");
    assert_null(cluster->primary_changed[2]);
    assert_int_equal(cluster->policy.hold_limit_ms, 2000);
    assert_int_equal(cluster->policy.backup, INV_BACKUP_REQUIRED);
    assert_string_equal(cluster->policy.backup_dir, "/etc/upshift/b");
    assert_int_equal(cluster->policy.drift, INV_DRIFT_REWRITE);
    assert_int_equal(cluster->policy.min_replicas, INV_MIN_REPLICAS_RELAX);
    assert_int_equal(cluster->policy.modules, INV_MODULES_ALLOW);
}

static void secrets_and_tls_are_references(void **UNUSED(state))
{
    static const char format[] =
        "datastores: { redis: { versions: { 7.0: { suite: bookworm } } } }\n"
        "clusters: { c: { datastore: redis, topology: cluster,\n"
        "  auth: { user: ops, password: %s },\n"
        "  tls: { ca_file: ca.pem, cert_file: /c.pem, key_file: /k.pem, server_name: r.example },\n"
        "  nodes: [ { address: 'a:1', directory: /a, config: /a/c } ] } }\n";
    static const struct {
        const char *password, *name;
        enum secret_source source;
    } cases[] = {
        {"{ env: REDIS_PASSWORD }", "REDIS_PASSWORD", SECRET_ENV},
        {"{ file: secret }", "/etc/upshift/secret", SECRET_FILE},
        {"{ command: [pass, show, redis] }", "pass", SECRET_COMMAND},
        {"{ command: [bin/../pass, show, redis] }", "/etc/upshift/pass", SECRET_COMMAND},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_BUF text = {0};
        const char *cut = strstr(format, "%s");
        buf_append(&text, format, (size_t)(cut - format));
        buf_append_text(&text, cases[i].password);
        buf_append_text(&text, cut + 2);
        AUTO_INVENTORY inventory = {0};
        load(buf_text(&text), &inventory);
        const struct inv_cluster *cluster = &inventory.clusters[0];
        assert_string_equal(cluster->user, "ops");
        assert_int_equal(cluster->password.source, cases[i].source);
        if (cases[i].source != SECRET_COMMAND) {
            assert_string_equal(cluster->password.name, cases[i].name);
        } else {
            assert_string_equal(cluster->password.argv[0], cases[i].name);
            assert_string_equal(cluster->password.argv[2], "redis");
            assert_null(cluster->password.argv[3]);
        }
        assert_true(cluster->tls.is_enabled);
        assert_string_equal(cluster->tls.ca_file, "/etc/upshift/ca.pem");
        assert_string_equal(cluster->tls.cert_file, "/c.pem");
        assert_string_equal(cluster->tls.key_file, "/k.pem");
        assert_string_equal(cluster->tls.server_name, "r.example");
    }
}

static void names_may_repeat_in_another_cluster(void **UNUSED(state))
{
    AUTO_INVENTORY inventory = {0};
    load("datastores: { redis: { versions: { 7.0: { suite: bookworm } } } }\n"
         "clusters:\n"
         "  a: { datastore: redis, topology: cluster, nodes: [\n"
         "    { name: n1, address: 'a:1', directory: /a, config: /a/c } ] }\n"
         "  b: { datastore: redis, topology: cluster, nodes: [\n"
         "    { name: n1, address: 'b:1', directory: /b, config: /b/c } ] }\n",
        &inventory);
    assert_int_equal(inventory.cluster_count, 2);
}

/* Those beside the one whose path the build gives. */
static void the_other_examples_are_good_inventories(void **UNUSED(state))
{
    static const struct {
        const char *file, *topology;
        size_t sentinel_count;
    } examples[] = {{"replication.yaml", "replication", 0}, {"sentinel.yaml", "sentinel", 3}};
    const char *slash = strrchr(EXAMPLE_INVENTORY, '/');
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        AUTO_INVENTORY inventory = {0};
        AUTO_COMPLAINTS complaints = {0};
        AUTO_FREE char *path = mem_format(
            "%.*s/%s", (int)(slash - EXAMPLE_INVENTORY), EXAMPLE_INVENTORY, examples[i].file);
        AUTO_ERR err = config_load_inventory(path, &inventory, &complaints);
        AUTO_FREE char *shown = config_complaints_text(&complaints);
        assert_string_equal(shown, "");
        assert_null(err);
        assert_string_equal(inventory.clusters[0].topology, examples[i].topology);
        assert_int_equal(inventory.clusters[0].sentinel_count, examples[i].sentinel_count);
    }
}

static void the_example_is_a_good_inventory(void **UNUSED(state))
{
    AUTO_INVENTORY inventory = {0};
    AUTO_COMPLAINTS complaints = {0};
    AUTO_ERR err = config_load_inventory(EXAMPLE_INVENTORY, &inventory, &complaints);
    AUTO_FREE char *shown = config_complaints_text(&complaints);
    assert_string_equal(shown, "");
    assert_null(err);
    assert_int_equal(inventory.cluster_count, 1);
    assert_int_equal(inventory.clusters[0].node_count, 6);
    assert_string_equal(inventory.clusters[0].service_user, "redis");
    assert_true(inventory.clusters[0].policy.probe.is_required);
    AUTO_FREE char *path = realpath(EXAMPLE_INVENTORY, NULL);
    assert_string_equal(inventory.path, path);

    AUTO_BUF text = {0};
    AUTO_ERR read_err = fs_read(EXAMPLE_INVENTORY, INVENTORY_SIZE_MAX, &text);
    assert_null(read_err);
    char digest[SHA256_HEX_SIZE];
    sha256_hex(text.data, text.size, digest);
    assert_string_equal(inventory.digest, digest);
}

static void a_file_is_read_by_its_relative_name(void **UNUSED(state))
{
    char folder[] = "/tmp/upshift-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *file = mem_format("%s/upshift.yaml", folder);
    AUTO_ERR written = fs_write(file, small, strlen(small), 0600);
    assert_null(written);
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder), 0);

    AUTO_INVENTORY inventory = {0};
    AUTO_COMPLAINTS complaints = {0};
    AUTO_ERR err = config_load_inventory("upshift.yaml", &inventory, &complaints);
    assert_int_equal(chdir(before), 0);
    AUTO_ERR removed = fs_remove_tree(folder);
    assert_null(removed);

    assert_null(err);
    assert_string_equal(inventory.path, file);
    AUTO_FREE char *directory = mem_format("%s/n1", folder);
    assert_string_equal(inventory.clusters[0].nodes[0].directory, directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(paths_begin_at_the_folder_of_the_file),
        cmocka_unit_test(versions_keep_their_spelling),
        cmocka_unit_test(sentinels_are_nodes_of_their_own_kind),
        cmocka_unit_test(secrets_and_tls_are_references),
        cmocka_unit_test(names_may_repeat_in_another_cluster),
        cmocka_unit_test(the_other_examples_are_good_inventories),
        cmocka_unit_test(the_example_is_a_good_inventory),
        cmocka_unit_test(a_file_is_read_by_its_relative_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
