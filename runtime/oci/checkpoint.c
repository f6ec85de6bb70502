/* davit-oci checkpoint and restore, by CRIU. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "criu.h"
#include "oci.h"

#define CHECKPOINT_DIRECTORY "checkpoint"
#define DESCRIPTORS_FILE "descriptors.json" /* runc's name for the same */
#define NETWORK_KEY "extRootNetNS"
#define RESTORED_PID_FILE "restored.pid"
#define SHARED_OPTIONS_MAX 24
#define DESCRIPTORS_MAX_BYTES 65536

enum checkpoint_option {
    OPTION_IMAGE_PATH = 256,
    OPTION_WORK_PATH,
    OPTION_PARENT_PATH,
    OPTION_LEAVE_RUNNING,
    OPTION_PRE_DUMP,
    OPTION_UNSUPPORTED,
};

struct checkpoint {
    struct criu criu;
    const char *parent_path;
    bool is_left_running;
    bool is_pre_dump;
};

/* Refuses an option. With --lazy-pages and --page-server memory would come later or over the
 * network, from a server that would have to live on. */
static int refuse_criu_option(struct oci_context *context, char **argv)
{
    return error_set(&context->err, ERROR_UNSUPPORTED, ENOTSUP, "%s: not supported",
                     argv[optind - 1]);
}

static int parse_checkpoint_options(struct oci_context *context, struct checkpoint *checkpoint,
                                    int argc, char **argv)
{
    struct option options[SHARED_OPTIONS_MAX] = {
        {"image-path", required_argument, NULL, OPTION_IMAGE_PATH},
        {"work-path", required_argument, NULL, OPTION_WORK_PATH},
        {"parent-path", required_argument, NULL, OPTION_PARENT_PATH},
        {"leave-running", no_argument, NULL, OPTION_LEAVE_RUNNING},
        {"pre-dump", no_argument, NULL, OPTION_PRE_DUMP},
        {"lazy-pages", no_argument, NULL, OPTION_UNSUPPORTED},
        {"page-server", required_argument, NULL, OPTION_UNSUPPORTED},
        {"status-fd", required_argument, NULL, OPTION_UNSUPPORTED},
    };
    int option;

    criu_add_options(options + 8);
    checkpoint->criu.images_path = CHECKPOINT_DIRECTORY;
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == OPTION_IMAGE_PATH)
            checkpoint->criu.images_path = optarg;
        else if (option == OPTION_WORK_PATH)
            checkpoint->criu.work_path = optarg;
        else if (option == OPTION_PARENT_PATH)
            checkpoint->parent_path = optarg;
        else if (option == OPTION_LEAVE_RUNNING)
            checkpoint->is_left_running = true;
        else if (option == OPTION_PRE_DUMP)
            checkpoint->is_pre_dump = true;
        else if (option == OPTION_UNSUPPORTED)
            return refuse_criu_option(context, argv);
        else if (!criu_take_option(&checkpoint->criu, option, optarg))
            return oci_usage_error(context, argv);
    }
    if (argc - optind != 1)
        return error_set(&context->err, ERROR_INVALID, EINVAL,
                         "checkpoint: exactly one container id is expected");
    return 0;
}

/* Saves what the standard streams are called now. The other end of a pipe is outside the container,
 * and CRIU asks for the pipe by this name at the restore. */
static int save_descriptors(const struct state *state, int images_fd, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    const char *text;
    int result;

    json_array_open(writer);
    for (int i = 0; i < 3; i++) {
        char path[64];
        char target[PATH_MAX];
        ssize_t length;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)state->pid, i);
        length = readlink(path, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        json_string(writer, target);
    }
    json_array_close(writer);
    text = json_writer_text(writer);
    result = file_replace(images_fd, DESCRIPTORS_FILE, text, strlen(text), 0600, false, err);
    json_writer_free(writer);
    return result;
}

/* A network namespace that was given to the container is not CRIU's to save. */
static int add_network_at_dump(struct criu *criu, const struct state *state, struct error *err)
{
    const struct oci_namespace *network =
        oci_config_namespace(&state->config, OCI_NAMESPACE_NETWORK);
    struct stat status;

    if (network == NULL || network->path == NULL || network->path[0] == '\0')
        return 0;
    if (stat(network->path, &status) < 0)
        return error_errno(err, errno, "network namespace %s", network->path);
    criu_add_value(criu, "--external", "net[%llu]:" NETWORK_KEY, (unsigned long long)status.st_ino);
    return 0;
}

static int check_running(const struct state *state, struct error *err)
{
    enum state_status status;
    int result = state_get_status(state, &status, err);

    if (result == 0 && status != STATUS_RUNNING && status != STATUS_PAUSED)
        return error_set(err, ERROR_CONFLICT, EBUSY, "cannot checkpoint a %s container",
                         state_status_name(status));
    if (result == 0 && state->config.process->has_terminal)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "a container with a terminal cannot be checkpointed: its other end could "
                         "not be handed over at the restore");
    return result;
}

static int dump(struct checkpoint *checkpoint, const struct state *state, struct error *err)
{
    struct criu *criu = &checkpoint->criu;
    cleanup_close int images_fd = path_make_host_directory(criu->images_path, 0700, err);
    cleanup_close int work_fd = -1;
    int result;

    if (images_fd < 0)
        return images_fd;
    if (criu->work_path == NULL)
        criu->work_path = criu->images_path;
    work_fd = path_make_host_directory(criu->work_path, 0700, err);
    if (work_fd < 0)
        return work_fd;
    criu->log_name = "dump.log";
    result = criu_begin_command(criu, checkpoint->is_pre_dump ? "pre-dump" : "dump", err);
    if (result < 0)
        return result;
    criu_add_value(criu, "--tree", "%d", (int)state->pid);
    criu_add_value(criu, "--root", "%s", state->rootfs);
    criu_add(criu, "--manage-cgroups=soft");
    if (checkpoint->is_left_running)
        criu_add(criu, "--leave-running");
    if (checkpoint->parent_path != NULL)
        criu_add_value(criu, "--prev-images-dir", "%s", checkpoint->parent_path);
    if (checkpoint->is_pre_dump || checkpoint->parent_path != NULL)
        criu_add(criu, "--track-mem");
    criu_add_mounts(criu, &state->config, state->rootfs, NULL);
    result = add_network_at_dump(criu, state, err);
    if (result == 0 && !checkpoint->is_pre_dump)
        result = save_descriptors(state, images_fd, err);
    return result < 0 ? result : criu_run(criu, NULL, err);
}

int oci_checkpoint(struct oci_context *context, int argc, char **argv)
{
    struct checkpoint checkpoint = {0};
    struct state state;
    int result = parse_checkpoint_options(context, &checkpoint, argc, argv);

    if (result == 0)
        result = state_load(context->root, argv[optind], &state, &context->err);
    if (result == 0) {
        result = check_running(&state, &context->err);
        if (result == 0)
            result = dump(&checkpoint, &state, &context->err);
        state_release(&state);
    }
    criu_release(&checkpoint.criu);
    return result;
}

enum restore_option {
    OPTION_PID_FILE = 300,
    OPTION_CONSOLE_SOCKET,
    OPTION_NO_EFFECT,
};

struct restore {
    struct criu criu;
    const char *bundle;
    const char *pid_file;
    const char *id;
    bool is_detached;
    struct state state;
    struct cgroup_hierarchy hierarchy;
    struct cgroup cgroup;
    struct container container;
};

static int parse_restore_options(struct oci_context *context, struct restore *restore, int argc,
                                 char **argv)
{
    struct option options[SHARED_OPTIONS_MAX + 8] = {
        {"image-path", required_argument, NULL, OPTION_IMAGE_PATH},
        {"work-path", required_argument, NULL, OPTION_WORK_PATH},
        {"bundle", required_argument, NULL, 'b'},
        {"detach", no_argument, NULL, 'd'},
        {"pid-file", required_argument, NULL, OPTION_PID_FILE},
        {"console-socket", required_argument, NULL, OPTION_CONSOLE_SOCKET},
        {"no-pivot", no_argument, NULL, OPTION_NO_EFFECT},
        {"no-subreaper", no_argument, NULL, OPTION_NO_EFFECT},
        {"no-new-keyring", no_argument, NULL, OPTION_NO_EFFECT},
        {"lazy-pages", no_argument, NULL, OPTION_UNSUPPORTED},
    };
    int option;

    criu_add_options(options + 10);
    restore->bundle = ".";
    restore->criu.images_path = CHECKPOINT_DIRECTORY;
    while ((option = getopt_long(argc, argv, "+b:d", options, NULL)) != -1) {
        if (option == OPTION_IMAGE_PATH)
            restore->criu.images_path = optarg;
        else if (option == OPTION_WORK_PATH)
            restore->criu.work_path = optarg;
        else if (option == 'b')
            restore->bundle = optarg;
        else if (option == 'd')
            restore->is_detached = true;
        else if (option == OPTION_PID_FILE)
            restore->pid_file = optarg;
        else if (option == OPTION_CONSOLE_SOCKET || option == OPTION_UNSUPPORTED)
            return refuse_criu_option(context, argv);
        else if (option != OPTION_NO_EFFECT && !criu_take_option(&restore->criu, option, optarg))
            return oci_usage_error(context, argv);
    }
    if (argc - optind != 1)
        return error_set(&context->err, ERROR_INVALID, EINVAL,
                         "restore: exactly one container id is expected");
    restore->id = argv[optind];
    return state_check_id(restore->id, &context->err);
}

/* Our own standard streams take the place of the pipes. */
static int add_descriptors(struct restore *restore, struct error *err)
{
    struct criu *criu = &restore->criu;
    cleanup_buffer struct buffer text = {0};
    cleanup_free char *path = memory_printf("%s/" DESCRIPTORS_FILE, criu->images_path);
    const struct json *list = NULL;
    int result = file_read(AT_FDCWD, path, DESCRIPTORS_MAX_BYTES, &text, err);

    if (result == 0)
        result = json_parse(&criu->arena, buffer_text(&text), text.length, &json_default_limits,
                            &list, err);
    if (result < 0)
        return error_prefix(err, "image %s", criu->images_path);
    for (size_t i = 0; list != NULL && list->type == JSON_ARRAY && i < list->count && i < 3; i++) {
        const struct json *item = &list->items[i];

        if (item->type == JSON_STRING &&
            (strncmp(item->text, "pipe:", 5) == 0 || strncmp(item->text, "socket:", 7) == 0))
            criu_add_value(criu, "--inherit-fd", "fd[%zu]:%s", i, item->text);
    }
    return 0;
}

/* The descriptor is inherited: it stays open until CRIU has ended. */
static int add_network_at_restore(struct criu *criu, const struct oci_config *config,
                                  int *namespace_fd, struct error *err)
{
    const struct oci_namespace *network = oci_config_namespace(config, OCI_NAMESPACE_NETWORK);

    if (network == NULL || network->path == NULL || network->path[0] == '\0')
        return 0;
    *namespace_fd = open(network->path, O_RDONLY);
    if (*namespace_fd < 0)
        return error_errno(err, errno, "network namespace %s", network->path);
    criu_add_value(criu, "--inherit-fd", "fd[%d]:" NETWORK_KEY, *namespace_fd);
    return 0;
}

static int read_pid(const struct restore *restore, pid_t *pid, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = file_read(restore->state.directory_fd, RESTORED_PID_FILE, 64, &text, err);

    if (result < 0)
        return result;
    *pid = (pid_t)strtol(buffer_text(&text), NULL, 10);
    if (*pid <= 0)
        return error_set(err, ERROR_INTERNAL, EINVAL, "CRIU has told no process");
    return 0;
}

static int run_criu(struct oci_context *context, struct restore *restore)
{
    struct error *err = &context->err;
    struct criu *criu = &restore->criu;
    cleanup_close int namespace_fd = -1;
    int result;

    if (criu->work_path == NULL)
        criu->work_path = criu->images_path;
    criu->log_name = "restore.log";
    result = criu_begin_command(criu, "restore", err);
    if (result < 0)
        return result;
    criu_add_value(criu, "--root", "%s", restore->state.rootfs);
    criu_add_value(criu, "--pidfile", "%s/%s/" RESTORED_PID_FILE, context->root, restore->id);
    criu_add(criu, "--restore-detached");
    /* The restored process becomes our child, so that we can wait for it. */
    criu_add(criu, "--restore-sibling");
    criu_add(criu, "--manage-cgroups=soft");
    criu_add_mounts(criu, &restore->state.config, restore->state.rootfs, restore->state.bundle);
    result = add_descriptors(restore, err);
    if (result == 0)
        result = add_network_at_restore(criu, &restore->state.config, &namespace_fd, err);
    return result < 0 ? result : criu_run(criu, restore->state.rootfs, err);
}

static int note_restored(struct restore *restore, struct error *err)
{
    struct state *state = &restore->state;
    pid_t pid = -1;
    int result = read_pid(restore, &pid, err);

    if (result < 0)
        return result;
    restore->container.pid = pid;
    restore->container.pidfd = pidfd_open(pid, 0);
    if (restore->container.pidfd < 0)
        return error_errno(err, errno, "the restored process %d", (int)pid);
    result = state_note_process(state, pid, err);
    if (result == 0 && restore->cgroup.fd >= 0)
        result = resources_apply_devices(&restore->cgroup, state->config.linux->resources, err);
    if (result == 0 && restore->pid_file != NULL)
        result = oci_write_pid_file(restore->pid_file, pid, err);
    return result;
}

static int read_bundle(struct restore *restore, struct error *err)
{
    struct state *state = &restore->state;
    cleanup_close int bundle_fd = -1;
    int result = state_read_bundle(state, restore->bundle, NULL, &bundle_fd, err);

    if (result == 0 && (state->config.root == NULL || state->config.process == NULL))
        result = error_set(err, ERROR_INVALID, EINVAL, "root and process are required");
    return result;
}

static int restore_container(struct oci_context *context, struct restore *restore)
{
    struct error *err = &context->err;
    int result = state_save_config(&restore->state, err);

    if (result == 0)
        result = oci_make_cgroup(context->cgroup_manager, restore->id, &restore->state,
                                 &restore->hierarchy, &restore->cgroup, err);
    if (result == 0)
        result = run_criu(context, restore);
    if (result == 0)
        result = note_restored(restore, err);
    oci_release_placeholder(&restore->state);
    return result;
}

static void undo_restore(struct oci_context *context, struct restore *restore)
{
    oci_undo_process(&restore->state, &restore->hierarchy, &restore->cgroup, &restore->container);
    state_remove(context->root, restore->id, NULL);
}

static int attend_restored(struct oci_context *context, struct restore *restore)
{
    struct oci_relays none = OCI_RELAYS_NONE;
    int status = oci_attend(&restore->container, &none, &context->err);

    oci_destroy(context, &restore->state, true);
    return status;
}

int oci_restore(struct oci_context *context, int argc, char **argv)
{
    struct restore restore = {
        .hierarchy = CGROUP_HIERARCHY_NONE,
        .cgroup = CGROUP_NONE,
        .container = CONTAINER_NONE,
        .state.directory_fd = -1,
    };
    int result = parse_restore_options(context, &restore, argc, argv);

    restore.state.id = restore.id;
    if (result == 0)
        result = read_bundle(&restore, &context->err);
    if (result == 0) {
        restore.state.directory_fd = state_make_directory(context->root, restore.id, &context->err);
        result = restore.state.directory_fd < 0 ? restore.state.directory_fd : 0;
        if (result == 0) {
            result = restore_container(context, &restore);
            if (result < 0)
                undo_restore(context, &restore);
        }
    }
    if (result == 0 && !restore.is_detached)
        result = attend_restored(context, &restore);
    container_release(&restore.container);
    cgroup_close(&restore.cgroup);
    cgroup_hierarchy_close(&restore.hierarchy);
    state_release(&restore.state);
    criu_release(&restore.criu);
    return result;
}
