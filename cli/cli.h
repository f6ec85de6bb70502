/* The commands of davit. Internal to that program. */
#ifndef DAVIT_CLI_CLI_H
#define DAVIT_CLI_CLI_H

#include <stdio.h>

#include "base/error.h"
#include "base/json_table.h"
#include "client.h"

/* docker's exit statuses for what is not the container's own. */
#define EXIT_DAVIT_FAILED 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

struct command;

/* Why several commands and flags of docker's are refused. */
#define NO_BUILD                                                                                   \
    "this version builds no images: build them with buildah or podman and load them, or make one " \
    "of a directory with davit import"
#define NO_CHECKPOINTS "containers of davitd are not checkpointed; davit-oci does, for engines"

#define DETACH_KEYS_MAX 8

struct detach_keys {
    char keys[DETACH_KEYS_MAX];
    size_t count; /* 0: ctrl-p ctrl-q */
};

struct cli {
    const struct command *commands; /* one without a name ends them */
    struct client client;
    bool is_host_given;  /* by --host or DAVIT_HOST: no context counts then */
    const char *context; /* of --context or DAVIT_CONTEXT; NULL: the current one */
    struct error err;
    struct detach_keys detach_keys; /* what has to be typed to detach from a container */
    const char *group;              /* the group that the command was called by: "volume" */
    bool has_helped;                /* --help was given, and printed */
    struct arena arena;             /* of words that are kept until the program ends */
    struct completion_words
        *completion; /* what comes next is wanted of the command, not its work */
};

/* What shells ask for: see complete.c. */
struct completion_words {
    const char *option; /* the word before; NULL: the names of all options are to be printed */
    const char *value;  /* what that option takes, if it is one: its row's */
    const char *usage;  /* the command's arguments */
};

struct command {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv);
    const char *summary;
};

/* NULL: there is none of that name. */
const struct command *cli_find_command(const struct cli *cli, const char *name);
void cli_print_commands(const struct cli *cli);
void cli_print_subcommands(const char *group);

/* The words of a command line behind argv[0], the last of which is to be completed. */
int cli_complete(struct cli *cli, int argc, char **argv);

/* Each returns the program's exit status, or a negative errno with cli->err filled. */
int cli_help(struct cli *cli, int argc, char **argv);
int cli_run(struct cli *cli, int argc, char **argv);
int cli_cp(struct cli *cli, int argc, char **argv);
int cli_create(struct cli *cli, int argc, char **argv);
int cli_start(struct cli *cli, int argc, char **argv);
int cli_stop(struct cli *cli, int argc, char **argv);
int cli_restart(struct cli *cli, int argc, char **argv);
int cli_kill(struct cli *cli, int argc, char **argv);
int cli_pause(struct cli *cli, int argc, char **argv);
int cli_unpause(struct cli *cli, int argc, char **argv);
int cli_rename(struct cli *cli, int argc, char **argv);
int cli_stats(struct cli *cli, int argc, char **argv);
int cli_update(struct cli *cli, int argc, char **argv);
int cli_top(struct cli *cli, int argc, char **argv);
int cli_rm(struct cli *cli, int argc, char **argv);
int cli_egress(struct cli *cli, int argc, char **argv);
int cli_probe(struct cli *cli, int argc, char **argv);
int cli_ps(struct cli *cli, int argc, char **argv);
int cli_logs(struct cli *cli, int argc, char **argv);
int cli_exec(struct cli *cli, int argc, char **argv);
int cli_attach(struct cli *cli, int argc, char **argv);
int cli_inspect(struct cli *cli, int argc, char **argv);
int cli_wait(struct cli *cli, int argc, char **argv);
int cli_images(struct cli *cli, int argc, char **argv);
int cli_login(struct cli *cli, int argc, char **argv);
int cli_logout(struct cli *cli, int argc, char **argv);
int cli_search(struct cli *cli, int argc, char **argv);
int cli_load(struct cli *cli, int argc, char **argv);
int cli_pull(struct cli *cli, int argc, char **argv);
int cli_push(struct cli *cli, int argc, char **argv);
int cli_tag(struct cli *cli, int argc, char **argv);
int cli_history(struct cli *cli, int argc, char **argv);
int cli_export(struct cli *cli, int argc, char **argv);
int cli_diff(struct cli *cli, int argc, char **argv);
int cli_import(struct cli *cli, int argc, char **argv);
int cli_commit(struct cli *cli, int argc, char **argv);
int cli_sbom(struct cli *cli, int argc, char **argv);
int cli_scan(struct cli *cli, int argc, char **argv);
int cli_save(struct cli *cli, int argc, char **argv);
int cli_rmi(struct cli *cli, int argc, char **argv);
int cli_events(struct cli *cli, int argc, char **argv);
int cli_version(struct cli *cli, int argc, char **argv);
int cli_port(struct cli *cli, int argc, char **argv);
int cli_info(struct cli *cli, int argc, char **argv);

/* Runs a command of a group (container, context, image, manifest, network, system, volume); the
 * next word names it. */
int cli_group(struct cli *cli, int argc, char **argv);

/* Commands that exist in groups only: "davit volume ls". */
int cli_container_prune(struct cli *cli, int argc, char **argv);
int cli_image_prune(struct cli *cli, int argc, char **argv);
int cli_system_check(struct cli *cli, int argc, char **argv);
int cli_system_dial_stdio(struct cli *cli, int argc, char **argv);
int cli_context_create(struct cli *cli, int argc, char **argv);
int cli_context_inspect(struct cli *cli, int argc, char **argv);
int cli_context_ls(struct cli *cli, int argc, char **argv);
int cli_context_rm(struct cli *cli, int argc, char **argv);
int cli_context_show(struct cli *cli, int argc, char **argv);
int cli_context_update(struct cli *cli, int argc, char **argv);
int cli_context_use(struct cli *cli, int argc, char **argv);
int cli_system_df(struct cli *cli, int argc, char **argv);
int cli_system_repair(struct cli *cli, int argc, char **argv);
int cli_system_prune(struct cli *cli, int argc, char **argv);
int cli_manifest_annotate(struct cli *cli, int argc, char **argv);
int cli_manifest_create(struct cli *cli, int argc, char **argv);
int cli_manifest_inspect(struct cli *cli, int argc, char **argv);
int cli_manifest_push(struct cli *cli, int argc, char **argv);
int cli_manifest_rm(struct cli *cli, int argc, char **argv);
int cli_network_connect(struct cli *cli, int argc, char **argv);
int cli_network_disconnect(struct cli *cli, int argc, char **argv);
int cli_network_create(struct cli *cli, int argc, char **argv);
int cli_network_inspect(struct cli *cli, int argc, char **argv);
int cli_network_ls(struct cli *cli, int argc, char **argv);
int cli_network_prune(struct cli *cli, int argc, char **argv);
int cli_network_rm(struct cli *cli, int argc, char **argv);
int cli_volume_create(struct cli *cli, int argc, char **argv);
int cli_volume_inspect(struct cli *cli, int argc, char **argv);
int cli_volume_ls(struct cli *cli, int argc, char **argv);
int cli_volume_prune(struct cli *cli, int argc, char **argv);
int cli_volume_rm(struct cli *cli, int argc, char **argv);

/* Replaces what a terminal would obey in a text that a container, an image or a caller has chosen:
 * control characters, those of C1 in UTF-8 too, and what turns the direction of writing. */
void cli_clean_text(char *text);
/* Prints such a text. */
void cli_print_text(const char *text);
/* Prints cli->err as the program's own, to standard error. */
void cli_print_error(struct cli *cli);

/* "1.5MB" */
void cli_format_size(uint64_t bytes, char *text, size_t size);

/* "1.5MiB" */
void cli_format_binary_size(uint64_t bytes, char *text, size_t size);

/* "0.0.0.0:80", "[::]:80"; free() it. */
char *cli_format_socket(const char *address, const char *port);

/* Asks whether `what` may be removed, since nothing comes back. Any answer but "y" means no, and so
 * does none: then a negative errno, with cli->err filled. */
int cli_confirm(struct cli *cli, const char *what);

/* Prints the value as one line. */
void cli_print_json(const struct json *json);

/* Pulls an image and prints the progress to `out`. */
int cli_pull_image(struct cli *cli, const char *image, const char *platform, FILE *out,
                   bool is_quiet);

#endif
