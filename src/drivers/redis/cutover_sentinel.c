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

/* What clients ask. A Sentinel in the middle of a failover answers it right before it changes what
 * SENTINEL MASTER says, which waits for all replicas. */
static struct err *ask_published(const struct call *call, struct redis_cutover *session,
    const struct inv_node *sentinel, bool *ret_is_heir)
{
    const struct inv_cluster *cluster = session->base.cluster;
    const struct inv_node *heir = session->base.parties.heir;
    struct resp reply;
    int64_t port = 0;
    struct err *err = redis_cutover_ask(call, session, sentinel,
        REDIS_COMMAND("SENTINEL", "GET-MASTER-ADDR-BY-NAME", cluster->master_name), &reply);
    *ret_is_heir = false;
    if (err != NULL || reply.type != RESP_ARRAY || reply.count != 2 ||
        !str_to_int64(reply.items[1].text, &port)) {
        return err;
    }
    AUTO_ARENA arena = {0};
    const char *id = redis_peer_id(&arena, cluster, reply.items[0].text, port);
    const char *wanted = arena_format(&arena, "%s:%lld", heir->host, (long long)heir->port);
    *ret_is_heir = text_equal(id, wanted);
    return NULL;
}

/* Is it changing the primary right now? */
static struct err *ask_changing(const struct call *call, struct redis_cutover *session,
    const struct inv_node *sentinel, bool *ret_is_changing)
{
    static const char word[] = "failover_in_progress";
    struct resp reply;
    struct err *err = redis_cutover_ask(call, session, sentinel,
        REDIS_COMMAND("SENTINEL", "MASTER", session->base.cluster->master_name), &reply);
    if (err != NULL) {
        return err;
    }
    const struct resp *flags = resp_find(&reply, "flags");
    *ret_is_changing = flags != NULL && flags->type == RESP_STRING &&
                       memmem(flags->text.data, flags->text.size, word, strlen(word)) != NULL;
    return NULL;
}

struct err *redis_sentinel_watch(
    const struct call *call, struct redis_cutover *session, struct cutover_watch *ret_watch)
{
    const struct inv_cluster *cluster = session->base.cluster;
    size_t answer_count = 0;
    size_t heir_count = 0;
    struct cutover_watch watch = {0};
    for (size_t i = 0; i < cluster->sentinel_count; i++) {
        const struct inv_node *sentinel = &cluster->sentinels[i];
        bool is_heir = false;
        bool is_changing = false;
        struct err *err = ask_published(call, session, sentinel, &is_heir);
        if (err == NULL) {
            err = ask_changing(call, session, sentinel, &is_changing);
        }
        answer_count += err == NULL;
        heir_count += err == NULL && is_heir;
        watch.is_failing_over |= is_changing;
        err_free(err); /* one that does not answer is counted */
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
