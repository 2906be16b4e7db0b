/*
 * config/inventory.h - upshift.yaml to struct inventory.
 *
 * What the file may say is in the tables of inventory.c and, for people, in docs/inventory.md. The
 * reader is strict, because a misspelt key that is silently ignored is a policy that does not hold:
 * it finds all mistakes in one pass and returns nothing but them.
 */
#ifndef UPSHIFT_CONFIG_INVENTORY_H
#define UPSHIFT_CONFIG_INVENTORY_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "config/complaints.h"
#include "model/inventory.h"

enum {
    INVENTORY_SIZE_MAX = 1024 * 1024,
    INVENTORY_NODES_MAX = 4096, /* in all clusters together */
};

/* Reads and checks the file. `ret_complaints` is filled in either case; print it with
 * config_complaints_text(). Errors: ERR_INVALID, code "inventory_unreadable" (no complaints) or
 * "inventory_invalid" (at least one). */
MUST_USE struct err *config_load_inventory(
    const char *path, struct inventory *ret_inventory, struct config_complaints *ret_complaints);

/* The same for a text that is already in memory. Relative paths begin at the folder of
 * `absolute_path`; `shown_path` is what complaints call the file. */
struct config_source {
    const char *absolute_path;
    const char *shown_path;
    struct str text;
};
MUST_USE struct err *config_parse_inventory(const struct config_source *source,
    struct inventory *ret_inventory, struct config_complaints *ret_complaints);

#endif
