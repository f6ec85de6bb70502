/* davit: docker's verbs for davitd. See davit(1). */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "cli.h"
#include "contexts.h"
#include "nearest.h"
#include "options.h"

static const struct command commands[] = {
    {"attach", cli_attach, "connect to a running container's streams"},
    {"commit", cli_commit, "make an image of what a container has changed"},
    {"container", cli_group, "containers: ls, prune and the commands of this list"},
    {"context", cli_group, "names for hosts: create, inspect, ls, rm, show, update, use"},
    {"cp", cli_cp, "copy files from a container to here, or from here to a container"},
    {"create", cli_create, "make a container without starting it"},
    {"diff", cli_diff, "list what a container has changed"},
    {"egress", cli_egress, "show or set what a container may reach"},
    {"events", cli_events, "print what happens, as it happens"},
    {"exec", cli_exec, "run another program in a running container"},
    {"export", cli_export, "write all files of a container to an archive"},
    {"help", cli_help, "say what a command does"},
    {"history", cli_history, "list the steps that made an image"},
    {"image", cli_group, "images: ls, prune and the commands of this list"},
    {"images", cli_images, "list images"},
    {"import", cli_import, "make an image of a tar or a directory"},
    {"info", cli_info, "describe the daemon and its host"},
    {"inspect", cli_inspect, "print everything about containers or images, as JSON"},
    {"kill", cli_kill, "send a signal to containers"},
    {"load", cli_load, "load images from an archive or an OCI layout"},
    {"login", cli_login, "log in to a registry"},
    {"logout", cli_logout, "forget the login for a registry"},
    {"logs", cli_logs, "print a container's output"},
    {"manifest", cli_group, "images of several platforms: annotate, create, inspect, push, rm"},
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
    {"search", cli_search, "search a registry"},
    {"start", cli_start, "start containers"},
    {"stats", cli_stats, "show what containers use"},
    {"stop", cli_stop, "stop containers"},
    {"system", cli_group,
     "check, repair: what is damaged; df: what is taken; prune: what nobody uses"},
    {"tag", cli_tag, "give an image one more name"},
    {"top", cli_top, "list the processes of a container"},
    {"unpause", cli_unpause, "let containers go on that were paused"},
    {"update", cli_update, "change limits and restart policy of containers"},
    {"version", cli_version, "print versions of client and daemon"},
    {"volume", cli_group, "volumes: create, inspect, ls, prune, rm"},
    {"wait", cli_wait, "wait for containers to end and print their exit status"},
    {NULL, NULL, NULL},
};

/* docker's commands that are none here, and why. */
static const struct refused_command {
    const char *name;
    const char *reason;
} refused_commands[] = {
    {"build", NO_BUILD},
    {"builder", "this version builds no images"},
    {"buildx", "this version builds no images"},
    {"checkpoint", NO_CHECKPOINTS},
    {"compose", "docker-compose works with davitd: set DOCKER_HOST"},
    {"config", "configs belong to services, which are not in this version"},
    {"node", "a node is one of a swarm, which is not in this version"},
    {"plugin", "davitd has no plugins; networks take those of CNI, devices those of CDI"},
    {"secret", "secrets belong to services, which are not in this version"},
    {"service", "services are not in this version; docker-compose works with davitd"},
    {"stack", "stacks are not in this version; docker-compose works with davitd"},
    {"swarm", "not in this version: davitd is one host's"},
    {"trust", "docker's notary is not asked; davitd's image policy checks signatures as cosign "
              "makes them, see davit-policy.json(5)"},
};

static const char *refusal_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(refused_commands); i++) {
        if (strcmp(refused_commands[i].name, name) == 0)
            return refused_commands[i].reason;
    }
    return NULL;
}

static const struct option global_options[] = {
    {"context", required_argument, NULL, 'c'},
    {"host", required_argument, NULL, 'H'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static void print_usage(FILE *out)
{
    fputs("usage: davit [--host HOST | --context CONTEXT] COMMAND [OPTION...] "
          "[ARGUMENT...]\n\ncommands:\n",
          out);
    for (const struct command *one = commands; one->name != NULL; one++)
        fprintf(out, "  %-9s %s\n", one->name, one->summary);
    fputs("\ndavit(1) describes them and their options.\n", out);
}

static int refuse_command(const char *name)
{
    const char *reason = refusal_of(name);
    struct nearest nearest = nearest_to(name);

    for (const struct command *one = commands; one->name != NULL; one++)
        nearest_try(&nearest, name, one->name);
    if (reason != NULL)
        fprintf(stderr, "davit: %s: %s\n", name, reason);
    else if (nearest.word != NULL)
        fprintf(stderr, "davit: unknown command \"%s\": is %s meant?\n", name, nearest.word);
    else
        fprintf(stderr, "davit: unknown command \"%s\"; davit --help lists them\n", name);
    return 1;
}

/* The commands whose own failures must be told apart from their container's exit status. */
static int failure_status(const char *command)
{
    bool passes_status = strcmp(command, "run") == 0 || strcmp(command, "exec") == 0;

    return passes_status ? EXIT_DAVIT_FAILED : 1;
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    const struct command *command = cli_find_command(cli, argv[0]);
    int result;

    if (strcmp(argv[0], "__complete") == 0)
        return cli_complete(cli, argc, argv);
    if (command == NULL)
        return refuse_command(argv[0]);
    optind = 0; /* makes getopt start anew */
    result = command->run(cli, argc, argv);
    if (result >= 0 || cli->has_helped)
        return result >= 0 ? result : 0;
    cli_print_error(cli);
    return failure_status(argv[0]);
}

int cli_help(struct cli *cli, int argc, char **argv)
{
    static char help[] = "--help";
    const struct option_set set = {.usage = "[COMMAND [COMMAND]]", .ends_at_argument = true};
    char *words[] = {NULL, help, help, NULL};
    const struct command *command;
    int result = options_read(cli, argc, argv, &set);
    int count = argc - optind;

    if (result < 0)
        return result;
    if (count == 0) {
        print_usage(stdout);
        return 0;
    }
    words[0] = argv[optind];
    command = cli_find_command(cli, words[0]);
    /* Behind any other command a word would be run. */
    if (count > 1 && command != NULL && command->run != cli_group)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "%s has no commands", words[0]);
    if (count > 1)
        words[1] = argv[optind + 1];
    return run_command(cli, count + 1, words);
}

static int refuse_global_option(int option, char **argv)
{
    if (option == ':')
        fprintf(stderr, "davit: %s: a value is missing: --host unix://PATH, --context NAME\n",
                argv[optind - 1]);
    else
        fprintf(stderr,
                "davit: unknown option %s; davit --help lists all. A command's own options "
                "stand behind it\n",
                argv[optind - 1]);
    return 1;
}

static const char *environment_or(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : otherwise;
}

/* A host that is given counts before any context, and --context before DAVIT_HOST. What is asked
 * about contexts themselves needs none. */
static int choose_host(struct cli *cli, bool is_context_given, const char *command)
{
    if (cli->is_host_given && is_context_given)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "--host and --context: only one can say where davitd is");
    if (cli->is_host_given || strcmp(command, "context") == 0 || strcmp(command, "help") == 0)
        return 0;
    return contexts_choose(&cli->arena, cli->context, &cli->client.host, &cli->err);
}

int main(int argc, char **argv)
{
    bool is_context_given = false;
    struct cli cli = {
        .commands = commands,
        .client.host = environment_or("DAVIT_HOST", CLIENT_DEFAULT_HOST),
        .context = environment_or("DAVIT_CONTEXT", NULL),
    };
    int option;

    opterr = 0;
    signal(SIGPIPE, SIG_IGN);
    while ((option = getopt_long(argc, argv, "+:H:c:hv", global_options, NULL)) != -1) {
        switch (option) {
        case 'H':
            cli.client.host = optarg;
            cli.is_host_given = true;
            break;
        case 'c':
            cli.context = optarg;
            is_context_given = true;
            break;
        case 'h':
            print_usage(stdout);
            return 0;
        case 'v':
            printf("davit version %s\n", davit_version);
            return 0;
        default:
            return refuse_global_option(option, argv);
        }
    }
    /* An option counts before the environment. */
    if (!is_context_given && environment_or("DAVIT_HOST", NULL) != NULL)
        cli.is_host_given = true;
    if (optind == argc) {
        print_usage(stderr);
        return 1;
    }
    if (choose_host(&cli, is_context_given, argv[optind]) < 0) {
        cli_print_error(&cli);
        return failure_status(argv[optind]);
    }
    return run_command(&cli, argc - optind, argv + optind);
}
