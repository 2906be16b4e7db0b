/*
 * drivers/redis/cutover_sentinel.c - a cut-over where Sentinels watch.
 *
 * They must do the promotion, because clients ask them: after a promotion behind their back they
 * name the old primary for many seconds (measured). Any answer but OK means that nothing began.
 */
#include "base/mem.h"
#include "drivers/redis/cutover.h"
#include "drivers/redis/peers.h"

struct err *redis_sentinel_promote(const struct call *call, struct redis_cutover *session)
{
    const struct inv_cluster *cluster = session->base.cluster;
    struct err *err = NULL;
    for (size_t i = 0; i < cluster->sentinel_count; i++) {
        struct resp reply;
        err_free(err);
        err = redis_cutover_ask(call, session, &cluster->sentinels[i],
            REDIS_COMMAND("SENTINEL", "FAILOVER", cluster->master_name), &reply);
        /* One that could not be reached was not asked: the next one is. */
        if (err == NULL || err->kind != ERR_UNREACHABLE) {
            break;
        }
    }
    return err;
}

static struct str field_text(const struct resp *map, const char *key)
{
    const struct resp *value = resp_find(map, key);
    return value != NULL && value->type == RESP_STRING ? value->text : STR("");
}

static bool names_heir(const struct redis_cutover *session, const struct resp *reply)
{
    AUTO_ARENA arena = {0};
    int64_t port = 0;
    const struct inv_node *heir = session->base.parties.heir;
    if (!str_to_int64(field_text(reply, "port"), &port)) {
        return false;
    }
    const char *id = redis_peer_id(&arena, session->base.cluster, field_text(reply, "ip"), port);
    const char *wanted = arena_format(&arena, "%s:%lld", heir->host, (long long)heir->port);
    return text_equal(id, wanted);
}

static bool is_changing(const struct resp *reply)
{
    const struct str flags = field_text(reply, "flags");
    return flags.size > 0 && memmem(flags.data, flags.size, "failover_in_progress",
                                 strlen("failover_in_progress")) != NULL;
}

struct err *redis_sentinel_watch(
    const struct call *call, struct redis_cutover *session, struct cutover_watch *ret_watch)
{
    const struct inv_cluster *cluster = session->base.cluster;
    size_t answer_count = 0;
    size_t heir_count = 0;
    struct cutover_watch watch = {0};
    for (size_t i = 0; i < cluster->sentinel_count; i++) {
        struct resp reply;
        AUTO_ERR err = redis_cutover_ask(call, session, &cluster->sentinels[i],
            REDIS_COMMAND("SENTINEL", "MASTER", cluster->master_name), &reply);
        if (err == NULL) {
            answer_count++;
            heir_count += names_heir(session, &reply);
            watch.is_failing_over |= is_changing(&reply);
        }
    }
    if (answer_count <= cluster->sentinel_count / 2) {
        return err_code(err_new(ERR_UNREACHABLE, cluster->name, "only %zu of %zu Sentinels answer",
                            answer_count, cluster->sentinel_count),
            "unreachable");
    }
    watch.is_published = heir_count == answer_count;
    *ret_watch = watch;
    return NULL;
}
