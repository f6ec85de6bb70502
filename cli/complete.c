/* `davit __complete WORD...`: what the last word may become, one candidate a line, for the shells'
 * scripts in dist/completion. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "contexts.h"

static void print_tags(const struct json *image)
{
    const struct json *tags = json_get(image, "RepoTags");

    for (size_t i = 0; tags != NULL && tags->type == JSON_ARRAY && i < tags->count; i++) {
        const char *tag = tags->items[i].text;
        size_t length = strlen(tag);

        if (length > 7 && strcmp(tag + length - 7, ":latest") == 0)
            printf("%.*s\n", (int)length - 7, tag);
        puts(tag);
    }
}

static void print_container(const struct json *container)
{
    const struct json *names = json_get(container, "Names");

    if (names != NULL && names->type == JSON_ARRAY && names->count > 0)
        puts(names->items[0].text + 1);
}

static void print_name(const struct json *item)
{
    const char *name = json_get_string(item, "Name");

    if (name != NULL)
        puts(name);
}

/* Without davitd there are none. */
static void print_names(struct cli *cli, const char *path, const char *member,
                        void (*print)(const struct json *item))
{
    cleanup_arena struct arena arena = {0};
    const struct json *list;

    if (client_call_json(&cli->client, "GET", path, NULL, &arena, &list, &cli->err) < 0)
        return;
    if (member != NULL)
        list = json_get(list, member);
    for (size_t i = 0; list != NULL && list->type == JSON_ARRAY && i < list->count; i++)
        print(&list->items[i]);
}

static void print_signals(void)
{
    for (int number = 1; number < SIGRTMIN; number++) {
        const char *name = sigabbrev_np(number);

        if (name != NULL)
            puts(name);
    }
}

static void print_contexts(struct cli *cli)
{
    struct contexts contexts;

    if (contexts_read(&cli->arena, &contexts, &cli->err) < 0)
        return;
    puts(CONTEXT_DEFAULT);
    for (size_t i = 0; i < contexts.items.count; i++)
        puts(contexts.items.items[i].name);
}

/* What stands for a name in usages and values of options. */
static void complete_name(struct cli *cli, const char *word, size_t length)
{
    if (length == 9 && strncmp(word, "CONTAINER", length) == 0)
        print_names(cli, "/containers/json?all=1", NULL, print_container);
    if (length == 5 && strncmp(word, "IMAGE", length) == 0)
        print_names(cli, "/images/json", NULL, print_tags);
    if (length == 7 && strncmp(word, "NETWORK", length) == 0)
        print_names(cli, "/networks", NULL, print_name);
    if (length == 6 && strncmp(word, "VOLUME", length) == 0)
        print_names(cli, "/volumes", "Volumes", print_name);
    if (length == 6 && strncmp(word, "SIGNAL", length) == 0)
        print_signals();
    if (length == 7 && strncmp(word, "CONTEXT", length) == 0)
        print_contexts(cli);
    if (length == 7 && strncmp(word, "COMMAND", length) == 0)
        cli_print_commands(cli);
}

/* "auto|host|container:CONTAINER|NETWORK": words that are taken as they stand are printed, those
 * written large are filled in. */
static void complete_alternatives(struct cli *cli, const char *text)
{
    static const char large[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    while (*text != '\0' && *text != ' ') {
        size_t length = strcspn(text, "| ");
        size_t small = strcspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ[| ");

        if (small > 0)
            printf("%.*s\n", (int)small, text);
        else
            complete_name(cli, text, strspn(text, large));
        text += length + (text[length] == '|');
    }
}

/* The command says what it takes in place of doing it. */
static void ask_command(struct cli *cli, const struct command *command, char *group, char *name,
                        struct completion_words *words)
{
    char *arguments[] = {group != NULL ? group : name, group != NULL ? name : NULL, NULL};

    cli->completion = words;
    command->run(cli, group != NULL ? 2 : 1, arguments);
}

/* How many arguments stand between the command and the word that is completed. */
static size_t count_arguments(struct cli *cli, const struct command *command, char *group,
                              char **argv, int position, int last)
{
    size_t count = 0;

    for (int i = position + 1; i < last; i++) {
        struct completion_words words = {.option = argv[i]};

        if (argv[i][0] != '-') {
            count++;
            continue;
        }
        if (strchr(argv[i], '=') == NULL)
            ask_command(cli, command, group, argv[position], &words);
        i += words.value != NULL ? 1 : 0;
    }
    return count;
}

/* The word of a usage for the argument of that number, from 0: "NETWORK CONTAINER", "[LIST] IMAGE";
 * the last one again and again if it has dots. */
static const char *usage_word(const char *usage, size_t index)
{
    const bool is_first = index == 0;

    for (;; index--) {
        size_t length = strcspn(usage, " ");
        bool is_repeated = length >= 3 && strncmp(usage + length - 3, "...", 3) == 0;

        /* Behind a container or an image it is a program's name. */
        if (!is_first && strncmp(usage, "COMMAND", 7) == 0)
            return "";
        if (index == 0 || is_repeated)
            return usage;
        if (usage[length] == '\0')
            return "";
        usage += length + 1;
        usage += strspn(usage, "[");
    }
}

int cli_complete(struct cli *cli, int argc, char **argv)
{
    const char *current = argc > 1 ? argv[argc - 1] : "";
    struct completion_words words = {0};
    const struct command *command;
    char *group = NULL;
    int position = 1;

    if (argc <= 2) {
        cli_print_commands(cli);
        return 0;
    }
    command = cli_find_command(cli, argv[1]);
    if (command == NULL)
        return 0;
    if (command->run == cli_group) {
        group = argv[1];
        position = 2;
    }
    if (group != NULL && argc == 3) {
        cli_print_subcommands(group);
        return 0;
    }
    words.option = current[0] == '-' ? NULL : argv[argc - 2];
    ask_command(cli, command, group, argv[position], &words);
    if (words.value != NULL)
        complete_alternatives(cli, words.value);
    else if (words.option != NULL && words.usage != NULL)
        complete_alternatives(
            cli, usage_word(words.usage,
                            count_arguments(cli, command, group, argv, position, argc - 1)));
    return 0;
}
