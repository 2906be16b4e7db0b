#include "fake_world.h"

#include "base/str.h"

/* Steps reach the world of their call; here it is ours. */
static struct fake_world *world_of(const struct call *call)
{
    return (struct fake_world *)(void *)call->world;
}

static struct err *fake_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    world_of(call)->bind_count++;
    *ret_args = js_ref(args); /* as the real steps do */
    return NULL;
}

static struct err *fake_capture(
    struct call *call, const struct bound *UNUSED(bound), struct json **ret_values)
{
    world_of(call)->capture_count++;
    *ret_values = js_object();
    js_put_text(*ret_values, "value", "old");
    return NULL;
}

static struct err *fake_verify(struct call *call, const struct bound *UNUSED(bound),
    const struct before *UNUSED(before), enum step_state *ret_state)
{
    struct fake_world *world = world_of(call);
    world->verify_count++;
    if (world->is_blind) {
        return err_new(ERR_UNREACHABLE, "n1", "no answer");
    }
    *ret_state = world->seen;
    return NULL;
}

static struct err *fake_apply(
    struct call *call, const struct bound *UNUSED(bound), const struct before *UNUSED(before))
{
    struct fake_world *world = world_of(call);
    world->apply_count++;
    world->begin_before_ms = call->begin_before_ms;
    if (world->on_apply != NULL) {
        world->on_apply(world);
    }
    return world->has_apply_error ? err_new(world->apply_error, "n1", "so it said") : NULL;
}

static struct err *fake_undo(struct call *call, const struct bound *UNUSED(bound),
    const struct before *UNUSED(before), enum step_state *ret_left)
{
    world_of(call)->undo_count++;
    world_of(call)->begin_before_ms = call->begin_before_ms;
    *ret_left = world_of(call)->undo_leaves;
    return NULL;
}

static struct err *fake_stop(
    struct call *call, const struct bound *UNUSED(bound), const struct before *UNUSED(before))
{
    struct fake_world *world = world_of(call);
    world->stop_count++;
    world->now_ms += 3000; /* it takes its time */
    return world->is_blind ? err_new(ERR_UNREACHABLE, "n1", "no answer") : NULL;
}

const struct step_ops fake_step_ops = {
    .name = "fake",
    .def = 3,
    .def_min = 2,
    .bind = fake_bind,
    .capture = fake_capture,
    .verify = fake_verify,
    .apply = fake_apply,
    .undo = fake_undo,
    .stop = fake_stop,
};

static const struct step_ops forever_step_ops = {
    .name = "fake.forever",
    .def = 1,
    .def_min = 1,
    .bind = fake_bind,
    .capture = fake_capture,
    .verify = fake_verify,
    .apply = fake_apply,
};

static const struct step_ops *const fake_steps[] = {&fake_step_ops, &forever_step_ops, NULL};

/* Gates see facts, not the world: the fake facts carry the answers in their slots' numbers. */
static struct gate_answer answer_of(const struct gate_input *input, enum fake_gate gate)
{
    const enum gate_state state = (enum gate_state)input->facts->nodes[0].views[gate].epoch;
    return (struct gate_answer){.state = state,
        .reason = arena_format(&((struct facts *)(uintptr_t)input->facts)->arena, "gate %c says %s",
            'a' + (char)gate, gate_state_names[state]),
        .remedy = "wait"};
}

static struct gate_answer eval_a(const struct gate_input *input)
{
    return answer_of(input, FAKE_GATE_A);
}

static struct gate_answer eval_b(const struct gate_input *input)
{
    return answer_of(input, FAKE_GATE_B);
}

static struct gate_answer eval_c(const struct gate_input *input)
{
    return answer_of(input, FAKE_GATE_C);
}

static const struct gate_ops fake_gates[] = {
    {"a", "first", eval_a}, {"b", "second", eval_b}, {"c", "third", eval_c}};

/* n1 serves; n2 cannot be reached, n3 has no link, n4 loads, n5 copies, n6 does not say its role:
 * each is out for one reason only. */
static struct err *read_facts(
    const struct call *UNUSED(call), void *context, struct facts *ret_facts)
{
    struct fake_world *world = context;
    world->read_count++;
    if (world->cannot_read) {
        return err_new(ERR_INVALID, "inventory", "the password cannot be read");
    }
    struct arena *arena = &ret_facts->arena;
    ret_facts->node_count = 6;
    ret_facts->nodes = arena_alloc_array(arena, 6, sizeof(*ret_facts->nodes));
    struct fact_node *nodes = ret_facts->nodes;
    nodes[0] = (struct fact_node){
        .name = "n1", .is_reachable = true, .role = FACT_ROLE_PRIMARY, .version = "7.0.15"};
    nodes[0].views = arena_alloc_array(arena, FAKE_GATE_COUNT, sizeof(*nodes[0].views));
    for (size_t i = 0; i < FAKE_GATE_COUNT; i++) {
        nodes[0].views[i].epoch = world->gates[i];
    }
    nodes[1] = (struct fact_node){.name = "n2", .role = FACT_ROLE_PRIMARY};
    nodes[2] = (struct fact_node){
        .name = arena_strdup(arena, "n3"), .is_reachable = true, .role = FACT_ROLE_REPLICA};
    nodes[3] = (struct fact_node){
        .name = "n4", .is_reachable = true, .role = FACT_ROLE_PRIMARY, .is_loading = true};
    nodes[4] = (struct fact_node){.name = "n5",
        .is_reachable = true,
        .role = FACT_ROLE_REPLICA,
        .is_link_up = true,
        .is_syncing = true};
    nodes[5] = (struct fact_node){.name = "n6", .is_reachable = true};
    return NULL;
}

static struct err *fake_claim(const struct call *UNUSED(call), void *context,
    const struct claim_request *request, struct arena *arena, struct claim_answer *ret_answer)
{
    struct fake_world *world = context;
    world->claim = *request;
    ret_answer->node_count = 6;
    ret_answer->held_count = 5;
    ret_answer->reason = arena_strdup(arena, "n2 cannot be reached");
    return NULL;
}

static struct err *fake_look_at_claim(const struct call *UNUSED(call), void *context,
    const char *node, struct arena *arena, const char **ret_reason)
{
    struct fake_world *world = context;
    world->look_count++;
    *ret_reason = world->lost == NULL ? NULL : arena_format(arena, "%s has %s", world->lost, node);
    return NULL;
}

static const struct claim_ops fake_claims = {fake_claim, fake_look_at_claim};

static struct err *fake_replan(struct call *UNUSED(call), void *context,
    const struct run_task *UNUSED(task), struct run_result *result)
{
    struct fake_world *world = context;
    if (world->plan != NULL) {
        result->plan = js_copy(world->plan);
        return NULL;
    }
    struct gate_answer *slot = arena_push(
        &result->arena, &result->answers, &result->answer_count, sizeof(*result->answers));
    *slot = (struct gate_answer){GATE_NEVER, "fake", "there is no way", NULL};
    return NULL;
}

static int64_t fake_now_ms(struct clock *clock)
{
    return ((struct fake_world *)(void *)((char *)clock - offsetof(struct fake_world, clock)))
        ->now_ms;
}

static void fake_wait_ms(struct clock *UNUSED(clock), int64_t UNUSED(duration_ms))
{
    /* only the test moves time */
}

void fake_world_init(struct fake_world *world)
{
    static const struct clock_ops clock_ops = {fake_now_ms, fake_now_ms, fake_wait_ms};
    *world = (struct fake_world){.clock = {&clock_ops}};
    world->now_ms = 1000;
    world->executor = (struct executor){
        .steps = fake_steps,
        .gates = fake_gates,
        .gate_count = ARRAY_COUNT(fake_gates),
        .clock = &world->clock,
        .world = (struct world *)(void *)world,
        .run = "toy-1",
        .read_facts = read_facts,
        .facts_context = world,
        .replan = fake_replan,
        .replan_context = world,
        .claims = &fake_claims,
        .claims_context = world,
    };
}
