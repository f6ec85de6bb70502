/* Giving up what a process does not need: see confine.h. */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cleanup.h"

#define NOBODY 65534

int confine_set_limits(const struct confine_limit *limits, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct rlimit limit = {limits[i].limit, limits[i].limit};

#if defined(__SANITIZE_ADDRESS__)
        /* What it knows of each byte lies in terabytes of addresses. */
        if (limits[i].resource == RLIMIT_AS)
            continue;
#endif
        if (setrlimit(limits[i].resource, &limit) < 0)
            return error_errno(err, errno, "setrlimit");
    }
    return 0;
}

int confine_drop_capabilities(const cap_value_t *kept, size_t count, struct error *err)
{
    cap_t capabilities = cap_init();
    int result = 0;

    cap_set_flag(capabilities, CAP_PERMITTED, (int)count, kept, CAP_SET);
    cap_set_flag(capabilities, CAP_EFFECTIVE, (int)count, kept, CAP_SET);
    for (cap_value_t value = 0; CAP_IS_SUPPORTED(value); value++)
        cap_drop_bound(value);
    if (cap_set_proc(capabilities) < 0)
        result = error_errno(err, errno, "drop capabilities");
    cap_free(capabilities);
    return result;
}

static int become_nobody(struct error *err)
{
    for (cap_value_t value = 0; CAP_IS_SUPPORTED(value); value++)
        cap_drop_bound(value);
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return error_errno(err, errno, "become nobody");
    return confine_drop_capabilities(NULL, 0, err);
}

static int make_read_only(struct error *err)
{
    struct mount_attr readonly = {.attr_set =
                                      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                  .propagation = MS_PRIVATE};

    if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return error_errno(err, errno, "unshare");
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &readonly, sizeof(readonly)) < 0)
        return error_errno(err, errno, "make the host's files read-only");
    return chdir("/") < 0 ? error_errno(err, errno, "/") : 0;
}

int confine_seal(struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return error_errno(err, errno, "prctl");
    return 0;
}

int confine_to_nobody(const struct confine_limit *limits, size_t count, struct error *err)
{
    int result = make_read_only(err);

    if (result == 0)
        result = confine_set_limits(limits, count, err);
    if (result == 0)
        result = become_nobody(err);
    return result < 0 ? result : confine_seal(err);
}

#if defined(__SANITIZE_ADDRESS__)
/* Who confines itself cannot be stopped by a thread that looks for leaks when it ends: they are for
 * the unit tests to find. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* What the sanitizers' own code does, when a thread begins and ends and when it finds something. */
static const int sanitizer_calls[] = {
    SCMP_SYS(sigaltstack),    SCMP_SYS(sched_yield), SCMP_SYS(getpid),
    SCMP_SYS(gettid),         SCMP_SYS(readlink),    SCMP_SYS(write),
    SCMP_SYS(mprotect),       SCMP_SYS(madvise),     SCMP_SYS(mmap),
    SCMP_SYS(munmap),         SCMP_SYS(futex),       SCMP_SYS(rt_sigaction),
    SCMP_SYS(getrlimit),      SCMP_SYS(prlimit64),   SCMP_SYS(clock_gettime),
    SCMP_SYS(open),           SCMP_SYS(openat),      SCMP_SYS(close),
    SCMP_SYS(read),           SCMP_SYS(fstat),       SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),          SCMP_SYS(ioctl),       SCMP_SYS(getrusage),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(tgkill),
};

#endif

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return result;
}

int confine_filter(const int *calls, size_t count, uint32_t action, int (*extra)(void *filter),
                   struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(action);
    int result;

    if (filter == NULL)
        return error_set(err, ERROR_INTERNAL, ENOMEM, "seccomp_init");
    result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (result == 0)
        result = allow(filter, calls, count);
    if (result == 0 && extra != NULL)
        result = extra(filter);
#if defined(__SANITIZE_ADDRESS__)
    if (result == 0)
        result = allow(filter, sanitizer_calls, ARRAY_SIZE(sanitizer_calls));
#endif
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result < 0 ? error_errno(err, -result, "confine the process") : 0;
}
