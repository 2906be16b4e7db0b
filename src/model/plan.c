#include "model/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char *const scope_names[] = {
    [PLAN_SCOPE_NONE] = "none",
    [PLAN_SCOPE_RUN] = "run",
    [PLAN_SCOPE_FINALIZE] = "finalize",
    NULL,
};

static const struct codec_field gate_fields[] = {
    CODEC_TEXT(struct plan_gate, name),
    CODEC_JSON(struct plan_gate, args),
    CODEC_END,
};
static const struct codec gate_codec = {sizeof(struct plan_gate), gate_fields};

static const struct codec_field step_fields[] = {
    CODEC_TEXT(struct plan_step, id),
    CODEC_TEXT(struct plan_step, kind),
    CODEC_INT(struct plan_step, def),
    CODEC_TEXT(struct plan_step, summary),
    CODEC_TEXT(struct plan_step, node),
    CODEC_TEXT(struct plan_step, shard),
    CODEC_JSON(struct plan_step, args),
    CODEC_LIST(struct plan_step, assumptions, assumption_count, &gate_codec),
    CODEC_LIST(struct plan_step, gates, gate_count, &gate_codec),
    CODEC_TEXTS(struct plan_step, after, after_count),
    CODEC_TEXTS(struct plan_step, takes, takes_count),
    CODEC_ENUM(struct plan_step, scope, scope_names),
    CODEC_BOOL(struct plan_step, takes_out),
    CODEC_BOOL(struct plan_step, ends_way_back),
    CODEC_INT(struct plan_step, deadline_ms),
    CODEC_INT(struct plan_step, settle_ms),
    CODEC_INT(struct plan_step, hold_ms),
    CODEC_END,
};
const struct codec plan_step_codec = {sizeof(struct plan_step), step_fields};

static const struct codec_field phase_fields[] = {
    CODEC_TEXT(struct plan_phase, name),
    CODEC_TEXT(struct plan_phase, title),
    CODEC_LIST(struct plan_phase, before, before_count, &gate_codec),
    CODEC_LIST(struct plan_phase, after, after_count, &gate_codec),
    CODEC_LIST(struct plan_phase, steps, step_count, &plan_step_codec),
    CODEC_END,
};
static const struct codec phase_codec = {sizeof(struct plan_phase), phase_fields};

static const struct codec_field group_fields[] = {
    CODEC_TEXT(struct plan_group, name),
    CODEC_INT(struct plan_group, max_unavailable),
    CODEC_TEXTS(struct plan_group, nodes, node_count),
    CODEC_END,
};
static const struct codec group_codec = {sizeof(struct plan_group), group_fields};

static const struct codec_field request_fields[] = {
    CODEC_TEXT(struct plan_request, cluster),
    CODEC_TEXT(struct plan_request, action),
    CODEC_TEXT(struct plan_request, from),
    CODEC_TEXT(struct plan_request, to),
    CODEC_TEXT(struct plan_request, to_series),
    CODEC_TEXT(struct plan_request, to_version),
    CODEC_TEXT(struct plan_request, to_product),
    CODEC_END,
};
static const struct codec request_codec = {sizeof(struct plan_request), request_fields};

static const struct codec_field policy_fields[] = {
    CODEC_INT(struct plan_policy, max_unavailable),
    CODEC_INT(struct plan_policy, soak_s),
    CODEC_INT(struct plan_policy, gate_timeout_ms),
    CODEC_TEXT(struct plan_policy, on_failure),
    CODEC_TEXT(struct plan_policy, revise),
    CODEC_TEXT(struct plan_policy, probe_mode),
    CODEC_BOOL(struct plan_policy, probe_required),
    CODEC_INT(struct plan_policy, probe_rate),
    CODEC_INT(struct plan_policy, probe_keys_max),
    CODEC_INT(struct plan_policy, probe_ttl_s),
    CODEC_INT(struct plan_policy, probe_linger_s),
    CODEC_END,
};
static const struct codec policy_codec = {sizeof(struct plan_policy), policy_fields};

static const struct codec_field basis_fields[] = {
    CODEC_TEXT(struct plan_basis, subject),
    CODEC_TEXT(struct plan_basis, aspect),
    CODEC_TEXT(struct plan_basis, value),
    CODEC_END,
};
static const struct codec basis_codec = {sizeof(struct plan_basis), basis_fields};

static const struct codec_field plan_fields[] = {
    CODEC_INT(struct plan, format),
    CODEC_TEXT(struct plan, strategy),
    CODEC_TEXT(struct plan, direction),
    CODEC_INT(struct plan, revision),
    CODEC_OBJECT(struct plan, request, &request_codec),
    CODEC_OBJECT(struct plan, policy, &policy_codec),
    CODEC_TEXT(struct plan, inventory_path),
    CODEC_TEXT(struct plan, inventory_digest),
    CODEC_TEXT(struct plan, rules_digest),
    CODEC_OBJECT(struct plan, artefact, &fact_artefact_codec),
    CODEC_LIST(struct plan, basis, basis_count, &basis_codec),
    CODEC_LIST(struct plan, groups, group_count, &group_codec),
    CODEC_LIST(struct plan, phases, phase_count, &phase_codec),
    CODEC_LIST(struct plan, during, during_count, &gate_codec),
    CODEC_LIST(struct plan, health, health_count, &gate_codec),
    CODEC_TEXTS(struct plan, notes, note_count),
    CODEC_TEXTS(struct plan, way_back, way_back_count),
    CODEC_INT(struct plan, estimate_s),
    CODEC_END,
};
const struct codec plan_codec = {sizeof(struct plan), plan_fields};

void plan_release(struct plan *plan)
{
    codec_release(&plan_codec, plan);
    arena_release(&plan->arena);
    *plan = (struct plan){0};
}

struct json *plan_to_json(const struct plan *plan)
{
    return codec_write(&plan_codec, plan);
}

struct err *plan_from_json(const struct json *value, const char *where, struct plan *ret_plan)
{
    AUTO_PLAN plan = {0};
    struct err *err = codec_read(&plan_codec, value, &plan.arena, where, &plan);
    if (err != NULL) {
        err = err_wrap(err, NULL, "this is not a plan of upshift");
    } else if (plan.format != PLAN_FORMAT) {
        err = err_new(ERR_INVALID, where, "plan format %lld is not known (this upshift knows %d)",
            (long long)plan.format, PLAN_FORMAT);
    }
    if (err != NULL) {
        return err_code(err_hint(err, "make the plan again with this upshift"), "plan_invalid");
    }
    *ret_plan = plan;
    plan = (struct plan){0}; /* handed over */
    return NULL;
}

void plan_digest(const struct plan *plan, char ret_hex[SHA256_HEX_SIZE])
{
    AUTO_JSON value = plan_to_json(plan);
    AUTO_FREE char *text = js_write(value);
    sha256_hex(text, strlen(text), ret_hex);
}

const struct plan_step *plan_find_step(
    const struct plan *plan, const char *id, size_t *ret_phase_index)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        const struct plan_phase *phase = &plan->phases[i];
        for (size_t k = 0; k < phase->step_count; k++) {
            if (!text_equal(phase->steps[k].id, id)) {
                continue;
            }
            if (ret_phase_index != NULL) {
                *ret_phase_index = i;
            }
            return &phase->steps[k];
        }
    }
    return NULL;
}

size_t plan_step_count(const struct plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->phase_count; i++) {
        count += plan->phases[i].step_count;
    }
    return count;
}
