/*
 * store/sqlite/schema.h - which tables the file has, and bringing an older file up to date.
 *
 * Private to this folder. Migrations are the SQL files of migrations/, embedded by the build.
 */
#ifndef UPSHIFT_STORE_SQLITE_SCHEMA_H
#define UPSHIFT_STORE_SQLITE_SCHEMA_H

#include "store/sqlite/db.h"

extern const char *const schema_migrations[]; /* [0] makes version 1; NULL-terminated */

/* Refuses a file that is newer or no journal of ours; migrates an older one unless `read_only`. */
MUST_USE struct err *schema_prepare(struct db *db, bool read_only);

#endif
