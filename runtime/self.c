/*
 * A container's root can open /proc/PID/exe of a process of ours that runs in its pid namespace,
 * or make us execute ourselves as "#!/proc/self/exe", and so reach the file of this program on the
 * host (CVE-2019-5736). Run from a read-only mount, that file cannot be opened for writing.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "runtime.h"
#include "self.h"

extern char **environ;

int self_take_descriptor(void)
{
    const char *value = getenv(SELF_SECOND_RUN);
    int64_t fd;

    if (value == NULL || !number_parse(value, STDERR_FILENO + 1, INT_MAX, &fd) ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return (int)fd;
}

bool self_protect(char *const *argv)
{
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
    cleanup_close int exe_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    cleanup_close int tree_fd = -1;
    struct statvfs filesystem;

    if (exe_fd >= 0 && fstatvfs(exe_fd, &filesystem) == 0 && (filesystem.f_flag & ST_RDONLY) != 0) {
        unsetenv(SELF_SECOND_RUN);
        return true;
    }
    if (exe_fd < 0 || getenv(SELF_SECOND_RUN) != NULL)
        return false;
    tree_fd = open_tree(exe_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree_fd < 0 || mount_setattr(tree_fd, "", AT_EMPTY_PATH, &readonly, sizeof(readonly)) < 0)
        return false;
    setenv(SELF_SECOND_RUN, "", 1);
    execveat(tree_fd, "", argv, environ, AT_EMPTY_PATH);
    return false;
}
