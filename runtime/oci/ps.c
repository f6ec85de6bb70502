/* davit-oci ps: the container's processes, as numbers or as ps(1) shows them. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "oci.h"

#define PS_OUTPUT_MAX (16 << 20)

struct pids {
    pid_t *items;
    size_t count;
};

static int list_pids(const struct state *state, struct pids *pids, struct error *err)
{
    struct cgroup_hierarchy hierarchy = CGROUP_HIERARCHY_NONE;
    struct cgroup cgroup = CGROUP_NONE;
    int result = oci_open_cgroup(state, &hierarchy, &cgroup, err);

    if (result == 0)
        result = cgroup_list_processes(&cgroup, &pids->items, &pids->count, err);
    cgroup_close(&cgroup);
    cgroup_hierarchy_close(&hierarchy);
    return result;
}

static void print_json(const struct pids *pids)
{
    struct json_writer *writer = json_writer_new(false);

    json_array_open(writer);
    for (size_t i = 0; i < pids->count; i++)
        json_integer(writer, pids->items[i]);
    json_array_close(writer);
    puts(json_writer_text(writer));
    json_writer_free(writer);
}

static int run_ps(char *const *arguments, struct buffer *output, struct error *err)
{
    cleanup_close int read_fd = -1;
    int fds[2];
    int status = -1;
    int result;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    read_fd = fds[0];
    pid = fork();
    if (pid == 0) {
        if (dup2(fds[1], STDOUT_FILENO) >= 0)
            execvp(arguments[0], arguments);
        _exit(127);
    }
    close(fds[1]);
    if (pid < 0)
        return error_errno(err, errno, "fork");
    result = file_read_fd(read_fd, PS_OUTPUT_MAX, output);
    fd_close(&read_fd);
    waitpid(pid, &status, 0);
    if (result < 0)
        return error_errno(err, -result, "read what ps(1) prints");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(err, ERROR_INTERNAL, ECHILD, "ps(1) failed%s; --format json needs no ps",
                         WIFEXITED(status) && WEXITSTATUS(status) == 127 ? ": is it installed?"
                                                                         : "");
    return 0;
}

/* The place of the column "PID" among the words of ps's first line, -1 if there is none. */
static int pid_column(const char *line)
{
    int column = 0;

    line += strspn(line, " ");
    while (*line != '\0' && *line != '\n') {
        size_t length = strcspn(line, " \n");

        if (length == 3 && strncmp(line, "PID", 3) == 0)
            return column;
        column++;
        line += length;
        line += strspn(line, " ");
    }
    return -1;
}

static pid_t pid_in_column(const char *line, int column)
{
    line += strspn(line, " ");
    for (int i = 0; i < column; i++) {
        line += strcspn(line, " \n");
        line += strspn(line, " ");
    }
    return (pid_t)strtol(line, NULL, 10);
}

static bool has_pid(const struct pids *pids, pid_t pid)
{
    for (size_t i = 0; i < pids->count; i++) {
        if (pids->items[i] == pid)
            return true;
    }
    return false;
}

static int print_table(const struct pids *pids, char **options, struct error *err)
{
    static char default_option[] = "-ef";
    static char program[] = "ps";
    char *arguments[64] = {program};
    cleanup_buffer struct buffer output = {0};
    char *rest;
    int column = -1;
    int result;

    for (size_t i = 0; options[i] != NULL; i++) {
        if (i + 2 >= ARRAY_SIZE(arguments))
            return error_set(err, ERROR_INVALID, E2BIG, "ps: too many options");
        arguments[i + 1] = options[i];
    }
    if (arguments[1] == NULL)
        arguments[1] = default_option;
    result = run_ps(arguments, &output, err);
    if (result < 0)
        return result;
    rest = output.data;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (column < 0) {
            column = pid_column(line);
            if (column < 0)
                return error_set(err, ERROR_INVALID, EINVAL,
                                 "ps: its options give no PID column to choose by");
            puts(line);
        } else if (has_pid(pids, pid_in_column(line, column))) {
            puts(line);
        }
    }
    return 0;
}

int oci_ps(struct oci_context *context, int argc, char **argv)
{
    static const struct option options[] = {{"format", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    struct pids pids = {0};
    struct state state;
    bool is_json = false;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+f:", options, NULL)) != -1) {
        if (option != 'f')
            return oci_usage_error(context, argv);
        if (strcmp(optarg, "json") != 0 && strcmp(optarg, "table") != 0)
            return error_set(&context->err, ERROR_INVALID, EINVAL,
                             "--format: \"%.32s\" is neither table nor json", optarg);
        is_json = optarg[0] == 'j';
    }
    if (argc == optind)
        return error_set(&context->err, ERROR_INVALID, EINVAL, "ps: a container id is expected");
    result = state_load(context->root, argv[optind], &state, &context->err);
    if (result < 0)
        return result;
    result = list_pids(&state, &pids, &context->err);
    state_release(&state);
    if (result == 0 && is_json)
        print_json(&pids);
    else if (result == 0)
        result = print_table(&pids, argv + optind + 1, &context->err);
    free(pids.items);
    return result;
}
