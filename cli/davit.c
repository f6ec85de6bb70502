/* davit: docker's verbs for davitd. See davit(1). */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"

static const struct command commands[] = {
    {"attach", cli_attach, "connect to a running container's streams"},
    {"commit", cli_commit, "make an image of what a container has changed"},
    {"container", cli_group, "containers: ls, prune and the commands of this list"},
    {"cp", cli_cp, "copy files from a container to here, or from here to a container"},
    {"create", cli_create, "make a container without starting it"},
    {"diff", cli_diff, "list what a container has changed"},
    {"egress", cli_egress, "show or set what a container may reach"},
    {"events", cli_events, "print what happens, as it happens"},
    {"exec", cli_exec, "run another program in a running container"},
    {"export", cli_export, "write all files of a container to an archive"},
    {"history", cli_history, "list the steps that made an image"},
    {"image", cli_group, "images: ls, prune and the commands of this list"},
    {"images", cli_images, "list images"},
    {"import", cli_import, "make an image of a tar or a directory"},
    {"info", cli_info, "describe the daemon and its host"},
    {"inspect", cli_inspect, "print everything about containers or images, as JSON"},
    {"kill", cli_kill, "send a signal to containers"},
    {"load", cli_load, "load images from an archive or an OCI layout"},
    {"logs", cli_logs, "print a container's output"},
    {"network", cli_group, "networks: connect, create, disconnect, inspect, ls, prune, rm"},
    {"pause", cli_pause, "hold all processes of containers"},
    {"port", cli_port, "list the ports of the host that lead to a container"},
    {"probe", cli_probe, "show or set the liveness and readiness probes of a container"},
    {"ps", cli_ps, "list containers"},
    {"pull", cli_pull, "fetch an image from a registry"},
    {"push", cli_push, "send an image to a registry"},
    {"rename", cli_rename, "give a container another name"},
    {"restart", cli_restart, "stop containers and start them again"},
    {"rm", cli_rm, "remove containers"},
    {"rmi", cli_rmi, "remove images"},
    {"run", cli_run, "make a container from an image and start it"},
    {"save", cli_save, "write images to an archive"},
    {"sbom", cli_sbom, "list the packages of an image, as SPDX"},
    {"scan", cli_scan, "look for known vulnerabilities in the packages of an image"},
    {"start", cli_start, "start containers"},
    {"stats", cli_stats, "show what containers use"},
    {"stop", cli_stop, "stop containers"},
    {"system", cli_group, "df: what is taken; prune: remove what nobody uses"},
    {"tag", cli_tag, "give an image one more name"},
    {"top", cli_top, "list the processes of a container"},
    {"unpause", cli_unpause, "let containers go on that were paused"},
    {"update", cli_update, "change limits and restart policy of containers"},
    {"version", cli_version, "print versions of client and daemon"},
    {"volume", cli_group, "volumes: create, inspect, ls, prune, rm"},
    {"wait", cli_wait, "wait for containers to end and print their exit status"},
};

static const struct option global_options[] = {
    {"host", required_argument, NULL, 'H'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static void print_usage(FILE *out)
{
    fputs("usage: davit [--host unix://PATH] COMMAND [OPTION...] [ARGUMENT...]\n\ncommands:\n",
          out);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\ndavit(1) describes them and their options.\n", out);
}

char *cli_format_socket(const char *address, const char *port)
{
    bool is_ipv6 = strchr(address, ':') != NULL;

    return memory_printf("%s%s%s:%s", is_ipv6 ? "[" : "", address, is_ipv6 ? "]" : "", port);
}

void cli_format_size(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(text, size, "%.3g%s", value, units[unit]);
}

void cli_print_text(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < ' ' || *text == 127 ? ' ' : *text);
}

void cli_print_json(const struct json *json)
{
    struct json_writer *writer = json_writer_new(false);

    json_value(writer, json);
    puts(json_writer_text(writer));
    json_writer_free(writer);
}

void cli_add_env(struct arena *arena, struct string_list *env, const char *text)
{
    const char *value = strchr(text, '=') == NULL ? getenv(text) : NULL;

    string_list_append(arena, env,
                       value != NULL ? arena_printf(arena, "%s=%s", text, value) : text);
}

void cli_append_filters(struct buffer *path, const struct string_list *filters)
{
    struct json_writer *writer;

    if (filters->count == 0)
        return;
    writer = json_writer_new(false);
    json_object_open(writer);
    for (size_t i = 0; i < filters->count; i++) {
        size_t length = strcspn(filters->items[i], "=");
        cleanup_free char *key = memory_printf("%.*s", (int)length, filters->items[i]);
        bool is_first = true;

        /* Values of one key stand together, under its first mention. */
        for (size_t j = 0; j < i; j++)
            is_first = is_first && (strncmp(filters->items[j], filters->items[i], length) != 0 ||
                                    strcspn(filters->items[j], "=") != length);
        if (!is_first)
            continue;
        json_key(writer, key);
        json_array_open(writer);
        for (size_t j = i; j < filters->count; j++) {
            const char *other = filters->items[j];

            if (strcspn(other, "=") == length && strncmp(other, key, length) == 0)
                json_string(writer, other[length] == '=' ? other + length + 1 : "");
        }
        json_array_close(writer);
    }
    json_object_close(writer);
    buffer_append_string(path, "&filters=");
    http_encode(path, json_writer_text(writer));
    json_writer_free(writer);
}

void cli_write_pairs(struct json_writer *writer, const char *name, const struct string_list *list,
                     char separator)
{
    json_key(writer, name);
    json_object_open(writer);
    for (size_t i = 0; i < list->count; i++) {
        cleanup_free char *pair = memory_strdup(list->items[i]);
        char *value = strchr(pair, separator);

        if (value != NULL)
            *value++ = '\0';
        json_member_string(writer, pair, value != NULL ? value : "");
    }
    json_object_close(writer);
}

const struct command *cli_find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

void cli_print_commands(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        puts(commands[i].name);
}

/* The commands whose own failures must be told apart from their container's exit status. */
static int failure_status(const char *command)
{
    bool passes_status = strcmp(command, "run") == 0 || strcmp(command, "exec") == 0;

    return passes_status ? EXIT_DAVIT_FAILED : 1;
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    const struct command *command = cli_find_command(argv[0]);
    int result;

    if (strcmp(argv[0], "__complete") == 0)
        return cli_complete(cli, argc, argv);
    if (command == NULL) {
        fprintf(stderr, "davit: unknown command \"%s\"; davit --help lists them\n", argv[0]);
        return 1;
    }
    optind = 0; /* makes getopt start anew */
    result = command->run(cli, argc, argv);
    if (result >= 0 || cli->help != NULL)
        return result >= 0 ? result : 0;
    fprintf(stderr, "davit: %s\n", cli->err.message);
    return failure_status(argv[0]);
}

int main(int argc, char **argv)
{
    const char *environment = getenv("DAVIT_HOST");
    struct cli cli = {
        .client.host =
            environment != NULL && environment[0] != '\0' ? environment : CLIENT_DEFAULT_HOST,
    };
    int option;

    opterr = 0;
    signal(SIGPIPE, SIG_IGN);
    while ((option = getopt_long(argc, argv, "+H:h", global_options, NULL)) != -1) {
        switch (option) {
        case 'H':
            cli.client.host = optarg;
            break;
        case 'h':
            print_usage(stdout);
            return 0;
        case 'v':
            printf("davit version %s\n", DAVIT_VERSION);
            return 0;
        default:
            fprintf(stderr, "davit: unknown option or missing value: %s\n", argv[optind - 1]);
            return 1;
        }
    }
    if (optind == argc) {
        print_usage(stderr);
        return 1;
    }
    return run_command(&cli, argc - optind, argv + optind);
}
