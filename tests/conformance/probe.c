/*
 * What a hostile program tries, one attempt an argument. Prints what came of it. Static and without
 * any need of the image it runs in.
 * usage: probe ATTEMPT [ARGUMENT]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int say(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done");
    return result < 0 ? 1 : 0;
}

/* A number that no kernel has given out yet. */
static int unknown_call(void)
{
    return say("unknown call", syscall(5000));
}

/* getpid by the x32 table, and by the 32-bit entry. */
static int x32_call(void)
{
    return say("x32 call", syscall(0x40000000 | SYS_getpid));
}

static int i386_call(void)
{
#if defined(__x86_64__)
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    if (result < 0)
        errno = (int)-result;
    return say("i386 call", result < 0 ? -1 : 0);
#else
    return say("i386 call", -1);
#endif
}

static int push_input(void)
{
    char c = 'x';

    return say("TIOCSTI", ioctl(STDIN_FILENO, TIOCSTI, &c));
}

static int read_device(const char *number)
{
    unsigned int major;
    unsigned int minor;
    char type;
    char byte;
    int fd;

    if (sscanf(number, "%c%u:%u", &type, &major, &minor) != 3)
        return 2;
    unlink("/tmp/node");
    if (mknod("/tmp/node", (type == 'b' ? S_IFBLK : S_IFCHR) | 0600, makedev(major, minor)) < 0)
        return say("mknod", -1);
    fd = open("/tmp/node", O_RDONLY);
    return say("open", fd < 0 ? -1 : read(fd, &byte, 1));
}

/* Every open descriptor and what it is. */
static int list_descriptors(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        char path[64];
        char target[256];
        ssize_t length;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        length = readlink(path, target, sizeof(target) - 1);
        if (length > 0)
            printf("%d %.*s\n", fd, (int)length, target);
    }
    return 0;
}

/* Looks at the other processes of the pid namespace for as long as a file exists. */
static int watch_processes(const char *file)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (access(file, F_OK) == 0) {
        for (int pid = 2; pid < 400; pid++) {
            static const char *const names[] = {"exe", "cwd", "root", "fd/3", "fd/4", "fd/5"};

            for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char path[64];
                char target[256];
                ssize_t length;

                if (pid == getpid())
                    continue;
                snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
                length = readlink(path, target, sizeof(target) - 1);
                if (length > 0)
                    printf("%s %.*s\n", names[i], (int)length, target);
            }
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *attempt = argc > 1 ? argv[1] : "";

    if (strcmp(attempt, "unknown-call") == 0)
        return unknown_call();
    if (strcmp(attempt, "x32-call") == 0)
        return x32_call();
    if (strcmp(attempt, "i386-call") == 0)
        return i386_call();
    if (strcmp(attempt, "push-input") == 0)
        return push_input();
    if (strcmp(attempt, "descriptors") == 0)
        return list_descriptors();
    if (strcmp(attempt, "read-device") == 0 && argc > 2)
        return read_device(argv[2]);
    if (strcmp(attempt, "watch") == 0 && argc > 2)
        return watch_processes(argv[2]);
    fprintf(stderr, "usage: probe ATTEMPT [ARGUMENT]\n");
    return 2;
}
