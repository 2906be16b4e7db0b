/*
 * tests/unit/drivers/test_trace.c - a traced world behaves like the one inside, and every call
 * leaves one line.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>

#include "base/mem.h"
#include "conformance.h"
#include "drivers/host.h"
#include "drivers/package.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/topology.h"
#include "drivers/trace/trace.h"
#include "fixture.h"

enum { TEXT_SIZE = 4096, PATIENCE_MS = 30000 };

struct traced {
    struct fixture fixture;
    struct log log;
    struct world world;
    int file;
    char text[TEXT_SIZE];
};

static void open_traced(struct traced *traced, enum log_level level_min)
{
    fixture_open(&traced->fixture, &(struct fixture_options){.seed = 1});
    char path[] = "/tmp/upshift-trace-XXXXXX";
    traced->file = mkstemp(path);
    assert_true(traced->file >= 0);
    assert_int_equal(unlink(path), 0);
    traced->log = (struct log){traced->file, level_min, sim_clock(traced->fixture.sim)};
    const struct world *inner = traced->fixture.world;
    traced->world = (struct world){
        .cluster = inner->cluster,
        .topology = trace_topology(&traced->log, inner->topology),
        .replication = trace_replication(&traced->log, inner->replication),
        .settings = trace_settings(&traced->log, inner->settings),
        .service = trace_service(&traced->log, inner->service),
        .package = trace_package(&traced->log, inner->package),
        .host = trace_host(&traced->log, inner->host),
    };
}

static void close_traced(struct traced *traced)
{
    topology_close(traced->world.topology);
    replication_close(traced->world.replication);
    settings_close(traced->world.settings);
    service_close(traced->world.service);
    package_close(traced->world.package);
    host_close(traced->world.host);
    close(traced->file);
    fixture_close(&traced->fixture);
}

static const char *logged(struct traced *traced)
{
    const ssize_t size = pread(traced->file, traced->text, TEXT_SIZE - 1, 0);
    assert_true(size >= 0);
    traced->text[size] = '\0';
    return traced->text;
}

static void a_call_leaves_one_line_with_node_result_and_time(void **UNUSED(state))
{
    struct traced traced;
    open_traced(&traced, LOG_DEBUG);
    struct call call = traced.fixture.call;
    call.run = "r1";
    call.step = "shard-1/n4/set";
    sim_fail_next(traced.fixture.sim, "settings.set", NULL, SIM_FAULT_DELAY, 250);
    AUTO_ERR err = settings_set(
        &call, traced.world.settings, fixture_node(&traced.fixture, "n4"), "maxmemory", "12345");
    assert_null(err);
    const char *text = logged(&traced);
    assert_non_null(strstr(text,
        "level=debug event=driver_called call=settings.set node=n4 result=ok elapsed_ms=250 run=r1 "
        "step=shard-1/n4/set\n"));
    assert_null(strstr(text, "12345"));
    assert_ptr_equal(strchr(text, '\n') + 1, text + strlen(text));
    close_traced(&traced);
}

static void an_error_is_logged_by_its_kind_and_passed_on(void **UNUSED(state))
{
    struct traced traced;
    open_traced(&traced, LOG_DEBUG);
    AUTO_ERR err = replication_switchover(
        &traced.fixture.call, traced.world.replication, fixture_node(&traced.fixture, "n1"));
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_REFUSED);
    assert_non_null(strstr(
        logged(&traced), "call=replication.switchover node=n1 result=refused elapsed_ms=0\n"));
    close_traced(&traced);
}

static void a_call_without_a_node_names_none(void **UNUSED(state))
{
    struct traced traced;
    open_traced(&traced, LOG_DEBUG);
    const struct inv_version version = {"7.0", "redis", "bookworm"};
    struct fact_artefact artefact;
    AUTO_ERR err = package_prepare(&traced.fixture.call, traced.world.package, &version,
        &fixture_rules, NULL, NULL, &traced.fixture.arena, &artefact);
    assert_null(err);
    assert_string_equal(artefact.version, "7.0.15");
    assert_non_null(strstr(logged(&traced), "call=package.prepare result=ok"));
    close_traced(&traced);
}

static void nothing_is_written_above_debug(void **UNUSED(state))
{
    struct traced traced;
    open_traced(&traced, LOG_INFO);
    AUTO_FACTS facts = {0};
    AUTO_ERR err = topology_read(&traced.fixture.call, traced.world.topology, &facts);
    assert_null(err);
    assert_string_equal(logged(&traced), "");
    close_traced(&traced);
}

static int run_conformance(void)
{
    struct traced traced;
    open_traced(&traced, LOG_DEBUG);
    struct conformance_fixture conformance = {
        .name = "trace over sim",
        .world = &traced.world,
        .clock = sim_clock(traced.fixture.sim),
        .replica = "n4",
        .primary = "n1",
        .other_server = SERVER_VALKEY,
        .patience_ms = PATIENCE_MS,
    };
    const int failed = conformance_run(&conformance);
    close_traced(&traced);
    return failed;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_call_leaves_one_line_with_node_result_and_time),
        cmocka_unit_test(an_error_is_logged_by_its_kind_and_passed_on),
        cmocka_unit_test(a_call_without_a_node_names_none),
        cmocka_unit_test(nothing_is_written_above_debug),
    };
    const int failed = run_conformance();
    return failed + cmocka_run_group_tests_name("trace", cases, NULL, NULL);
}
