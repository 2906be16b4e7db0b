#include "app/probe_setup.h"

void probe_setup(
    const struct inv_cluster *cluster, struct arena *arena, struct probe_config *ret_config)
{
    const struct inv_tls *tls = &cluster->tls;
    const struct inv_probe *policy = &cluster->policy.probe;
    *ret_config = (struct probe_config){
        .cluster = cluster->name,
        .topology = cluster->topology,
        .master_name = cluster->master_name,
        .user = cluster->user,
        .password = {.source = cluster->password.source, .name = cluster->password.name},
        .tls = {tls->is_enabled, tls->ca_file, tls->cert_file, tls->key_file, tls->server_name},
        .mode = policy->mode == INV_PROBE_READ_ONLY ? "read-only" : "write",
        .rate = policy->rate,
        .keys_max = policy->keys_max,
        .ttl_s = policy->ttl_s,
        .linger_s = policy->linger_s,
    };
    for (size_t i = 0; i < cluster->node_count; i++) {
        const char **slot = arena_push(
            arena, &ret_config->nodes, &ret_config->node_count, sizeof(*ret_config->nodes));
        *slot = arena_format(
            arena, "%s:%lld", cluster->nodes[i].host, (long long)cluster->nodes[i].port);
    }
    for (size_t i = 0; i < cluster->sentinel_count; i++) {
        const char **slot = arena_push(arena, &ret_config->sentinels, &ret_config->sentinel_count,
            sizeof(*ret_config->sentinels));
        *slot = arena_format(
            arena, "%s:%lld", cluster->sentinels[i].host, (long long)cluster->sentinels[i].port);
    }
    struct probe_secret *password = &ret_config->password;
    for (size_t i = 0; cluster->password.argv != NULL && cluster->password.argv[i] != NULL; i++) {
        const char **slot =
            arena_push(arena, &password->argv, &password->argv_count, sizeof(*password->argv));
        *slot = cluster->password.argv[i];
    }
}
