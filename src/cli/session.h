/*
 * cli/session.h - one call of the command line: its arguments, its services, what it has loaded.
 *
 * Nothing is loaded before a command asks for it. Functions that can fail print the error
 * themselves and hand back the exit status, because nothing else can be done with it here.
 */
#ifndef UPSHIFT_CLI_SESSION_H
#define UPSHIFT_CLI_SESSION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/services.h"
#include "config/complaints.h"
#include "model/inventory.h"
#include "model/version.h"

struct session {
    struct arguments arguments;
    struct services *services;
    struct arena arena;
    bool is_json;
    bool is_quiet;
    bool has_color;             /* --no-color and NO_COLOR say no */
    bool can_ask;               /* standard input and error are a terminal */
    struct inventory inventory; /* loaded by session_load() */
    struct rules rules;
    bool is_loaded;
};

/* Loads inventory and rules once. False: complaints or the error have been printed and `*ret_exit`
 * is what to return. */
bool session_load(struct session *session, int *ret_exit);

/* The cluster that word `index` names, or the only one of the inventory when the word is missing.
 * NULL: the error has been printed and `*ret_exit` set. */
const struct inv_cluster *session_cluster(struct session *session, size_t index, int *ret_exit);

/* The name of a cluster that may be unknown to the inventory (status, report, resume): the word,
 * the only cluster of the inventory, or the only one with a journal. NULL as above. */
const char *session_cluster_name(struct session *session, size_t index, int *ret_exit);

/* <state>/<cluster>. Owns: the session's arena. */
const char *session_directory(struct session *session, const char *cluster);

/* Request for services with progress to standard error. */
struct cli_request session_request(
    struct session *session, const struct inv_cluster *cluster, const char *target);

/* Prints the error (text to standard error, or JSON to standard output), frees it, and returns the
 * exit status. Owns: takes `err`. */
int session_fail(struct session *session, struct err *err);

/* Ends a command: with --json prints `result` with "exit" and "word" added. Returns `exit`.
 * Owns: takes `result`, an object. */
int session_end(struct session *session, int exit, struct json *result);

/* Prints a result for people to standard output, unless --json. */
void session_print(const struct session *session, const char *text);

/* A line of talk on standard error, unless --quiet. */
void session_say(const struct session *session, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
