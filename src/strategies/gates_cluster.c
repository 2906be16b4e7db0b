/* Can every node be read, and is the cluster one and whole in the eyes of each? */
#include <inttypes.h>

#include "base/buf.h"
#include "base/str.h"
#include "strategies/gate_report.h"

enum {
    SLOT_COUNT = 16384, /* fixed by the Redis Cluster specification */
    STRANGERS_NAMED_MAX = 4,
    VIEWERS_NAMED_MAX = 3, /* more are counted: the sentence must stay readable */
};

/* A node that answers is not repaired by starting it: what the inventory says is wrong. NULL: it
 * does not answer. */
static const char *find_correction(const char *trouble_code)
{
    static const char *const rows[][2] = {
        {"wrong_password", "correct the user or the password reference in the inventory"},
        {"password_missing", "add auth: with a password to the cluster in the inventory"},
        {"tls_untrusted", "correct tls: of the cluster in the inventory"},
        {"command_unknown", "take rename-command for what upshift needs out of the node's "
                            "configuration file and restart it; restrict commands by ACL instead"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (text_equal(trouble_code, rows[i][0])) {
            return rows[i][1];
        }
    }
    return NULL;
}

/* A server that wants TLS ends a plain connection without a word. A run keeps its inventory. */
static const char *find_cure(const struct gate_input *input, const char *trouble_code)
{
    if (text_equal(trouble_code, "peer_closed")) {
        return "add tls: to the cluster in the inventory if its servers want TLS; else read the "
               "node's log, and repair the way to it";
    }
    return js_get_bool(input->args, "preflight", false) || facts_have_one_primary(input->facts)
               ? "start the node or repair the way to it; take a node that is gone out of the "
                 "cluster and of the inventory"
               : "start the node or repair the way to it; if it is gone for good, CLUSTER FORGET "
                 "it on all others, then `upshift reconcile`";
}

struct gate_answer gate_all_reachable(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    for (size_t i = 0; i < input->facts->node_count; i++) {
        const struct fact_node *node = &input->facts->nodes[i];
        if (node->is_reachable || gate_is_excepted(input, node->name)) {
            continue;
        }
        const char *correction = find_correction(node->trouble_code);
        gate_report_add_node(&report,
            &(struct gate_problem){
                .state = correction != NULL ? GATE_NEEDS_YOU : GATE_NOT_YET,
                .remedy = correction != NULL ? correction : find_cure(input, node->trouble_code),
                .node = node->name,
            },
            " cannot be read: %s", node->trouble == NULL ? "no answer" : node->trouble);
    }
    return gate_report_finish(&report, "all_reachable");
}

/* While some node cannot be read, a replica's primary may be that one. */
static bool are_all_read(const struct facts *facts)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        if (!facts->nodes[i].is_reachable) {
            return false;
        }
    }
    return true;
}

struct gate_answer gate_roles_known(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->role == FACT_ROLE_UNKNOWN) {
            gate_report_add(&report, GATE_NOT_YET, NULL, "%s does not say its role", node->name);
        } else if (node->shard == NULL && node->role == FACT_ROLE_PRIMARY) {
            gate_report_add(&report, GATE_NEEDS_YOU,
                "give it slots, make it a replica, or take it out of the cluster and the inventory",
                "%s is a primary without slots", node->name);
        } else if (node->shard == NULL && are_all_read(input->facts)) {
            gate_report_add(&report, GATE_NEEDS_YOU, "add its primary to the inventory",
                "%s copies from a node that is not in the inventory", node->name);
        }
    }
    return gate_report_finish(&report, "roles_known");
}

struct gate_answer gate_not_loading(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->is_loading) {
            gate_report_add(&report, GATE_NOT_YET, NULL, "%s is loading its data", node->name);
        }
    }
    return gate_report_finish(&report, "not_loading");
}

static int64_t count_handshakes(const struct fact_node *node)
{
    int64_t count = 0;
    for (size_t i = 0; i < node->view_count; i++) {
        count += node->views[i].is_handshaking;
    }
    return count;
}

/* " (id7 at 10.0.0.17:6379)": members in the table of `node` that are none of ours. */
static const char *list_strangers(const struct gate_input *input, const struct fact_node *node)
{
    AUTO_BUF list = {0};
    size_t count = 0;
    for (size_t i = 0; i < node->view_count; i++) {
        const struct fact_view *view = &node->views[i];
        if (view->is_handshaking || gate_node_of_view(input->facts, view) != NULL) {
            continue;
        }
        if (count++ < STRANGERS_NAMED_MAX) {
            buf_printf(&list, "%s%s at %s", count == 1 ? " (" : ", ", view->id, view->address);
        }
    }
    if (count > STRANGERS_NAMED_MAX) {
        buf_printf(&list, ", and %zu more", count - STRANGERS_NAMED_MAX);
    }
    return count == 0 ? "" : arena_format(input->arena, "%s)", buf_text(&list));
}

/* A node that only shakes hands is no member yet, and args.gone are none any more. More members
 * than the inventory names is a question, because an upgrade would leave them behind. */
static void check_members(struct gate_report *report, const struct fact_node *node)
{
    const size_t gone_count = js_count(js_get(report->input->args, "gone"));
    const int64_t expected = (int64_t)(report->input->facts->node_count - gone_count);
    const int64_t known = node->known_nodes - count_handshakes(node);
    if (known > expected) {
        gate_report_add_node(report,
            &(struct gate_problem){
                .state = GATE_NEEDS_YOU,
                .remedy = "add the missing nodes to the inventory, or CLUSTER FORGET those that "
                          "are gone",
                .before = "more nodes than the inventory names are known to ",
                .node = node->name,
            },
            ": %" PRId64 " instead of %" PRId64 "%s", known, expected,
            list_strangers(report->input, node));
    } else if (known < expected) {
        gate_report_add_node(report,
            &(struct gate_problem){.state = GATE_NOT_YET,
                .before = "not all nodes of the inventory are known to ",
                .node = node->name},
            ": %" PRId64 " of %" PRId64, known, expected);
    }
}

struct gate_answer gate_cluster_ok(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (!node->is_cluster_ok || node->slots_ok != SLOT_COUNT || node->slots_suspect != 0 ||
            node->slots_failing != 0) {
            gate_report_add(&report, GATE_NOT_YET,
                "look with redis-cli --cluster check and repair the cluster first",
                "%s says cluster_state:%s, slots ok %" PRId64 ", suspect %" PRId64
                ", failing %" PRId64,
                node->name, node->is_cluster_ok ? "ok" : "fail", node->slots_ok,
                node->slots_suspect, node->slots_failing);
        }
        check_members(&report, node);
    }
    return gate_report_finish(&report, "cluster_ok");
}

struct gate_answer gate_no_slot_moves(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        int64_t moving = 0;
        for (size_t i = 0; i < node->view_count; i++) {
            moving += node->views[i].moving_slots;
        }
        if (moving > 0) {
            gate_report_add(&report, GATE_NOT_YET,
                "let the resharding end, or close it with redis-cli --cluster fix",
                "%s is moving %" PRId64 " slot%s", node->name, moving, moving == 1 ? "" : "s");
        }
    }
    return gate_report_finish(&report, "no_slot_moves");
}

/* One way in which a line of a viewer's table may be wrong; `told` is what the node says of itself,
 * or, where it cannot be asked, what the first viewer says. */
struct view_fault {
    const char *text;
    bool (*is_present)(const struct fact_view *seen, const struct fact_view *told);
};

static bool sees_failing(const struct fact_view *seen, const struct fact_view *UNUSED(told))
{
    return seen->is_failing;
}

static bool sees_suspect(const struct fact_view *seen, const struct fact_view *UNUSED(told))
{
    return seen->is_suspect;
}

static bool sees_handshake(const struct fact_view *seen, const struct fact_view *UNUSED(told))
{
    return seen->is_handshaking;
}

static bool sees_no_link(const struct fact_view *seen, const struct fact_view *UNUSED(told))
{
    return !seen->is_linked;
}

static bool sees_other_role(const struct fact_view *seen, const struct fact_view *told)
{
    return seen->role != told->role ||
           (seen->role == FACT_ROLE_REPLICA && !text_equal(seen->primary_id, told->primary_id));
}

static bool sees_other_slots(const struct fact_view *seen, const struct fact_view *told)
{
    return !text_equal(
        seen->slots == NULL ? "" : seen->slots, told->slots == NULL ? "" : told->slots);
}

/* Of a replica 6.0 shows its own epoch and 7.0 its primary's: only primaries compare. */
static bool sees_other_epoch(const struct fact_view *seen, const struct fact_view *told)
{
    return seen->role == FACT_ROLE_PRIMARY && told->role == FACT_ROLE_PRIMARY &&
           seen->epoch != told->epoch;
}

static const struct view_fault view_faults[] = {
    {"is failing (fail)", sees_failing},
    {"is suspected (fail?)", sees_suspect},
    {"is still shaking hands", sees_handshake},
    {"has no link", sees_no_link},
    {"has another role or primary", sees_other_role},
    {"has other slots", sees_other_slots},
    {"has another epoch", sees_other_epoch},
};

struct viewers {
    struct buf names;
    size_t count;
};

static void add_viewer(struct viewers *viewers, const char *name)
{
    viewers->count++;
    if (viewers->count <= VIEWERS_NAMED_MAX) {
        buf_printf(&viewers->names, "%s%s", viewers->count == 1 ? "" : ", ", name);
    }
}

static void report_viewers(
    struct gate_report *report, struct viewers *viewers, const char *subject, const char *fault)
{
    if (viewers->count > VIEWERS_NAMED_MAX) {
        buf_printf(&viewers->names, " and %zu more", viewers->count - VIEWERS_NAMED_MAX);
    }
    if (viewers->count > 0) {
        gate_report_add(report, GATE_NOT_YET, NULL, "%s %s in the view of %s", subject, fault,
            buf_text(&viewers->names));
    }
    buf_release(&viewers->names);
}

/* Viewers are the nodes that can be asked and are not in repair. */
static bool is_viewer(const struct gate_input *input, const struct fact_node *node)
{
    return node->is_reachable && !gate_is_excepted(input, node->name);
}

static void check_fault(struct gate_report *report, const struct view_fault *fault,
    const struct fact_view *told, const char *subject)
{
    const struct facts *facts = report->input->facts;
    struct viewers viewers = {0};
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *viewer = &facts->nodes[i];
        const struct fact_view *seen = gate_view_of(viewer, told->id);
        if (is_viewer(report->input, viewer) && seen != NULL && fault->is_present(seen, told)) {
            add_viewer(&viewers, viewer->name);
        }
    }
    report_viewers(report, &viewers, subject, fault->text);
}

static void check_unknown(
    struct gate_report *report, const struct fact_view *told, const char *subject)
{
    const struct facts *facts = report->input->facts;
    struct viewers viewers = {0};
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *viewer = &facts->nodes[i];
        if (is_viewer(report->input, viewer) && gate_view_of(viewer, told->id) == NULL) {
            add_viewer(&viewers, viewer->name);
        }
    }
    report_viewers(report, &viewers, subject, "is missing");
}

/* Each node of the cluster is examined once: at the first viewer whose table has it. */
static bool is_seen_before(const struct gate_input *input, size_t viewer_index, const char *id)
{
    for (size_t i = 0; i < viewer_index; i++) {
        const struct fact_node *viewer = &input->facts->nodes[i];
        if (is_viewer(input, viewer) && gate_view_of(viewer, id) != NULL) {
            return true;
        }
    }
    return false;
}

static void check_subject(struct gate_report *report, const struct fact_view *first)
{
    const struct facts *facts = report->input->facts;
    const struct fact_node *node = gate_node_of_view(facts, first);
    if (node != NULL && gate_is_excepted(report->input, node->name)) {
        return;
    }
    const struct fact_view *own =
        node != NULL && node->is_reachable ? gate_view_of(node, first->id) : NULL;
    const struct fact_view *told = own != NULL ? own : first;
    const char *subject = gate_view_name(facts, told);
    for (size_t i = 0; i < ARRAY_COUNT(view_faults); i++) {
        check_fault(report, &view_faults[i], told, subject);
    }
    check_unknown(report, told, subject);
}

struct gate_answer gate_views_agree(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    for (size_t i = 0; i < input->facts->node_count; i++) {
        const struct fact_node *viewer = &input->facts->nodes[i];
        if (gate_is_excepted(input, viewer->name)) {
            continue;
        }
        if (!viewer->is_reachable) {
            gate_report_unread(&report, viewer);
            continue;
        }
        if (viewer->view_count == 0) {
            gate_report_add(&report, GATE_NOT_YET, NULL, "%s shows no view", viewer->name);
        }
        for (size_t j = 0; j < viewer->view_count; j++) {
            if (!is_seen_before(input, i, viewer->views[j].id)) {
                check_subject(&report, &viewer->views[j]);
            }
        }
    }
    return gate_report_finish(&report, "views_agree");
}
