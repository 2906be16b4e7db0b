/*
 * config/yaml.h - a YAML text as a tree in which every node knows its place.
 *
 * The only face of libfyaml. Accepted is the plain part of YAML that configuration needs: mappings,
 * lists and scalars in one document. Directives, anchors, aliases, tags, keys that are no scalars,
 * values over several lines and duplicate keys are refused, as is anything of unreasonable depth
 * or size.
 * Values keep their spelling: 7.10 stays "7.10", and the reader decides what it is.
 */
#ifndef UPSHIFT_CONFIG_YAML_H
#define UPSHIFT_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "config/complaints.h"

enum {
    YAML_DEPTH_MAX = 16,
    YAML_CHILDREN_MAX = 1024, /* members of one mapping or list: 1,000 nodes are Redis' limit */
};

enum yaml_kind { YAML_SCALAR, YAML_MAPPING, YAML_LIST };

struct yaml_node {
    enum yaml_kind kind;
    bool is_plain;               /* a scalar without quotes: may be a number or a word */
    const char *text;            /* of a scalar */
    const struct yaml_node *key; /* of a mapping's member; NULL otherwise */
    struct config_place place;
    int64_t line_last;
    struct yaml_node *children;
    size_t child_count;
};

/* Reads the text that `complaints` was started with into `arena`; NULL when it cannot be read, with
 * the reason complained about. An empty text is a plain empty scalar. */
const struct yaml_node *yaml_parse(struct config_complaints *complaints, struct arena *arena);

/* The member named `name`, or NULL. Borrowed. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *name);

/* True for a value that was left out, "~" and "null". */
bool yaml_is_empty(const struct yaml_node *node);

/* Where to point when a node as a whole is meant: its key, when it has one. */
struct config_place yaml_name_place(const struct yaml_node *node);

#endif
