/* davit-oci exec. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "bundle/bundle.h"
#include "cgroups/cgroups.h"
#include "oci.h"

/* runc's, for a process that could not be started. */
#define EXIT_EXEC_FAILED 255

enum exec_option {
    OPTION_CWD = 256,
    OPTION_CONSOLE_SOCKET,
    OPTION_PID_FILE,
    OPTION_PRESERVE_FDS,
    OPTION_NO_NEW_PRIVS,
    OPTION_APPARMOR,
    OPTION_PROCESS_LABEL,
    OPTION_CGROUP,
    OPTION_IGNORE_PAUSED,
    OPTION_NO_SUBREAPER,
};

static const struct option exec_option_table[] = {
    {"process", required_argument, NULL, 'p'},
    {"tty", no_argument, NULL, 't'},
    {"detach", no_argument, NULL, 'd'},
    {"env", required_argument, NULL, 'e'},
    {"user", required_argument, NULL, 'u'},
    {"additional-gids", required_argument, NULL, 'g'},
    {"cap", required_argument, NULL, 'c'},
    {"cwd", required_argument, NULL, OPTION_CWD},
    {"console-socket", required_argument, NULL, OPTION_CONSOLE_SOCKET},
    {"pid-file", required_argument, NULL, OPTION_PID_FILE},
    {"preserve-fds", required_argument, NULL, OPTION_PRESERVE_FDS},
    {"no-new-privs", no_argument, NULL, OPTION_NO_NEW_PRIVS},
    {"apparmor", required_argument, NULL, OPTION_APPARMOR},
    {"process-label", required_argument, NULL, OPTION_PROCESS_LABEL},
    {"cgroup", required_argument, NULL, OPTION_CGROUP},
    {"ignore-paused", no_argument, NULL, OPTION_IGNORE_PAUSED},
    {"no-subreaper", no_argument, NULL, OPTION_NO_SUBREAPER},
    {NULL, 0, NULL, 0},
};

struct exec_command {
    const char *process_file;
    const char *user;
    const char *cwd;
    const char *console_socket;
    const char *pid_file;
    struct string_list env;
    struct string_list caps;
    struct string_list gids;
    uint32_t *gid_numbers; /* the same as numbers */
    long preserved_fd_count;
    bool has_terminal;
    bool is_detached;
    bool no_new_privileges;
    bool may_be_paused;
    const char *apparmor_profile;
    const char *process_label;
    const char *cgroup; /* below the container's */
    struct arena arena;
};

static int parse_gids(struct exec_command *command, struct error *err)
{
    command->gid_numbers = arena_new(&command->arena, command->gids.count, sizeof(uint32_t));
    for (size_t i = 0; i < command->gids.count; i++) {
        long gid;
        int result =
            oci_parse_number("--additional-gids", command->gids.items[i], 0, 4294967294, &gid, err);

        if (result < 0)
            return result;
        command->gid_numbers[i] = (uint32_t)gid;
    }
    return 0;
}

static int parse_exec_options(struct oci_context *context, struct exec_command *command, int argc,
                              char **argv)
{
    int option;
    int result = 0;

    while (result == 0 &&
           (option = getopt_long(argc, argv, "+p:tde:u:g:c:", exec_option_table, NULL)) != -1) {
        switch (option) {
        case 'p':
            command->process_file = optarg;
            break;
        case 't':
            command->has_terminal = true;
            break;
        case 'd':
            command->is_detached = true;
            break;
        case 'e':
            string_list_append(&command->arena, &command->env, optarg);
            break;
        case 'u':
            command->user = optarg;
            break;
        case 'g':
            string_list_append(&command->arena, &command->gids, optarg);
            break;
        case 'c':
            string_list_append(&command->arena, &command->caps, optarg);
            break;
        case OPTION_CWD:
            command->cwd = optarg;
            break;
        case OPTION_CONSOLE_SOCKET:
            command->console_socket = optarg;
            break;
        case OPTION_PID_FILE:
            command->pid_file = optarg;
            break;
        case OPTION_PRESERVE_FDS:
            result = oci_parse_number("--preserve-fds", optarg, 0, 65536,
                                      &command->preserved_fd_count, &context->err);
            break;
        case OPTION_NO_NEW_PRIVS:
            command->no_new_privileges = true;
            break;
        case OPTION_APPARMOR:
            command->apparmor_profile = optarg;
            break;
        case OPTION_PROCESS_LABEL:
            command->process_label = optarg;
            break;
        case OPTION_CGROUP:
            command->cgroup = optarg;
            break;
        case OPTION_IGNORE_PAUSED:
            command->may_be_paused = true;
            break;
        case OPTION_NO_SUBREAPER: /* we never are one */
            break;
        default:
            return oci_usage_error(context, argv);
        }
    }
    if (result == 0 && argc == optind)
        return error_set(&context->err, ERROR_INVALID, EINVAL, "exec: a container id is expected");
    return result == 0 ? parse_gids(command, &context->err) : result;
}

static int read_process(struct exec_command *command, struct oci_process *process,
                        struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = file_read_any(command->process_file, 4 << 20, &text, err);

    if (result == 0)
        result = oci_process_parse(&command->arena, buffer_text(&text), text.length, process, err);
    return result < 0 ? error_prefix(err, "--process %s", command->process_file) : 0;
}

static int parse_user(const char *text, struct oci_user *user, struct error *err)
{
    const char *end = text;
    uint64_t uid = 0;
    uint64_t gid = 0;
    bool is_good = number_take(&end, 10, UINT32_MAX - 1, &uid);

    if (is_good && *end == ':') {
        end++;
        is_good = number_take(&end, 10, UINT32_MAX - 1, &gid);
    }
    if (!is_good || *end != '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "--user: \"%.64s\" is not UID[:GID]", text);
    user->uid = (uint32_t)uid;
    user->gid = (uint32_t)gid;
    user->additional_gid_count = 0;
    return 0;
}

static void add_gids(struct exec_command *command, struct oci_user *user)
{
    size_t count = user->additional_gid_count + command->gids.count;
    uint32_t *gids = arena_new(&command->arena, count, sizeof(*gids));

    for (size_t i = 0; i < user->additional_gid_count; i++)
        gids[i] = user->additional_gids[i];
    for (size_t i = 0; i < command->gids.count; i++)
        gids[user->additional_gid_count++] = command->gid_numbers[i];
    user->additional_gids = gids;
}

static void add_caps(struct exec_command *command, struct oci_process *process)
{
    struct oci_capabilities *capabilities = arena_new(&command->arena, 1, sizeof(*capabilities));

    if (process->capabilities != NULL)
        *capabilities = *process->capabilities;
    for (size_t i = 0; i < command->caps.count; i++) {
        string_list_append(&command->arena, &capabilities->bounding, command->caps.items[i]);
        string_list_append(&command->arena, &capabilities->effective, command->caps.items[i]);
        string_list_append(&command->arena, &capabilities->permitted, command->caps.items[i]);
    }
    process->capabilities = capabilities;
}

/* What a process document leaves out is as in the container. */
static void inherit(const struct oci_process *from, struct oci_process *process)
{
    if (from == NULL)
        return;
    if (process->apparmor_profile == NULL)
        process->apparmor_profile = from->apparmor_profile;
    if (process->selinux_label == NULL)
        process->selinux_label = from->selinux_label;
    if (process->rlimits.count == 0)
        process->rlimits = from->rlimits;
    if (!process->oom_score_adj.is_set)
        process->oom_score_adj = from->oom_score_adj;
    if (process->scheduler == NULL)
        process->scheduler = from->scheduler;
    if (process->io_priority == NULL)
        process->io_priority = from->io_priority;
    if (process->exec_cpu_affinity == NULL)
        process->exec_cpu_affinity = from->exec_cpu_affinity;
}

/* From the container's own process and the command line, or from a file. */
static int make_process(struct exec_command *command, const struct state *state, int argc,
                        char **argv, struct oci_process *process, struct error *err)
{
    struct string_list env;
    int result = 0;

    if (command->process_file != NULL) {
        result = read_process(command, process, err);
        inherit(state->config.process, process);
        return result;
    }
    if (state->config.process == NULL || argc == 0)
        return error_set(err, ERROR_INVALID, EINVAL, "exec: a program is expected");
    *process = *state->config.process;
    process->args = (struct string_list){0};
    for (int i = 0; i < argc; i++)
        string_list_append(&command->arena, &process->args, argv[i]);
    process->has_terminal = command->has_terminal;
    process->console_size = NULL;
    env_merge(&command->arena, &process->env, &command->env, &env);
    process->env = env;
    if (command->cwd != NULL)
        process->cwd = command->cwd;
    if (command->no_new_privileges)
        process->no_new_privileges = true;
    if (command->apparmor_profile != NULL)
        process->apparmor_profile = command->apparmor_profile;
    if (command->process_label != NULL)
        process->selinux_label = command->process_label;
    if (command->user != NULL)
        result = parse_user(command->user, &process->user, err);
    if (result == 0 && command->gids.count > 0)
        add_gids(command, &process->user);
    if (command->caps.count > 0)
        add_caps(command, process);
    return result;
}

/* The container's cgroup, or the one below it that --cgroup names. */
static int open_exec_cgroup(const struct exec_command *command, const struct state *state,
                            struct cgroup_hierarchy *hierarchy, struct cgroup *cgroup,
                            struct error *err)
{
    cleanup_free char *path = NULL;
    int result;

    if (state->cgroup_path == NULL && command->cgroup == NULL)
        return 0;
    result = oci_open_cgroup(state, hierarchy, cgroup, err);
    if (result < 0 || command->cgroup == NULL)
        return result;
    cgroup_close(cgroup);
    path = memory_printf("%s/%s", state->cgroup_path, command->cgroup);
    result = cgroup_open(hierarchy, path, cgroup, err);
    return result < 0 ? error_prefix(err, "--cgroup") : 0;
}

static int run_process(const struct exec_command *command, const struct state *state,
                       const struct oci_process *process, struct oci_relays *relays,
                       struct container *container, struct error *err)
{
    int stdio[3] = {-1, -1, -1};
    struct cgroup_hierarchy hierarchy = CGROUP_HIERARCHY_NONE;
    struct cgroup cgroup = CGROUP_NONE;
    cleanup_close int init_pidfd = state_open_process(state);
    cleanup_close int console_fd = -1;
    int result;

    if (init_pidfd < 0)
        return error_set(err, ERROR_CONFLICT, ESRCH, "cannot exec in a stopped container");
    result = oci_connect_console(command->console_socket, &console_fd, err);
    if (result == 0)
        result = open_exec_cgroup(command, state, &hierarchy, &cgroup, err);
    if (result == 0 && !command->is_detached)
        result = oci_open_relays(process, relays, stdio, err);
    if (result == 0) {
        const struct container_identity identity = {state->id, state->bundle, &state->config,
                                                    state->pid};
        const struct exec_options options = {
            .identity = &identity,
            .process = process,
            .init_pidfd = init_pidfd,
            .cgroup = cgroup.fd >= 0 ? &cgroup : NULL,
            .stdio = {stdio[0], stdio[1], stdio[2]},
            .preserved_fd_count = (unsigned int)command->preserved_fd_count,
            .console_socket_fd = console_fd,
        };

        result = container_exec(&options, container, err);
    }
    oci_close_streams(stdio);
    cgroup_close(&cgroup);
    cgroup_hierarchy_close(&hierarchy);
    return result;
}

static int check_status(const struct state *state, bool may_be_paused, struct error *err)
{
    enum state_status status;
    int result = state_get_status(state, &status, err);

    if (result == 0 && status == STATUS_PAUSED && may_be_paused)
        return 0;
    if (result == 0 && status != STATUS_RUNNING && status != STATUS_CREATED)
        return error_set(err, ERROR_CONFLICT, EBUSY, "cannot exec in a %s container",
                         state_status_name(status));
    return result;
}

static int exec_in(struct oci_context *context, struct exec_command *command,
                   const struct state *state, int argc, char **argv)
{
    struct container container = CONTAINER_NONE;
    struct oci_relays relays = OCI_RELAYS_NONE;
    struct oci_process process = {0};
    int result = check_status(state, command->may_be_paused, &context->err);

    if (result == 0)
        result = make_process(command, state, argc, argv, &process, &context->err);
    if (result == 0 && process.has_terminal && command->is_detached &&
        command->console_socket == NULL)
        result = error_set(&context->err, ERROR_INVALID, EINVAL,
                           "exec: a detached process with a terminal needs --console-socket");
    if (result == 0)
        result = run_process(command, state, &process, &relays, &container, &context->err);
    if (result == 0 && command->pid_file != NULL)
        result = oci_write_pid_file(command->pid_file, container.pid, &context->err);
    if (result == 0 && !command->is_detached)
        result = oci_attend(&container, &relays, &context->err);
    container_release(&container);
    return result;
}

int oci_exec(struct oci_context *context, int argc, char **argv)
{
    struct exec_command command = {0};
    struct state state = {.directory_fd = -1};
    int result = parse_exec_options(context, &command, argc, argv);
    bool is_understood = result == 0;

    if (result == 0)
        result = state_load(context->root, argv[optind], &state, &context->err);
    if (result == 0) {
        result = exec_in(context, &command, &state, argc - optind - 1, argv + optind + 1);
        state_release(&state);
    }
    arena_release(&command.arena);
    if (result < 0 && is_understood) {
        log_error("exec failed: %s", context->err.message);
        return EXIT_EXEC_FAILED;
    }
    return result;
}
