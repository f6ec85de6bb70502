/* C9 to C11: who the program is and what it may do. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "bundle/bundle.h"
#include "plan.h"
#include "seccomp_listener.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const struct {
    const char *name;
    int resource;
} rlimit_names[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

static int plan_rlimits(const struct oci_process *process, struct process_plan *plan,
                        struct error *err)
{
    size_t count = process->rlimits.count;

    plan->rlimits.items = arena_new(&plan->arena, count, sizeof(struct rlimit_plan));
    for (size_t i = 0; i < count; i++) {
        const struct oci_rlimit *limit = &process->rlimits.items[i];
        int resource = -1;

        for (size_t j = 0; j < ARRAY_SIZE(rlimit_names); j++) {
            if (strcmp(rlimit_names[j].name, limit->type) == 0)
                resource = rlimit_names[j].resource;
        }
        if (resource < 0)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "process.rlimits[%zu].type: unknown limit \"%.64s\"", i, limit->type);
        plan->rlimits.items[plan->rlimits.count++] =
            (struct rlimit_plan){resource, {limit->soft, limit->hard}};
    }
    return 0;
}

/* What our own bounding set lacks nobody can have: containers on such hosts run with less, as they
 * do with other runtimes (runtime-spec config.md "Linux Process": a warning, not a failure). */
static bool is_grantable(int number)
{
    return number >= 0 && prctl(PR_CAPBSET_READ, number) == 1;
}

static uint64_t capability_mask(const struct string_list *names)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < names->count; i++) {
        int number = capability_number(names->items[i]);

        if (number >= 0)
            mask |= UINT64_C(1) << number;
    }
    return mask;
}

/* Adds those that this host cannot give, and with `needed` those that are not in that set, which
 * the kernel wants (capabilities(7)). */
static void list_missing(struct arena *arena, const struct string_list *wanted,
                         const struct string_list *needed, struct string_list *names)
{
    for (size_t i = 0; i < wanted->count; i++) {
        const char *name = wanted->items[i];

        if ((!is_grantable(capability_number(name)) ||
             (needed != NULL && !string_list_has(needed, name))) &&
            !string_list_has(names, name))
            string_list_append(arena, names, name);
    }
}

void process_list_ungrantable(struct arena *arena, const struct oci_process *process,
                              struct string_list *names)
{
    const struct oci_capabilities *sets = process->capabilities;

    if (sets == NULL)
        return;
    list_missing(arena, &sets->bounding, NULL, names);
    list_missing(arena, &sets->permitted, NULL, names);
    list_missing(arena, &sets->effective, &sets->permitted, names);
}

static void set_flags(cap_t capabilities, cap_flag_t flag, uint64_t mask)
{
    for (cap_value_t value = 0; value < 64; value++) {
        if ((mask & UINT64_C(1) << value) != 0 && value < cap_max_bits())
            cap_set_flag(capabilities, flag, 1, &value, CAP_SET);
    }
}

static uint64_t remove_ungrantable(uint64_t wanted)
{
    for (int number = 0; number < 64; number++) {
        if ((wanted & UINT64_C(1) << number) != 0 && !is_grantable(number))
            wanted &= ~(UINT64_C(1) << number);
    }
    return wanted;
}

/* A process without capabilities in its configuration gets those of the container, and a container
 * without any has none: leaving a property out must not give our own. */
static const struct oci_capabilities *capabilities_of(const struct oci_process *process,
                                                      const struct oci_config *config)
{
    static const struct oci_capabilities none;

    if (process->capabilities != NULL)
        return process->capabilities;
    if (config->process != NULL && config->process->capabilities != NULL)
        return config->process->capabilities;
    return &none;
}

static void plan_capabilities(const struct oci_capabilities *sets, struct process_plan *plan)
{
    uint64_t bounding = capability_mask(&sets->bounding);
    uint64_t effective = capability_mask(&sets->effective);
    uint64_t permitted = capability_mask(&sets->permitted);
    uint64_t inheritable = capability_mask(&sets->inheritable);
    uint64_t possible = remove_ungrantable(bounding | permitted | inheritable);

    plan->bounding = bounding & possible;
    plan->ambient = capability_mask(&sets->ambient) & permitted & inheritable & possible;
    plan->capabilities = cap_init();
    set_flags(plan->capabilities, CAP_EFFECTIVE, effective & permitted & possible);
    set_flags(plan->capabilities, CAP_PERMITTED, permitted & possible);
    set_flags(plan->capabilities, CAP_INHERITABLE, inheritable & possible);
}

static char **copy_strings(struct arena *arena, const struct string_list *list)
{
    char **copy = arena_new(arena, list->count + 1, sizeof(*copy));

    for (size_t i = 0; i < list->count; i++)
        copy[i] = arena_strdup(arena, list->items[i]);
    return copy;
}

/* By name, and those of one name in their order. */
static int compare_variables(const void *one, const void *other)
{
    const char *const *left = *(const char *const *const *)one;
    const char *const *right = *(const char *const *const *)other;
    size_t left_length = strcspn(*left, "=");
    size_t right_length = strcspn(*right, "=");
    size_t shared = left_length < right_length ? left_length : right_length;
    int order = memcmp(*left, *right, shared);

    if (order == 0 && left_length != right_length)
        order = left_length < right_length ? -1 : 1;
    return order != 0 ? order : left < right ? -1 : left > right;
}

static bool is_same_variable(const char *one, const char *other)
{
    size_t length = strcspn(one, "=");

    return length == strcspn(other, "=") && memcmp(one, other, length) == 0;
}

/* The environment for execve: of two values of one variable the last, as with other runtimes. There
 * is room for HOME if it is not among them. */
static void plan_environment(const struct string_list *env, struct process_plan *plan)
{
    const char ***sorted = arena_new(&plan->arena, env->count + 1, sizeof(*sorted));
    size_t count = 0;

    plan->environment = arena_new(&plan->arena, env->count + 2, sizeof(*plan->environment));
    for (size_t i = 0; i < env->count; i++)
        sorted[i] = &env->items[i];
    qsort(sorted, env->count, sizeof(*sorted), compare_variables);
    for (size_t i = 0; i < env->count; i++) {
        if (i + 1 == env->count || !is_same_variable(*sorted[i], *sorted[i + 1]))
            plan->environment[sorted[i] - env->items] = arena_strdup(&plan->arena, *sorted[i]);
    }
    for (size_t i = 0; i < env->count; i++) {
        if (plan->environment[i] != NULL)
            plan->environment[count++] = plan->environment[i];
    }
    memset(plan->environment + count, 0, (env->count + 2 - count) * sizeof(*plan->environment));
    if (env_get(env, "HOME") == NULL)
        plan->home = &plan->environment[count];
}

void process_plan_set_home(struct process_plan *plan, const char *home)
{
    if (plan->home != NULL)
        *plan->home = arena_printf(&plan->arena, "HOME=%s", home);
}

int process_plan_prepare(const struct oci_process *process, const struct oci_config *config,
                         const struct seccomp_program *seccomp, struct process_plan *plan,
                         struct error *err)
{
    int result = 0;

    *plan = (struct process_plan){.process = process, .config = config};
    if (process->args.count == 0 || process->args.items[0][0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "process.args: a program is required");
    plan->arguments = copy_strings(&plan->arena, &process->args);
    plan_environment(&process->env, plan);
    result = plan_rlimits(process, plan, err);
    plan_capabilities(capabilities_of(process, config), plan);
    if (result == 0 && seccomp != NULL) {
        plan->seccomp = *seccomp;
    } else if (result == 0 && config->linux->seccomp != NULL) {
        result = seccomp_compile(config->linux->seccomp, &plan->seccomp, err);
        plan->owns_seccomp = true;
    }
    return result;
}

void process_plan_release(struct process_plan *plan)
{
    if (plan->capabilities != NULL)
        cap_free(plan->capabilities);
    plan->capabilities = NULL;
    if (plan->owns_seccomp)
        seccomp_program_release(&plan->seccomp);
    arena_release(&plan->arena);
}

int process_apply_rlimits(const struct process_plan *plan, pid_t pid, struct error *err)
{
    for (size_t i = 0; i < plan->rlimits.count; i++) {
        const struct rlimit_plan *wanted = &plan->rlimits.items[i];
        struct rlimit current;

        if (prlimit(pid, (enum __rlimit_resource)wanted->resource, NULL, &current) == 0 &&
            current.rlim_cur == wanted->limit.rlim_cur &&
            current.rlim_max == wanted->limit.rlim_max)
            continue;
        if (prlimit(pid, (enum __rlimit_resource)wanted->resource, &wanted->limit, NULL) < 0) {
            if (errno == EPERM)
                return error_set(err, ERROR_DENIED, EPERM,
                                 "process.rlimits[%zu] %s: raising the hard limit from %llu to "
                                 "%llu needs CAP_SYS_RESOURCE, which davit does not have here",
                                 i, plan->process->rlimits.items[i].type,
                                 (unsigned long long)current.rlim_max,
                                 (unsigned long long)wanted->limit.rlim_max);
            return error_errno(err, errno, "process.rlimits[%zu] %s", i,
                               plan->process->rlimits.items[i].type);
        }
    }
    return 0;
}

static int drop_bounding(const struct process_plan *plan, struct error *err)
{
    for (cap_value_t value = 0; value < cap_max_bits(); value++) {
        if ((plan->bounding & UINT64_C(1) << value) == 0 && cap_drop_bound(value) < 0 &&
            errno != EINVAL)
            return error_errno(err, errno, "drop %s from the bounding set", capability_name(value));
    }
    return 0;
}

/* A user namespace that was made without privilege denies setgroups(2); having no groups to drop is
 * as good. */
static int set_groups(size_t count, const gid_t *groups)
{
    if (count == 0 && getgroups(0, NULL) == 0)
        return 0;
    return setgroups(count, groups);
}

int process_become_namespace_root(struct error *err)
{
    if (setresgid(0, 0, 0) < 0 || set_groups(0, NULL) < 0 || setresuid(0, 0, 0) < 0)
        return error_errno(err, errno, "become root of the user namespace");
    /* Changing ids resets the attribute to fs.suid_dumpable (prctl(2), PR_SET_DUMPABLE). */
    prctl(PR_SET_DUMPABLE, 0);
    return 0;
}

static int become_user(const struct oci_user *user, struct error *err)
{
    if (set_groups(user->additional_gid_count, user->additional_gids) < 0)
        return error_errno(err, errno, "process.user.additionalGids");
    if (setresgid(user->gid, user->gid, user->gid) < 0)
        return error_errno(err, errno, "process.user.gid %u", user->gid);
    if (setresuid(user->uid, user->uid, user->uid) < 0)
        return error_errno(err, errno, "process.user.uid %u", user->uid);
    return 0;
}

static int set_capabilities(const struct process_plan *plan, struct error *err)
{
    if (cap_set_proc(plan->capabilities) < 0)
        return error_errno(err, errno, "process.capabilities");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return error_errno(err, errno, "process.capabilities.ambient");
    for (cap_value_t value = 0; value < 64; value++) {
        if ((plan->ambient & UINT64_C(1) << value) != 0 && cap_set_ambient(value, CAP_SET) < 0)
            return error_errno(err, errno, "process.capabilities.ambient: %s",
                               capability_name(value));
    }
    return 0;
}

static int load_seccomp(const struct process_plan *plan, int control_fd, struct error *err)
{
    struct {
        unsigned short length;
        void *filter;
    } program = {(unsigned short)plan->seccomp.length, plan->seccomp.instructions};

    if (plan->seccomp.instructions == NULL)
        return 0;
    if (plan->seccomp.has_listener)
        return seccomp_load_with_listener(&plan->seccomp, control_fd, err);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan->seccomp.flags, &program) < 0)
        return error_errno(err, errno, "load the seccomp filter");
    return 0;
}

/* A cwd that the container reached through a descriptor of the host would read "(unreachable)". */
static int check_cwd(struct error *err)
{
    char path[PATH_MAX];

    if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
        return error_errno(err, errno, "process.cwd");
    if (path[0] != '/')
        return error_set(err, ERROR_DENIED, EACCES, "process.cwd is outside of the container");
    return 0;
}

/* Returns 1 if the directory could not be entered. */
static int enter_cwd(const char *cwd, struct error *err)
{
    return chdir(cwd) == 0 ? check_cwd(err) : 1;
}

static int exec_error(const char *name, int errnum, struct error *err)
{
    enum error_code code = ERROR_NOT_EXECUTABLE;
    const char *reason = strerror(errnum);

    if (errnum == ENOENT || errnum == ENOTDIR)
        code = ERROR_COMMAND_NOT_FOUND;
    if (errnum == ENOENT)
        reason = strchr(name, '/') != NULL ? "no such file or directory"
                                           : "executable file not found in $PATH";
    if (errnum == EACCES)
        reason = "permission denied";
    if (errnum == ENOEXEC)
        reason = "exec format error";
    return error_set(err, code, errnum, "exec: \"%.256s\": %s", name, reason);
}

/* execvpe(3) would use our PATH; the container's is meant. */
static int search_and_execute(const struct process_plan *plan, struct error *err)
{
    const char *name = plan->arguments[0];
    const char *path = env_get(&plan->process->env, "PATH");
    int failure = ENOENT;

    if (strchr(name, '/') != NULL) {
        execve(name, plan->arguments, plan->environment);
        return exec_error(name, errno, err);
    }
    if (path == NULL)
        path = DEFAULT_PATH;
    while (path != NULL) {
        size_t length = strcspn(path, ":");
        char candidate[PATH_MAX];

        if (length > 0 && snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length, path,
                                   name) < (int)sizeof(candidate)) {
            execve(candidate, plan->arguments, plan->environment);
            if (errno != ENOENT && errno != ENOTDIR)
                failure = errno;
        }
        path = path[length] == ':' ? path + length + 1 : NULL;
    }
    return exec_error(name, failure, err);
}

/* What execve(2) would say of a file, as far as root can tell. */
static int check_file(int cwd_fd, const char *path)
{
    struct stat status;

    if (fstatat(cwd_fd, path, &status, 0) < 0)
        return errno;
    return S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0 ? 0 : EACCES;
}

int process_check_program(const struct process_plan *plan, struct error *err)
{
    const char *name = plan->arguments[0];
    const char *path = env_get(&plan->process->env, "PATH");
    cleanup_close int cwd_fd = open(plan->process->cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int failure = ENOENT;

    if (strchr(name, '/') != NULL) {
        failure = check_file(cwd_fd >= 0 ? cwd_fd : AT_FDCWD, name);
        return failure == ENOENT || failure == ENOTDIR || failure == EACCES
                   ? exec_error(name, failure, err)
                   : 0;
    }
    if (path == NULL)
        path = DEFAULT_PATH;
    while (path != NULL) {
        size_t length = strcspn(path, ":");
        char candidate[PATH_MAX];
        int found = ENOENT;

        if (length > 0 && snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length, path,
                                   name) < (int)sizeof(candidate))
            found = check_file(cwd_fd >= 0 ? cwd_fd : AT_FDCWD, candidate);
        /* Anything but these two is execve's to say. */
        if (found != ENOENT && found != ENOTDIR && found != EACCES)
            return 0;
        failure = found == EACCES ? EACCES : failure;
        path = path[length] == ':' ? path + length + 1 : NULL;
    }
    return exec_error(name, failure, err);
}

int process_confine_and_execute(const struct process_plan *plan, int control_fd, struct error *err)
{
    const struct oci_process *process = plan->process;
    int entered;
    int result = 0;

    umask(process->user.umask.is_set ? (mode_t)(process->user.umask.value & 0777) : 022);
    /* Root can enter what the user cannot, and the other way round on network filesystems. */
    entered = enter_cwd(process->cwd, err);
    if (entered < 0)
        return entered;
    if (result == 0 && process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        result = error_errno(err, errno, "process.noNewPrivileges");
    /* Dropping from the bounding set needs CAP_SETPCAP, which changing the user would take. */
    if (result == 0)
        result = drop_bounding(plan, err);
    if (result == 0)
        result = prctl(PR_SET_KEEPCAPS, 1) < 0 ? error_errno(err, errno, "keep capabilities") : 0;
    /* Without no_new_privs only CAP_SYS_ADMIN may load a filter: while we are still root. */
    if (result == 0 && !process->no_new_privileges)
        result = load_seccomp(plan, control_fd, err);
    if (result == 0)
        result = become_user(&process->user, err);
    if (result == 0)
        result = set_capabilities(plan, err);
    if (result == 0 && entered > 0)
        result = enter_cwd(process->cwd, err);
    if (result > 0)
        result = error_errno(err, errno, "process.cwd %s", process->cwd);
    if (result == 0 && process->no_new_privileges)
        result = load_seccomp(plan, control_fd, err);
    if (result < 0)
        return result;
    /* Whatever else is open here closes with the exec: no descriptor of the host leaks in. */
    syscall(SYS_close_range, 3 + plan->preserved_fd_count, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
    if (plan->start_state != NULL) {
        const struct hook_surroundings surroundings = {
            .directory_fd = -1,
            .environment = plan->environment,
            .output = plan->hook_output,
            .is_confined = true,
        };

        result =
            hooks_run(plan->config, HOOK_START_CONTAINER, plan->start_state, &surroundings, err);
    }
    return result < 0 ? result : search_and_execute(plan, err);
}
