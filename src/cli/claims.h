/*
 * cli/claims.h - the marks of controllers on the nodes, as `upshift reconcile` shows, adopts and
 * clears them (engine/claim.h says what they are for).
 */
#ifndef UPSHIFT_CLI_CLAIMS_H
#define UPSHIFT_CLI_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>

enum cli_claims_act {
    CLI_CLAIMS_LOOK,  /* changes nothing: to show before asking for consent */
    CLI_CLAIMS_CLEAR, /* ends the marks; temporary changes stay as they are and are listed */
    CLI_CLAIMS_ADOPT, /* puts each temporary change back, if it still is as that run left it, and
                         then ends the marks */
};

/* A temporary change that a run has not taken back. */
struct cli_claim_scope {
    const char *step;    /* "prepare/node-1/backlog" */
    const char *node;    /* "node-1" */
    const char *what;    /* "repl.setting repl-backlog-size = 67108864" */
    const char *before;  /* "1048576" */
    const char *outcome; /* adopt: "restored", "left as it is: ...", "not restored: ..."; or NULL */
};

struct cli_claims {
    const char **owners; /* one sentence for each controller that has left marks */
    size_t owner_count;
    const char **unseen; /* nodes whose mark could not be read or changed, with the reason */
    size_t unseen_count;
    struct cli_claim_scope *scopes;
    size_t scope_count;
    bool is_cleared; /* clear, adopt: no mark is left on the nodes that could be read */
};

#endif
