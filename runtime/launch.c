/* The parent's side of making a container: see the sequence in runtime.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/socket.h"
#include "net_devices.h"
#include "plan.h"
#include "resctrl.h"
#include "runtime.h"
#include "seccomp_listener.h"
#include "sync.h"

/* Cgroup and time namespaces are the child's to make, once it is where they should be rooted. */
static uint64_t clone_flags(const struct plan *plan)
{
    static const int made_by_clone[] = {OCI_NAMESPACE_PID,   OCI_NAMESPACE_NETWORK,
                                        OCI_NAMESPACE_MOUNT, OCI_NAMESPACE_IPC,
                                        OCI_NAMESPACE_UTS,   OCI_NAMESPACE_USER};
    uint64_t flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND;

    for (size_t i = 0; i < ARRAY_SIZE(made_by_clone); i++) {
        if (made_by_clone[i] == OCI_NAMESPACE_NETWORK && plan->has_network_apart)
            continue;
        /* The root of its mqueue filesystem belongs to whoever makes an ipc namespace, and in a
         * user namespace that is nobody until the ids are mapped (C3). */
        if (made_by_clone[i] == OCI_NAMESPACE_IPC && plan->has_user_namespace)
            continue;
        if (plan_makes_namespace(plan, made_by_clone[i]))
            flags |= namespace_clone_flag(made_by_clone[i]);
    }
    return flags;
}

static const struct join_plan *find_join(const struct plan *plan, int type)
{
    for (size_t i = 0; i < plan->joins.count; i++) {
        if (plan->joins.items[i].type == type)
            return &plan->joins.items[i];
    }
    return NULL;
}

/* Namespaces of the host can be joined with its privilege only, so before the user namespace; and
 * that before new namespaces, which it should own. */
static int join_before_clone(const struct plan *plan)
{
    const struct join_plan *user = find_join(plan, OCI_NAMESPACE_USER);

    for (size_t i = 0; i < plan->joins.count; i++) {
        const struct join_plan *join = &plan->joins.items[i];

        if (join != user && setns(join->fd, (int)namespace_clone_flag(join->type)) < 0)
            return -errno;
    }
    /* Inside, dropping our groups may be denied (user_namespaces(7), "setgroups"). */
    if (user != NULL && (setgroups(0, NULL) < 0 || setns(user->fd, CLONE_NEWUSER) < 0))
        return -errno;
    return 0;
}

/* With a user namespace other namespaces are joined before the clone: a process in between does
 * that and makes the container, which becomes our child by CLONE_PARENT. */
static pid_t clone_through_helper(const struct plan *plan, struct clone_args *arguments,
                                  int control_fd, int parent_fd, struct error *err)
{
    int result[2] = {0, 0};
    cleanup_close int read_fd = -1;
    cleanup_close int write_fd = -1;
    int pipe_fds[2];
    pid_t helper;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    read_fd = pipe_fds[0];
    write_fd = pipe_fds[1];
    helper = fork();
    if (helper < 0)
        return error_errno(err, errno, "fork");
    if (helper == 0) {
        pid_t pid;

        result[0] = join_before_clone(plan);
        if (result[0] == 0) {
            arguments->flags |= CLONE_PARENT;
            arguments->exit_signal = 0;
            pid = (pid_t)syscall(SYS_clone3, arguments, sizeof(*arguments));
            if (pid == 0)
                init_run(plan, control_fd, parent_fd);
            result[0] = pid < 0 ? -errno : pid;
        }
        (void)!write(write_fd, result, sizeof(result[0]));
        _exit(0);
    }
    fd_close(&write_fd);
    if (read(read_fd, result, sizeof(result[0])) != sizeof(result[0]))
        result[0] = -EIO;
    waitpid(helper, NULL, 0);
    if (result[0] < 0)
        return error_errno(err, -result[0], "join the namespaces and clone");
    return result[0];
}

/* A pid namespace that is joined takes effect on children only: we join it for the moment of the
 * clone. */
static pid_t clone_into_pid_namespace(struct clone_args *arguments, int pid_namespace_fd,
                                      struct error *err)
{
    cleanup_close int own_fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    pid_t pid;

    if (own_fd < 0 || setns(pid_namespace_fd, CLONE_NEWPID) < 0)
        return error_errno(err, errno, "join the pid namespace");
    pid = (pid_t)syscall(SYS_clone3, arguments, sizeof(*arguments));
    if (pid == 0)
        return 0;
    if (pid < 0)
        error_errno(err, errno, "clone");
    /* Going back to one's own pid namespace is always allowed; staying would break the caller. */
    if (setns(own_fd, CLONE_NEWPID) < 0)
        abort();
    return pid < 0 ? -EIO : pid;
}

/* P2 */
static int clone_init(const struct plan *plan, int child_control_fd, struct container *container,
                      struct error *err)
{
    const struct cgroup *cgroup = plan->options->cgroup;
    const struct join_plan *pid_join = find_join(plan, OCI_NAMESPACE_PID);
    struct clone_args arguments = {
        .flags = clone_flags(plan),
        .pidfd = (uintptr_t)&container->pidfd,
        .exit_signal = SIGCHLD,
    };
    pid_t pid;

    if (cgroup != NULL && cgroup->fd >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)cgroup->fd;
    }
    if (plan->joins_before_clone) {
        /* clone3() would open the pidfd in the helper process: here it is opened by number
         * instead. */
        arguments.flags &= ~(uint64_t)CLONE_PIDFD;
        pid = clone_through_helper(plan, &arguments, child_control_fd, container->control_fd, err);
        if (pid > 0)
            container->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    } else if (pid_join != NULL) {
        pid = clone_into_pid_namespace(&arguments, pid_join->fd, err);
    } else {
        pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
        if (pid < 0)
            error_errno(err, errno, "clone the container's first process");
    }
    if (pid == 0)
        init_run(plan, child_control_fd, container->control_fd);
    if (pid < 0)
        return err != NULL && err->errnum > 0 ? -err->errnum : -EIO;
    container->pid = pid;
    return 0;
}

static int run_runtime_hooks(const struct plan *plan, const struct container *container,
                             struct error *err)
{
    const struct container_options *options = plan->options;
    struct json_writer *state = container_state_json(options->id, "creating", container->pid,
                                                     options->bundle_path, plan->config);
    const struct hook_surroundings surroundings = {.directory_fd = options->bundle_fd,
                                                   .output = plan->hook_output};
    int result =
        hooks_run(plan->config, HOOK_PRESTART, json_writer_text(state), &surroundings, err);

    if (result == 0)
        result = hooks_run(plan->config, HOOK_CREATE_RUNTIME, json_writer_text(state),
                           &surroundings, err);
    json_writer_free(state);
    if (result == 0 && sync_send(container->control_fd, SYNC_HOOKS_DONE) < 0)
        result = error_errno(err, EPIPE, "the container's process died during its hooks");
    return result;
}

/* A descriptor that comes with a record is the terminal's or the memory of a seccomp listener. */
int launch_take_record(struct container *container, const struct container_identity *identity,
                       enum sync_type *type, struct error *err)
{
    cleanup_close int fd = -1;
    int result = sync_receive(container->control_fd, type, &fd, err);

    if (result == 0 && *type == SYNC_CONSOLE)
        container->console_fd = take_fd(&fd);
    if (result == 0 && *type == SYNC_SECCOMP)
        result = seccomp_forward_listener(fd, container, identity, err);
    return result;
}

/* Follows the child until it is created (held) or until its program runs. */
static int follow_init(const struct plan *plan, struct container *container, struct error *err)
{
    const struct container_identity identity = {plan->options->id, plan->options->bundle_path,
                                                plan->config, container->pid};

    for (;;) {
        enum sync_type type;
        int result = launch_take_record(container, &identity, &type, err);

        if (result < 0)
            return result;
        switch (type) {
        case SYNC_RUN_HOOKS:
            result = run_runtime_hooks(plan, container, err);
            if (result < 0)
                return result;
            break;
        case SYNC_CONSOLE:
        case SYNC_SECCOMP:
            break;
        case SYNC_CREATED:
            return 0;
        case SYNC_END:
            if (plan->options->is_start_held)
                return error_set(err, ERROR_INTERNAL, ECONNRESET,
                                 "the container's first process died while it was set up");
            return 0;
        default:
            return error_set(err, ERROR_INTERNAL, EPROTO, "unexpected record %d", (int)type);
        }
    }
}

static int prepare_user_namespace(const struct plan *plan, const struct container *container,
                                  struct error *err)
{
    const struct oci_linux *linux_part = plan->config->linux;
    int result = id_mappings_write(container->pid, linux_part->uid_mappings.items,
                                   linux_part->uid_mappings.count, linux_part->gid_mappings.items,
                                   linux_part->gid_mappings.count, err);

    if (result == 0 && sync_send(container->control_fd, SYNC_MAPPED) < 0)
        result = error_errno(err, EPIPE, "the container's first process died");
    return result;
}

static int set_limits(const struct plan *plan, pid_t pid, struct error *err)
{
    int result = process_apply_rlimits(&plan->process, pid, err);

    return result < 0 ? result : process_apply_oom_score(plan->process.process, pid, err);
}

/* The namespace that was joined, or that the clone has made inside of the user namespace. */
static int open_network(const struct plan *plan, pid_t pid, struct error *err)
{
    const struct join_plan *join = find_join(plan, OCI_NAMESPACE_NETWORK);
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    fd = join != NULL ? fcntl(join->fd, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "%s", path) : fd;
}

static int move_net_devices(const struct plan *plan, pid_t pid, struct error *err)
{
    cleanup_close int fd = open_network(plan, pid, err);

    return fd < 0 ? fd : net_devices_move(plan->config->linux, fd, err);
}

static int enter_resctrl(const struct plan *plan, pid_t pid, struct error *err)
{
    const struct oci_intel_rdt *rdt = plan->config->linux->intel_rdt;
    cleanup_close int mount_fd = rdt != NULL ? resctrl_open(err) : -1;

    if (rdt == NULL)
        return 0;
    return mount_fd < 0 ? mount_fd : resctrl_apply(mount_fd, rdt, plan->options->id, pid, err);
}

static int give_network(const struct plan *plan, pid_t pid, struct error *err)
{
    cleanup_close int fd = open_network(plan, pid, err);

    return fd < 0 ? fd : plan->options->on_network(plan->options->context, pid, fd, err);
}

/* P3 */
static int prepare_surroundings(const struct plan *plan, const struct container *container,
                                struct error *err)
{
    const struct container_options *options = plan->options;
    const struct cgroup *cgroup = options->cgroup;
    int result = 0;

    if (plan_makes_namespace(plan, OCI_NAMESPACE_USER))
        result = prepare_user_namespace(plan, container, err);
    /* First what the child waits for soonest. */
    if (result == 0 && plan->has_network_apart)
        result = network_make(container->control_fd, container->pid, options, err);
    else if (result == 0 && plan->config->linux->net_devices.count > 0)
        result = move_net_devices(plan, container->pid, err);
    if (result == 0 && options->on_network != NULL && !plan->has_network_apart)
        result = give_network(plan, container->pid, err);
    if (result == 0 && options->on_cloned != NULL)
        result = options->on_cloned(options->context, container->pid, err);
    if (result == 0 && plan->process.is_limited_by_parent)
        result = set_limits(plan, container->pid, err);
    if (result == 0)
        result = enter_resctrl(plan, container->pid, err);
    if (result == 0 && cgroup != NULL && cgroup->fd >= 0)
        result = resources_apply_devices(cgroup, plan->config->linux->resources, err);
    if (result == 0 && cgroup != NULL && cgroup->fd >= 0)
        result = resources_delegate_cgroup(cgroup, plan->config, err);
    /* A child that has died says why in the record that waits for us. */
    if (result == 0)
        sync_send(container->control_fd, SYNC_CONFINED);
    return result;
}

/* An exec failure sends its error and exits; a program that exits at once does so after its exec.
 * Both close the channel: the error record, if there is one, has come before. */
static int launch_init(const struct plan *plan, struct container *container, struct error *err)
{
    cleanup_close int child_control_fd = -1;
    int pair[2];
    int result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    container->control_fd = pair[0];
    child_control_fd = pair[1];
    if (plan->options->step_timeout_s > 0)
        setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO,
                   &(struct timeval){.tv_sec = plan->options->step_timeout_s},
                   sizeof(struct timeval));
    /* The child shares our memory image: nothing in the container may look into it. */
    prctl(PR_SET_DUMPABLE, 0);
    result = clone_init(plan, child_control_fd, container, err);
    fd_close(&child_control_fd);
    if (result == 0)
        result = prepare_surroundings(plan, container, err);
    if (result == 0)
        result = follow_init(plan, container, err);
    return result;
}

static void kill_and_reap(struct container *container)
{
    if (container->pidfd >= 0) {
        siginfo_t info;

        syscall(SYS_pidfd_send_signal, container->pidfd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t)container->pidfd, &info, WEXITED | __WALL) < 0 &&
               errno == EINTR)
            continue;
    }
    container_release(container);
}

int container_launch(const struct container_options *options, struct container *container,
                     struct error *err)
{
    struct plan plan;
    int result;

    *container = (struct container)CONTAINER_NONE;
    result = plan_prepare(options, &plan, err);
    if (result == 0 && !options->config->process->has_terminal)
        stdio_give(options->stdio, options->config, options->config->process->user.uid);
    if (result == 0)
        result = launch_init(&plan, container, err);
    plan_release(&plan);
    if (result < 0)
        kill_and_reap(container);
    return result;
}

/* P5 to P6 */
static int start_held(struct container *container, const struct container_identity *identity,
                      struct error *err)
{
    enum sync_type type = SYNC_START;
    int result = sync_send(container->control_fd, SYNC_START);

    if (result < 0)
        return error_errno(err, -result, "start the container");
    do
        result = launch_take_record(container, identity, &type, err);
    while (result == 0 && type == SYNC_SECCOMP);
    if (result == 0 && type != SYNC_END)
        result = error_set(err, ERROR_INTERNAL, EPROTO, "unexpected record %d", (int)type);
    return result;
}

int container_start_by_socket(int directory_fd, const char *name, int pidfd,
                              const struct container_identity *identity, struct error *err)
{
    cleanup_close int fd = socket_connect(directory_fd, name, SOCK_SEQPACKET, err);
    struct container held = CONTAINER_NONE;

    if (fd < 0)
        return fd;
    held.control_fd = fd;
    held.pidfd = pidfd;
    held.pid = identity->pid;
    return start_held(&held, identity, err);
}

int container_wait(struct container *container, int *exit_status, struct error *err)
{
    siginfo_t info = {0};

    while (waitid(P_PIDFD, (id_t)container->pidfd, &info, WEXITED | __WALL) < 0) {
        if (errno != EINTR)
            return error_errno(err, errno, "wait for process %d", (int)container->pid);
    }
    *exit_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    return 0;
}

void container_release(struct container *container)
{
    fd_close(&container->pidfd);
    fd_close(&container->control_fd);
    fd_close(&container->console_fd);
    container->pid = -1;
}
