/* davit-oci create, run, start. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "cgroups/cgroups.h"
#include "oci.h"

enum create_option {
    OPTION_CONSOLE_SOCKET = 256,
    OPTION_PID_FILE,
    OPTION_PRESERVE_FDS,
    OPTION_NO_NEW_KEYRING,
    OPTION_NO_PIVOT,
    OPTION_CONFIG,
    OPTION_KEEP,
    OPTION_NO_SUBREAPER,
};

/* `create` takes all but the last three. */
static const struct option create_options[] = {
    {"bundle", required_argument, NULL, 'b'},
    {"console-socket", required_argument, NULL, OPTION_CONSOLE_SOCKET},
    {"pid-file", required_argument, NULL, OPTION_PID_FILE},
    {"preserve-fds", required_argument, NULL, OPTION_PRESERVE_FDS},
    {"no-new-keyring", no_argument, NULL, OPTION_NO_NEW_KEYRING},
    {"no-pivot", no_argument, NULL, OPTION_NO_PIVOT},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"detach", no_argument, NULL, 'd'},
    {"keep", no_argument, NULL, OPTION_KEEP},
    {"no-subreaper", no_argument, NULL, OPTION_NO_SUBREAPER},
    {NULL, 0, NULL, 0},
};

struct create {
    const char *bundle;
    const char *config_file; /* NULL: config.json of the bundle */
    const char *console_socket;
    const char *pid_file;
    long preserved_fd_count;
    bool keeps_keyring;
    bool has_no_pivot;
    bool is_detached;
    bool is_kept;
    bool is_run;
    bool was_launched;
    bool has_pid_file;
    const char *id;
    struct cgroup_hierarchy hierarchy;
    struct cgroup cgroup;
    struct state state;
    struct container container;
    int bundle_fd;
    int console_fd;
    int start_socket_fd;
    struct oci_relays relays; /* of a foreground process */
};

static int parse_create_options(struct oci_context *context, struct create *create, int argc,
                                char **argv)
{
    int option;
    int result = 0;

    create->bundle = ".";
    while (result == 0 && (option = getopt_long(argc, argv, create->is_run ? "+b:d" : "+b:",
                                                create_options, NULL)) != -1) {
        switch (option) {
        case 'b':
            create->bundle = optarg;
            break;
        case OPTION_CONSOLE_SOCKET:
            create->console_socket = optarg;
            break;
        case OPTION_PID_FILE:
            create->pid_file = optarg;
            break;
        case OPTION_PRESERVE_FDS:
            result = oci_parse_number("--preserve-fds", optarg, 0, 65536,
                                      &create->preserved_fd_count, &context->err);
            break;
        case OPTION_NO_NEW_KEYRING:
            create->keeps_keyring = true;
            break;
        case OPTION_NO_PIVOT:
            create->has_no_pivot = true;
            break;
        case OPTION_CONFIG:
            create->config_file = optarg;
            break;
        case 'd':
        case OPTION_KEEP:
        case OPTION_NO_SUBREAPER: /* we never are one: process 1 of the container reaps */
            if (!create->is_run)
                return oci_usage_error(context, argv);
            if (option == 'd')
                create->is_detached = true;
            if (option == OPTION_KEEP)
                create->is_kept = true;
            break;
        default:
            return oci_usage_error(context, argv);
        }
    }
    if (result == 0 && argc - optind != 1)
        return error_set(&context->err, ERROR_INVALID, EINVAL,
                         "%s: exactly one container id is expected", argv[0]);
    create->id = argc > optind ? argv[optind] : NULL;
    return result;
}

/* A terminal needs someone at its other end; a socket for it without one is a mistake. */
static int check_console(const struct create *create, struct error *err)
{
    const struct oci_process *process = create->state.config.process;
    bool has_terminal = process != NULL && process->has_terminal;
    bool is_foreground = create->is_run && !create->is_detached;

    if (has_terminal && !is_foreground && create->console_socket == NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "a terminal without a foreground needs --console-socket");
    if (!has_terminal && create->console_socket != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "--console-socket: process.terminal is not set");
    return 0;
}

/* Says what the process asks for and cannot get (runtime-spec config.md "Linux Process"). */
static void warn_of_capabilities(const struct oci_process *process)
{
    cleanup_arena struct arena arena = {0};
    struct string_list names = {0};

    if (process != NULL)
        process_list_ungrantable(&arena, process, &names);
    for (size_t i = 0; i < names.count; i++)
        log_warning("%.64s cannot be granted on this host", names.items[i]);
}

/* Other runtimes take these as well, and nothing comes of them anywhere. */
static void warn_of_ineffective(const struct oci_config *config)
{
    const struct oci_linux *linux_part = config->linux;

    if (linux_part->time_offsets.count > 0 &&
        oci_config_namespace(config, OCI_NAMESPACE_TIME) == NULL)
        log_warning("linux.timeOffsets has no effect without a time namespace");
}

static int note_process(void *context, pid_t pid, struct error *err)
{
    struct create *create = context;
    int result = state_save_config(&create->state, err);

    return result < 0 ? result : state_note_process(&create->state, pid, err);
}

static int launch_created(struct create *create, struct error *err)
{
    bool is_foreground = create->is_run && !create->is_detached;
    int stdio[3] = {-1, -1, -1};
    int result = is_foreground && create->state.config.process != NULL
                     ? oci_open_relays(create->state.config.process, &create->relays, stdio, err)
                     : 0;
    const struct container_options options = {
        .id = create->id,
        .has_no_pivot = create->has_no_pivot,
        .keeps_hook_output = true,
        .on_cloned = note_process,
        .context = create,
        .bundle_path = create->state.bundle,
        .bundle_fd = create->bundle_fd,
        .config = &create->state.config,
        .rootfs_fd = -1,
        .mappings_fd = -1,
        .shm_fd = -1,
        .cgroup = create->cgroup.fd >= 0 ? &create->cgroup : NULL,
        .stdio = {stdio[0], stdio[1], stdio[2]},
        .preserved_fd_count = (unsigned int)create->preserved_fd_count,
        .console_socket_fd = create->console_fd,
        .start_socket_fd = create->start_socket_fd,
        .is_start_held = !create->is_run,
        .keeps_keyring = create->keeps_keyring,
    };

    if (result == 0)
        result = container_launch(&options, &create->container, err);
    oci_close_streams(stdio);
    return result;
}

/* Everything from the state directory on; the caller undoes it if this fails. */
static int make_container(struct oci_context *context, struct create *create)
{
    struct error *err = &context->err;
    int result = oci_connect_console(create->console_socket, &create->console_fd, err);

    if (result == 0)
        result = oci_make_cgroup(context->cgroup_manager, create->id, &create->state,
                                 &create->hierarchy, &create->cgroup, err);
    if (result == 0 && !create->is_run) {
        create->start_socket_fd = socket_listen(create->state.directory_fd, STATE_CREATING_SOCKET,
                                                SOCK_SEQPACKET, 0600, err);
        result = create->start_socket_fd < 0 ? create->start_socket_fd : 0;
    }
    if (result == 0) {
        create->was_launched = true;
        result = launch_created(create, err);
    }
    oci_release_placeholder(&create->state);
    if (result == 0 && create->pid_file != NULL) {
        result = oci_write_pid_file(create->pid_file, create->container.pid, err);
        create->has_pid_file = result == 0;
    }
    if (result == 0 && !create->is_run &&
        renameat(create->state.directory_fd, STATE_CREATING_SOCKET, create->state.directory_fd,
                 STATE_START_SOCKET) < 0)
        result = error_errno(err, errno, "say that the container is created");
    if (result == 0 && create->is_run)
        result = oci_run_hooks(&create->state, HOOK_POSTSTART, "running", err);
    return result;
}

static void undo_create(struct oci_context *context, struct create *create)
{
    struct error hook = {0};

    oci_undo_process(&create->state, &create->hierarchy, &create->cgroup, &create->container);
    if (create->was_launched)
        container_remove_resctrl(&create->state.config, create->id);
    /* runtime-spec runtime.md "Lifecycle": poststop hooks run also when the creation failed after
     * other hooks may have run. */
    if (create->was_launched && oci_run_hooks(&create->state, HOOK_POSTSTOP, "stopped", &hook) < 0)
        log_warning("%s", hook.message);
    if (create->has_pid_file)
        unlink(create->pid_file);
    state_remove(context->root, create->id, NULL);
}

static void release(struct create *create)
{
    container_release(&create->container);
    fd_close(&create->bundle_fd);
    fd_close(&create->console_fd);
    fd_close(&create->start_socket_fd);
    cgroup_close(&create->cgroup);
    cgroup_hierarchy_close(&create->hierarchy);
    state_release(&create->state);
}

/* In the foreground: lives with the container and cleans up after it. */
static int attend_run(struct oci_context *context, struct create *create)
{
    int status;

    fd_close(&context->exe_fd);
    status = oci_attend(&create->container, &create->relays, &context->err);
    if (create->is_kept)
        return status;
    if (oci_destroy(context, &create->state, true) < 0)
        log_warning("%s", context->err.message);
    return status;
}

static int create_or_run(struct oci_context *context, int argc, char **argv, bool is_run)
{
    struct create create = {
        .is_run = is_run,
        .hierarchy = CGROUP_HIERARCHY_NONE,
        .cgroup = CGROUP_NONE,
        .container = CONTAINER_NONE,
        .state.directory_fd = -1,
        .bundle_fd = -1,
        .console_fd = -1,
        .start_socket_fd = -1,
        .relays = OCI_RELAYS_NONE,
    };
    int result = parse_create_options(context, &create, argc, argv);

    create.state.id = create.id;
    if (result == 0)
        result = state_check_id(create.id, &context->err);
    if (result == 0)
        result = state_read_bundle(&create.state, create.bundle, create.config_file,
                                   &create.bundle_fd, &context->err);
    if (result == 0)
        result = check_console(&create, &context->err);
    if (result == 0) {
        warn_of_capabilities(create.state.config.process);
        warn_of_ineffective(&create.state.config);
        create.state.directory_fd = state_make_directory(context->root, create.id, &context->err);
        result = create.state.directory_fd < 0 ? create.state.directory_fd : 0;
        if (result == 0) {
            result = make_container(context, &create);
            if (result < 0)
                undo_create(context, &create);
        }
    }
    if (result == 0 && is_run && !create.is_detached)
        result = attend_run(context, &create);
    release(&create);
    return result;
}

int oci_create(struct oci_context *context, int argc, char **argv)
{
    return create_or_run(context, argc, argv, false);
}

int oci_run(struct oci_context *context, int argc, char **argv)
{
    return create_or_run(context, argc, argv, true);
}

static int start_created(struct state *state, struct error *err)
{
    const struct container_identity identity = {state->id, state->bundle, &state->config,
                                                state->pid};
    cleanup_close int pidfd = state_open_process(state);
    int result =
        container_start_by_socket(state->directory_fd, STATE_START_SOCKET, pidfd, &identity, err);

    unlinkat(state->directory_fd, STATE_START_SOCKET, 0);
    if (result < 0)
        return result;
    result = oci_run_hooks(state, HOOK_POSTSTART, "running", err);
    /* runtime-spec runtime.md "Lifecycle" 9: an error, and the container is stopped. */
    if (result < 0)
        oci_kill_all(state, NULL);
    return result;
}

int oci_start(struct oci_context *context, int argc, char **argv)
{
    struct state state;
    enum state_status status = STATUS_STOPPED;
    int result = oci_load_by_only_argument(context, argc, argv, &state);

    if (result < 0)
        return result;
    result = state_get_status(&state, &status, &context->err);
    if (result == 0 && status != STATUS_CREATED)
        result = error_set(&context->err, ERROR_CONFLICT, EBUSY,
                           "cannot start a container in the %s state", state_status_name(status));
    if (result == 0)
        result = start_created(&state, &context->err);
    state_release(&state);
    return result;
}
