/*
 * cli/look.c - cluster and datastore: what the inventory has, and how a cluster is now.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "model/facts.h"

/* --- cluster --- */

static int list_clusters(struct session *session)
{
    int code = EXIT_DONE;
    if (!session_load(session, &code)) {
        return code;
    }
    AUTO_BUF text = {0};
    struct json *list = js_array();
    for (size_t i = 0; i < session->inventory.cluster_count; i++) {
        const struct inv_cluster *cluster = &session->inventory.clusters[i];
        buf_printf(&text, "%-24s %s %s, %zu nodes (%s)\n", cluster->name, cluster->datastore,
            cluster->topology, cluster->node_count, cluster->place);
        struct json *entry = js_object();
        js_put_text(entry, "name", cluster->name);
        js_put_text(entry, "datastore", cluster->datastore);
        js_put_text(entry, "topology", cluster->topology);
        js_put_number(entry, "node_count", (int64_t)cluster->node_count);
        js_push(list, entry);
    }
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put(result, "clusters", list);
    return session_end(session, EXIT_DONE, result);
}

static const struct command command_cluster_list = {
    .name = "list",
    .summary = "the clusters of the inventory",
    .run = list_clusters,
};

static void append_node(struct buf *text, const struct facts *facts, const struct fact_node *node)
{
    static const char *const roles[] = {[FACT_ROLE_UNKNOWN] = "?",
        [FACT_ROLE_PRIMARY] = "primary",
        [FACT_ROLE_REPLICA] = "replica"};
    buf_printf(text, "%-12s %-21s ", node->name, node->address);
    if (!node->is_reachable) {
        buf_printf(text, "cannot be read: %s\n", node->trouble == NULL ? "?" : node->trouble);
        return;
    }
    const bool is_replica = node->role == FACT_ROLE_REPLICA;
    buf_printf(text, "%-8s %-8s %s %s", node->shard == NULL ? "-" : node->shard, roles[node->role],
        node->product == NULL ? "?" : node->product, node->version == NULL ? "?" : node->version);
    if (is_replica) {
        buf_printf(text, ", link %s", node->is_link_up ? "up" : "down");
    }
    buf_printf(text, ", %" PRId64 " keys%s\n", node->key_count,
        node->is_cluster_ok || facts_have_one_primary(facts) ? "" : ", says the cluster is not ok");
}

static void append_sentinel(struct buf *text, const struct fact_sentinel *sentinel)
{
    buf_printf(text, "%-12s %-21s ", sentinel->name, sentinel->address);
    if (!sentinel->is_reachable) {
        buf_printf(
            text, "cannot be read: %s\n", sentinel->trouble == NULL ? "?" : sentinel->trouble);
        return;
    }
    buf_printf(text, "%-8s sentinel %s %s, names %s, %s\n", "-",
        sentinel->product == NULL ? "?" : sentinel->product,
        sentinel->version == NULL ? "?" : sentinel->version,
        sentinel->primary_id == NULL ? "nobody" : sentinel->primary_id,
        sentinel->is_quorum_reached ? "has its quorum" : "has no quorum");
}

/* The facts alone, as golden tests read them; so no exit code is put in between. */
static int show_cluster(struct session *session)
{
    int code = EXIT_DONE;
    const struct inv_cluster *cluster = session_cluster(session, 0, &code);
    if (cluster == NULL) {
        return code;
    }
    const struct cli_request request = session_request(session, cluster, NULL);
    AUTO_FACTS facts = {0};
    struct err *err = session->services->read_facts(session->services, &request, &facts);
    if (err != NULL) {
        return session_fail(session, err);
    }
    AUTO_BUF text = {0};
    for (size_t i = 0; i < facts.node_count; i++) {
        append_node(&text, &facts, &facts.nodes[i]);
        code = facts.nodes[i].is_reachable ? code : EXIT_CANNOT_SEE;
    }
    for (size_t i = 0; i < facts.sentinel_count; i++) {
        append_sentinel(&text, &facts.sentinels[i]);
        code = facts.sentinels[i].is_reachable ? code : EXIT_CANNOT_SEE;
    }
    session_print(session, buf_text(&text));
    if (session->is_json) {
        AUTO_JSON value = facts_to_json(&facts);
        char *pretty = js_write_pretty(value);
        (void)printf("%s\n", pretty);
        free(pretty);
    }
    return code;
}

static const struct command command_cluster_show = {
    .name = "show",
    .words = "[CLUSTER]",
    .summary = "what every node says of itself now; --json prints all facts",
    .max_args = 1,
    .run = show_cluster,
};

static const struct command *const cluster_children[] = {
    &command_cluster_list, &command_cluster_show, NULL};

const struct command cli_cluster = {
    .name = "cluster",
    .summary = "clusters of the inventory",
    .children = cluster_children,
};

/* --- datastore --- */

static int list_datastores(struct session *session)
{
    int code = EXIT_DONE;
    if (!session_load(session, &code)) {
        return code;
    }
    AUTO_BUF text = {0};
    struct json *list = js_array();
    for (size_t i = 0; i < session->inventory.datastore_count; i++) {
        const struct inv_datastore *datastore = &session->inventory.datastores[i];
        buf_printf(&text, "%-12s %zu version%s\n", datastore->name, datastore->version_count,
            datastore->version_count == 1 ? "" : "s");
        js_push(list, js_text(datastore->name));
    }
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put(result, "datastores", list);
    return session_end(session, EXIT_DONE, result);
}

static const struct command command_datastore_list = {
    .name = "list",
    .summary = "the datastores of the inventory",
    .run = list_datastores,
};

static const struct series_rule *find_rule(
    struct session *session, const struct inv_version *version)
{
    struct version parsed;
    AUTO_ERR err = version_parse(&session->arena, version->product, version->name, &parsed);
    return err != NULL ? NULL
                       : rules_find(&session->rules, version_series(&session->arena, &parsed));
}

static struct json *describe_version(
    struct session *session, const struct inv_version *version, struct buf *text)
{
    const struct series_rule *rule = find_rule(session, version);
    struct json *entry = js_object();
    struct json *hops = js_array();
    js_put_text(entry, "version", version->name);
    js_put_text(entry, "product", version->product);
    js_put_text(entry, "suite", version->suite);
    js_put_text(entry, "series", rule == NULL ? NULL : rule->series);
    js_put_bool(entry, "is_tested", rule != NULL && rule->is_tested);
    buf_printf(text, "%-10s from %-12s %s", version->name, version->suite,
        rule == NULL ? "no rules: cannot be a target"
                     : (rule->is_tested ? "tested" : "not tested by upshift"));
    for (size_t i = 0; rule != NULL && i < rule->hop_count; i++) {
        buf_printf(text, "%s%s", i == 0 ? ", goes on to " : ", ", rule->hops[i]);
        js_push(hops, js_text(rule->hops[i]));
    }
    js_put(entry, "hops", hops);
    buf_append_char(text, '\n');
    return entry;
}

static struct err *datastore_unknown(const struct session *session, const char *name)
{
    const char *names[64];
    size_t count = 0;
    for (; count < session->inventory.datastore_count && count < ARRAY_COUNT(names); count++) {
        names[count] = session->inventory.datastores[count].name;
    }
    struct err *err = err_code(err_new(ERR_INVALID, session->inventory.path,
                                   "the inventory has no datastore \"%s\"", name),
        "datastore_unknown");
    const char *nearest = str_nearest(name, names, count);
    return nearest == NULL ? err : err_hint(err, "did you mean \"%s\"?", nearest);
}

static int list_versions(struct session *session)
{
    int code = EXIT_DONE;
    if (!session_load(session, &code)) {
        return code;
    }
    const char *name = session->arguments.words[0];
    const struct inv_datastore *datastore = inventory_find_datastore(&session->inventory, name);
    if (datastore == NULL) {
        return session_fail(session, datastore_unknown(session, name));
    }
    AUTO_BUF text = {0};
    struct json *list = js_array();
    for (size_t i = 0; i < datastore->version_count; i++) {
        js_push(list, describe_version(session, &datastore->versions[i], &text));
    }
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put_text(result, "datastore", name);
    js_put(result, "versions", list);
    return session_end(session, EXIT_DONE, result);
}

static const struct command command_version_list = {
    .name = "list",
    .words = "NAME",
    .summary = "versions of a datastore: where they come from, where they can go",
    .min_args = 1,
    .max_args = 1,
    .run = list_versions,
};
static int fetch_version(struct session *session)
{
    int code = EXIT_DONE;
    if (!session_load(session, &code)) {
        return code;
    }
    const char *name = session->arguments.words[0];
    if (inventory_find_datastore(&session->inventory, name) == NULL) {
        return session_fail(session, datastore_unknown(session, name));
    }
    struct cli_request request = session_request(session, NULL, session->arguments.words[1]);
    struct fact_artefact artefact = {0};
    struct err *err = session->services->fetch_version(
        session->services, &request, name, &session->arena, &artefact);
    if (err != NULL) {
        return session_fail(session, err);
    }
    AUTO_BUF text = {0};
    buf_printf(&text, "%s\n", artefact.server);
    session_print(session, buf_text(&text));
    return session_end(session, EXIT_DONE, codec_write(&fact_artefact_codec, &artefact));
}

static const struct command command_version_fetch = {
    .name = "fetch",
    .words = "NAME VERSION",
    .summary = "make a version's programs ready on this machine, ahead of a run",
    .details = "Prints the path of the server program. Nothing is fetched twice, and an upgrade\n"
               "to a version that is ready needs no network.",
    .min_args = 2,
    .max_args = 2,
    .run = fetch_version,
};
static const struct command *const version_children[] = {
    &command_version_list, &command_version_fetch, NULL};
static const struct command command_version = {
    .name = "version",
    .summary = "versions of a datastore",
    .children = version_children,
};

static const struct command *const datastore_children[] = {
    &command_datastore_list, &command_version, NULL};

const struct command cli_datastore = {
    .name = "datastore",
    .summary = "datastores of the inventory and their versions",
    .children = datastore_children,
};
