#include "cli/command.h"

#include <string.h>

#include "base/str.h"

enum { NAMES_MAX = 64, HELP_COLUMN = 28, HELP_WIDTH = 80 };

const struct option_spec command_global_options[] = {
    {"inventory", 'i', OPTION_TEXT, "FILE", "inventory (default ./upshift.yaml)"},
    {"state-dir", 0, OPTION_TEXT, "DIR", "where journals are kept"},
    {"json", 0, OPTION_FLAG, NULL, "results and errors as JSON"},
    {"no-color", 0, OPTION_FLAG, NULL, "no colours and no redrawing"},
    {"quiet", 'q', OPTION_FLAG, NULL, "no progress, only the result"},
    {"help", 'h', OPTION_FLAG, NULL, "this text"},
    OPTION_NONE,
};

/* Marks an error as one of the command line. Owns: takes `err`. */
static struct err *usage(struct err *err)
{
    return err_hint(err_code(err, "usage"), "`upshift help` lists the commands");
}

/* Looks a word up among the children; names the nearest when there is none. */
static struct err *find_child(
    const struct command *parent, const char *word, const struct command **ret_command)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (const struct command *const *child = parent->children; *child != NULL; child++) {
        if (strcmp((*child)->name, word) == 0) {
            *ret_command = *child;
            return NULL;
        }
        if (!(*child)->is_hidden && count < NAMES_MAX) {
            names[count++] = (*child)->name;
        }
    }
    struct err *err = usage(err_new(ERR_INVALID, NULL, "there is no command \"%s\"", word));
    const char *nearest = str_nearest(word, names, count);
    return nearest == NULL ? err : err_hint(err, "did you mean \"%s\"?", nearest);
}

static const struct option_spec *find_option(
    const struct option_spec *options, const char *name, size_t size)
{
    for (; options != NULL && options->name != NULL; options++) {
        const bool is_letter = size == 1 && options->letter == name[0];
        if (is_letter ||
            (strlen(options->name) == size && memcmp(options->name, name, size) == 0)) {
            return options;
        }
    }
    return NULL;
}

static struct err *unknown_option(const struct command *command, const char *word)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    const struct option_spec *const tables[] = {command->options, command_global_options};
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
        for (const struct option_spec *spec = tables[i]; spec != NULL && spec->name != NULL;
             spec++) {
            names[count++] = spec->name;
        }
    }
    struct err *err = usage(err_new(ERR_INVALID, NULL, "there is no option \"%s\" here", word));
    const char *nearest = str_nearest(word + strspn(word, "-"), names, count);
    return nearest == NULL ? err : err_hint(err, "did you mean \"--%s\"?", nearest);
}

static struct err *set_value(
    struct arguments *arguments, const struct option_spec *spec, const char *text)
{
    struct option_value value = {.spec = spec, .text = text};
    if (spec->type == OPTION_NUMBER) {
        int64_t number = 0;
        if (!str_to_int64(str_of(text), &number) || number < 1 || number > 1000000000) {
            return usage(err_new(
                ERR_INVALID, NULL, "\"%s\" is not a whole number from 1 to 1000000000", text));
        }
        value.number = (long)number;
    }
    if (arguments->option_count == COMMAND_OPTIONS_MAX) {
        return usage(err_new(ERR_INVALID, NULL, "too many options at \"%s\"", spec->name));
    }
    arguments->options[arguments->option_count++] = value;
    return NULL;
}

/* Parses argv[*index], which begins with '-', and takes a further word when its value is there. */
static struct err *parse_option(
    const struct command *command, int argc, char **argv, int *index, struct arguments *arguments)
{
    const char *word = argv[*index];
    const bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    const size_t size = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option_spec *spec = find_option(command->options, name, size);
    if (spec == NULL) {
        spec = find_option(command_global_options, name, size);
    }
    if (spec == NULL) {
        return unknown_option(command, word);
    }
    if (spec->type == OPTION_FLAG) {
        if (equals != NULL) {
            return usage(
                err_new(ERR_INVALID, NULL, "the option \"%s\" takes no value", spec->name));
        }
        arguments->wants_help = arguments->wants_help || strcmp(spec->name, "help") == 0;
        return set_value(arguments, spec, NULL);
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL) {
        if (*index + 1 >= argc) {
            return usage(err_new(ERR_INVALID, NULL, "the option \"%s\" needs a value", spec->name));
        }
        value = argv[++*index];
    }
    return set_value(arguments, spec, value);
}

static struct err *add_word(struct arguments *arguments, const char *word)
{
    const struct command *command = arguments->command;
    if (command->children != NULL) {
        const struct command *child = NULL;
        struct err *err = find_child(command, word, &child);
        if (err == NULL) {
            arguments->command = child;
        }
        return err;
    }
    if (arguments->word_count == command->max_args) {
        return usage(err_new(ERR_INVALID, NULL, "\"%s\" is one word too many", word));
    }
    arguments->words[arguments->word_count++] = word;
    return NULL;
}

/* Appends " datastore version fetch", the words that lead from `from` to a command; false when it
 * is not below. The root has none. */
static bool append_path(const struct command *from, const struct command *command, struct buf *text)
{
    if (from == command) {
        return true;
    }
    for (const struct command *const *child = from->children; child != NULL && *child != NULL;
         child++) {
        AUTO_BUF below = {0};
        buf_printf(&below, " %s", (*child)->name);
        if (append_path(*child, command, &below)) {
            buf_append_text(text, buf_text(&below));
            return true;
        }
    }
    return false;
}

static struct err *check_count(const struct arguments *arguments)
{
    const struct command *command = arguments->command;
    if (command->children != NULL) {
        return command == &command_root ? usage(err_new(ERR_INVALID, NULL, "a command is missing"))
                                        : usage(err_new(ERR_INVALID, NULL,
                                              "\"%s\" needs a further word", command->name));
    }
    if (arguments->word_count < command->min_args) {
        struct err *err =
            usage(err_new(ERR_INVALID, NULL, "\"%s\" needs more words", command->name));
        AUTO_BUF path = {0};
        (void)append_path(&command_root, command, &path);
        return err_hint(err, "usage: upshift%s %s", buf_text(&path), command->words);
    }
    return NULL;
}

struct err *command_parse(int argc, char **argv, struct arguments *ret_arguments)
{
    struct arguments *arguments = ret_arguments;
    *arguments = (struct arguments){.command = &command_root};
    bool is_help = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        struct err *err = NULL;
        if (strcmp(word, "--version") == 0) {
            arguments->wants_version = true;
        } else if (strcmp(word, "help") == 0 && arguments->command == &command_root) {
            is_help = true;
        } else if (word[0] == '-' && word[1] != '\0') {
            err = parse_option(arguments->command, argc, argv, &i, arguments);
        } else {
            err = add_word(arguments, word);
        }
        if (err != NULL) {
            return err;
        }
    }
    arguments->wants_help = arguments->wants_help || is_help;
    const bool needs_no_words = arguments->wants_help || arguments->wants_version;
    return needs_no_words ? NULL : check_count(arguments);
}

static const struct option_value *find_value(const struct arguments *arguments, const char *option)
{
    for (size_t i = arguments->option_count; i-- > 0;) { /* the last one wins */
        if (strcmp(arguments->options[i].spec->name, option) == 0) {
            return &arguments->options[i];
        }
    }
    return NULL;
}

bool arguments_has(const struct arguments *arguments, const char *option)
{
    return find_value(arguments, option) != NULL;
}

const char *arguments_text(const struct arguments *arguments, const char *option)
{
    const struct option_value *value = find_value(arguments, option);
    return value == NULL ? NULL : value->text;
}

long arguments_number(const struct arguments *arguments, const char *option, long fallback)
{
    const struct option_value *value = find_value(arguments, option);
    return value == NULL ? fallback : value->number;
}

/* --- help --- */

/* A name, then its summary from HELP_COLUMN on, wrapped. */
static void append_entry(struct buf *text, const char *name, const char *summary)
{
    buf_printf(text, "  %-*s", HELP_COLUMN - 3, name);
    size_t column = strlen(name) + 2 < HELP_COLUMN ? HELP_COLUMN - 1 : strlen(name) + 2;
    struct str rest = str_of(summary), word;
    while (str_cut(&rest, ' ', &word)) {
        if (column + 1 + word.size > HELP_WIDTH) {
            buf_printf(text, "\n%*s", HELP_COLUMN - 1, "");
            column = HELP_COLUMN - 1;
        }
        buf_append_char(text, ' ');
        buf_append_str(text, word);
        column += 1 + word.size;
    }
    buf_append_char(text, '\n');
}

static void append_options(struct buf *text, const char *title, const struct option_spec *options)
{
    if (options == NULL || options->name == NULL) {
        return;
    }
    buf_printf(text, "\n%s\n", title);
    for (; options->name != NULL; options++) {
        AUTO_BUF name = {0};
        if (options->letter != 0) {
            buf_printf(&name, "-%c, ", options->letter);
        }
        buf_printf(&name, "--%s%s%s", options->name, options->value == NULL ? "" : " ",
            options->value == NULL ? "" : options->value);
        append_entry(text, buf_text(&name), options->summary);
    }
}

static void append_children(struct buf *text, const struct command *parent)
{
    for (const struct command *const *child = parent->children; *child != NULL; child++) {
        if ((*child)->is_hidden) {
            continue;
        }
        AUTO_BUF name = {0};
        buf_printf(&name, "%s%s%s", (*child)->name, (*child)->words == NULL ? "" : " ",
            (*child)->words == NULL ? "" : (*child)->words);
        append_entry(text, buf_text(&name), (*child)->summary);
    }
}

void command_help(const struct command *command, struct buf *ret_text)
{
    buf_printf(ret_text, "%s\n\nUsage: upshift", command->summary);
    (void)append_path(&command_root, command, ret_text);
    buf_printf(ret_text, "%s%s\n",
        command->children != NULL ? " COMMAND"
        : command->words != NULL  ? " "
                                  : "",
        command->words == NULL ? "" : command->words);
    if (command->details != NULL) {
        buf_printf(ret_text, "\n%s\n", command->details);
    }
    if (command->children != NULL) {
        buf_append_text(ret_text, "\nCommands\n");
        append_children(ret_text, command);
    }
    append_options(ret_text, "Options", command->options);
    append_options(ret_text, "Options of every command", command_global_options);
}
