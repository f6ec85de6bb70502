/*
 * The bare kernel's cost of a container: clone3 with the namespaces, the mounts and pivot_root of a
 * minimal one, exec, wait. Nothing else: no configuration, no checks, no cgroup.
 * usage: floor ROOTFS PROGRAM [ARGUMENT...]
 */
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        _exit(1);
    }
}

static _Noreturn void run_child(const char *rootfs, char **arguments)
{
    static char *const environment[] = {NULL};

    check(unshare(CLONE_NEWCGROUP), "unshare");
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    check(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "bind");
    check(chdir(rootfs), "chdir");
    check(mount("proc", "proc", "proc", 0, NULL), "proc");
    check(mount("tmpfs", "dev", "tmpfs", 0, "mode=755"), "dev");
    check(mkdir("dev/pts", 0755), "mkdir");
    check(mkdir("dev/shm", 0755), "mkdir");
    check(mkdir("dev/mqueue", 0755), "mkdir");
    check(mount("devpts", "dev/pts", "devpts", 0, "newinstance"), "devpts");
    check(mount("shm", "dev/shm", "tmpfs", 0, NULL), "shm");
    check(mount("mqueue", "dev/mqueue", "mqueue", 0, NULL), "mqueue");
    check(mount("sysfs", "sys", "sysfs", MS_RDONLY, NULL), "sysfs");
    check((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount");
    check(chdir("/"), "chdir");
    execve(arguments[0], arguments, environment);
    perror("execve");
    _exit(127);
}

int main(int argc, char **argv)
{
    struct clone_args arguments = {
        .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
        .exit_signal = SIGCHLD,
    };
    int status = 1;
    pid_t pid;

    if (argc < 3) {
        fprintf(stderr, "usage: floor ROOTFS PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (pid == 0)
        run_child(argv[1], argv + 2);
    check(pid, "clone3");
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
