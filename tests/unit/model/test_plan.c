/* Plans: exact JSON, identity, look-ups, and nothing leaked by a broken one. */
#include "model/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static const char plan_text[] =
    "{\"format\":1,\"strategy\":\"rolling\","
    "\"request\":{\"cluster\":\"orders\",\"action\":\"upgrade\",\"to_series\":\"redis/7.0\"},"
    "\"policy\":{\"max_unavailable\":1,\"probe_mode\":\"write\",\"probe_required\":true},"
    "\"artefact\":{\"product\":\"redis\",\"version\":\"7.0.15\"},"
    "\"basis\":[{\"subject\":\"n4\",\"aspect\":\"role\",\"value\":\"replica\"}],"
    "\"groups\":[{\"name\":\"shard-1\",\"max_unavailable\":1,\"nodes\":[\"n1\",\"n4\"]}],"
    "\"phases\":[{\"name\":\"prepare\"},{\"name\":\"replicas\",\"title\":\"replicas\","
    "\"before\":[{\"name\":\"cluster_ok\",\"args\":{}}],"
    "\"steps\":[{\"id\":\"shard-1/n4/stop\",\"kind\":\"service.stop\",\"def\":1,"
    "\"summary\":\"stop n4\",\"node\":\"n4\",\"args\":{\"node\":\"n4\",\"deep\":[1,{\"a\":null}]},"
    "\"assumptions\":[{\"name\":\"role_is\",\"args\":{\"role\":\"replica\"}}],"
    "\"gates\":[{\"name\":\"cluster_ok\"}],\"after\":[\"shard-1/n4/fetch\"],"
    "\"takes\":[\"shard-1\",\"cluster\"],\"scope\":\"run\",\"takes_out\":true,"
    "\"ends_way_back\":false,\"deadline_ms\":120000,\"settle_ms\":300,\"hold_ms\":0},"
    "{\"id\":\"shard-1/n4/start\",\"kind\":\"service.start\"}]}],"
    "\"during\":[{\"name\":\"way_back_fed\",\"args\":{\"shard\":\"shard-1\"}}],"
    "\"health\":[{\"name\":\"cluster_ok\"}],"
    "\"notes\":[\"replicas first\"],\"way_back\":[\"redis-cli CLUSTER FAILOVER\"],"
    "\"estimate_s\":40}";

static void read_plan(const char *text, struct plan *ret_plan)
{
    AUTO_JSON value = NULL;
    AUTO_ERR syntax = js_parse(text, strlen(text), "test", &value);
    assert_null(syntax);
    AUTO_ERR err = plan_from_json(value, "plan.json", ret_plan);
    assert_null(err);
}

static void a_round_trip_gives_the_same_bytes(void **UNUSED(state))
{
    AUTO_PLAN plan = {0};
    read_plan(plan_text, &plan);
    AUTO_JSON first = plan_to_json(&plan);
    AUTO_FREE char *first_text = js_write(first);

    AUTO_PLAN again = {0};
    read_plan(first_text, &again);
    AUTO_JSON second = plan_to_json(&again);
    AUTO_FREE char *second_text = js_write(second);

    assert_string_equal(first_text, second_text);
    const struct plan_step *step = &again.phases[1].steps[0];
    assert_int_equal(step->scope, PLAN_SCOPE_RUN);
    assert_true(step->takes_out);
    assert_int_equal(step->takes_count, 2);
    assert_string_equal(js_get_text(step->assumptions[0].args, "role"), "replica");
    assert_null(step->shard);
    assert_null(step->gates[0].args);
    assert_string_equal(again.artefact.version, "7.0.15");
}

static void the_digest_is_that_of_the_canonical_text(void **UNUSED(state))
{
    AUTO_PLAN plan = {0};
    read_plan(plan_text, &plan);
    AUTO_JSON value = plan_to_json(&plan);
    AUTO_FREE char *text = js_write(value);
    char expected[SHA256_HEX_SIZE];
    sha256_hex(text, strlen(text), expected);

    char digest[SHA256_HEX_SIZE];
    plan_digest(&plan, digest);
    assert_string_equal(digest, expected);

    plan.phases[1].steps[0].settle_ms++;
    plan_digest(&plan, digest);
    assert_string_not_equal(digest, expected);
}

static void steps_are_found_with_their_phase(void **UNUSED(state))
{
    AUTO_PLAN plan = {0};
    read_plan(plan_text, &plan);
    size_t phase = 99;
    const struct plan_step *step = plan_find_step(&plan, "shard-1/n4/start", &phase);
    assert_ptr_equal(step, &plan.phases[1].steps[1]);
    assert_int_equal(phase, 1);
    assert_ptr_equal(plan_find_step(&plan, "shard-1/n4/stop", NULL), &plan.phases[1].steps[0]);

    phase = 99;
    assert_null(plan_find_step(&plan, "shard-1/n4", &phase));
    assert_int_equal(phase, 99);
    assert_int_equal(plan_step_count(&plan), 2);
}

static void a_broken_plan_is_refused_and_frees_what_was_read(void **UNUSED(state))
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "{\"format\":2}",
        "{\"format\":1,\"colour\":\"red\"}",
        "{\"format\":1,\"during\":[{\"name\":\"a\",\"args\":{\"x\":1}},{\"args\":{},\"name\":7}]}",
        ("{\"format\":1,\"phases\":[{\"steps\":[{\"id\":\"a\",\"args\":{\"x\":1}},"
         "{\"id\":\"b\",\"args\":{\"y\":2},\"scope\":\"forever\"}]}]}"),
        "{\"format\":1,\"phases\":[{\"steps\":[{\"args\":[1],\"after\":[true]}]}]}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        AUTO_JSON value = NULL;
        AUTO_ERR syntax = js_parse(texts[i], strlen(texts[i]), "test", &value);
        assert_null(syntax);
        struct plan plan = {.strategy = "untouched"};
        AUTO_ERR err = plan_from_json(value, "plan.json", &plan);
        assert_non_null(err);
        assert_string_equal(err->code, "plan_invalid");
        assert_string_equal(err->hint, "make the plan again with this upshift");
        assert_string_equal(plan.strategy, "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_trip_gives_the_same_bytes),
        cmocka_unit_test(the_digest_is_that_of_the_canonical_text),
        cmocka_unit_test(steps_are_found_with_their_phase),
        cmocka_unit_test(a_broken_plan_is_refused_and_frees_what_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
