/*
 * drivers/redis/topology_replication.c - who follows whom, from INFO replication and files.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>

#include "base/mem.h"
#include "drivers/redis/peers.h"
#include "wire/redis_text.h"

static bool is_number(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Is the named host at this address, given by numbers? A name that cannot be resolved is not. */
static bool resolves_to(const char *name, struct str numbers)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    if (getaddrinfo(name, NULL, &wanted, &addresses) != 0) {
        return false;
    }
    bool is_there = false;
    for (const struct addrinfo *one = addresses; one != NULL && !is_there; one = one->ai_next) {
        char text[INET6_ADDRSTRLEN] = "";
        is_there = getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), NULL, 0,
                       NI_NUMERICHOST) == 0 &&
                   str_is(numbers, text);
    }
    freeaddrinfo(addresses);
    return is_there;
}

const char *redis_peer_id(
    struct arena *arena, const struct inv_cluster *cluster, struct str host, int64_t port)
{
    const struct inv_node *found = NULL;
    for (size_t i = 0; found == NULL && i < cluster->node_count; i++) {
        const struct inv_node *node = &cluster->nodes[i];
        const bool is_there =
            node->port == port &&
            (str_is(host, node->host) || (!is_number(node->host) && resolves_to(node->host, host)));
        found = is_there ? node : NULL;
    }
    return found != NULL ? arena_format(arena, "%s:%lld", found->host, (long long)found->port)
                         : arena_format(arena, STR_FMT ":%lld", STR_ARG(host), (long long)port);
}

/* The value of "name=" among fields between commas. */
static bool get_field(struct str line, const char *name, struct str *ret_value)
{
    struct str field;
    while (str_cut(&line, ',', &field)) {
        struct str key;
        if (str_cut(&field, '=', &key) && str_is(key, name)) {
            *ret_value = field;
            return true;
        }
    }
    return false;
}

static void add_view(struct arena *arena, struct fact_node *node, const struct fact_view *view)
{
    struct fact_view *slot = arena_push(arena, &node->views, &node->view_count, sizeof(*slot));
    *slot = *view;
}

/* "slave0:ip=127.0.0.1,port=7004,state=online,offset=14,lag=0" */
static void add_replica(
    struct arena *arena, const struct inv_cluster *cluster, struct str line, struct fact_node *node)
{
    struct str name, host, port_text, state;
    int64_t port = 0;
    if (!str_cut(&line, ':', &name) || name.size < 6 || name.data[5] < '0' || name.data[5] > '9' ||
        !get_field(line, "ip", &host) || !get_field(line, "port", &port_text) ||
        !get_field(line, "state", &state) || !str_to_int64(port_text, &port)) {
        return;
    }
    const char *id = redis_peer_id(arena, cluster, host, port);
    const struct fact_view view = {.id = id,
        .address = id,
        .role = FACT_ROLE_REPLICA,
        .primary_id = node->id,
        .is_linked = str_is(state, "online")};
    add_view(arena, node, &view);
}

static int compare_peer_ids(const void *a, const void *b)
{
    const struct fact_view *left = a;
    const struct fact_view *right = b;
    return strcmp(left->id, right->id);
}

void redis_peers_of_info(struct arena *arena, const struct inv_cluster *cluster, struct str info,
    const struct inv_node *inv, struct fact_node *node)
{
    struct str host;
    node->views = NULL;
    node->view_count = 0;
    node->primary_id = NULL;
    node->id = arena_format(arena, "%s:%lld", inv->host, (long long)inv->port);
    if (node->role == FACT_ROLE_REPLICA && redis_info_get(info, "master_host", &host)) {
        const int64_t port = redis_info_number(info, "master_port", 0);
        node->primary_id = redis_peer_id(arena, cluster, host, port);
        const struct fact_view primary = {.id = node->primary_id,
            .address = node->primary_id,
            .role = FACT_ROLE_PRIMARY,
            .is_linked = node->is_link_up};
        add_view(arena, node, &primary);
    }
    const struct fact_view own = {.id = node->id,
        .address = node->id,
        .role = node->role,
        .primary_id = node->primary_id,
        .is_myself = true,
        .is_linked = true};
    add_view(arena, node, &own);
    struct str line;
    while (str_cut(&info, '\n', &line)) {
        if (str_starts_with(line, "slave")) {
            add_replica(arena, cluster, line, node);
        }
    }
    qsort(node->views, node->view_count, sizeof(*node->views), compare_peer_ids);
}

void redis_peers_of_file(struct arena *arena, const struct inv_cluster *cluster,
    const struct redis_config *file, struct fact_node *node)
{
    const char *value = redis_config_get(file, "replicaof");
    struct str rest = str_of(value == NULL ? "" : value);
    struct str host;
    int64_t port = 0;
    if (str_cut(&rest, ' ', &host) && !str_is(host, "no") && str_to_int64(str_trim(rest), &port)) {
        node->file_primary_id = redis_peer_id(arena, cluster, host, port);
    }
}
