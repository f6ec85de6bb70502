/*
 * What a program finds around it in a container, a line "subject: value" each: compare_runtimes
 * reads it. Static, and without any need of the image it runs in. Numbers that differ from run to
 * run (inodes, devices of mounts) are left out or compared with what the arguments say. usage:
 * report [NAMESPACE=INODE...]
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

extern char **environ;

static void report_file(const char *subject, const char *path)
{
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    if (length < 0) {
        printf("%s: (%s)\n", subject, strerror(errno));
        return;
    }
    text[length] = '\0';
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    }
    printf("%s: %s\n", subject, text);
}

static void report_status(void)
{
    static const char *const wanted[] = {"Uid",    "Gid",    "Groups", "Umask",  "CapInh",
                                         "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
                                         "SigBlk", "SigIgn", "SigCgt", "Seccomp"};
    FILE *status = fopen("/proc/self/status", "re");
    char line[8192];

    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        char *value = strchr(line, ':');

        if (value == NULL)
            continue;
        *value++ = '\0';
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            if (strcmp(line, wanted[i]) == 0)
                printf("status %s:%s", line, value);
        }
    }
    if (status != NULL)
        fclose(status);
}

static void report_limits(void)
{
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit;

        if (getrlimit((__rlimit_resource_t)resource, &limit) == 0)
            printf("limit %d: %llu %llu\n", resource, (unsigned long long)limit.rlim_cur,
                   (unsigned long long)limit.rlim_max);
    }
}

static void report_node(const char *subject, const char *path, int flags)
{
    struct stat status;
    char target[PATH_MAX];
    ssize_t length;

    if (fstatat(AT_FDCWD, path, &status, flags) < 0) {
        printf("%s %s: (%s)\n", subject, path, strerror(errno));
        return;
    }
    printf("%s %s: %o %u:%u %u:%u", subject, path, status.st_mode, status.st_uid, status.st_gid,
           major(status.st_rdev), minor(status.st_rdev));
    length = readlink(path, target, sizeof(target) - 1);
    if (length > 0)
        printf(" -> %.*s", (int)length, target);
    printf("\n");
}

static void report_directory(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    printf("directory %s: %s\n", path, directory == NULL ? strerror(errno) : "opened");
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[PATH_MAX];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        report_node("node", name, AT_SYMLINK_NOFOLLOW);
    }
    if (directory != NULL)
        closedir(directory);
}

/* Mountinfo without ids, devices and numbers of peer groups; in the kernel's order, which is that
 * of being mounted. */
static void report_mounts(void)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[8192];
    int number = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char point[PATH_MAX], options[1024], type[256], super[4096];
        const char *rest;
        int skipped = 0;

        if (sscanf(line, "%*d %*d %*s %*s %4095s %1023s%n", point, options, &skipped) < 2)
            continue;
        rest = strstr(line + skipped, " - ");
        if (rest == NULL || sscanf(rest, " - %255s %*s %4095s", type, super) < 2)
            continue;
        printf("mount %s: %s %s%s%s%s %s\n", point, type, options,
               strstr(line, " shared:") != NULL ? " shared" : "",
               strstr(line, " master:") != NULL ? " slave" : "",
               strstr(line, " unbindable") != NULL ? " unbindable" : "", super);
        number++;
    }
    printf("mounts: %d\n", number);
    if (file != NULL)
        fclose(file);
}

static void report_namespaces(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char path[64], target[64];
        char *inode = strchr(argv[i], '=');
        ssize_t length;

        if (inode == NULL)
            continue;
        *inode++ = '\0';
        snprintf(path, sizeof(path), "/proc/self/ns/%s", argv[i]);
        length = readlink(path, target, sizeof(target) - 1);
        target[length < 0 ? 0 : length] = '\0';
        printf("namespace %s: %s\n", argv[i],
               length < 0                      ? strerror(errno)
               : strstr(target, inode) != NULL ? "host"
                                               : "own");
    }
}

static void report_descriptors(void)
{
    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFL);
        struct stat status;

        if (flags < 0 || fstat(fd, &status) < 0)
            continue;
        printf("descriptor %d: %o %u:%u%s\n", fd, status.st_mode & S_IFMT, status.st_uid,
               status.st_gid, (flags & O_NONBLOCK) != 0 ? " nonblocking" : "");
    }
}

static void report_names(void)
{
    static const char *const files[] = {"/proc/sys/kernel/hostname",
                                        "/proc/sys/kernel/domainname",
                                        "/proc/sys/kernel/shmmax",
                                        "/proc/sys/kernel/msgmax",
                                        "/proc/sys/kernel/sem",
                                        "/proc/sys/fs/mqueue/msg_max",
                                        "/proc/sys/net/ipv4/ip_forward",
                                        "/proc/sys/net/ipv4/ping_group_range",
                                        "/proc/sys/net/core/somaxconn",
                                        "/proc/self/oom_score_adj",
                                        "/proc/self/timens_offsets",
                                        "/proc/self/uid_map",
                                        "/proc/self/gid_map",
                                        "/proc/self/setgroups",
                                        "/proc/self/cgroup",
                                        "/etc/hostname"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char subject[128];

        snprintf(subject, sizeof(subject), "file %s", files[i]);
        report_file(subject, files[i]);
    }
}

/* What a hook has left, "SUBJECT VALUE" or "NAME=VALUE" a line. */
static void report_hook(void)
{
    FILE *file = fopen("/hook-was-here", "re");
    char line[1024];

    printf("hook: %s\n", file != NULL ? "was here" : strerror(errno));
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        size_t length = strcspn(line, " =\n");

        printf("hook %.*s: %s", (int)length, line, line[length] != '\0' ? line + length + 1 : "\n");
        if (strchr(line, '\n') == NULL || line[length] == '\n')
            printf("\n");
    }
    if (file != NULL)
        fclose(file);
}

/* What masks and read-only paths do is seen by trying, and undone where it worked. */
static void report_writable(void)
{
    static const char *const directories[] = {"/",    "/etc",          "/dev",      "/dev/shm",
                                              "/tmp", "/data",         "/data/sub", "/proc",
                                              "/sys", "/sys/fs/cgroup"};

    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        char path[128];
        int fd;

        report_node("directory-node", directories[i], AT_SYMLINK_NOFOLLOW);
        snprintf(path, sizeof(path), "%s/.report", directories[i]);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        printf("writable %s: %s\n", directories[i], fd < 0 ? strerror(errno) : "yes");
        if (fd >= 0) {
            close(fd);
            unlink(path);
        }
    }
}

static void report_masks(void)
{
    static const char *const paths[] = {"/proc/kcore",   "/proc/keys",   "/proc/timer_list",
                                        "/proc/sys",     "/proc/asound", "/proc/sysrq-trigger",
                                        "/sys/firmware", "/proc/bus",    "/data/secret"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct stat status;
        struct statvfs filesystem = {0};

        if (stat(paths[i], &status) < 0) {
            printf("masked %s: (%s)\n", paths[i], strerror(errno));
            continue;
        }
        statvfs(paths[i], &filesystem);
        printf("masked %s: %o %u:%u%s\n", paths[i], status.st_mode & S_IFMT, major(status.st_rdev),
               minor(status.st_rdev), (filesystem.f_flag & ST_RDONLY) != 0 ? " read-only" : "");
    }
}

static void report_devices(void)
{
    static const char *const paths[] = {"/dev/null", "/dev/zero",    "/dev/fuse", "/dev/kmsg",
                                        "/dev/foo",  "/dev/net/tun", "/dev/ptmx"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        int fd = open(paths[i], O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        printf("opens %s: %s\n", paths[i], fd < 0 ? strerror(errno) : "yes");
        if (fd >= 0)
            close(fd);
    }
}

static void report_scheduling(void)
{
    struct sched_param parameter = {0};
    cpu_set_t cpus;

    sched_getparam(0, &parameter);
    printf("scheduling: %d %d nice %d io %ld\n", sched_getscheduler(0), parameter.sched_priority,
           getpriority(PRIO_PROCESS, 0), syscall(SYS_ioprio_get, 1, 0));
    printf("personality: %x\n", (unsigned int)personality(0xffffffff));
    printf("cpus: %d\n", sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? -1 : CPU_COUNT(&cpus));
    printf("process: pid %s session %s terminal %s\n", getpid() == 1 ? "1" : "other",
           getsid(0) == getpid() ? "own"
           : getsid(0) == 0      ? "outside"
                                 : "other",
           isatty(0) ? "yes" : "no");
}

int main(int argc, char **argv)
{
    char cwd[PATH_MAX];

    report_descriptors();
    printf("argv0: %s\n", argv[0]);
    printf("cwd: %s\n", getcwd(cwd, sizeof(cwd)) != NULL ? cwd : strerror(errno));
    for (char **variable = environ; *variable != NULL; variable++)
        printf("env %.*s: %s\n", (int)strcspn(*variable, "="), *variable,
               strchr(*variable, '=') != NULL ? strchr(*variable, '=') + 1 : "(no value)");
    report_status();
    report_limits();
    report_names();
    report_namespaces(argc, argv);
    report_mounts();
    report_directory("/dev");
    report_directory("/data");
    report_masks();
    report_devices();
    report_scheduling();
    report_writable();
    report_hook();
    return 0;
}
