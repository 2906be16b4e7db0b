"""The mutants: one small change of the source each, that some test has to notice.

Gates and the lists of gates are read from the source itself, so that a new one is a mutant on the
day it is written. The other rules are listed by hand: what to look for, which must be there
exactly once, and what to put in its place.
"""
import re
from dataclasses import dataclass

STRATEGIES, ENGINE, STEPS = "src/strategies", "src/engine", "src/steps"
GATES = "src/strategies/gates.c"
ROLLING = "src/strategies/rolling.c"


@dataclass(frozen=True)
class Mutant:
    """What is changed: (file or folder, what is found there exactly once, what takes its place)."""
    name: str
    edits: tuple

    def changed_files(self, root):
        """{file: changed text}, or None when a place is not there exactly once."""
        texts = {}
        for place, old, new in self.edits:
            paths = [root / place] if place.endswith((".c", ".h")) else sorted((root / place).glob("*.[ch]"))
            files = [str(path.relative_to(root)) for path in paths]
            found = {file: texts.get(file) or (root / file).read_text() for file in files}
            if sum(text.count(old) for text in found.values()) != 1:
                return None
            file, text = next((f, t) for f, t in found.items() if old in t)
            texts[file] = text.replace(old, new)
        return texts


# --- gates: each answers yes, whatever it sees ---

YES = """static struct gate_answer mutant_yes(const struct gate_input *input)
{
    (void)input;
    return (struct gate_answer){.state = GATE_YES, .gate = "NAME"};
}

"""


def gate_mutants(root):
    text = (root / GATES).read_text()
    head = "const struct gate_ops strategy_gates[] = {"
    for name, function in re.findall(r'^ +\{"(\w+)",\s*"[^"]*",\s*(gate_\w+)\},$', text, re.M):
        yield Mutant(f"gate {name} answers yes", (
            (GATES, head, YES.replace("NAME", name) + head),
            (GATES, f"{function}}},", "mutant_yes},")))


# --- lists of gates: each member is forgotten ---

def without(text, start, end):
    """The text without the member of a list at [start, end) and without one of its commas."""
    after = re.match(r",\s*(\\\n\s*)?", text[end:])
    if after:
        return text[:start] + text[end + after.end():]
    before = re.search(r",\s*(\\\n\s*)?$", text[:start])
    return text[:before.start()] + text[end:]


def list_mutants(root, file, head, member):
    """A mutant for each member of each list whose head matches."""
    text = (root / file).read_text()
    for found in re.finditer(head, text, re.M):
        end = re.compile(r"\n\n|\};\n").search(text, found.end()).start()
        for item in re.compile(member).finditer(text, found.end(), end):
            if item.group("name") == "NULL":
                continue
            old = text[found.start():end]
            new = without(old, item.start() - found.start(), item.end() - found.start())
            how = item.group("how").replace("TELL_", "").strip()
            yield Mutant(f"{found.group('list')} without {item.group('name')}"
                         f"{'' if how in ('', '0', 'details') else f' ({how})'}",
                         ((file, old, new),))


# {"drained", TELL_NODE}, also over three lines, and READY_FOR_PHASE(0)
GATE_USE = r'(?:\{\s*(?:\\\s*)?"(?P<name>\w+)",\s*(?P<how>[\w |]+?)\s*(?:\\\s*)?\})'
MACRO_USE = r"(?P<name>\b(?:CLUSTER_IS_WELL|READY_FOR_[A-Z]+)\b)\((?P<how>[\w |]*)\)"
LIST_HEAD = r"^(?:static )?const struct gate_use (?P<list>\w+)\[\] = \{"
MACRO_HEAD = r"^#define (?P<list>CLUSTER_IS_WELL|READY_FOR_[A-Z]+)\(details\)"
PREFLIGHT = r'\{"(?P<name>\w+)",(?P<how>) (?:\w+, )*\w+\}'


def all_list_mutants(root):
    for path in sorted((root / STRATEGIES).glob("*.[ch]")):
        for head in (LIST_HEAD, MACRO_HEAD):
            for member in (GATE_USE, MACRO_USE):
                yield from list_mutants(root, str(path.relative_to(root)), head, member)
    yield from list_mutants(root, ROLLING, r"^\} (?P<list>preflights)\[\] = \{", PREFLIGHT)


# --- rules, by hand ---

# The name of the rule that is missing, where, what to find, what to put there. Where is a folder:
# rules move between its files.
ORDER = (
    ("a step follows the one that it names", STRATEGIES,
     "        *slot = earlier;\n    }\n}", "        *slot = earlier;\n        step->after_count--;\n    }\n}"),
    ("one switchover after the other", STRATEGIES,
     "first == 0 ? NULL : phase->steps[first - 1].id;", "NULL;"),
    ("a start follows the switch of its program", STRATEGIES,
     "earlier = rolling_add_switch(rolling, phase, act, earlier)->id;",
     "(void)rolling_add_switch(rolling, phase, act, earlier);"),
    ("a stop takes from the budget of shard and cluster", STRATEGIES,
     "    if (sort->takes_out) {\n        step->takes", "    if (false) {\n        step->takes"),
    ("a stop takes from the budget of the cluster", STRATEGIES,
     'step->takes[step->takes_count++] = "cluster";', ""),
    ("a stop takes from the budget of the shard", STRATEGIES,
     "step->takes[step->takes_count++] = step->shard;", ""),
    ("finalize ends the way back", STRATEGIES,
     "    .takes_out = true,\n    .ends_way_back = true};", "    .takes_out = true};"),
    ("a started server is watched for a while", STRATEGIES,
     "step->settle_ms = START_SETTLE_MS;", "step->settle_ms = 0;"),
    ("a switchover is given time before it counts as failed", STRATEGIES,
     "step->settle_ms = SWITCHOVER_SETTLE_MS;", "step->settle_ms = 0;"),
    ("the backlog lasts until finalize", STRATEGIES,
     'backlog_setting, backlog_bytes, PLAN_SCOPE_FINALIZE};',
     'backlog_setting, backlog_bytes, PLAN_SCOPE_RUN};'),
    ("a backlog that is large enough stays", STRATEGIES,
     "if (act->node->backlog_bytes < backlog_bytes) {", "if (true) {"),
    ("the way back is watched", STRATEGIES, '    gate->name = "way_back_fed";',
     '    gate->name = "way_back_fed";\n    plan->during_count = 0;'),
    ("finalize is the last phase", STRATEGIES,
     '{"finalize", "the old nodes onto', '{"afterwards", "the old nodes onto'),
    ("old primaries wait for finalize", STRATEGIES,
     "push_node(arena, &shard->late, &shard->late_count, shard->primary);",
     "push_node(arena, &shard->early, &shard->early_count, shard->primary);"),
    ("old replicas of a new primary wait for finalize", STRATEGIES,
     "        if (is_switched) {\n            push_node",
     "        if (false) {\n            push_node"),
    ("nodes at the target are left alone", STRATEGIES,
     "        if (rolling_is_at_target(node, target)) {\n            continue;",
     "        if (false) {\n            continue;"),
    ("a product is part of a version", STRATEGIES,
     "text_equal(node->product, target->product) &&", "true &&"),
    ("the heir is the first by name", STRATEGIES,
     "return strcmp(node->name, than->name) < 0;", "return strcmp(node->name, than->name) > 0;"),
    ("the heir keeps its data on disk", STRATEGIES,
     'gates[] = {"persistent_primary", "heir_electable"', 'gates[] = {"heir_electable"'),
    ("only what passes by itself may wait", STRATEGIES,
     "(may_wait || rolling->is_running) && answer->state", "answer->state"),
    ("a red preflight refuses", STRATEGIES,
     "    if (answer->state != GATE_YES && !is_waited_for) {", "    if (false) {"),
)

DECISIONS = (
    ("a step waits for those that it follows", ENGINE,
     "        if (index >= 0 && !run_step_is_final(&state->steps[index])) {",
     "        if (false) {"),
    ("a begun chain is finished before stopping", ENGINE,
     "            (run_step_is_final(earlier) || earlier->status == RUN_STEP_INTENDED)) {",
     "            false) {"),
    ("only steps of the open phase start", ENGINE,
     "if (state->phases[step->phase] != RUN_PHASE_OPEN || ", "if ("),
    ("nothing new starts while pausing", ENGINE,
     "    if (is_winding_up(state) || state->status == RUN_PAUSING) {",
     "    if (state->status == RUN_PAUSING) {\n        return true;\n    }\n"
     "    if (is_winding_up(state)) {"),
    ("a paused run does nothing", ENGINE,
     "    return state->status == RUN_RUNNING;\n}\n\nstruct command *steps_submit",
     "    return true;\n}\n\nstruct command *steps_submit"),
    ("a stop waits for what is in flight", ENGINE,
     "        if (live->in_flight != RUN_TASK_NONE || live->is_verifying) {\n            return false;",
     "        if (false) {\n            return false;"),
    ("a red gate keeps a step from acting", ENGINE,
     "    } else if (result->answer_count > 0) {\n        wait_for_gate(turn, step, ",
     "    } else if (false) {\n        wait_for_gate(turn, step, "),
    ("the budget is kept", ENGINE,
     "        if (group != NULL && count > group->max_unavailable) {", "        if (false) {"),
    ("begun acts count against the budget", ENGINE,
     "(contains(out, result->out_count, node) || is_reserved(state, node))",
     "contains(out, result->out_count, node)"),
    ("nodes out for other reasons count against the budget", ENGINE,
     "(contains(out, result->out_count, node) || is_reserved(state, node))",
     "is_reserved(state, node)"),
    ("a node that is out already costs nothing", ENGINE,
     "if (!step->plan->takes_out || contains(out, result->out_count, step->plan->node)) {",
     "if (!step->plan->takes_out) {"),
    ("an intent is on disk before the act", ENGINE,
     "    struct err *err = commit(engine, &commands);\n",
     "    for (size_t i = 0; i < commands.count; i++) {\n"
     "        loop_carry_out(engine, &commands.list[i]);\n    }\n"
     "    commands.count = 0;\n"
     "    struct err *err = commit(engine, &commands);\n"),
    ("an intent is journaled", ENGINE,
     "    turn_emit(turn, JOURNAL_INTENT, step, body);", "    js_free(body);"),
    ("an attempt has a number", ENGINE, "        record->attempt++;", ""),
    ("what is done already is found", ENGINE,
     "        if (step->attempt == 0) {\n            turn_emit(turn, JOURNAL_FOUND, step, js_object());",
     "        if (step->attempt == 0) {\n            intend(turn, step, result);"),
    ("what is on its way is waited for", ENGINE,
     "    case STEP_MOVING: {\n        const struct gate_answer",
     "    case STEP_MOVING: {\n        if (true) { break; }\n        const struct gate_answer"),
    ("what somebody else changed is left", ENGINE,
     "    case STEP_ELSEWHERE: {\n        struct json *body = js_object();\n",
     "    case STEP_ELSEWHERE: {\n        if (true) { break; }\n"
     "        struct json *body = js_object();\n"),
    ("after a restart an intent is verified, not repeated", ENGINE,
     "    (void)steps_submit(turn, live->is_verifying ? RUN_TASK_VERIFY : RUN_TASK_LOOK, step,",
     "    (void)steps_submit(turn, live->is_verifying && (!turn->state->is_resumed || live->has_seen)\n"
     "        ? RUN_TASK_VERIFY : live->is_verifying ? RUN_TASK_APPLY : RUN_TASK_LOOK, step,"),
    ("values to restore are read once", ENGINE,
     "    if (result->answer_count > 0 || job->task->before != NULL) {",
     "    if (result->answer_count > 0) {"),
    ("arguments are bound once", ENGINE,
     "    if (job->task->args != NULL) {\n        result->args", "    if (false) {\n        result->args"),
    ("gates are asked again right before the act", ENGINE,
     "    if (plan->gate_count > 0 || plan->assumption_count > 0) {", "    if (false) {"),
    ("nothing is sent after the deadline", ENGINE,
     " || !call_may_send(&job->call)) {", ") {"),
    ("a gate that nobody knows is never yes", ENGINE,
     "        return (struct gate_answer){GATE_NEVER, gate->name, ",
     "        return (struct gate_answer){GATE_YES, gate->name, "),
    ("a step of an older meaning is refused", ENGINE,
     "step->def < ops->def_min || ", ""),
    ("a step of a newer meaning is refused", ENGINE, " || step->def > ops->def", ""),
    ("the worst answer is told first", ENGINE,
     "slot[-1].state < answer.state", "slot[-1].state > answer.state"),
    ("a cluster that cannot be read is not green", ENGINE,
     "        result->during = *slot;\n", "        result->answer_count = 0;\n"),
    ("an unreachable node is out", ENGINE, "return !node->is_reachable || node->is_loading",
     "return node->is_loading"),
    ("a loading node is out", ENGINE, "|| node->is_loading ||", "||"),
    ("a replica without link is out", ENGINE, "(!node->is_link_up || node->is_syncing)",
     "node->is_syncing"),
    ("a copying replica is out", ENGINE, "(!node->is_link_up || node->is_syncing)",
     "!node->is_link_up"),
    ("absent counts when it stood still", ENGINE,
     "const bool is_settled = now_ms - live->seen_since_ms >= step->plan->settle_ms;",
     "const bool is_settled = true;"),
    ("attempts are counted", ENGINE,
     "    if (live->failure_count < TURN_ATTEMPTS_MAX) {", "    if (true) {"),
    ("an attempt ends at its deadline", ENGINE,
     "const bool is_late = now_ms >= live->deadline_ms;", "const bool is_late = false;"),
    ("a step that cannot be read is looked at until its deadline", ENGINE,
     "    if (turn->event->now_ms < step->live.deadline_ms) {", "    if (false) {"),
    ("not yet ends with the window", ENGINE,
     "    if (answer->state == GATE_NOT_YET && now_ms < live->deadline_ms) {",
     "    if (answer->state == GATE_NOT_YET) {"),
    ("needs you is asked at once", ENGINE,
     "    if (answer->state == GATE_NOT_YET && now_ms < live->deadline_ms) {",
     "    if (now_ms < live->deadline_ms) {"),
    ("the health of a phase is waited for until its window ends", ENGINE,
     "    if (answer->state == GATE_NOT_YET && now_ms < wait->deadline_ms) {",
     "    if (answer->state == GATE_NOT_YET) {"),
    ("a phase opens when its gates are green", ENGINE,
     "    } else if (result->answer_count > 0) {\n        wait_for_green(turn, result);",
     "    } else if (false) {\n        wait_for_green(turn, result);"),
    ("a phase closes when its steps are done", ENGINE,
     "        if (are_steps_final(state, phase)) {", "        if (true) {"),
    ("finalize waits for the operator", ENGINE,
     "    if (run_phase_is_finalize(state, phase) && !state->is_finalizing) {", "    if (false) {"),
    ("soak counts observed time only", ENGINE,
     "    if (is_green && state->is_soak_green) {", "    if (is_green) {"),
    ("soak counts healthy time only", ENGINE,
     "    if (is_green && state->is_soak_green) {", "    if (state->is_soak_green) {"),
    ("the way back is watched in every reading", ENGINE, "    health_watch_way_back(turn, result);\n", ""),
    ("a way back that looks closing for a moment is open", ENGINE,
     "    if (is_passing || ", "    if ("),
    ("a way back that is closed stays closed", ENGINE,
     " || state->way_back == RUN_WAY_BACK_CLOSED) {", ") {"),
    ("finalize closes the way back", ENGINE,
     "        state->way_back = RUN_WAY_BACK_CLOSED;\n", ""),
    ("scopes are closed at the pause point", ENGINE,
     "        if (scopes_close(turn, PLAN_SCOPE_RUN)) {", "        if (true) {"),
    ("an abort closes what is open", ENGINE,
     "steps_are_idle(turn->state) && scopes_close(turn, PLAN_SCOPE_FINALIZE)",
     "steps_are_idle(turn->state)"),
    ("an abort waits for what is in flight", ENGINE,
     "if (steps_are_idle(turn->state) && scopes_close(turn, PLAN_SCOPE_FINALIZE)) {",
     "if (scopes_close(turn, PLAN_SCOPE_FINALIZE)) {"),
    ("a question says why", ENGINE,
     'reason == NULL ? "no reason given" : reason);\n    js_push(reasons, js_text(text));\n',
     'reason == NULL ? "no reason given" : reason);\n'),
    ("an answer of an unread probe is no proof", ENGINE,
     "return is_clean && (is_whole || !state->first->policy.probe_required);", "return is_clean;"),
    ("a failed request is no proof", ENGINE,
     'probe_number(probe, "failed") == 0 && ', ""),
    ("resuming tries failed steps again", ENGINE,
     "if (step->status == RUN_STEP_FAILED || step->status == RUN_STEP_FOREIGN) {", "if (false) {"),
    ("a step that could not be read is verified again", ENGINE,
     "            step->status = RUN_STEP_INTENDED;\n", "            step->status = RUN_STEP_PENDING;\n"),
    ("a restart begins with a higher epoch", ENGINE,
     "        state->epoch = record->epoch;", ""),
    ("a run that turns starts nothing new", ENGINE,
     "(state->status == RUN_RUNNING && state->replan != RUN_REPLAN_NONE);", "false;"),
    ("a run that turns finishes what is begun", ENGINE,
     "        if (steps_are_idle(turn->state)) {\n            replan_advance(turn);",
     "        if (true) {\n            replan_advance(turn);"),
    ("the new plan is of the world after what was begun", ENGINE,
     "turn->state->replan != RUN_REPLAN_NONE && steps_are_quiet(turn->state)",
     "turn->state->replan != RUN_REPLAN_NONE"),
    ("what a rollback gives up is not asked about", ENGINE,
     "    if (is_winding_up(state) || is_going_on) {", "    if (is_going_on) {"),
    ("on the way back the others go on", ENGINE,
     "(is_continuing || state->direction == RUN_BACK);", "is_continuing;"),
    ("on_failure: continue lets the others go on", ENGINE,
     "(is_continuing || state->direction == RUN_BACK);", "(state->direction == RUN_BACK);"),
    ("on_failure: rollback turns the run", ENGINE,
     "    if (!is_wanted || !is_possible) {", "    if (true) {"),
    ("no policy turns a run that has no way back", ENGINE,
     "state->direction == RUN_FORWARD &&\n                             "
     "state->way_back != RUN_WAY_BACK_CLOSED &&", "state->direction == RUN_FORWARD &&"),
    ("the claim is renewed", ENGINE,
     "claim->wait.next_ms = claim->sent_ms + CLAIM_RENEW_MS;",
     "claim->wait.next_ms = INT64_MAX;"),
    ("a rollback needs a way back", ENGINE,
     "    if (state->way_back != RUN_WAY_BACK_CLOSED) {", "    if (true) {"),
    ("finalize ends the possibility of a rollback", ENGINE,
     "    if (state->is_finalizing) {", "    if (false) {"),
    ("a false assumption changes the plan", ENGINE,
     "    return result->is_assumption && ", "    return false && "),
    ("the same plan again is a question", ENGINE,
     "    if (is_automatic && is_same_remainder(state, &plan)) {", "    if (false) {"),
    ("a wider plan needs consent", ENGINE,
     "(result->is_wider || is_asking)) {", "is_asking) {"),
    ("revise: ask needs consent", ENGINE,
     "(result->is_wider || is_asking)) {", "result->is_wider) {"),
    ("eight changes of a plan are enough", ENGINE,
     "    if (is_automatic && state->automatic_count >= RUN_REVISIONS_MAX) {", "    if (false) {"),
    ("consent is to one plan", ENGINE,
     " && str_starts_with(str_of(digest), hash)) {", ") {"),
    ("consent takes eight digits", ENGINE, "strlen(hash) >= HASH_SIZE_MIN && ", ""),
    ("a plan that cannot be read is not gone on with", ENGINE,
     "    if (state->plan_trouble != NULL) {", "    if (false) {"),
    ("an earlier attempt is ended before looking", ENGINE,
     "            step->live.must_stop = true;\n", ""),
    ("a new controller claims before anything else", ENGINE,
     "    return claim->is_tried || !state->is_resumed;\n}\n\nbool claim_may_rest",
     "    return true;\n}\n\nbool claim_may_rest"),
    ("commands wait for the claim", ENGINE,
     "        operator_defer(turn);\n        return;", "        (void)0;"),
    ("nothing is begun on an old claim", ENGINE,
     "    } else if (!claim_is_fresh(turn, &unclaimed)) {", "    } else if (false) {"),
    ("nothing is ended on an old claim", ENGINE,
     "live->must_stop && !claim_is_fresh(turn, &unclaimed)) {", "false) {"),
    ("a lost claim is not taken again unasked", ENGINE,
     "is_settled || claim->is_lost || claim->is_in_flight", "is_settled || claim->is_in_flight"),
    ("a strangers claim refuses the start", ENGINE,
     "(claim->is_foreign || claim->is_ahead)) {", "claim->is_ahead) {"),
    ("a copied journal is not gone on with", ENGINE,
     "(claim->is_foreign || claim->is_ahead)) {", "claim->is_foreign) {"),
    ("a claim is given back at the end", ENGINE,
     "    submit_claim(turn, CLAIM_RELEASE);\n    return false;", "    return true;"),
    ("a run at rest parks its claim", ENGINE,
     "        .is_parked = is_at_rest,\n", ""),
    ("a claim is looked at right before the act", ENGINE,
     "    if (err == NULL && result->answer_count == 0) {\n        err = look_at_claim(job, &lost);",
     "    if (false) {\n        err = look_at_claim(job, &lost);"),
    ("a claim is looked at right before taking back", ENGINE,
     "    if (err == NULL && lost != NULL) {", "    if (false) {"),
    ("what is left is stopped before looking", ENGINE,
     "    struct err *err = stop_earlier(job);", "    struct err *err = NULL;"),
    ("a new plan is one that this program can carry out", ENGINE,
     "        check_new_plan(job);\n", ""),
    ("an abandoned run lists what it leaves", ENGINE, "        scopes_leave(turn);\n", ""),
    ("what was repaired by hand is the operators", ENGINE,
     "    steps_give_away(turn);\n", ""),
)

STEP_KINDS = (
    ("a server that answers has not stopped", STEPS,
     "        err = service_stop_check_silence(call, node);\n", "        err = NULL;\n"),
    ("a stop ends the process that was captured", STEPS,
     "identity == NULL || text_equal(identity, status.identity)", "true"),
    ("a server that loads is not started yet", STEPS, "err != NULL || state.is_loading",
     "err != NULL"),
    ("a started server runs the planned series", STEPS,
     'text_equal(state.series, js_get_text(bound->args, "series"))', "true"),
    ("a link that somebody moved is left", "src/steps/package_switch.c",
     "captured == NULL || text_equal(target, captured)", "true"),
    ("a setting that somebody changed is left", "src/steps/repl_setting.c",
     "captured == NULL || is_same_value(value, captured)", "true"),
    ("a setting that somebody changed is not restored", "src/steps/repl_setting.c",
     '    if (!is_same_value(value, js_get_text(bound->args, "value"))) {', "    if (false) {"),
    ("equal sizes are equal values", "src/steps/repl_setting.c", "        return a_number == b_number;",
     "        return strcmp(a, b) == 0;"),
    ("a switchover is done when both sides say so", STEPS,
     '        return repl_switchover_verify_old(call, bound->args, ret_state);',
     "        *ret_state = STEP_DONE;\n        return NULL;"),
    ("another node under the address is not trusted", "src/steps/repl_switchover.c",
     '    if (!text_equal(state.id, js_get_text(bound->args, "id"))) {', "    if (false) {"),
    ("a replica of another primary is not promoted", STEPS,
     "*ret_state = is_before ? STEP_ABSENT : STEP_ELSEWHERE;", "*ret_state = STEP_ABSENT;"),
    ("a step refuses to send too late", "src/steps/step_args.c",
     "    return err != NULL ? err : step_check_send(call, *ret_node);", "    return err;"),
    ("a step refuses arguments that it does not know", "src/steps/step_args.c",
     "        if (!is_known_key(keys, key)) {", "        if (false) {"),
)


CLAIMS = (
    ("a contested claim gives way", "src/app",
     '    if (!text_equal(err->code, "claim_contested")) {', "    if (true) {"),
    ("who is refused gives back what it took", "src/app",
     "    if (is_refused(claiming)) {\n        give_back(claiming);", "    if (is_refused(claiming)) {"),
)


def rule_mutants():
    for rules in (ORDER, DECISIONS, STEP_KINDS, CLAIMS):
        for name, file, old, new in rules:
            yield Mutant("not: " + name, ((file, old, new),))


# What one list of rules finds at least: fewer, and the pattern does not fit the source any more.
LEAST = {"gates": 25, "lists": 70}


def all_mutants(root):
    gates, lists = list(gate_mutants(root)), list(all_list_mutants(root))
    assert len(gates) >= LEAST["gates"], f"only {len(gates)} gates found in {GATES}"
    assert len(lists) >= LEAST["lists"], f"only {len(lists)} members of lists found"
    mutants = gates + lists + list(rule_mutants())
    names = [mutant.name for mutant in mutants]
    assert len(set(names)) == len(names), "two mutants have one name"
    return mutants


# In `make test`: some of every sort.
SAMPLE = (
    "gate views_agree answers yes",
    "gate way_back_fed answers yes",
    "not: a start follows the switch of its program",
    "not: one switchover after the other",
    "not: a begun chain is finished before stopping",
    "not: the budget is kept",
    "not: an intent is on disk before the act",
    "not: after a restart an intent is verified, not repeated",
    "not: gates are asked again right before the act",
    "not: a server that answers has not stopped",
)
