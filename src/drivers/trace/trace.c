#include "drivers/trace/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "drivers/fence.h"
#include "drivers/host.h"
#include "drivers/package.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/topology.h"

/* One call on its way. */
struct trace_call {
    const struct log *log;
    const struct call *call;
    const char *name;
    const char *node; /* NULL where none is concerned */
    int64_t started_ms;
};

static struct trace_call trace_begin(
    const struct log *log, const struct call *call, const char *name, const char *node)
{
    return (struct trace_call){log, call, name, node, clock_now_ms(call->clock)};
}

/* Writes the line and passes the result on. */
static struct err *trace_end(const struct trace_call *trace, struct err *err)
{
    char elapsed_ms[24];
    snprintf(elapsed_ms, sizeof(elapsed_ms), "%" PRId64,
        clock_now_ms(trace->call->clock) - trace->started_ms);
    log_event(trace->log, LOG_DEBUG, "driver_called", "call", trace->name, "node", trace->node,
        "result", err == NULL ? "ok" : err_kind_name(err->kind), "elapsed_ms", elapsed_ms, "run",
        trace->call->run, "step", trace->call->step, NULL);
    return err;
}

struct trace_host {
    struct host base;
    struct host *inner; /* owned */
    const struct log *log;
};

static struct err *host_trace_read_file(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, size_t size_max, bool *ret_exists,
    struct buf *ret_content)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.read_file", node->name);
    return trace_end(
        &begun, host_read_file(call, trace->inner, node, path, size_max, ret_exists, ret_content));
}

static struct err *host_trace_exists(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, bool *ret_exists)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.exists", node->name);
    return trace_end(&begun, host_exists(call, trace->inner, node, path, ret_exists));
}

static struct err *host_trace_read_link(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, char **ret_target)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.read_link", node->name);
    return trace_end(&begun, host_read_link(call, trace->inner, node, path, ret_target));
}

static struct err *host_trace_get_room(const struct call *call, struct host *host,
    const struct inv_node *node, struct host_room *ret_room)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.get_room", node->name);
    return trace_end(&begun, host_get_room(call, trace->inner, node, ret_room));
}

static struct err *host_trace_copy_out(const struct call *call, struct host *host,
    const struct inv_node *node, const char *from, const char *to)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.copy_out", node->name);
    return trace_end(&begun, host_copy_out(call, trace->inner, node, from, to));
}

static struct err *host_trace_replace_link(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, const char *target)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.replace_link", node->name);
    return trace_end(&begun, host_replace_link(call, trace->inner, node, path, target));
}

static struct err *host_trace_claim_read(const struct call *call, struct host *host,
    const struct inv_node *node, bool *ret_exists, struct buf *ret_text)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.claim_read", node->name);
    return trace_end(&begun, host_claim_read(call, trace->inner, node, ret_exists, ret_text));
}

static struct err *host_trace_claim_swap(const struct call *call, struct host *host,
    const struct inv_node *node, const struct host_claim_swap *swap, bool *ret_is_done)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.claim_swap", node->name);
    return trace_end(&begun, host_claim_swap(call, trace->inner, node, swap, ret_is_done));
}

static struct err *host_trace_make_folder(
    const struct call *call, struct host *host, const struct inv_node *node, const char *path)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.make_folder", node->name);
    return trace_end(&begun, host_make_folder(call, trace->inner, node, path));
}

static struct err *host_trace_move(const struct call *call, struct host *host,
    const struct inv_node *node, const char *from, const char *to)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.move", node->name);
    return trace_end(&begun, host_move(call, trace->inner, node, from, to));
}

static struct err *host_trace_write_file(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, const struct buf *content)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.write_file", node->name);
    return trace_end(&begun, host_write_file(call, trace->inner, node, path, content));
}

static struct err *host_trace_remove_aside(
    const struct call *call, struct host *host, const struct inv_node *node, const char *name)
{
    const struct trace_host *trace = (struct trace_host *)host;
    const struct trace_call begun = trace_begin(trace->log, call, "host.remove_aside", node->name);
    return trace_end(&begun, host_remove_aside(call, trace->inner, node, name));
}

static void host_trace_close(struct host *host)
{
    host_close(((struct trace_host *)host)->inner);
    free(host);
}

static const struct host_ops trace_host_ops = {
    .name = "trace",
    .read_file = host_trace_read_file,
    .exists = host_trace_exists,
    .read_link = host_trace_read_link,
    .get_room = host_trace_get_room,
    .copy_out = host_trace_copy_out,
    .replace_link = host_trace_replace_link,
    .claim_read = host_trace_claim_read,
    .claim_swap = host_trace_claim_swap,
    .make_folder = host_trace_make_folder,
    .move = host_trace_move,
    .write_file = host_trace_write_file,
    .remove_aside = host_trace_remove_aside,
    .close = host_trace_close,
};

struct host *trace_host(const struct log *log, struct host *inner)
{
    struct trace_host *trace = mem_alloc(sizeof(*trace));
    *trace = (struct trace_host){{&trace_host_ops}, inner, log};
    return &trace->base;
}

struct trace_fence {
    struct fence base;
    struct fence *inner; /* owned */
    const struct log *log;
};

static struct err *fence_trace_cut(const struct call *call, struct fence *fence,
    const struct inv_node *node, const struct fence_mark *mark, int64_t *ret_cut_count)
{
    const struct trace_fence *trace = (struct trace_fence *)fence;
    const struct trace_call begun = trace_begin(trace->log, call, "fence.cut", node->name);
    return trace_end(&begun, fence_cut(call, trace->inner, node, mark, ret_cut_count));
}

static void fence_trace_close(struct fence *fence)
{
    fence_close(((struct trace_fence *)fence)->inner);
    free(fence);
}

static const struct fence_ops trace_fence_ops = {
    .name = "trace",
    .cut = fence_trace_cut,
    .close = fence_trace_close,
};

struct fence *trace_fence(const struct log *log, struct fence *inner)
{
    struct trace_fence *trace = mem_alloc(sizeof(*trace));
    *trace = (struct trace_fence){{&trace_fence_ops}, inner, log};
    return &trace->base;
}

struct trace_service {
    struct service base;
    struct service *inner; /* owned */
    const struct log *log;
};

static struct err *service_trace_get_status(const struct call *call, struct service *service,
    const struct inv_node *node, struct service_status *ret_status)
{
    const struct trace_service *trace = (struct trace_service *)service;
    const struct trace_call begun = trace_begin(trace->log, call, "service.get_status", node->name);
    return trace_end(&begun, service_get_status(call, trace->inner, node, ret_status));
}

static struct err *service_trace_start(
    const struct call *call, struct service *service, const struct inv_node *node)
{
    const struct trace_service *trace = (struct trace_service *)service;
    const struct trace_call begun = trace_begin(trace->log, call, "service.start", node->name);
    return trace_end(&begun, service_start(call, trace->inner, node));
}

static struct err *service_trace_stop(const struct call *call, struct service *service,
    const struct inv_node *node, const char *identity)
{
    const struct trace_service *trace = (struct trace_service *)service;
    const struct trace_call begun = trace_begin(trace->log, call, "service.stop", node->name);
    return trace_end(&begun, service_stop(call, trace->inner, node, identity));
}

static void service_trace_close(struct service *service)
{
    service_close(((struct trace_service *)service)->inner);
    free(service);
}

static const struct service_ops trace_service_ops = {
    .name = "trace",
    .get_status = service_trace_get_status,
    .start = service_trace_start,
    .stop = service_trace_stop,
    .close = service_trace_close,
};

struct service *trace_service(const struct log *log, struct service *inner)
{
    struct trace_service *trace = mem_alloc(sizeof(*trace));
    *trace = (struct trace_service){{&trace_service_ops}, inner, log};
    return &trace->base;
}

struct trace_package {
    struct package base;
    struct package *inner; /* owned */
    const struct log *log;
};

static struct err *package_trace_prepare(const struct call *call, struct package *package,
    const struct inv_version *version, const struct rules *rules, package_progress *progress,
    void *progress_context, struct arena *arena, struct fact_artefact *ret_artefact)
{
    const struct trace_package *trace = (struct trace_package *)package;
    const struct trace_call begun = trace_begin(trace->log, call, "package.prepare", NULL);
    return trace_end(&begun, package_prepare(call, trace->inner, version, rules, progress,
                                 progress_context, arena, ret_artefact));
}

static void package_trace_close(struct package *package)
{
    package_close(((struct trace_package *)package)->inner);
    free(package);
}

static const struct package_ops trace_package_ops = {
    .name = "trace",
    .prepare = package_trace_prepare,
    .close = package_trace_close,
};

struct package *trace_package(const struct log *log, struct package *inner)
{
    struct trace_package *trace = mem_alloc(sizeof(*trace));
    *trace = (struct trace_package){{&trace_package_ops}, inner, log};
    return &trace->base;
}

struct trace_topology {
    struct topology base;
    struct topology *inner; /* owned */
    const struct log *log;
};

static struct err *topology_trace_read(
    const struct call *call, struct topology *topology, struct facts *ret_facts)
{
    const struct trace_topology *trace = (struct trace_topology *)topology;
    const struct trace_call begun = trace_begin(trace->log, call, "topology.read", NULL);
    return trace_end(&begun, topology_read(call, trace->inner, ret_facts));
}

static struct err *topology_trace_try_dump(const struct call *call, struct topology *topology,
    const struct inv_node *node, const char *server, const char *dump, int64_t *ret_key_count)
{
    const struct trace_topology *trace = (struct trace_topology *)topology;
    const struct trace_call begun = trace_begin(trace->log, call, "topology.try_dump", node->name);
    return trace_end(
        &begun, topology_try_dump(call, trace->inner, node, server, dump, ret_key_count));
}

static struct err *topology_trace_dry_start(const struct call *call, struct topology *topology,
    const struct inv_node *node, const char *server, struct arena *arena,
    struct fact_dry_start *ret_dry_start)
{
    const struct trace_topology *trace = (struct trace_topology *)topology;
    const struct trace_call begun = trace_begin(trace->log, call, "topology.dry_start", node->name);
    return trace_end(
        &begun, topology_dry_start(call, trace->inner, node, server, arena, ret_dry_start));
}

static void topology_trace_close(struct topology *topology)
{
    topology_close(((struct trace_topology *)topology)->inner);
    free(topology);
}

static const struct topology_ops trace_topology_ops = {
    .name = "trace",
    .read = topology_trace_read,
    .dry_start = topology_trace_dry_start,
    .try_dump = topology_trace_try_dump,
    .close = topology_trace_close,
};

struct topology *trace_topology(const struct log *log, struct topology *inner)
{
    struct trace_topology *trace = mem_alloc(sizeof(*trace));
    *trace = (struct trace_topology){{&trace_topology_ops}, inner, log};
    return &trace->base;
}

struct trace_replication {
    struct replication base;
    struct replication *inner; /* owned */
    const struct log *log;
};

static struct err *replication_trace_get_state(const struct call *call,
    struct replication *replication, const struct inv_node *node,
    struct replication_state *ret_state)
{
    const struct trace_replication *trace = (struct trace_replication *)replication;
    const struct trace_call begun =
        trace_begin(trace->log, call, "replication.get_state", node->name);
    return trace_end(&begun, replication_get_state(call, trace->inner, node, ret_state));
}

static struct err *replication_trace_switchover(
    const struct call *call, struct replication *replication, const struct inv_node *target)
{
    const struct trace_replication *trace = (struct trace_replication *)replication;
    const struct trace_call begun =
        trace_begin(trace->log, call, "replication.switchover", target->name);
    return trace_end(&begun, replication_switchover(call, trace->inner, target));
}

static void replication_trace_close(struct replication *replication)
{
    replication_close(((struct trace_replication *)replication)->inner);
    free(replication);
}

static const struct replication_ops trace_replication_ops = {
    .name = "trace",
    .get_state = replication_trace_get_state,
    .switchover = replication_trace_switchover,
    .close = replication_trace_close,
};

struct replication *trace_replication(const struct log *log, struct replication *inner)
{
    struct trace_replication *trace = mem_alloc(sizeof(*trace));
    *trace = (struct trace_replication){{&trace_replication_ops}, inner, log};
    return &trace->base;
}

struct trace_settings {
    struct settings base;
    struct settings *inner; /* owned */
    const struct log *log;
};

static struct err *settings_trace_get(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *name, char **ret_value)
{
    const struct trace_settings *trace = (struct trace_settings *)settings;
    const struct trace_call begun = trace_begin(trace->log, call, "settings.get", node->name);
    return trace_end(&begun, settings_get(call, trace->inner, node, name, ret_value));
}

static struct err *settings_trace_set(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *name, const char *value)
{
    const struct trace_settings *trace = (struct trace_settings *)settings;
    const struct trace_call begun = trace_begin(trace->log, call, "settings.set", node->name);
    return trace_end(&begun, settings_set(call, trace->inner, node, name, value));
}

static struct err *settings_trace_rewrite(
    const struct call *call, struct settings *settings, const struct inv_node *node)
{
    const struct trace_settings *trace = (struct trace_settings *)settings;
    const struct trace_call begun = trace_begin(trace->log, call, "settings.rewrite", node->name);
    return trace_end(&begun, settings_rewrite(call, trace->inner, node));
}

static struct err *settings_trace_save(
    const struct call *call, struct settings *settings, const struct inv_node *node)
{
    const struct trace_settings *trace = (struct trace_settings *)settings;
    const struct trace_call begun = trace_begin(trace->log, call, "settings.save", node->name);
    return trace_end(&begun, settings_save(call, trace->inner, node));
}

static struct err *settings_trace_get_file_primary(const struct call *call,
    struct settings *settings, const struct inv_node *node, char **ret_primary)
{
    const struct trace_settings *trace = (struct trace_settings *)settings;
    const struct trace_call begun =
        trace_begin(trace->log, call, "settings.get_file_primary", node->name);
    return trace_end(&begun, settings_get_file_primary(call, trace->inner, node, ret_primary));
}

static struct err *settings_trace_set_file_primary(const struct call *call,
    struct settings *settings, const struct inv_node *node, const struct inv_node *primary)
{
    const struct trace_settings *trace = (struct trace_settings *)settings;
    const struct trace_call begun =
        trace_begin(trace->log, call, "settings.set_file_primary", node->name);
    return trace_end(&begun, settings_set_file_primary(call, trace->inner, node, primary));
}

static struct err *settings_trace_file_fits(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *series, bool *ret_fits)
{
    const struct trace_settings *trace = (struct trace_settings *)settings;
    const struct trace_call begun = trace_begin(trace->log, call, "settings.file_fits", node->name);
    return trace_end(&begun, settings_file_fits(call, trace->inner, node, series, ret_fits));
}

static struct err *settings_trace_fit_file(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *series)
{
    const struct trace_settings *trace = (struct trace_settings *)settings;
    const struct trace_call begun = trace_begin(trace->log, call, "settings.fit_file", node->name);
    return trace_end(&begun, settings_fit_file(call, trace->inner, node, series));
}

static void settings_trace_close(struct settings *settings)
{
    settings_close(((struct trace_settings *)settings)->inner);
    free(settings);
}

static const struct settings_ops trace_settings_ops = {
    .name = "trace",
    .get = settings_trace_get,
    .set = settings_trace_set,
    .rewrite = settings_trace_rewrite,
    .save = settings_trace_save,
    .get_file_primary = settings_trace_get_file_primary,
    .set_file_primary = settings_trace_set_file_primary,
    .file_fits = settings_trace_file_fits,
    .fit_file = settings_trace_fit_file,
    .close = settings_trace_close,
};

struct settings *trace_settings(const struct log *log, struct settings *inner)
{
    struct trace_settings *trace = mem_alloc(sizeof(*trace));
    *trace = (struct trace_settings){{&trace_settings_ops}, inner, log};
    return &trace->base;
}
