/* C7: the container's terminal: pty(7), pts(4), runtime-spec config.md "process.terminal". */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/socket.h"
#include "plan.h"
#include "sync.h"

#define PTMX_MAJOR 5
#define PTMX_MINOR 2

/* Unlocks the terminal, opens its other side by descriptor and sizes it. */
static int open_slave(int master_fd, const struct oci_process *process, struct error *err)
{
    const struct oci_console_size *size = process->console_size;
    int unlocked = 0;
    int fd;

    if (ioctl(master_fd, TIOCSPTLCK, &unlocked) < 0)
        return error_errno(err, errno, "unlock the terminal");
    /* TIOCGPTPEER: no path in a container's /dev/pts has to be trusted. */
    fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "open the terminal");
    if (size != NULL && (size->height > 0 || size->width > 0)) {
        struct winsize window = {.ws_row = (unsigned short)size->height,
                                 .ws_col = (unsigned short)size->width};

        ioctl(fd, TIOCSWINSZ, &window);
    }
    /* The user of the container owns its terminal, as after a login. */
    if (fchown(fd, process->user.uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL) {
        error_errno(err, errno, "own the terminal");
        fd_close(&fd);
        return -err->errnum;
    }
    return fd;
}

static int check_master(int fd, struct error *err)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return error_errno(err, errno, "/dev/pts/ptmx");
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(PTMX_MAJOR, PTMX_MINOR))
        return error_set(err, ERROR_INVALID, ENODEV,
                         "/dev/pts/ptmx in the container is not a terminal multiplexer");
    return 0;
}

int console_open(const char *ptmx_path, const struct oci_process *process, int *master_fd,
                 int *slave_fd, struct error *err)
{
    cleanup_close int master = open(ptmx_path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
    int result;

    if (master < 0)
        return error_errno(err, errno, "terminal: %s", ptmx_path);
    result = check_master(master, err);
    if (result < 0)
        return result;
    *slave_fd = open_slave(master, process, err);
    if (*slave_fd < 0)
        return *slave_fd;
    *master_fd = take_fd(&master);
    return 0;
}

/* /dev/console is the terminal itself, by descriptor: no name in /dev/pts is looked up. */
static int bind_console(int root_fd, int slave_fd, struct error *err)
{
    cleanup_close int dev_fd = path_open_in_root(root_fd, "/dev", O_PATH | O_DIRECTORY, 0);
    cleanup_close int target_fd = -1;
    cleanup_close int tree_fd =
        open_tree(slave_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (dev_fd < 0 || tree_fd < 0)
        return error_errno(err, dev_fd < 0 ? -dev_fd : errno, "/dev/console");
    target_fd =
        openat(dev_fd, "console", O_WRONLY | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0620);
    if (target_fd < 0)
        return error_errno(err, errno, "/dev/console");
    if (move_mount(tree_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
        0)
        return error_errno(err, errno, "bind /dev/console");
    return 0;
}

int console_attach(int slave_fd, struct error *err)
{
    const int stdio[3] = {slave_fd, slave_fd, slave_fd};
    int result = stdio_redirect(stdio, err);

    if (result == 0 && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
        result = error_errno(err, errno, "take the terminal as controlling terminal");
    return result;
}

int console_make(const struct plan *plan, int root_fd, int *master_fd, struct error *err)
{
    const struct oci_process *process = plan->config->process;
    cleanup_close int master =
        path_open_in_root(root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0);
    cleanup_close int slave = -1;
    int result;

    if (master < 0)
        return error_errno(err, -master, "terminal: /dev/pts/ptmx (is a devpts mounted?)");
    result = check_master(master, err);
    if (result < 0)
        return result;
    slave = open_slave(master, process, err);
    if (slave < 0)
        return slave;
    result = bind_console(root_fd, slave, err);
    if (result == 0)
        result = console_attach(slave, err);
    if (result == 0)
        *master_fd = take_fd(&master);
    return result;
}

int console_hand_over(int console_socket_fd, int control_fd, int master_fd, struct error *err)
{
    static const char name[] = "/dev/ptmx"; /* what runc's clients read beside the descriptor */
    ssize_t result;

    if (console_socket_fd < 0) {
        result = sync_send_fd(control_fd, SYNC_CONSOLE, master_fd);
    } else {
        result = socket_send(console_socket_fd, name, sizeof(name) - 1, &master_fd, 1);
    }
    return result < 0 ? error_errno(err, (int)-result, "hand the terminal over") : 0;
}

/* A null device of the host's as a standard stream would be a way to the host's /dev (and CRIU
 * could not save the container): the container's own takes its place. */
int stdio_reopen_null(struct error *err)
{
    for (int i = 0; i < 3; i++) {
        cleanup_close int fd = -1;
        struct stat status;

        if (fstat(i, &status) < 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
            continue;
        fd = open("/dev/null", O_RDWR | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
        /* An image without one keeps what it was given. */
        if (fd < 0 || fstat(fd, &status) < 0 || !S_ISCHR(status.st_mode) ||
            status.st_rdev != makedev(1, 3))
            continue;
        if (dup2(fd, i) < 0)
            return error_errno(err, errno, "open the container's /dev/null");
    }
    return 0;
}

void stdio_give(const int stdio[3], const struct oci_config *config, uid_t uid)
{
    const struct oci_linux *linux_part =
        config != NULL && oci_config_namespace(config, OCI_NAMESPACE_USER) != NULL ? config->linux
                                                                                   : NULL;
    bool is_mapped = linux_part != NULL && linux_part->gid_mappings.count > 0;
    /* The group has to be mapped, too: otherwise not even root inside could change the owner. */
    gid_t gid = is_mapped ? linux_part->gid_mappings.items[0].host_id : (gid_t)-1;
    uid_t host_uid = uid;

    if (linux_part != NULL &&
        !oci_map_id(linux_part->uid_mappings.items, linux_part->uid_mappings.count, uid, &host_uid))
        return;
    for (int i = 0; i < 3; i++) {
        int fd = stdio[i] >= 0 ? stdio[i] : i;
        struct stat status;

        if (fstat(fd, &status) == 0 && status.st_uid != host_uid &&
            (S_ISFIFO(status.st_mode) || S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode)))
            (void)!fchown(fd, host_uid, gid);
    }
}

int stdio_redirect(const int stdio[3], struct error *err)
{
    for (int i = 0; i < 3; i++) {
        if (stdio[i] >= 0 && stdio[i] != i && dup2(stdio[i], i) < 0)
            return error_errno(err, errno, "redirect standard streams");
    }
    return 0;
}
