/* davit-oci state, kill, delete, list, spec. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include "cgroups/cgroups.h"
#include "oci.h"

#define KILL_TIMEOUT_MS 10000

int oci_usage_error(struct oci_context *context, char **argv)
{
    const char *given = optind > 0 && argv[optind - 1] != NULL ? argv[optind - 1] : "";

    return error_set(&context->err, ERROR_INVALID, EINVAL,
                     "unknown option or missing value: \"%.64s\"; see davit-oci(8)", given);
}

static void write_state(struct json_writer *writer, const struct state *state,
                        enum state_status status)
{
    json_object_open(writer);
    json_member_string(writer, "ociVersion", state->config.oci_version);
    json_member_string(writer, "id", state->id);
    json_member_integer(writer, "pid", status == STATUS_STOPPED ? 0 : state->pid);
    json_member_string(writer, "status", state_status_name(status));
    json_member_string(writer, "bundle", state->bundle);
    json_member_string(writer, "rootfs", state->rootfs);
    json_member_string(writer, "created", state->created);
    if (state->config.annotations.count > 0)
        json_member_map(writer, "annotations", &state->config.annotations);
    json_member_string(writer, "owner", "root");
    json_object_close(writer);
}

int oci_load_by_only_argument(struct oci_context *context, int argc, char **argv,
                              struct state *state)
{
    static const struct option none[] = {{NULL, 0, NULL, 0}};

    if (getopt_long(argc, argv, "+", none, NULL) != -1)
        return oci_usage_error(context, argv);
    if (argc - optind != 1)
        return error_set(&context->err, ERROR_INVALID, EINVAL,
                         "%s: exactly one container id is expected", argv[0]);
    return state_load(context->root, argv[optind], state, &context->err);
}

int oci_run_hooks(const struct state *state, enum hook_kind kind, const char *status,
                  struct error *err)
{
    cleanup_close int bundle_fd = -1;
    struct hook_surroundings surroundings = {.directory_fd = -1};
    struct json_writer *json;
    int output[2];
    int result;

    if (state->config.hooks == NULL)
        return 0;
    result = hooks_open_output(&state->config, output, err);
    if (result < 0)
        return result;
    surroundings.output = output;
    /* After the end of a container its bundle may be gone. */
    bundle_fd = open(state->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
    surroundings.directory_fd = bundle_fd;
    json = container_state_json(state->id, status, kind == HOOK_POSTSTOP ? 0 : state->pid,
                                state->bundle, &state->config);
    result = hooks_run(&state->config, kind, json_writer_text(json), &surroundings, err);
    json_writer_free(json);
    fd_close(&output[0]);
    fd_close(&output[1]);
    return result;
}

int oci_state(struct oci_context *context, int argc, char **argv)
{
    struct json_writer *writer;
    struct state state = {.directory_fd = -1};
    enum state_status status;
    int result = oci_load_by_only_argument(context, argc, argv, &state);

    if (result < 0)
        return result;
    result = state_get_status(&state, &status, &context->err);
    if (result == 0) {
        writer = json_writer_new(true);
        write_state(writer, &state, status);
        puts(json_writer_text(writer));
        json_writer_free(writer);
    }
    state_release(&state);
    return result;
}

static int signal_all(const struct state *state, int signal_number, struct error *err)
{
    struct cgroup_hierarchy hierarchy = CGROUP_HIERARCHY_NONE;
    struct cgroup cgroup = CGROUP_NONE;
    cleanup_free pid_t *pids = NULL;
    size_t count = 0;
    int result = oci_open_cgroup(state, &hierarchy, &cgroup, err);

    if (result == 0 && signal_number == SIGKILL) {
        result = cgroup_kill(&cgroup, err);
    } else if (result == 0) {
        result = cgroup_list_processes(&cgroup, &pids, &count, err);
        for (size_t i = 0; i < count; i++) {
            cleanup_close int pidfd = pidfd_open(pids[i], 0);

            if (pidfd >= 0)
                pidfd_send_signal(pidfd, signal_number, NULL, 0);
        }
    }
    cgroup_close(&cgroup);
    cgroup_hierarchy_close(&hierarchy);
    return result;
}

static int signal_init(const struct state *state, int signal_number, struct error *err)
{
    cleanup_close int pidfd = state_open_process(state);

    if (pidfd < 0 || pidfd_send_signal(pidfd, signal_number, NULL, 0) < 0)
        return error_set(err, ERROR_CONFLICT, ESRCH, "container not running");
    return 0;
}

int oci_kill(struct oci_context *context, int argc, char **argv)
{
    static const struct option options[] = {{"all", no_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
    struct state state;
    bool is_for_all = false;
    enum state_status status = STATUS_STOPPED;
    int signal_number = SIGTERM;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+a", options, NULL)) != -1) {
        if (option != 'a')
            return oci_usage_error(context, argv);
        is_for_all = true;
    }
    if (argc - optind < 1 || argc - optind > 2)
        return error_set(&context->err, ERROR_INVALID, EINVAL,
                         "kill: a container id and perhaps a signal are expected");
    /* 0 only asks whether there is somebody to send a signal to (kill(2)). */
    if (argc - optind == 2)
        signal_number = strcmp(argv[optind + 1], "0") == 0 ? 0 : signal_parse(argv[optind + 1]);
    if (signal_number < 0)
        return error_set(&context->err, ERROR_INVALID, EINVAL, "unknown signal \"%.32s\"",
                         argv[optind + 1]);
    result = state_load(context->root, argv[optind], &state, &context->err);
    if (result < 0)
        return result;
    state_get_status(&state, &status, NULL);
    /* Without a cgroup we know only the first process of the container: then --all means that
     * one. */
    if (is_for_all && state.cgroup_path != NULL)
        result = signal_all(&state, signal_number, &context->err);
    else if (status == STATUS_STOPPED)
        result = error_set(&context->err, ERROR_CONFLICT, ESRCH, "container not running");
    else
        result = signal_init(&state, signal_number, &context->err);
    state_release(&state);
    return result;
}

int oci_kill_all(const struct state *state, struct error *err)
{
    int result = 0;

    if (state->cgroup_path != NULL)
        result = signal_all(state, SIGKILL, err);
    signal_init(state, SIGKILL, NULL);
    return result;
}

static int wait_until_gone(const struct state *state)
{
    cleanup_close int pidfd = state_open_process(state);
    struct pollfd event = {.fd = pidfd, .events = POLLIN};

    return pidfd < 0 || poll(&event, 1, KILL_TIMEOUT_MS) == 1 ? 0 : -ETIMEDOUT;
}

int oci_destroy(struct oci_context *context, struct state *state, bool is_forced)
{
    struct cgroup_hierarchy hierarchy = CGROUP_HIERARCHY_NONE;
    struct cgroup cgroup = CGROUP_NONE;
    enum state_status status;
    bool is_populated = false;
    struct error hook_error = {0};
    int result = state_get_status(state, &status, &context->err);

    if (result < 0)
        return result;
    /* A created container has run nothing yet: deleting it loses nothing, as with runc. */
    if (status != STATUS_STOPPED && status != STATUS_CREATED && !is_forced)
        return error_set(&context->err, ERROR_CONFLICT, EBUSY,
                         "cannot delete container %s that is not stopped: %s", state->id,
                         state_status_name(status));
    if (oci_open_cgroup(state, &hierarchy, &cgroup, NULL) == 0 &&
        cgroup_is_populated(&cgroup, &is_populated, NULL) == 0 && is_populated)
        cgroup_kill(&cgroup, NULL);
    if (status != STATUS_STOPPED)
        signal_init(state, SIGKILL, NULL);
    result = wait_until_gone(state);
    if (result < 0)
        result = error_errno(&context->err, -result, "container %s does not end", state->id);
    if (result == 0)
        result = oci_remove_cgroup(state, &hierarchy, &cgroup, KILL_TIMEOUT_MS, &context->err);
    cgroup_close(&cgroup);
    cgroup_hierarchy_close(&hierarchy);
    container_remove_resctrl(&state->config, state->id);
    if (result == 0)
        result = state_remove(context->root, state->id, &context->err);
    /* runtime-spec runtime.md "Lifecycle" 13: logged, and nothing is undone. */
    if (result == 0 && oci_run_hooks(state, HOOK_POSTSTOP, "stopped", &hook_error) < 0)
        log_warning("%s", hook_error.message);
    return result;
}

/* A directory without a readable state is what a creation that was cut off leaves. */
static int delete_remains(struct oci_context *context, const char *id)
{
    struct state state;
    int result = state_load_remains(context->root, id, &state, &context->err);

    if (result < 0)
        return context->err.code == ERROR_NOT_FOUND ? 0 : result;
    result = oci_remove_remains(&state, &context->err);
    state_release(&state);
    return result < 0 ? result : state_remove(context->root, id, &context->err);
}

int oci_delete(struct oci_context *context, int argc, char **argv)
{
    static const struct option options[] = {{"force", no_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
    struct state state;
    bool is_forced = false;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+f", options, NULL)) != -1) {
        if (option != 'f')
            return oci_usage_error(context, argv);
        is_forced = true;
    }
    if (argc - optind != 1)
        return error_set(&context->err, ERROR_INVALID, EINVAL,
                         "delete: exactly one container id is expected");
    result = state_load(context->root, argv[optind], &state, &context->err);
    if (result < 0)
        return is_forced ? delete_remains(context, argv[optind]) : result;
    result = oci_destroy(context, &state, is_forced);
    state_release(&state);
    return result;
}

enum list_format {
    LIST_TABLE,
    LIST_JSON,
    LIST_QUIET,
};

static void list_one(const struct state *state, enum state_status status, enum list_format format,
                     struct json_writer *writer)
{
    switch (format) {
    case LIST_JSON:
        write_state(writer, state, status);
        break;
    case LIST_QUIET:
        puts(state->id);
        break;
    case LIST_TABLE:
        printf("%-11s %-11d %-11s %-23s %-30s %s\n", state->id,
               status == STATUS_STOPPED ? 0 : state->pid, state_status_name(status), state->bundle,
               state->created, "root");
        break;
    }
}

static int list_all(struct oci_context *context, enum list_format format)
{
    cleanup_dir DIR *dir = opendir(context->root);
    struct json_writer *writer = json_writer_new(false);
    struct dirent *entry;

    if (format == LIST_TABLE)
        printf("%-11s %-11s %-11s %-23s %-30s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED",
               "OWNER");
    json_array_open(writer);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct state state;
        enum state_status status;

        if (entry->d_name[0] == '.' || state_load(context->root, entry->d_name, &state, NULL) < 0)
            continue;
        if (state_get_status(&state, &status, NULL) == 0)
            list_one(&state, status, format, writer);
        state_release(&state);
    }
    json_array_close(writer);
    if (format == LIST_JSON)
        puts(json_writer_text(writer));
    json_writer_free(writer);
    return 0;
}

int oci_list(struct oci_context *context, int argc, char **argv)
{
    static const struct option options[] = {{"format", required_argument, NULL, 'f'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {NULL, 0, NULL, 0}};
    enum list_format format = LIST_TABLE;
    int option;

    while ((option = getopt_long(argc, argv, "+f:q", options, NULL)) != -1) {
        if (option == 'q')
            format = LIST_QUIET;
        else if (option == 'f' && strcmp(optarg, "json") == 0)
            format = LIST_JSON;
        else if (option == 'f' && strcmp(optarg, "table") == 0)
            format = LIST_TABLE;
        else if (option == 'f')
            return error_set(&context->err, ERROR_INVALID, EINVAL,
                             "--format: \"%.32s\" is neither table nor json", optarg);
        else
            return oci_usage_error(context, argv);
    }
    if (optind < argc)
        return error_set(&context->err, ERROR_INVALID, EINVAL,
                         "list: \"%.64s\" is one word too many", argv[optind]);
    return list_all(context, format);
}

int oci_spec(struct oci_context *context, int argc, char **argv)
{
    static const struct option options[] = {{"bundle", required_argument, NULL, 'b'},
                                            {"rootless", no_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    cleanup_arena struct arena arena = {0};
    cleanup_close int directory_fd = -1;
    bool is_rootless = false;
    struct oci_config config = {0};
    struct json_writer *writer;
    const char *bundle = ".";
    const char *text;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+b:", options, NULL)) != -1) {
        if (option == 'b')
            bundle = optarg;
        else if (option == 'r')
            is_rootless = true;
        else
            return oci_usage_error(context, argv);
    }
    directory_fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0)
        return error_errno(&context->err, errno, "bundle %s", bundle);
    if (faccessat(directory_fd, "config.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(&context->err, ERROR_CONFLICT, EEXIST,
                         "%s/config.json exists; remove it first", bundle);
    oci_config_make_default(&arena, &config);
    if (is_rootless)
        oci_config_make_rootless(&arena, &config, geteuid(), getegid());
    writer = oci_config_encode(&config, true);
    text = json_writer_text(writer);
    result =
        file_replace(directory_fd, "config.json", text, strlen(text), 0666, false, &context->err);
    json_writer_free(writer);
    return result;
}
