/*
 * The bare kernel's cost of a container as davitd makes them: a user namespace with ids of its own,
 * all other namespaces, an overlay whose layers' ids are mapped, the mounts of a minimal container,
 * a cgroup, pivot_root, exec, wait, and removing the cgroup and the overlay's directories. No
 * configuration, no checks, no limits, no device rules, nothing that is kept.
 * usage: floor_container LAYER DIRECTORY CGROUP PROGRAM [ARGUMENT...]
 * LAYER and DIRECTORY have to be on a filesystem that maps ids; Linux 6.15 or later.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID_FIRST 1879048192u /* davitd's first, 0x70000000 */

static void check(long result, const char *what)
{
    if (result < 0) {
        perror(what);
        _exit(1);
    }
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    check(fd, path);
    check(write(fd, text, strlen(text)), path);
    close(fd);
}

static void write_map(pid_t pid, const char *file)
{
    char path[64];
    char map[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    snprintf(map, sizeof(map), "0 %u 65536", ID_FIRST);
    write_file(path, map);
}

static void send_fd(int socket_fd, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {0};
    char byte = 0;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    check(sendmsg(socket_fd, &message, 0), "send");
}

static int receive_fd(int socket_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    int fd = -1;

    check(recvmsg(socket_fd, &message, 0) - 1, "receive");
    memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
    return fd;
}

static _Noreturn void run_child(int socket_fd, char **arguments)
{
    static char *const environment[] = {NULL};
    int root_fd = receive_fd(socket_fd);

    check(setresgid(0, 0, 0), "setgid");
    check(setresuid(0, 0, 0), "setuid");
    check(unshare(CLONE_NEWCGROUP), "unshare");
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    check(move_mount(root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "root");
    check(fchdir(root_fd), "fchdir");
    check(mount("proc", "proc", "proc", 0, NULL), "proc");
    check(mount("tmpfs", "dev", "tmpfs", 0, "mode=755"), "dev");
    check(mkdir("dev/pts", 0755), "mkdir");
    check(mkdir("dev/shm", 0755), "mkdir");
    check(mkdir("dev/mqueue", 0755), "mkdir");
    check(mount("devpts", "dev/pts", "devpts", 0, "newinstance"), "devpts");
    check(mount("shm", "dev/shm", "tmpfs", 0, NULL), "shm");
    check(mount("mqueue", "dev/mqueue", "mqueue", 0, NULL), "mqueue");
    check(mount("sysfs", "sys", "sysfs", MS_RDONLY, NULL), "sysfs");
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount");
    check(chdir("/"), "chdir");
    execve(arguments[0], arguments, environment);
    perror("execve");
    _exit(127);
}

static int map_directory(const char *path, int userns_fd)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};
    int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    check(fd, path);
    check(mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)), "map ids");
    return fd;
}

static void set_directory(int fs_fd, const char *key, int at, const char *name)
{
    char path[64];
    int fd = name != NULL ? openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC) : at;

    check(fd, key);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    check(fsconfig(fs_fd, FSCONFIG_SET_STRING, key, path, 0), key);
}

/* Mounted as root of the user namespace, to whom its files in work/ have to belong. */
static int mount_overlay(const char *layer, const char *directory, int userns_fd)
{
    int layer_fd = map_directory(layer, userns_fd);
    int directory_fd = map_directory(directory, userns_fd);
    int fs_fd = fsopen("overlay", FSOPEN_CLOEXEC);
    int fd;

    check(fs_fd, "overlay");
    set_directory(fs_fd, "lowerdir+", layer_fd, NULL);
    set_directory(fs_fd, "upperdir", directory_fd, "upper");
    set_directory(fs_fd, "workdir", directory_fd, "work");
    check(prctl(PR_SET_SECUREBITS, 4 /* SECBIT_NO_SETUID_FIXUP */), "securebits");
    syscall(SYS_setfsgid, ID_FIRST);
    syscall(SYS_setfsuid, ID_FIRST);
    check(fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "overlay (is this Linux 6.15?)");
    syscall(SYS_setfsuid, 0);
    syscall(SYS_setfsgid, 0);
    fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, 0);
    check(fd, "fsmount");
    close(fs_fd);
    close(layer_fd);
    close(directory_fd);
    return fd;
}

static void make_directories(const char *directory, const char *cgroup)
{
    check(mkdir(directory, 0700), directory);
    check(chdir(directory), directory);
    check(mkdir("upper", 0755), "upper");
    check(mkdir("work", 0700), "work");
    check(mkdir(cgroup, 0755), cgroup);
}

static void remove_directories(const char *directory, const char *cgroup)
{
    check(rmdir(cgroup), cgroup);
    rmdir("work/work");
    check(rmdir("work"), "work");
    check(rmdir("upper"), "upper");
    check(chdir("/"), "/");
    check(rmdir(directory), directory);
}

int main(int argc, char **argv)
{
    struct clone_args arguments = {
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_NEWNET | CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
    };
    char path[64];
    int pair[2];
    int userns_fd;
    int status = 1;
    pid_t pid;

    if (argc < 5) {
        fprintf(stderr, "usage: floor_container LAYER DIRECTORY CGROUP PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    make_directories(argv[2], argv[3]);
    arguments.cgroup = (uint64_t)open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
    pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (pid == 0) {
        close(pair[0]);
        run_child(pair[1], argv + 4);
    }
    check(pid, "clone3");
    write_map(pid, "uid_map");
    write_map(pid, "gid_map");
    snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
    userns_fd = open(path, O_RDONLY | O_CLOEXEC);
    check(userns_fd, path);
    send_fd(pair[0], mount_overlay(argv[1], argv[2], userns_fd));
    waitpid(pid, &status, 0);
    remove_directories(argv[2], argv[3]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
