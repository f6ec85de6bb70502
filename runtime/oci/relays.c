/* Pipes between a foreground process and the caller's files: see oci.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "oci.h"

/* The host id of the program's user. False if it has none. */
static bool find_user(const struct oci_config *config, const struct oci_process *process,
                      uint32_t *uid)
{
    const struct oci_linux *linux_part = config->linux;

    *uid = process->user.uid;
    return oci_config_namespace(config, OCI_NAMESPACE_USER) == NULL ||
           oci_map_id(linux_part->uid_mappings.items, linux_part->uid_mappings.count,
                      process->user.uid, uid);
}

static bool is_same_file(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

int oci_open_relays(const struct oci_config *config, const struct oci_process *process,
                    struct oci_relays *relays, int stdio[3], struct error *err)
{
    struct stat status[2];
    uint32_t uid;

    if (process->has_terminal || !find_user(config, process, &uid))
        return 0;
    for (int i = 0; i < 2; i++) {
        int fds[2];

        if (fstat(STDOUT_FILENO + i, &status[i]) < 0 || !S_ISREG(status[i].st_mode) ||
            status[i].st_uid == uid)
            continue;
        /* One pipe for one file keeps what comes in its order. */
        if (i == 1 && relays->pipes[0] >= 0 && is_same_file(&status[0], &status[1])) {
            stdio[STDERR_FILENO] = fcntl(stdio[STDOUT_FILENO], F_DUPFD_CLOEXEC, 0);
            return stdio[STDERR_FILENO] < 0 ? error_errno(err, errno, "dup") : 0;
        }
        if (pipe2(fds, O_CLOEXEC) < 0)
            return error_errno(err, errno, "pipe");
        relays->pipes[i] = fds[0];
        relays->files[i] = STDOUT_FILENO + i;
        stdio[STDOUT_FILENO + i] = fds[1];
    }
    return 0;
}

void oci_close_streams(int stdio[3])
{
    for (int i = 0; i < 3; i++)
        fd_close(&stdio[i]);
}
