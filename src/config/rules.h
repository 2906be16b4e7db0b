/*
 * config/rules.h - the version rules that are built into the program.
 *
 * The text is src/data/rules-redis.yaml; its digest is part of every plan, so a plan made with
 * other rules is recognised.
 */
#ifndef UPSHIFT_CONFIG_RULES_H
#define UPSHIFT_CONFIG_RULES_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "model/version.h"

/* Reads the built-in rules. Errors: ERR_INTERNAL, code "rules_broken": our own data is wrong. */
MUST_USE struct err *rules_load(struct rules *ret_rules);

/* Reads rules from a text, for rules_load() and its tests. */
MUST_USE struct err *rules_parse(struct str text, struct rules *ret_rules);

#endif
