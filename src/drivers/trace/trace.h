/*
 * drivers/trace/trace.h - wraps a capability and logs every call of it at debug.
 *
 * One line a call: its name, the node, how it went, how long it took. Values never appear, because
 * one of them may be a secret. A wrapper owns what it wraps: closing it closes both.
 */
#ifndef UPSHIFT_DRIVERS_TRACE_TRACE_H
#define UPSHIFT_DRIVERS_TRACE_TRACE_H

#include "base/attr.h"
#include "base/log.h"

struct fence;
struct host;
struct package;
struct replication;
struct service;
struct settings;
struct topology;

/* Owns: takes `inner`; the caller closes the wrapper instead. `log` is borrowed until then. */
MUST_USE RETURNS_NONNULL struct fence *trace_fence(const struct log *log, struct fence *inner);
MUST_USE RETURNS_NONNULL struct host *trace_host(const struct log *log, struct host *inner);
MUST_USE RETURNS_NONNULL struct package *trace_package(
    const struct log *log, struct package *inner);
MUST_USE RETURNS_NONNULL struct replication *trace_replication(
    const struct log *log, struct replication *inner);
MUST_USE RETURNS_NONNULL struct service *trace_service(
    const struct log *log, struct service *inner);
MUST_USE RETURNS_NONNULL struct settings *trace_settings(
    const struct log *log, struct settings *inner);
MUST_USE RETURNS_NONNULL struct topology *trace_topology(
    const struct log *log, struct topology *inner);

#endif
