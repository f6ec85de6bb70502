/* The client's end of a copy: files of this host as a tar, and back. What comes from a container is
 * a stranger's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "worker.h"

int copy_pack(const char *path, const char *name, bool follows, int out_fd, struct error *err)
{
    const struct tree_options options = {0};
    cleanup_close int directory_fd = -1;
    char real[PATH_MAX];
    char storage[PATH_MAX];
    const char *directory;
    const char *last;
    struct archive *archive;

    if (follows && realpath(path, real) == NULL)
        return error_errno(err, errno, "%s", path);
    path = follows ? real : path;
    if (path_split(path, storage, &directory, &last) < 0)
        return error_errno(err, ENAMETOOLONG, "%s", path);
    if (last[0] == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
        directory = path;
        last = ".";
    } else if (directory[0] == '\0') {
        directory = path[0] == '/' ? "/" : ".";
    }
    directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0)
        return error_errno(err, errno, "%s", directory);
    archive = tar_create(out_fd, TAR_EXACT, err);
    if (archive == NULL)
        return -EIO;
    return tar_finish(archive, tree_write_one(archive, directory_fd, last, name, &options, err),
                      err);
}

/* For others than root this is all the confinement: sandbox_enter_layer() needs root. */
static int confine(struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, errno, "no new privileges");
    return sandbox_filter_layer(err);
}

int copy_unpack(const char *directory, const char *name, bool keeps_owners, int in_fd,
                struct error *err)
{
    const struct extract_options options = {.prefix = name,
                                            .replaces_top = true,
                                            .has_no_xattrs = true,
                                            .keeps_kind = true,
                                            .has_owner = !keeps_owners,
                                            .uid = geteuid(),
                                            .gid = getegid()};
    cleanup_close int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = 0;

    if (directory_fd < 0)
        return error_errno(err, errno, "%s", directory);
    umask(0);
    if (geteuid() == 0)
        result = sandbox_enter_layer(directory_fd, err);
    return result < 0
               ? result
               : tree_extract(directory_fd, in_fd, &options, &worker_default_limits, confine, err);
}
