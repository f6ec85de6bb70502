/*
 * C4: what a process is to the kernel besides its identity: scheduling, memory placement, io
 * priority, oom score, personality, labels, signals. Set while procfs of the host is in reach.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number_list.h"
#include "plan.h"

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_SHIFT 13

int process_apply_oom_score(const struct oci_process *process, pid_t pid, struct error *err)
{
    cleanup_buffer struct buffer current = {0};
    char path[64] = "/proc/self/oom_score_adj";
    char wanted[16];
    int result;

    if (!process->oom_score_adj.is_set)
        return 0;
    if (pid != 0)
        snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
    snprintf(wanted, sizeof(wanted), "%d", (int)process->oom_score_adj.value);
    /* Lowering needs a privilege; staying the same does not. */
    if (file_read(AT_FDCWD, path, 64, &current, NULL) == 0 &&
        strtol(current.data, NULL, 10) == process->oom_score_adj.value)
        return 0;
    result = file_write_value(AT_FDCWD, path, wanted);
    return result < 0 ? error_errno(err, -result, "process.oomScoreAdj %s", wanted) : 0;
}

/* sched_setattr(2) has no wrapper in glibc 2.36. */
struct scheduler_attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

static int apply_scheduler(const struct oci_scheduler *scheduler, struct error *err)
{
    static const uint32_t policies[] = {0, 0, 1, 2, 3, 4, 5, 6}; /* by enum, linux/sched.h */
    static const struct {
        const char *name;
        uint64_t flag;
    } flags[] = {
        {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
        {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
        {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
        {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
    };
    struct scheduler_attributes attributes = {.size = sizeof(attributes)};

    if (scheduler == NULL)
        return 0;
    attributes.policy = policies[scheduler->policy];
    attributes.nice = scheduler->nice;
    attributes.priority = (uint32_t)scheduler->priority;
    attributes.runtime = scheduler->runtime;
    attributes.deadline = scheduler->deadline;
    attributes.period = scheduler->period;
    for (size_t i = 0; i < scheduler->flags.count; i++) {
        uint64_t flag = 0;

        for (size_t j = 0; j < ARRAY_SIZE(flags); j++) {
            if (strcmp(flags[j].name, scheduler->flags.items[i]) == 0)
                flag = flags[j].flag;
        }
        if (flag == 0)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "process.scheduler.flags[%zu]: unknown flag \"%.64s\"", i,
                             scheduler->flags.items[i]);
        attributes.flags |= flag;
    }
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) < 0)
        return error_errno(err, errno, "process.scheduler");
    return 0;
}

static int apply_label(const char *file, const char *prefix, const char *label, struct error *err)
{
    char text[4096];
    int result;

    if (label == NULL || label[0] == '\0')
        return 0;
    snprintf(text, sizeof(text), "%s%s", prefix, label);
    result = file_write_value(AT_FDCWD, file, text);
    return result < 0 ? error_errno(err, -result, "label \"%s\"", label) : 0;
}

/* "unconfined" on a host without AppArmor is so already. */
static bool is_for_apparmor(const char *profile)
{
    return profile != NULL && (strcmp(profile, APPARMOR_UNCONFINED) != 0 || apparmor_is_enabled());
}

/* linux/mempolicy.h, by number; index is the mode. */
static const char *const memory_modes[] = {
    "MPOL_DEFAULT",        "MPOL_PREFERRED",          "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL",
    "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE"};

static const struct {
    const char *name;
    int flag;
} memory_flags[] = {
    {"MPOL_F_NUMA_BALANCING", 1 << 13},
    {"MPOL_F_RELATIVE_NODES", 1 << 14},
    {"MPOL_F_STATIC_NODES", 1 << 15},
};

static int parse_memory_mode(const struct oci_memory_policy *policy, int *mode, struct error *err)
{
    *mode = -1;
    for (size_t i = 0; i < ARRAY_SIZE(memory_modes); i++) {
        if (strcmp(memory_modes[i], policy->mode) == 0)
            *mode = (int)i;
    }
    if (*mode < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "linux.memoryPolicy.mode: unknown \"%.64s\"",
                         policy->mode);
    for (size_t i = 0; i < policy->flags.count; i++) {
        int flag = 0;

        for (size_t j = 0; j < ARRAY_SIZE(memory_flags); j++) {
            if (strcmp(memory_flags[j].name, policy->flags.items[i]) == 0)
                flag = memory_flags[j].flag;
        }
        if (flag == 0)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.memoryPolicy.flags[%zu]: unknown \"%.64s\"", i,
                             policy->flags.items[i]);
        *mode |= flag;
    }
    return 0;
}

/* set_mempolicy(2), which has no wrapper in the C library. */
static int apply_memory_policy(const struct oci_memory_policy *policy, struct error *err)
{
    _Alignas(unsigned long) uint8_t nodes[NUMBER_LIST_BYTES] = {0};
    int mode;
    int end;
    int result;

    if (policy == NULL)
        return 0;
    result = parse_memory_mode(policy, &mode, err);
    if (result < 0)
        return result;
    end = number_list_parse(policy->nodes != NULL ? policy->nodes : "", nodes);
    if (end < 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.memoryPolicy.nodes: \"%.64s\" is not a list like 0-3,7",
                         policy->nodes);
    /* The kernel counts the bits of the mask plus one. */
    if (syscall(SYS_set_mempolicy, mode, end > 0 ? nodes : NULL, end > 0 ? end + 1 : 0) < 0)
        return error_errno(err, errno, "linux.memoryPolicy %s", policy->mode);
    return 0;
}

void memory_policy_list_names(struct arena *arena, struct string_list *modes,
                              struct string_list *flags)
{
    for (size_t i = 0; i < ARRAY_SIZE(memory_modes); i++)
        string_list_append(arena, modes, memory_modes[i]);
    for (size_t i = 0; i < ARRAY_SIZE(memory_flags); i++)
        string_list_append(arena, flags, memory_flags[i].name);
}

static int apply_personality(const struct oci_personality *wanted, struct error *err)
{
    unsigned long domain = PER_LINUX;

    if (wanted == NULL)
        return 0;
    if (wanted->flags.count > 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.personality.flags: the specification has none");
    if (strcmp(wanted->domain, "LINUX32") == 0)
        domain = PER_LINUX32;
    else if (strcmp(wanted->domain, "LINUX") != 0)
        return error_set(err, ERROR_INVALID, EINVAL, "linux.personality.domain: unknown \"%.64s\"",
                         wanted->domain);
    return personality(domain) < 0 ? error_errno(err, errno, "linux.personality") : 0;
}

int attributes_set_affinity(const char *name, const char *cpus, struct error *err)
{
    _Alignas(unsigned long) uint8_t mask[NUMBER_LIST_BYTES] = {0};
    int end;

    if (cpus == NULL || cpus[0] == '\0')
        return 0;
    end = number_list_parse(cpus, mask);
    if (end < 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "process.execCPUAffinity.%s: \"%.64s\" is not a list like 0-3,7", name,
                         cpus);
    if (syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask) < 0)
        return error_errno(err, errno, "process.execCPUAffinity.%s %s", name, cpus);
    return 0;
}

/* What is ignored or blocked stays so across clone(2) and execve(2): our own SIGPIPE, and whatever
 * the shell or the service manager that started us has ignored. */
static void reset_signals(void)
{
    const unsigned long default_action[4] = {0}; /* the kernel's struct sigaction, not glibc's */
    const uint64_t none = 0;

    /* glibc keeps 32 and 33 to itself, and posix_spawn(3) leaves them ignored. */
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, default_action, NULL, sizeof(none));
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}

int process_apply_attributes(const struct process_plan *plan, struct error *err)
{
    const struct oci_process *process = plan->process;
    const struct oci_io_priority *io = process->io_priority;
    int result = 0;

    reset_signals();
    /* With a user namespace the parent sets the oom score and the limits, because only the parent
     * may raise them. */
    if (!plan->is_limited_by_parent)
        result = process_apply_oom_score(process, 0, err);
    if (result == 0)
        result = apply_scheduler(process->scheduler, err);
    if (result == 0 && io != NULL &&
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                io->class << IOPRIO_CLASS_SHIFT | io->priority) < 0)
        result = error_errno(err, errno, "process.ioPriority");
    if (result == 0)
        result = apply_memory_policy(plan->config->linux->memory_policy, err);
    if (result == 0)
        result = apply_personality(plan->config->linux->personality, err);
    return result;
}

int process_apply_confinement(const struct process_plan *plan, struct error *err)
{
    const struct oci_process *process = plan->process;
    int result = 0;

    if (result == 0 && is_for_apparmor(process->apparmor_profile))
        result =
            apply_label("/proc/self/attr/apparmor/exec", "exec ", process->apparmor_profile, err);
    if (result == 0)
        result = apply_label("/proc/self/attr/exec", "", process->selinux_label, err);
    if (result == 0 && !plan->is_limited_by_parent)
        result = process_apply_rlimits(plan, 0, err);
    return result;
}
