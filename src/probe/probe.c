#include "probe/probe.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "probe/control.h"
#include "probe/loop.h"

enum { RANDOM_NAME_SIZE = 13 };

static struct err *config_invalid(const char *what)
{
    return err_code(
        err_new(ERR_INVALID, "probe configuration", "%s", what), "probe_config_invalid");
}

/* The incarnation is part of keys and of a file's name. */
static bool is_name(const char *text)
{
    const size_t size = strlen(text);
    return size < INCARNATION_SIZE_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == size;
}

static struct err *check_config(const struct probe_config *config)
{
    const struct {
        bool is_wrong;
        const char *what;
    } rules[] = {
        {config->node_count == 0, "\"nodes\" must name at least one node"},
        {config->directory == NULL, "\"directory\" is missing"},
        {!text_equal(config->mode, "write") && !text_equal(config->mode, "read-only"),
            "\"mode\" must be write or read-only"},
        {config->rate < 1 || config->rate > PROBE_RATE_MAX, "\"rate\" must be 1 to 100000"},
        {config->keys_max < 1, "\"keys_max\" must be at least 1"},
        {config->ttl_s < PROBE_TTL_S_MIN, "\"ttl_s\" must be at least 10"},
        {config->seconds < 0, "\"seconds\" must not be negative"},
        {config->seconds == 0 && config->linger_s < 1,
            "\"linger_s\" must be at least 1 when \"seconds\" is 0"},
        {config->incarnation != NULL && !is_name(config->incarnation),
            "\"incarnation\" must be fewer than 64 letters, digits, - and _"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
        if (rules[i].is_wrong) {
            return config_invalid(rules[i].what);
        }
    }
    return NULL;
}

/* "host:port" or "[address]:port". */
static struct err *config_add_node(struct slots *slots, const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (colon == NULL || colon == text || !str_to_int64(str_of(colon + 1), &port) || port < 1 ||
        port > UINT16_MAX) {
        return config_invalid("\"nodes\" must be a list of host:port");
    }
    struct str host = {text, (size_t)(colon - text)};
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']') {
        host = (struct str){host.data + 1, host.size - 2};
    }
    return slots_node(slots, host, port) < 0 ? config_invalid("\"nodes\" names more than 256")
                                             : NULL;
}

static struct err *open_access(struct loop *loop, const struct probe_config *config)
{
    struct err *err = NULL;
    if (config->tls.is_enabled) {
        const struct tls_config tls = {
            .ca_file = config->tls.ca_file,
            .cert_file = config->tls.cert_file,
            .key_file = config->tls.key_file,
            .server_name = config->tls.server_name,
        };
        err = tls_open(&tls, &loop->tls);
    }
    links_init(&loop->links, &loop->slots, loop->tls);
    return err == NULL ? access_open(config, &loop->links, &loop->access) : err;
}

/* Sentinels come first. */
static struct err *add_sentinels(struct slots *slots, const struct probe_config *config)
{
    struct err *err = NULL;
    for (size_t i = 0; err == NULL && i < config->sentinel_count; i++) {
        err = config_add_node(slots, config->sentinels[i]);
    }
    slots->sentinel_count = slots->node_count;
    return err;
}

static struct err *choose_source(struct slots *slots, const struct probe_config *config)
{
    static const char *const words[] = {[SLOTS_FROM_CLUSTER] = "cluster",
        [SLOTS_FROM_ROLES] = "replication",
        [SLOTS_FROM_SENTINELS] = "sentinel"};
    const char *topology = config->topology == NULL ? words[0] : config->topology;
    size_t source = 0;
    while (source < ARRAY_COUNT(words) && strcmp(words[source], topology) != 0) {
        source++;
    }
    if (source == ARRAY_COUNT(words)) {
        return config_invalid("\"topology\" must be cluster, replication or sentinel");
    }
    slots->source = (enum slots_source)source;
    const bool is_watched = slots->source == SLOTS_FROM_SENTINELS;
    const bool is_told = config->sentinel_count > 0 && config->master_name != NULL;
    return is_watched && !is_told
               ? config_invalid("topology sentinel needs \"sentinels\" and \"master_name\"")
               : NULL;
}

static struct err *loop_open(struct loop *loop, const struct probe_config *config)
{
    struct err *err = check_config(config);
    if (err == NULL) {
        err = choose_source(&loop->slots, config);
    }
    if (err == NULL) {
        err = add_sentinels(&loop->slots, config);
    }
    for (size_t i = 0; err == NULL && i < config->node_count; i++) {
        err = config_add_node(&loop->slots, config->nodes[i]);
    }
    if (err == NULL) {
        err = open_access(loop, config);
    }
    if (err != NULL) {
        return err;
    }
    if (config->incarnation == NULL || config->incarnation[0] == '\0') {
        random_name(loop->incarnation, RANDOM_NAME_SIZE);
    } else {
        memcpy(loop->incarnation, config->incarnation, strlen(config->incarnation) + 1);
    }
    err = record_open(config->directory, loop->incarnation, &loop->record);
    if (err == NULL) {
        err = probe_control_open(config->directory, &loop->control_fd);
    }
    return err;
}

static void loop_connect(struct loop *loop)
{
    keyspace_init(&loop->keys, loop->incarnation, loop->config->ttl_s * 1000000);
    loop->ops.links = &loop->links;
    loop->ops.slots = &loop->slots;
    loop->ops.timeline = &loop->timeline;
    loop->ops.keys = &loop->keys;
    loop->readback.links = &loop->links;
    loop->readback.slots = &loop->slots;
    loop->readback.record = loop->record;
    loop->readback.no_progress_us = probe_limits_of(loop->config)->no_progress_ms * 1000;
    readback_init(&loop->readback);
}

/* Owns: takes `err`. */
static struct err *loop_close(struct loop *loop, struct err *err)
{
    struct err *record_err = record_close(loop->record);
    if (err == NULL) {
        err = record_err;
    } else {
        err_free(record_err);
    }
    if (loop->control_fd >= 0) {
        (void)close(loop->control_fd);
    }
    readback_release(&loop->readback);
    ops_release(&loop->ops);
    timeline_release(&loop->timeline);
    previous_release(&loop->loader.previous);
    keyspace_release(&loop->keys);
    access_close(&loop->access);
    links_release(&loop->links);
    slots_release(&loop->slots);
    tls_close(loop->tls);
    return err;
}

/* The log has the reason in the controller's words; what is handed back outlives the loop. */
static const char *reason_word(const char *reason)
{
    static const char *const words[] = {"time is up", "lingered"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strcmp(reason, words[i]) == 0) {
            return words[i];
        }
    }
    return "stopped";
}

struct err *probe_run(const struct probe_config *config, const struct probe_observer *observer,
    struct probe_final *ret_final)
{
    struct loop *loop = mem_alloc(sizeof(*loop));
    loop->config = config;
    loop->observer = observer;
    loop->control_fd = -1;
    slots_init(&loop->slots);
    struct err *err = loop_open(loop, config);
    struct probe_final final = {0};
    if (err == NULL) {
        loop_connect(loop);
        (void)prctl(PR_SET_TIMERSLACK, 1UL); /* wake when asked, not 50 us later */
        err = loop_run(loop, &final);
        final.reason = reason_word(loop->reason);
    }
    err = loop_close(loop, err);
    if (err == NULL) {
        *ret_final = final;
    }
    free(loop);
    return err;
}

static atomic_bool is_told_to_stop;

static void tell_to_stop(int UNUSED(number))
{
    atomic_store(&is_told_to_stop, true);
}

int probe_main(void)
{
    const struct sigaction stop = {.sa_handler = tell_to_stop};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGHUP, &ignore, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    AUTO_ARENA arena = {0};
    struct probe_config config;
    struct err *err = probe_read_config(STDIN_FILENO, &arena, &config);
    const struct probe_observer observer = {.stop = &is_told_to_stop};
    struct probe_final final;
    if (err == NULL) {
        err = probe_run(&config, &observer, &final);
    }
    if (err == NULL) {
        return 0;
    }
    AUTO_FREE char *text = err_text(err);
    (void)fprintf(stderr, "upshift probe: %s\n", text);
    err_free(err);
    return 1;
}
