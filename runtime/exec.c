/*
 * Another process in a running container. It is cloned straight into the container's cgroup and
 * pid namespace, joins the others by the init's pidfd, and confines itself exactly as the first
 * process did (process.c) before the program runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "bundle/bundle.h"
#include "plan.h"
#include "runtime.h"
#include "sync.h"

struct exec {
    const struct exec_options *options;
    struct oci_process process; /* a copy, whose user may be resolved by name */
    struct process_plan plan;
    struct arena arena;
    int namespaces; /* CLONE_NEW* flags that differ from ours, without pid */
    bool has_pid_namespace;
};

/* The container has the namespaces that its configuration names and shares all others with us. The
 * shared ones are not joined: setns(2) to the user namespace that one is in fails. */
static void collect_namespaces(struct exec *exec)
{
    const struct oci_linux *linux_part = exec->options->identity->config->linux;

    for (size_t i = 0; i < linux_part->namespaces.count; i++) {
        int type = linux_part->namespaces.items[i].type;

        if (type == OCI_NAMESPACE_PID)
            exec->has_pid_namespace = true;
        else
            exec->namespaces |= (int)namespace_clone_flag(type);
    }
}

static int enter_container(struct exec *exec, struct error *err)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (setsid() < 0)
        return error_errno(err, errno, "setsid");
    /* Inside, dropping our groups may be denied (user_namespaces(7), "setgroups"). */
    if ((exec->namespaces & CLONE_NEWUSER) != 0 && setgroups(0, NULL) < 0)
        return error_errno(err, errno, "setgroups");
    if (exec->namespaces != 0 && setns(exec->options->init_pidfd, exec->namespaces) < 0)
        return error_errno(err, errno, "join the container's namespaces");
    return (exec->namespaces & CLONE_NEWUSER) != 0 ? process_become_namespace_root(err) : 0;
}

/* Names and the home directory are looked up inside, with the privileges of the container's root at
 * most. */
static int resolve_user(struct exec *exec, struct error *err)
{
    cleanup_close int root_fd = -1;
    const char *home;
    int result;

    if (exec->options->user_spec == NULL && exec->plan.home == NULL)
        return 0;
    root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return error_errno(err, errno, "open /");
    if (exec->options->user_spec == NULL) {
        process_plan_set_home(&exec->plan,
                              user_find_home(&exec->arena, root_fd, exec->process.user.uid));
        return 0;
    }
    result = user_resolve(&exec->arena, root_fd, exec->options->user_spec, &exec->process.user,
                          &home, err);
    if (result == 0)
        result =
            user_add_groups(&exec->arena, root_fd, exec->options->groups, &exec->process.user, err);
    /* Until now the pipes belong to root of the namespace, because the user was not known. */
    if (result == 0 && !exec->process.has_terminal)
        stdio_give(exec->options->stdio, NULL, exec->process.user.uid);
    if (result == 0)
        process_plan_set_home(&exec->plan, home);
    return result;
}

static int connect_streams(struct exec *exec, int control_fd, struct error *err)
{
    cleanup_close int master_fd = -1;
    cleanup_close int slave_fd = -1;
    int result;

    if (!exec->process.has_terminal)
        return stdio_redirect(exec->options->stdio, err);
    result = console_open("/dev/pts/ptmx", &exec->process, &master_fd, &slave_fd, err);
    if (result == 0)
        result = console_attach(slave_fd, err);
    if (result == 0)
        result = console_hand_over(exec->options->console_socket_fd, control_fd, master_fd, err);
    return result;
}

static _Noreturn void run_child(struct exec *exec, int control_fd, int parent_fd)
{
    const struct oci_exec_cpu_affinity *affinity = exec->process.exec_cpu_affinity;
    struct error err = {0};
    int result = 0;

    close(parent_fd);
    if (affinity != NULL)
        result = attributes_set_affinity("final", affinity->final, &err);
    if (result == 0)
        result = process_apply_attributes(&exec->plan, &err);
    if (result == 0)
        result = process_apply_confinement(&exec->plan, &err);
    if (result == 0)
        result = enter_container(exec, &err);
    if (result == 0)
        result = resolve_user(exec, &err);
    if (result == 0)
        result = connect_streams(exec, control_fd, &err);
    if (result == 0)
        result = stdio_reopen_null(&err);
    if (result == 0)
        process_confine_and_execute(&exec->plan, control_fd, &err);
    sync_send_error(control_fd, &err);
    _exit(err.code == ERROR_COMMAND_NOT_FOUND ? 127 : err.code == ERROR_NOT_EXECUTABLE ? 126 : 1);
}

/* The parent joins the pid namespace for its children only, for the moment of the clone. */
static pid_t clone_child(const struct exec *exec, const struct cgroup *cgroup, int *pidfd,
                         struct error *err)
{
    struct clone_args arguments = {
        .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    cleanup_close int own_fd = -1;
    pid_t pid;

    if (cgroup != NULL && cgroup->fd >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)cgroup->fd;
    }
    if (exec->has_pid_namespace) {
        own_fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (own_fd < 0 || setns(exec->options->init_pidfd, CLONE_NEWPID) < 0)
            return error_errno(err, errno, "join the container's pid namespace");
    }
    pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (pid == 0)
        return 0;
    if (pid < 0)
        pid = error_errno(err, errno, "clone");
    if (own_fd >= 0 && setns(own_fd, CLONE_NEWPID) < 0)
        abort();
    return pid;
}

/* A container that manages its cgroup, as systemd inside does, moves its processes to cgroups below
 * and enables controllers for them. The kernel then takes no process into the upper cgroup (EBUSY):
 * a new one goes where the first process of the container is. */
static pid_t clone_beside_init(const struct exec *exec, int *pidfd, struct error *err)
{
    struct cgroup_hierarchy hierarchy = CGROUP_HIERARCHY_NONE;
    struct cgroup cgroup = CGROUP_NONE;
    const char *top = exec->options->cgroup->path;
    char path[CGROUP_PATH_SIZE];
    pid_t pid = cgroup_path_of_process(exec->options->identity->pid, path, err);

    if (pid == 0 && (strncmp(path, top, strlen(top)) != 0 || path[strlen(top)] != '/'))
        pid = error_set(err, ERROR_CONFLICT, EBUSY,
                        "cgroup %s takes no processes and the container's is not below it", top);
    if (pid == 0)
        pid = cgroup_hierarchy_open(&hierarchy, err);
    if (pid == 0)
        pid = cgroup_open(&hierarchy, path, &cgroup, err);
    if (pid == 0)
        pid = clone_child(exec, &cgroup, pidfd, err);
    cgroup_close(&cgroup);
    cgroup_hierarchy_close(&hierarchy);
    return pid;
}

static pid_t clone_into_cgroup(const struct exec *exec, int *pidfd, struct error *err)
{
    pid_t pid = clone_child(exec, exec->options->cgroup, pidfd, err);

    return pid == -EBUSY && exec->options->cgroup != NULL ? clone_beside_init(exec, pidfd, err)
                                                          : pid;
}

/* A child inherits the CPU affinity of its parent: we take execCPUAffinity.initial for the clone
 * and our own back afterwards. */
static pid_t clone_where_asked(const struct exec *exec, int *pidfd, struct error *err)
{
    const struct oci_exec_cpu_affinity *affinity = exec->process.exec_cpu_affinity;
    cpu_set_t before;
    pid_t pid;

    if (affinity == NULL || affinity->initial == NULL)
        return clone_into_cgroup(exec, pidfd, err);
    if (sched_getaffinity(0, sizeof(before), &before) < 0)
        return error_errno(err, errno, "process.execCPUAffinity");
    pid = attributes_set_affinity("initial", affinity->initial, err);
    if (pid < 0)
        return pid;
    pid = clone_into_cgroup(exec, pidfd, err);
    if (pid != 0)
        sched_setaffinity(0, sizeof(before), &before);
    return pid;
}

static int launch_exec_process(struct exec *exec, struct container *container, struct error *err)
{
    cleanup_close int child_fd = -1;
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    container->control_fd = pair[0];
    child_fd = pair[1];
    prctl(PR_SET_DUMPABLE, 0);
    pid = clone_where_asked(exec, &container->pidfd, err);
    if (pid == 0)
        run_child(exec, child_fd, container->control_fd);
    if (pid < 0)
        return pid;
    container->pid = pid;
    return 0;
}

int container_exec_begin(const struct exec_options *options, struct container *container,
                         struct error *err)
{
    struct exec exec = {.options = options, .process = *options->process};
    int result;

    *container = (struct container)CONTAINER_NONE;
    collect_namespaces(&exec);
    result = process_plan_prepare(&exec.process, options->identity->config, options->seccomp,
                                  &exec.plan, err);
    exec.plan.preserved_fd_count = options->preserved_fd_count;
    if (result == 0 && !options->process->has_terminal)
        stdio_give(options->stdio, options->identity->config,
                   options->user_spec != NULL ? 0 : options->process->user.uid);
    if (result == 0)
        result = launch_exec_process(&exec, container, err);
    if (result < 0)
        container_release(container);
    process_plan_release(&exec.plan);
    arena_release(&exec.arena);
    return result;
}

int container_exec_follow(struct container *container, const struct container_identity *identity,
                          struct error *err)
{
    enum sync_type type;
    int result = launch_take_record(container, identity, &type, err);

    if (result < 0)
        return result;
    if (type == SYNC_END)
        return 1;
    if (type != SYNC_CONSOLE && type != SYNC_SECCOMP)
        return error_set(err, ERROR_INTERNAL, EPROTO, "unexpected record %d", (int)type);
    return 0;
}

int container_exec(const struct exec_options *options, struct container *container,
                   struct error *err)
{
    int result = container_exec_begin(options, container, err);
    int status;

    if (result < 0)
        return result;
    do
        result = container_exec_follow(container, options->identity, err);
    while (result == 0);
    if (result > 0)
        return 0;
    /* Whoever runs in the container may have stopped it. */
    pidfd_send_signal(container->pidfd, SIGKILL, NULL, 0);
    container_wait(container, &status, NULL);
    container_release(container);
    return result;
}
