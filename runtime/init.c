/* The child's side of making a container: see the sequence in runtime.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "bundle/bundle.h"
#include "mount_order.h"
#include "runtime.h"
#include "sync.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

struct init {
    const struct plan *plan;
    const struct oci_config *config;
    int control_fd;
    struct mount_order mounts;
    struct process_plan process; /* a copy: what only the root can tell is added to it */
    int root_fd;
    bool is_chrooted;
    bool is_confined;
    mode_t runtime_umask; /* the caller's, for hooks; ours is 0: files get the mode we give */
};

/* Opens the root of the bundle in our mount namespace, as long as we may go where the bundle lies:
 * in a user namespace we shall be somebody else. */
static int find_place(struct init *init, struct error *err)
{
    const struct oci_config *config = init->config;
    const char *bundle = init->plan->options->bundle_path;
    cleanup_close int bundle_fd = -1;

    if (config->hooks == NULL || config->hooks->create_container.count == 0 || config->root == NULL)
        return 0;
    bundle_fd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (bundle_fd < 0)
        return error_errno(err, errno, "bundle %s", bundle);
    init->mounts.place_fd = openat(bundle_fd, config->root->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (init->mounts.place_fd < 0)
        return error_errno(err, errno, "root.path %s", config->root->path);
    return 0;
}

/* C1: the parent made us non-dumpable, so no process of the container can trace us or open our
 * /proc files while we still have the host's privileges. */
static int become_child(struct init *init, struct error *err)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    init->runtime_umask = umask(0);
    if (setsid() < 0)
        return error_errno(err, errno, "setsid");
    return find_place(init, err);
}

/* C2: before the mappings are written we have no user id in the namespace. */
static int enter_user_namespace(const struct init *init, struct error *err)
{
    bool is_joined = false;

    for (size_t i = 0; i < init->plan->joins.count; i++)
        is_joined = is_joined || init->plan->joins.items[i].type == OCI_NAMESPACE_USER;
    if (plan_makes_namespace(init->plan, OCI_NAMESPACE_USER)) {
        int result = sync_expect(init->control_fd, SYNC_MAPPED, NULL, err);

        if (result < 0)
            return result;
    } else if (!is_joined) {
        return 0;
    }
    return process_become_namespace_root(err);
}

/* time_namespaces(7): offsets can be written until the first process is in the namespace. */
static int make_time_namespace(const struct init *init, struct error *err)
{
    const struct oci_linux *linux_part = init->config->linux;
    cleanup_close int namespace_fd = -1;

    if (unshare(CLONE_NEWTIME) < 0)
        return error_errno(err, errno, "make a time namespace");
    /* While we are not dumpable our /proc files belong to root of the host, and in a user namespace
     * we are not that. In a new one there is nobody else yet who could trace us. */
    if (plan_makes_namespace(init->plan, OCI_NAMESPACE_USER))
        prctl(PR_SET_DUMPABLE, 1);
    for (size_t i = 0; i < linux_part->time_offsets.count; i++) {
        const struct oci_time_offset *offset = &linux_part->time_offsets.items[i];
        char line[96];
        int result;

        snprintf(line, sizeof(line), "%.16s %lld %u\n", offset->clock, (long long)offset->secs,
                 offset->nanosecs);
        result = file_write_value(AT_FDCWD, "/proc/self/timens_offsets", line);
        if (result < 0)
            return error_errno(err, -result, "linux.timeOffsets.%s", offset->clock);
    }
    prctl(PR_SET_DUMPABLE, 0);
    namespace_fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (namespace_fd < 0 || setns(namespace_fd, CLONE_NEWTIME) < 0)
        return error_errno(err, errno, "enter the time namespace");
    return 0;
}

/* C3: after CLONE_INTO_CGROUP we are in the container's cgroup, where its cgroup namespace is to be
 * rooted. */
static int enter_namespaces(const struct init *init, struct error *err)
{
    const struct plan *plan = init->plan;
    int result = 0;

    if (!plan->joins_before_clone)
        result = namespaces_join(plan->joins.items, plan->joins.count, err);
    if (result == 0 && plan->has_user_namespace && plan_makes_namespace(plan, OCI_NAMESPACE_IPC) &&
        unshare(CLONE_NEWIPC) < 0)
        result = error_errno(err, errno, "make an ipc namespace");
    if (result == 0 && plan_makes_namespace(plan, OCI_NAMESPACE_CGROUP) &&
        unshare(CLONE_NEWCGROUP) < 0)
        result = error_errno(err, errno, "make a cgroup namespace");
    if (result == 0 && plan_makes_namespace(plan, OCI_NAMESPACE_TIME))
        result = make_time_namespace(init, err);
    if (result == 0 && plan_makes_namespace(plan, OCI_NAMESPACE_NETWORK) &&
        !plan->has_network_apart)
        result = network_raise_loopback(err);
    return result;
}

/* keyrings(7): without a session of its own a container would see its parent's keys. */
static int make_keyring(const struct init *init, struct error *err)
{
    char name[80];

    if (init->plan->options->keeps_keyring)
        return 0;
    snprintf(name, sizeof(name), "_ses.%.64s", init->plan->options->id);
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0) < 0 && errno != ENOSYS &&
        errno != EPERM)
        return error_errno(err, errno, "make a session keyring");
    return 0;
}

/* No foreign code, neither hooks nor the program, runs before the parent is done with P3. */
static int await_confinement(struct init *init, struct error *err)
{
    if (init->is_confined)
        return 0;
    init->is_confined = true;
    return sync_expect(init->control_fd, SYNC_CONFINED, NULL, err);
}

/* What hooks have left running has the host's root and would be in reach of the program. As process
 * 1 we have nobody else around us yet. */
static void end_leftovers(void)
{
    if (getpid() != 1)
        return;
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
}

/* C5: createContainer hooks run in the container's namespaces with paths of the host. */
static int run_hooks(struct init *init, struct error *err)
{
    const struct oci_hooks *hooks = init->config->hooks;
    const struct container_options *options = init->plan->options;
    cleanup_close int bundle_fd = -1;
    struct hook_surroundings surroundings = {.directory_fd = -1, .output = init->plan->hook_output};
    struct json_writer *state;
    int result = 0;

    if (hooks == NULL)
        return 0;
    result = await_confinement(init, err);
    if (result < 0)
        return result;
    if (hooks->prestart.count > 0 || hooks->create_runtime.count > 0) {
        result = sync_send(init->control_fd, SYNC_RUN_HOOKS);
        if (result < 0)
            return error_errno(err, -result, "ask for hooks");
        result = sync_expect(init->control_fd, SYNC_HOOKS_DONE, NULL, err);
    }
    if (result < 0 || hooks->create_container.count == 0)
        return result;
    state =
        container_state_json(options->id, "creating", getpid(), options->bundle_path, init->config);
    /* The descriptor of the bundle that the parent has is none of our mount namespace. */
    bundle_fd = open(options->bundle_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    surroundings.directory_fd = bundle_fd;
    umask(init->runtime_umask);
    result =
        hooks_run(init->config, HOOK_CREATE_CONTAINER, json_writer_text(state), &surroundings, err);
    end_leftovers();
    umask(0);
    json_writer_free(state);
    return result;
}

/* Namespaced sysctls only: anything else would change the host (sysctl names may use dots or
 * slashes; whichever comes first separates, as in sysctl.d(5)). */
static int check_sysctl(const struct init *init, const char *path, struct error *err)
{
    static const char *const ipc[] = {"kernel/msgmax", "kernel/msgmnb",         "kernel/msgmni",
                                      "kernel/sem",    "kernel/shmall",         "kernel/shmmax",
                                      "kernel/shmmni", "kernel/shm_rmid_forced"};
    const struct oci_namespace *net = oci_config_namespace(init->config, OCI_NAMESPACE_NETWORK);
    const struct oci_namespace *ipc_ns = oci_config_namespace(init->config, OCI_NAMESPACE_IPC);

    /* "net/../kernel" begins like a name of the network's. */
    if (strstr(path, "/.") != NULL || strstr(path, "//") != NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "not the name of a sysctl");
    if (strncmp(path, "net/", 4) == 0) {
        if (net != NULL)
            return 0;
        return error_set(err, ERROR_INVALID, EINVAL, "needs a network namespace of its own");
    }
    for (size_t i = 0; i < ARRAY_SIZE(ipc); i++) {
        if (strcmp(path, ipc[i]) == 0 && ipc_ns != NULL)
            return 0;
    }
    if (strncmp(path, "fs/mqueue/", 10) == 0 && ipc_ns != NULL)
        return 0;
    if (strcmp(path, "kernel/domainname") == 0 &&
        oci_config_namespace(init->config, OCI_NAMESPACE_UTS) != NULL)
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL, "not a namespaced sysctl of this container");
}

static int write_sysctl(const struct init *init, const struct string_pair *pair, struct error *err)
{
    char path[256];
    cleanup_close int fd = -1;
    size_t length = strlen(pair->name);
    int result;
    bool has_dots;

    if (length >= sizeof(path) - 4)
        return error_errno(err, ENAMETOOLONG, "linux.sysctl");
    memcpy(path, pair->name, length + 1);
    has_dots = strcspn(path, ".") < strcspn(path, "/");
    for (char *c = path; *c != '\0'; c++)
        *c = has_dots ? (*c == '.' ? '/' : *c == '/' ? '.' : *c) : *c;
    result = check_sysctl(init, path, err);
    if (result < 0)
        return error_prefix(err, "linux.sysctl.%s", pair->name);
    /* procfs of the host, reached from its root: nothing of the container stands on this path. */
    fd = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        int file = path_open_beneath(fd, path, O_WRONLY, 0);

        fd_close(&fd);
        fd = file;
    }
    result = fd < 0 ? fd : file_write_fd(fd, pair->value, strlen(pair->value));
    return result < 0 ? error_errno(err, -result, "linux.sysctl.%s", pair->name) : 0;
}

static bool is_given(const char *name)
{
    return name != NULL && name[0] != '\0';
}

static int set_names_and_sysctls(const struct init *init, struct error *err)
{
    const struct oci_config *config = init->config;

    if (is_given(config->hostname) && sethostname(config->hostname, strlen(config->hostname)) < 0)
        return error_errno(err, errno, "hostname");
    if (is_given(config->domainname) &&
        setdomainname(config->domainname, strlen(config->domainname)) < 0)
        return error_errno(err, errno, "domainname");
    for (size_t i = 0; i < config->linux->sysctl.count; i++) {
        int result = write_sysctl(init, &config->linux->sysctl.items[i], err);

        if (result < 0)
            return result;
    }
    return 0;
}

/* C7: the terminal lives in the container's devpts and must be opened there. */
static int make_console(const struct init *init, struct error *err)
{
    cleanup_close int master_fd = -1;
    int result;

    if (!init->config->process->has_terminal)
        return stdio_redirect(init->plan->options->stdio, err);
    result = console_make(init->plan, init->root_fd, &master_fd, err);
    if (result < 0)
        return result;
    return console_hand_over(init->plan->options->console_socket_fd, init->control_fd, master_fd,
                             err);
}

/* The host's procfs is still in reach, by which what the image has there is opened safely. */
static void find_home(struct init *init)
{
    struct process_plan *process = &init->process;

    if (process->home != NULL)
        process_plan_set_home(
            process, user_find_home(&process->arena, init->root_fd, process->process->user.uid));
}

/* C4 to C7 */
static int build_surroundings(struct init *init, struct error *err)
{
    int result = process_apply_attributes(&init->plan->process, err);

    if (result < 0)
        return result;
    init->root_fd = mounts_make(init->plan, &init->mounts, &init->is_chrooted, err);
    if (init->root_fd < 0)
        return init->root_fd;
    result = devices_make(init->plan, &init->mounts, err);
    /* Hooks still see what is masked; without any, this need not wait for the network. */
    if (result == 0 && init->config->hooks == NULL)
        result = mounts_mask_paths(init->plan, &init->mounts, err);
    if (result == 0)
        result = mount_order_mount_waiting(&init->mounts, err);
    if (result == 0)
        result = set_names_and_sysctls(init, err);
    if (result == 0)
        result = run_hooks(init, err);
    /* Hooks are not confined as the program will be. */
    if (result == 0)
        result = process_apply_confinement(&init->plan->process, err);
    if (result == 0 && init->config->hooks != NULL)
        result = mounts_mask_paths(init->plan, &init->mounts, err);
    if (result == 0)
        result = make_console(init, err);
    if (result == 0)
        result = mount_order_make_readonly(&init->mounts, err);
    if (result == 0)
        find_home(init);
    if (result == 0)
        result = mounts_pivot(init->plan, init->root_fd, init->is_chrooted,
                              init->mounts.place_fd >= 0, err);
    fd_close(&init->mounts.place_fd);
    fd_close(&init->root_fd);
    if (result == 0)
        result = stdio_reopen_null(err);
    if (result == 0)
        result = await_confinement(init, err);
    return result;
}

/* C8: whoever starts us by the socket gets the outcome over that connection. */
static int wait_for_start(struct init *init, struct error *err)
{
    const struct container_options *options = init->plan->options;
    int result;

    if (!options->is_start_held)
        return 0;
    /* A startContainer hook may still bring the program. */
    if (init->config->hooks == NULL || init->config->hooks->start_container.count == 0) {
        result = process_check_program(&init->process, err);
        if (result < 0)
            return result;
    }
    result = sync_send(init->control_fd, SYNC_CREATED);
    if (result < 0)
        return error_errno(err, -result, "report the container as created");
    if (options->start_socket_fd >= 0) {
        int fd = accept4(options->start_socket_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            return error_errno(err, errno, "wait for the start");
        fd_close(&init->control_fd);
        init->control_fd = fd;
    }
    return sync_expect(init->control_fd, SYNC_START, NULL, err);
}

/* C9 to C11 */
static int run_program(struct init *init, struct error *err)
{
    const struct container_options *options = init->plan->options;
    const struct oci_hooks *hooks = init->config->hooks;
    struct json_writer *state = NULL;
    int result;

    if (hooks != NULL && hooks->start_container.count > 0) {
        state = container_state_json(options->id, "created", getpid(), options->bundle_path,
                                     init->config);
        init->process.start_state = json_writer_text(state);
        init->process.hook_output = init->plan->hook_output;
    }
    result = plan_wants_reaper(init->config)
                 ? reaper_run(&init->process, init->control_fd, err)
                 : process_confine_and_execute(&init->process, init->control_fd, err);
    if (state != NULL)
        json_writer_free(state);
    return result;
}

_Noreturn void init_run(const struct plan *plan, int control_fd, int parent_fd)
{
    struct init init = {
        .plan = plan,
        .config = plan->config,
        .control_fd = control_fd,
        .mounts = {.root_fd = -1,
                   .place_fd = -1,
                   .network = {control_fd, plan->has_network_apart},
                   .readonly_late = plan->readonly_late},
        .process = plan->process,
        .root_fd = -1,
    };
    struct error err = {0};
    int result;

    /* If we kept the parent's end open, the channel would never end for us when the parent dies. */
    close(parent_fd);
    result = become_child(&init, &err);

    if (result == 0)
        result = enter_user_namespace(&init, &err);
    if (result == 0)
        result = enter_namespaces(&init, &err);
    if (result == 0)
        result = make_keyring(&init, &err);
    if (result == 0)
        result = build_surroundings(&init, &err);
    if (result == 0)
        result = wait_for_start(&init, &err);
    if (result == 0)
        run_program(&init, &err);
    sync_send_error(init.control_fd, &err);
    _exit(err.code == ERROR_COMMAND_NOT_FOUND ? 127 : err.code == ERROR_NOT_EXECUTABLE ? 126 : 1);
}
