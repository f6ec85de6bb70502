/* What an entry of a layer has besides its content: see extract.h. */
#include "extract.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define XATTR_MAX_BYTES 65536

/* overlayfs reads its own attributes from layers: an image must not bring any (a redirect would
 * show other directories of the host's layers). */
bool layer_xattr_is_allowed(const char *name)
{
    return strncmp(name, "trusted.overlay.", 16) != 0 && strncmp(name, "user.overlay.", 13) != 0 &&
           strncmp(name, "trusted.davit.", 14) != 0 &&
           (strncmp(name, "user.", 5) == 0 || strncmp(name, "trusted.", 8) == 0 ||
            strcmp(name, "security.capability") == 0);
}

/* To be called after the owner is set, which removes file capabilities. A node or link has an
 * O_PATH descriptor, with which attributes cannot be set, so its name is used; but only in a layer,
 * where no other process can put something else under the name. */
static int set_xattrs(struct extraction *extraction, struct archive_entry *entry, int fd,
                      const char *name)
{
    bool is_path = fcntl(fd, F_GETFL) & O_PATH;
    const char *xattr;
    const void *value;
    size_t size;

    if (archive_entry_xattr_reset(entry) == 0 ||
        (extraction->options != NULL && (is_path || extraction->options->has_no_xattrs)))
        return 0;
    if (is_path && fchdir(extraction->parent_fd) < 0)
        return extract_fail(extraction, "enter directory");
    while (archive_entry_xattr_next(entry, &xattr, &value, &size) == ARCHIVE_OK) {
        int result;

        if (!layer_xattr_is_allowed(xattr) || size > XATTR_MAX_BYTES)
            continue;
        result =
            is_path ? lsetxattr(name, xattr, value, size, 0) : fsetxattr(fd, xattr, value, size, 0);
        if (result < 0 && errno != EOPNOTSUPP)
            return error_errno(extraction->err, errno, "extended attribute %.64s", xattr);
    }
    return 0;
}

void extract_entry_times(struct archive_entry *entry, struct timespec times[2])
{
    times[1].tv_sec = archive_entry_mtime(entry);
    times[1].tv_nsec = archive_entry_mtime_nsec(entry);
    times[0] = times[1];
    if (archive_entry_atime_is_set(entry)) {
        times[0].tv_sec = archive_entry_atime(entry);
        times[0].tv_nsec = archive_entry_atime_nsec(entry);
    }
}

int extract_set_attributes(struct extraction *extraction, struct archive_entry *entry, int fd,
                           const char *name)
{
    mode_t type = archive_entry_filetype(entry);
    const struct extract_options *options = extraction->options;
    bool has_owner = options != NULL && options->has_owner;
    uid_t uid = has_owner ? options->uid : (uid_t)archive_entry_uid(entry);
    gid_t gid = has_owner ? options->gid : (gid_t)archive_entry_gid(entry);
    struct timespec times[2];
    int result;

    if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
        return extract_fail(extraction, "set the owner");
    /* Nodes are made with their mode. */
    if ((type == AE_IFREG || type == AE_IFDIR) && fchmod(fd, archive_entry_perm(entry) & 07777) < 0)
        return extract_fail(extraction, "set the mode");
    result = set_xattrs(extraction, entry, fd, name);
    if (result < 0 || type == AE_IFDIR)
        return result;
    extract_entry_times(entry, times);
    if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0)
        return extract_fail(extraction, "set the times");
    return 0;
}

int extract_fail(struct extraction *extraction, const char *what)
{
    return error_errno(extraction->err, errno, "%s", what);
}
