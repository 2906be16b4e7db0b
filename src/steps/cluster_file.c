#include "steps/cluster_file.h"

#include "base/attr.h"

/* What may follow the address in a line: "ip:port@cport,hostname,shard-id=...,nodename=...". */
static const struct fields {
    const char *series;
    bool has_host_name;
    const char *const *names; /* ended by NULL */
} field_sets[] = {
    {"redis/6.0", false, (const char *const[]){NULL}},
    {"redis/6.2", false, (const char *const[]){NULL}},
    {"redis/7.0", true, (const char *const[]){NULL}},
    {NULL, true, (const char *const[]){"shard-id", "nodename", "tcp-port", "tls-port", NULL}},
};

static const struct fields *find_fields(const char *series)
{
    const struct fields *set = field_sets;
    while (set->series != NULL && !text_equal(set->series, series)) {
        set++;
    }
    return set;
}

static bool is_field_known(const struct fields *set, struct str field)
{
    struct str name;
    (void)str_cut(&field, '=', &name);
    for (const char *const *known = set->names; *known != NULL; known++) {
        if (str_is(name, *known)) {
            return true;
        }
    }
    return false;
}

/* The second word of a node's line. The host name has a place and no name: an empty one keeps the
 * place for what follows, and is left out where nothing does. */
static void cut_address(struct str word, const struct fields *set, struct buf *ret_text)
{
    struct str part;
    (void)str_cut(&word, ',', &part);
    buf_append(ret_text, part.data, part.size);
    if (!set->has_host_name || !str_cut(&word, ',', &part)) {
        return;
    }
    const bool has_name = part.size > 0 && memchr(part.data, '=', part.size) == NULL;
    if (has_name || set->names[0] != NULL) {
        buf_append_char(ret_text, ',');
        buf_append(ret_text, part.data, part.size);
    }
    while (str_cut(&word, ',', &part)) {
        if (is_field_known(set, part)) {
            buf_append_char(ret_text, ',');
            buf_append(ret_text, part.data, part.size);
        }
    }
}

static void cut_node_line(struct str line, const struct fields *set, struct buf *ret_text)
{
    struct str word;
    if (str_cut(&line, ' ', &word)) {
        buf_append(ret_text, word.data, word.size);
    }
    if (str_cut(&line, ' ', &word)) {
        buf_append_char(ret_text, ' ');
        cut_address(word, set, ret_text);
    }
    if (line.data != NULL) {
        buf_append_char(ret_text, ' ');
        buf_append(ret_text, line.data, line.size);
    }
}

/* "vars currentEpoch 6 lastVoteEpoch 4": pairs; these two are all that there are in every series.
 */
static void cut_vars_line(struct str line, struct buf *ret_text)
{
    struct str name;
    struct str value;
    (void)str_cut(&line, ' ', &name);
    buf_append(ret_text, name.data, name.size);
    while (str_cut(&line, ' ', &name) && str_cut(&line, ' ', &value)) {
        if (str_is(name, "currentEpoch") || str_is(name, "lastVoteEpoch")) {
            buf_printf(ret_text, " " STR_FMT " " STR_FMT, STR_ARG(name), STR_ARG(value));
        }
    }
}

void cluster_file_cut(struct str text, const char *series, struct buf *ret_text)
{
    const struct fields *set = find_fields(series);
    const bool ends_line = text.size > 0 && text.data[text.size - 1] == '\n';
    struct str line;
    if (ends_line) {
        text.size--;
    }
    for (bool is_first = true; str_cut(&text, '\n', &line); is_first = false) {
        if (!is_first) {
            buf_append_char(ret_text, '\n');
        }
        if (str_starts_with(line, "vars ")) {
            cut_vars_line(line, ret_text);
        } else {
            cut_node_line(line, set, ret_text);
        }
    }
    if (ends_line) {
        buf_append_char(ret_text, '\n');
    }
}
