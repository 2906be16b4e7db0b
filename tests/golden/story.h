/*
 * tests/golden/story.h - a cluster and a request out of small files.
 *
 * base/facts.json is a healthy cluster of three shards on 6.0. A story changes it by a patch: JSON
 * whose objects are merged into it (null removes); where the base has an array, the members of the
 * patch name its elements by their "name", "id", "node" or "setting" ("*": all of them), and an
 * unknown one is added. Requests are patches of base/request.json in the same way; "moment" in one
 * names a patch of the base folder that goes first: "switched" is base/switched.patch.json.
 */
#ifndef UPSHIFT_TESTS_STORY_H
#define UPSHIFT_TESTS_STORY_H

#include "base/arena.h"
#include "base/json.h"
#include "strategies/rolling.h"

struct story {
    struct arena arena;
    struct facts facts;
    struct inventory inventory; /* one cluster, the nodes of the facts */
    struct rules rules;
    struct json *request;
    struct rolling_request rolling; /* of all the above */
};

/* Makes a story from patches given as text; NULL: none. Ends the test when something is wrong. */
void story_init(struct story *story, const char *facts_patch, const char *request_patch);

/* Makes a story from <folder>/facts.patch.json and request.json, of which both may be missing. */
void story_init_folder(struct story *story, const char *folder);

/* Facts of another moment, with the request's target as artefact. Owns: facts_release(). */
void story_read_facts(
    struct story *story, const char *moment, const struct json *patch, struct facts *ret_facts);

void story_release(struct story *story);
#define AUTO_STORY CLEANUP(story_release) struct story

/* Reads a JSON file or text. Owns: the caller. Ends the test when it cannot be read. */
struct json *story_read(const char *path);
struct json *story_parse(const char *text);

#endif
