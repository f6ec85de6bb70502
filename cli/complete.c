/* `davit __complete WORD...`: what the last word may become, one candidate a line, for the shells'
 * scripts in dist/completion. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"

enum kind {
    NOTHING, /* of ours: the shell offers files */
    CONTAINERS,
    IMAGES,
    VOLUMES,
    NETWORKS,
    ALL,
};

static const struct {
    const char *command;
    enum kind kind;
} arguments[] = {
    {"attach", CONTAINERS}, {"commit", CONTAINERS}, {"cp", CONTAINERS},      {"create", IMAGES},
    {"diff", CONTAINERS},   {"exec", CONTAINERS},   {"export", CONTAINERS},  {"history", IMAGES},
    {"inspect", ALL},       {"kill", CONTAINERS},   {"logs", CONTAINERS},    {"pause", CONTAINERS},
    {"port", CONTAINERS},   {"probe", CONTAINERS},  {"egress", CONTAINERS},  {"pull", IMAGES},
    {"push", IMAGES},       {"rename", CONTAINERS}, {"restart", CONTAINERS}, {"rm", CONTAINERS},
    {"rmi", IMAGES},        {"run", IMAGES},        {"save", IMAGES},        {"sbom", IMAGES},
    {"scan", IMAGES},       {"start", CONTAINERS},  {"stats", CONTAINERS},   {"stop", CONTAINERS},
    {"tag", IMAGES},        {"top", CONTAINERS},    {"unpause", CONTAINERS}, {"update", CONTAINERS},
    {"wait", CONTAINERS},
};

static const struct {
    const char *option;
    const char *values; /* a line each */
} option_values[] = {
    {"--network", "none\nhost\ncontainer:"},
    {"--pid", "host\ncontainer:"},
    {"--ipc", "private\nshareable\nnone\nhost\ncontainer:"},
    {"--uts", "host"},
    {"--cgroupns", "private\nhost"},
    {"--userns", "auto\nhost"},
    {"--restart", "no\nalways\nunless-stopped\non-failure"},
    {"--pull", "missing\nalways\nnever"},
    {"--log-driver", "json-file\njournald\nnone"},
    {"--driver", "bridge\nmacvlan\nipvlan\ncni"},
    {"--format", "json"},
};

/* In groups "rm" and "inspect" are the group's. */
static enum kind kind_of(const char *group, const char *command)
{
    if (group != NULL && strcmp(group, "image") == 0)
        return IMAGES;
    if (group != NULL && strcmp(group, "volume") == 0)
        return VOLUMES;
    if (group != NULL && strcmp(group, "network") == 0)
        return NETWORKS;
    if (group != NULL && strcmp(group, "container") == 0 && strcmp(command, "inspect") == 0)
        return CONTAINERS;
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
        if (strcmp(arguments[i].command, command) == 0)
            return arguments[i].kind;
    }
    return NOTHING;
}

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

static void complete_argument(struct cli *cli, enum kind kind)
{
    if (kind == CONTAINERS || kind == ALL)
        print_names(cli, "/containers/json?all=1", NULL, print_container);
    if (kind == IMAGES || kind == ALL)
        print_names(cli, "/images/json", NULL, print_tags);
    if (kind == NETWORKS)
        print_names(cli, "/networks", NULL, print_name);
    if (kind == VOLUMES)
        print_names(cli, "/volumes", "Volumes", print_name);
}

static bool complete_value(const char *option)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_values); i++) {
        if (strcmp(option_values[i].option, option) == 0) {
            puts(option_values[i].values);
            return true;
        }
    }
    return false;
}

/* The command prints its options and does nothing. */
static void complete_option(struct cli *cli, const struct command *command, char *group, char *name)
{
    char *words[] = {group != NULL ? group : name, group != NULL ? name : NULL, NULL};

    cli->is_completing = true;
    command->run(cli, group != NULL ? 2 : 1, words);
}

int cli_complete(struct cli *cli, int argc, char **argv)
{
    const char *current = argc > 1 ? argv[argc - 1] : "";
    const struct command *command;
    char *group = NULL;
    int position = 1;

    if (argc <= 2) {
        cli_print_commands(cli);
        return 0;
    }
    command = cli_find_command(cli, argv[1]);
    if (command != NULL && command->run == cli_group) {
        group = argv[1];
        position = 2;
    }
    if (group != NULL && argc == 3)
        cli_print_subcommands(group);
    else if (command != NULL && current[0] == '-')
        complete_option(cli, command, group, argv[position]);
    else if (command != NULL && !complete_value(argv[argc - 2]))
        complete_argument(cli, kind_of(group, argv[position]));
    return 0;
}
