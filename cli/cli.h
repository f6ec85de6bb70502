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
struct option;

#define DETACH_KEYS_MAX 8

struct detach_keys {
    char keys[DETACH_KEYS_MAX];
    size_t count; /* 0: ctrl-p ctrl-q */
};

struct cli {
    const struct command *commands; /* one without a name ends them */
    struct client client;
    struct error err;
    struct detach_keys detach_keys; /* what has to be typed to leave a terminal's container alone */
    const char *group;              /* of a command that stands in one: "volume" */
    const struct option *help;      /* --help was given: the command's options */
    bool is_completing;             /* the command is to print its options' names only */
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

/* getopt_long(3), as every command calls it first. After "?" cli_usage_error() is to be returned.
 */
int cli_next_option(struct cli *cli, int argc, char **argv, const char *letters,
                    const struct option *table);

/* Each returns the program's exit status, or a negative errno with cli->err filled. */
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

/* container, image, system: by the next word. */
int cli_group(struct cli *cli, int argc, char **argv);

/* Of groups: "davit volume ls". */
int cli_container_prune(struct cli *cli, int argc, char **argv);
int cli_image_prune(struct cli *cli, int argc, char **argv);
int cli_system_df(struct cli *cli, int argc, char **argv);
int cli_system_prune(struct cli *cli, int argc, char **argv);
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

/* Prints a text of a container's or an image's, which may hold what a terminal would obey. */
void cli_print_text(const char *text);

/* "1.5MB" */
void cli_format_size(uint64_t bytes, char *text, size_t size);

/* "0.0.0.0:80", "[::]:80"; free() it. */
char *cli_format_socket(const char *address, const char *port);

/* Writes "name=value" pairs as an object; `separator` is what stands between. */
void cli_write_pairs(struct json_writer *writer, const char *name, const struct string_list *list,
                     char separator);

/* For a command that has none but --help. */
int cli_no_options(struct cli *cli, int argc, char **argv, const char *usage);

/* getopt's complaint as an error; what --help asks for is printed. */
int cli_usage_error(struct cli *cli, char **argv, const char *usage);

/* Prints the value as one line. */
void cli_print_json(const struct json *json);

/* Adds what --env says; a name without a value is taken from our environment, as docker does. */
void cli_add_env(struct arena *arena, struct string_list *env, const char *text);

/* Appends "&filters=..." for "key=value" filters, as Docker's API takes them. */
void cli_append_filters(struct buffer *path, const struct string_list *filters);

/* Pulls an image and prints the progress to `out`. */
int pull_image(struct cli *cli, const char *image, const char *platform, FILE *out, bool is_quiet);

/* When an image is pulled before a container is made of it: docker's --pull. */
enum pull_when {
    PULL_MISSING,
    PULL_ALWAYS,
    PULL_NEVER,
};

/* Options of create and run: create_options.c */

struct create_options {
    struct arena arena;
    const char *name;
    const char *image;
    bool is_detached;
    bool is_interactive;
    bool has_terminal;
    bool is_auto_removed;
    enum pull_when pulls;
    char *body; /* the request */
};

int create_options_parse(struct cli *cli, struct create_options *options, bool is_run, int argc,
                         char **argv);
/* Those of update: *body is the request, to be freed. */
int update_options_parse(struct cli *cli, int argc, char **argv, char **body);
void create_options_release(struct create_options *options);

/* Streams: stream.c */

struct stream_session {
    struct cli *cli;
    int fd;                  /* the hijacked connection */
    bool has_terminal;       /* raw bytes, and our terminal is the container's */
    bool is_interactive;     /* our standard input goes there */
    const char *resize_path; /* "/containers/ID/resize" */
    const char *kill_path;   /* where signals go; NULL: nowhere */
};

/* Opens a stream: sends the request and takes over the connection. */
int stream_open(struct cli *cli, const char *path, const char *body, struct exchange *exchange);

/* Relays until the stream ends. Returns 1 if the user detached, 0 at the end, or a negative errno.
 */
int stream_relay(struct stream_session *session, const struct buffer *leftover);

/* Cuts multiplexed frames apart and writes them to standard output and error. */
struct demultiplexer {
    unsigned char header[8];
    size_t header_length;
    size_t payload_left;
};
int demultiplex(struct demultiplexer *state, const char *bytes, size_t length);

/* Reads what --detach-keys says: "ctrl-x,y". */
int stream_set_detach_keys(struct cli *cli, const char *text);

/* Fails if standard input should be a terminal and is not. */
int stream_check_terminal(struct cli *cli, bool has_terminal, bool is_interactive);

#endif
