/* The options of create, run and update. */
#ifndef DAVIT_CLI_CREATE_OPTIONS_H
#define DAVIT_CLI_CREATE_OPTIONS_H

#include "cli.h"
#include "request.h"

/* When an image is pulled before a container is made of it: docker's --pull. */
enum pull_when {
    PULL_MISSING,
    PULL_ALWAYS,
    PULL_NEVER,
};

struct create_options {
    struct request request;
    const char *name;
    const char *image;
    bool is_detached;
    bool is_interactive;
    bool has_terminal;
    bool is_auto_removed;
    bool has_no_healthcheck;
    enum pull_when pulls;
    struct string_list networks; /* as --network says: "NAME" or "name=NAME,ip=..." */
    struct string_list attached; /* streams that --attach names; none: all */
    const char *platform;
    const char *id_file;
    bool is_quiet; /* of a pull */
    bool has_no_signal_proxy;
    struct string_list network_aliases;
    struct string_list network_groups;
    const char *address; /* on the network */
    const char *address6;
    const char *mac_address;
    char *body; /* the request */
};

int create_options_parse(struct cli *cli, struct create_options *options, bool is_run, int argc,
                         char **argv);
/* Those of update: *body is the request, to be freed. */
int update_options_parse(struct cli *cli, int argc, char **argv, char **body);
/* --cidfile: the file is made before the container is; `id` NULL: there is none after all, and the
 * file goes again. create_files.c. */
int create_id_file_open(struct cli *cli, const char *path, int *fd);
int create_id_file_close(struct cli *cli, const char *path, int fd, const char *id);

/* Whether `stream` ("stdin", "stdout", "stderr") is one that the user wants to be connected to. */
bool create_attaches(const struct create_options *options, const char *stream);
void create_options_release(struct create_options *options);

#endif
