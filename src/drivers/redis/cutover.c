/*
 * drivers/redis/cutover.c - the acts of a cut-over on Redis and Valkey without Redis Cluster.
 *
 * Fence and hold are one MULTI: `min-replicas-to-write 99` (no write is acknowledged any more) and
 * CLIENT PAUSE, with the position read behind them. Since 6.2 the pause concerns writes only.
 * On 6.0 it stops every client (measured), except one that monitors: our connection becomes such a
 * one in the same MULTI, so that the primary can be read and unfenced meanwhile. A monitoring
 * connection may not say REPLICAOF, so another one waits with it, and the clients that wait in
 * front of it are disconnected: the fence of 6.0 lets writing scripts through once the pause ends
 * (measured).
 */
#include "drivers/redis/cutover.h"

#include <stdlib.h>

#include "base/mem.h"
#include "drivers/redis/facts.h"
#include "drivers/redis/peers.h"
#include "wire/redis_text.h"

#define FENCE_SETTING "min-replicas-to-write"
#define FENCE_VALUE "99" /* more replicas than anybody has attached */

enum { REPLY_COUNT_HELD = 3, VERSION_PAUSES_WRITES = 602, CLEAR_EVERY_MS = 50 };

static struct cutover_link *link_of(struct redis_cutover *session, const struct inv_node *node)
{
    for (size_t i = 0; i < session->link_count; i++) {
        if (session->links[i].node == node) {
            return &session->links[i];
        }
    }
    return NULL;
}

static void drop_link(struct cutover_link *link)
{
    redis_conn_close(link->conn);
    link->conn = NULL;
    link->is_monitoring = false;
}

/* "1795239633.376848 [0 127.0.0.1:40360] "INFO"": a line of MONITOR; no reply of ours begins so. */
static bool is_monitor_line(const struct resp *reply)
{
    return reply->type == RESP_STRING && reply->text.size > 0 && reply->text.data[0] >= '0' &&
           reply->text.data[0] <= '9' && memchr(reply->text.data, '[', reply->text.size) != NULL;
}

static struct err *ask_linked(const struct call *call, struct cutover_link *link,
    const char *const *argv, struct resp *ret_reply)
{
    struct err *err = redis_conn_ask(call, link->conn, argv, ret_reply);
    while (err == NULL && link->is_monitoring && is_monitor_line(ret_reply)) {
        err = redis_conn_receive(call, link->conn, argv, ret_reply);
    }
    return err;
}

struct err *redis_cutover_ask(const struct call *call, struct redis_cutover *session,
    const struct inv_node *node, const char *const *argv, struct resp *ret_reply)
{
    struct cutover_link *link = link_of(session, node);
    if (link == NULL) {
        return err_new(ERR_INTERNAL, node->name, "is no server of this cut-over");
    }
    struct err *err = NULL;
    if (link->conn == NULL) {
        err = redis_conn_open(call, session->driver, node, &session->password, &link->conn);
    }
    if (err == NULL) {
        err = ask_linked(call, link, argv, ret_reply);
    }
    if (err != NULL && err->kind != ERR_REFUSED) {
        drop_link(link);
    }
    return err;
}

/* CONFIG GET of one setting, as text. */
static struct err *get_setting(const struct call *call, struct redis_cutover *session,
    const struct inv_node *node, const char *name, char ret_value[CUTOVER_FENCE_SIZE])
{
    struct resp reply;
    struct err *err =
        redis_cutover_ask(call, session, node, REDIS_COMMAND("CONFIG", "GET", name), &reply);
    if (err != NULL) {
        return err;
    }
    const struct resp *value = resp_find(&reply, name);
    if (value == NULL || value->type != RESP_STRING || value->text.size >= CUTOVER_FENCE_SIZE) {
        return err_code(
            err_new(ERR_INVALID, node->name, "CONFIG GET %s has an odd answer", name), "odd_reply");
    }
    (void)snprintf(ret_value, CUTOVER_FENCE_SIZE, STR_FMT, STR_ARG(value->text));
    return NULL;
}

static struct err *set_fence(const struct call *call, struct redis_cutover *session,
    const struct inv_node *node, const char *value)
{
    struct resp reply;
    return redis_cutover_ask(
        call, session, node, REDIS_COMMAND("CONFIG", "SET", FENCE_SETTING, value), &reply);
}

static const struct inv_node *find_peer(const struct inv_cluster *cluster, const char *id)
{
    for (size_t i = 0; id != NULL && i < cluster->node_count; i++) {
        const struct inv_node *node = &cluster->nodes[i];
        AUTO_FREE char *own = mem_format("%s:%lld", node->host, (long long)node->port);
        if (text_equal(own, id)) {
            return node;
        }
    }
    return NULL;
}

static void view_info(const struct inv_cluster *cluster, const struct inv_node *node,
    struct str info, struct cutover_view *ret_view)
{
    AUTO_ARENA arena = {0};
    struct fact_node fact = {0};
    redis_facts_replication(&arena, info, &fact);
    redis_peers_of_info(&arena, cluster, info, node, &fact);
    *ret_view = (struct cutover_view){.role = fact.role,
        .primary = find_peer(cluster, fact.primary_id),
        .is_link_up = fact.is_link_up,
        .offset = fact.offset};
}

static struct err *odd_answer(const struct inv_node *node, const char *what)
{
    return err_code(
        err_new(ERR_INVALID, node->name, "%s is not answered by text", what), "odd_reply");
}

static struct err *cutover_look_redis(const struct call *call, struct cutover_session *base,
    const struct inv_node *node, struct cutover_view *ret_view)
{
    struct redis_cutover *session = (struct redis_cutover *)base;
    struct cutover_view view;
    struct resp reply;
    struct err *err =
        redis_cutover_ask(call, session, node, REDIS_COMMAND("INFO", "replication"), &reply);
    if (err != NULL) {
        return err;
    }
    if (reply.type != RESP_STRING) {
        return odd_answer(node, "INFO");
    }
    view_info(base->cluster, node, reply.text, &view);
    err = get_setting(call, session, node, FENCE_SETTING, view.fence);
    if (err == NULL) {
        view.is_fenced = text_equal(view.fence, FENCE_VALUE);
        *ret_view = view;
    }
    return err;
}

/* The version as one number: 6.0 is 600. Valkey says 7.2, which is right for what matters here. */
static struct err *read_primary_version(const struct call *call, struct redis_cutover *session,
    const struct inv_node *node, int64_t *ret_version)
{
    struct resp reply;
    struct err *err =
        redis_cutover_ask(call, session, node, REDIS_COMMAND("INFO", "server"), &reply);
    if (err != NULL) {
        return err;
    }
    struct str version;
    struct str major_text;
    struct str minor_text;
    int64_t major = 0;
    int64_t minor = 0;
    if (reply.type != RESP_STRING || !redis_info_get(reply.text, "redis_version", &version) ||
        !str_cut(&version, '.', &major_text) || !str_cut(&version, '.', &minor_text) ||
        !str_to_int64(major_text, &major) || !str_to_int64(minor_text, &minor)) {
        return odd_answer(node, "INFO server");
    }
    *ret_version = major * 100 + minor;
    return NULL;
}

/* Whoever subscribes is no "normal" client, so that disconnecting those leaves it alone. */
static struct err *open_bystander(const struct call *call, struct redis_cutover *session)
{
    struct resp reply;
    const struct inv_node *primary = session->base.parties.primary;
    struct err *err =
        redis_conn_open(call, session->driver, primary, &session->password, &session->bystander);
    return err != NULL ? err
                       : redis_conn_ask(call, session->bystander,
                             REDIS_COMMAND("SUBSCRIBE", "upshift:guard"), &reply);
}

static struct err *cutover_prepare_redis(const struct call *call, struct cutover_session *base)
{
    struct redis_cutover *session = (struct redis_cutover *)base;
    const struct inv_node *primary = base->parties.primary;
    char lag[CUTOVER_FENCE_SIZE];
    int64_t version = 0;
    struct err *err = get_setting(call, session, primary, "min-replicas-max-lag", lag);
    if (err == NULL && text_equal(lag, "0")) {
        err = err_new(ERR_REFUSED, primary->name,
            "min-replicas-max-lag is 0, which turns %s off: its writes cannot be fenced",
            FENCE_SETTING);
        return err_hint(err_code(err, "fence_unavailable"),
            "CONFIG SET min-replicas-max-lag 10 on every server");
    }
    if (err == NULL) {
        err = read_primary_version(call, session, primary, &version);
    }
    session->pauses_all = version < VERSION_PAUSES_WRITES;
    if (err == NULL && session->pauses_all && session->bystander == NULL) {
        err = open_bystander(call, session);
    }
    return err;
}

/* The answer of EXEC: OK, OK, INFO; on 6.0 another OK. */
static struct err *check_held(
    const struct inv_node *primary, const struct resp *reply, struct str *ret_info)
{
    const bool is_whole = reply->type == RESP_ARRAY && reply->count >= REPLY_COUNT_HELD;
    for (size_t i = 0; is_whole && i < reply->count; i++) {
        if (reply->items[i].type == RESP_ERROR) {
            return err_new(ERR_UNKNOWN, primary->name, "refused a part of the hold: " STR_FMT,
                STR_ARG(reply->items[i].text));
        }
    }
    if (!is_whole || reply->items[REPLY_COUNT_HELD - 1].type != RESP_STRING) {
        return err_new(ERR_UNKNOWN, primary->name, "did not answer the hold as expected");
    }
    *ret_info = reply->items[REPLY_COUNT_HELD - 1].text;
    return NULL;
}

static struct err *queue_hold(
    const struct call *call, struct redis_cutover *session, const char *hold_ms)
{
    const char *const *const commands[] = {
        REDIS_COMMAND("MULTI"),
        REDIS_COMMAND("CONFIG", "SET", FENCE_SETTING, FENCE_VALUE),
        session->pauses_all ? REDIS_COMMAND("CLIENT", "PAUSE", hold_ms)
                            : REDIS_COMMAND("CLIENT", "PAUSE", hold_ms, "WRITE"),
        REDIS_COMMAND("INFO", "replication"),
        session->pauses_all ? REDIS_COMMAND("MONITOR") : NULL,
    };
    const struct inv_node *primary = session->base.parties.primary;
    struct err *err = NULL;
    for (size_t i = 0; err == NULL && i < ARRAY_COUNT(commands) && commands[i] != NULL; i++) {
        struct resp reply;
        err = redis_cutover_ask(call, session, primary, commands[i], &reply);
    }
    return err;
}

static struct err *cutover_hold_redis(
    const struct call *call, struct cutover_session *base, int64_t hold_ms, int64_t *ret_offset)
{
    struct redis_cutover *session = (struct redis_cutover *)base;
    const struct inv_node *primary = base->parties.primary;
    struct cutover_link *link = link_of(session, primary);
    AUTO_FREE char *text = mem_format("%lld", (long long)hold_ms);
    struct resp reply = {0};
    struct str info = {0};
    struct err *err = queue_hold(call, session, text);
    if (err == NULL) {
        err = redis_cutover_ask(call, session, primary, REDIS_COMMAND("EXEC"), &reply);
    }
    if (err == NULL) {
        err = check_held(primary, &reply, &info);
    }
    if (err != NULL) {
        drop_link(link); /* it may stand inside of MULTI */
        return err;
    }
    link->is_monitoring = session->pauses_all;
    struct cutover_view view;
    view_info(base->cluster, primary, info, &view);
    if (view.role != FACT_ROLE_PRIMARY) {
        return err_new(ERR_REFUSED, primary->name, "is not the primary any more");
    }
    *ret_offset = view.offset;
    return NULL;
}

static struct err *cutover_fence_redis(
    const struct call *call, struct cutover_session *base, const struct inv_node *node)
{
    return set_fence(call, (struct redis_cutover *)base, node, FENCE_VALUE);
}

static struct err *cutover_promote_redis(const struct call *call, struct cutover_session *base)
{
    struct redis_cutover *session = (struct redis_cutover *)base;
    struct resp reply;
    struct err *err = base->cluster->sentinel_count > 0
                          ? redis_sentinel_promote(call, session)
                          : redis_cutover_ask(call, session, base->parties.heir,
                                REDIS_COMMAND("REPLICAOF", "NO", "ONE"), &reply);
    return err != NULL && err->kind == ERR_REFUSED ? err_code(err, "promotion_refused") : err;
}

/* Again and again: Sentinels come back, and each of their greetings (PUBLISH is replicated) that is
 * taken before REPLICAOF moves the old primary past the promotion. Then it needs a full copy, which
 * it cannot load (seen: eight of them, 1,608 bytes). */
static struct err *disconnect_waiting(const struct call *call, struct redis_cutover *session)
{
    const int64_t now_ms = clock_now_ms(call->clock);
    if (session->cleared_ms != 0 && now_ms - session->cleared_ms < CLEAR_EVERY_MS) {
        return NULL;
    }
    session->cleared_ms = now_ms;
    struct resp reply;
    return redis_cutover_ask(call, session, session->base.parties.primary,
        REDIS_COMMAND("CLIENT", "KILL", "TYPE", "normal"), &reply);
}

/* On 6.0, while it pauses: whoever waits is disconnected, and the bystander is first in line. */
static struct err *queue_follow(
    const struct call *call, struct redis_cutover *session, const char *const *argv)
{
    struct err *err = disconnect_waiting(call, session);
    if (session->is_follow_queued) {
        return err;
    }
    if (err == NULL) {
        err = redis_conn_send(call, session->bystander, REDIS_COMMAND("UNSUBSCRIBE"));
    }
    if (err == NULL) {
        err = redis_conn_send(call, session->bystander, argv);
        session->is_follow_queued = true;
    }
    return err;
}

static struct err *cutover_follow_redis(
    const struct call *call, struct cutover_session *base, const struct inv_node *node)
{
    struct redis_cutover *session = (struct redis_cutover *)base;
    const struct inv_node *heir = base->parties.heir;
    AUTO_FREE char *port = mem_format("%lld", (long long)heir->port);
    const char *const *argv = REDIS_COMMAND("REPLICAOF", heir->host, port);
    struct resp reply;
    const struct cutover_link *link = link_of(session, node);
    session->is_handed_over |= node == base->parties.primary;
    return link != NULL && link->is_monitoring
               ? queue_follow(call, session, argv)
               : redis_cutover_ask(call, session, node, argv, &reply);
}

static struct err *cutover_unfence_redis(const struct call *call, struct cutover_session *base,
    const struct inv_node *node, const char *value)
{
    struct redis_cutover *session = (struct redis_cutover *)base;
    char now[CUTOVER_FENCE_SIZE];
    struct err *err = get_setting(call, session, node, FENCE_SETTING, now);
    return err == NULL && text_equal(now, FENCE_VALUE) ? set_fence(call, session, node, value)
                                                       : err;
}

static struct err *cutover_release_redis(const struct call *call, struct cutover_session *base)
{
    struct redis_cutover *session = (struct redis_cutover *)base;
    const struct inv_node *primary = base->parties.primary;
    int64_t version = 0;
    struct cutover_link *link = link_of(session, primary);
    if (link != NULL && link->is_monitoring) {
        drop_link(link); /* before the pause ends and everybody's commands come in */
        return NULL;
    }
    struct err *err = read_primary_version(call, session, primary, &version);
    if (err != NULL || version < VERSION_PAUSES_WRITES) {
        return err;
    }
    struct resp reply;
    if (session->is_handed_over) { /* who went on reading there would not see what is new */
        err = redis_cutover_ask(
            call, session, primary, REDIS_COMMAND("CLIENT", "KILL", "TYPE", "normal"), &reply);
    }
    return err != NULL ? err
                       : redis_cutover_ask(
                             call, session, primary, REDIS_COMMAND("CLIENT", "UNPAUSE"), &reply);
}

static struct err *cutover_watch_redis(
    const struct call *call, struct cutover_session *base, struct cutover_watch *ret_watch)
{
    if (base->cluster->sentinel_count == 0) {
        *ret_watch = (struct cutover_watch){.is_published = true};
        return NULL;
    }
    return redis_sentinel_watch(call, (struct redis_cutover *)base, ret_watch);
}

static void cutover_close_redis(struct cutover_session *base)
{
    struct redis_cutover *session = (struct redis_cutover *)base;
    for (size_t i = 0; i < session->link_count; i++) {
        drop_link(&session->links[i]);
    }
    redis_conn_close(session->bystander);
    secret_release(&session->password);
    free(session->links);
    free(session);
}

static struct err *cutover_open_redis(const struct call *UNUSED(call), struct cutover *cutover,
    const struct cutover_parties *parties, struct cutover_session **ret_session)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(cutover, cutover);
    const struct inv_cluster *cluster = driver->cluster;
    struct redis_cutover *session = mem_alloc(sizeof(*session));
    session->base = (struct cutover_session){&redis_cutover_ops, cluster, *parties};
    session->driver = driver;
    session->links =
        mem_alloc_array(cluster->node_count + cluster->sentinel_count, sizeof(*session->links));
    for (size_t i = 0; i < cluster->node_count; i++) {
        session->links[session->link_count++].node = &cluster->nodes[i];
    }
    for (size_t i = 0; i < cluster->sentinel_count; i++) {
        session->links[session->link_count++].node = &cluster->sentinels[i];
    }
    struct err *err = redis_conn_password(driver, &session->password);
    if (err != NULL) {
        cutover_close_redis(&session->base);
        return err;
    }
    *ret_session = &session->base;
    return NULL;
}

static void cutover_close_driver(struct cutover *cutover)
{
    redis_driver_unref(REDIS_DRIVER_OF(cutover, cutover));
}

const struct cutover_ops redis_cutover_ops = {
    .name = "redis",
    .open = cutover_open_redis,
    .look = cutover_look_redis,
    .prepare = cutover_prepare_redis,
    .hold = cutover_hold_redis,
    .fence = cutover_fence_redis,
    .promote = cutover_promote_redis,
    .follow = cutover_follow_redis,
    .unfence = cutover_unfence_redis,
    .release = cutover_release_redis,
    .watch = cutover_watch_redis,
    .close_session = cutover_close_redis,
    .close = cutover_close_driver,
};
