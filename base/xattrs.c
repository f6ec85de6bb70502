/* Copying extended attributes: see xattrs.h. */
#include "xattrs.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <sys/xattr.h>

#include "cleanup.h"
#include "memory.h"

#define XATTRS_MAX_BYTES 65536 /* XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h */

int xattrs_copy(int from_fd, int to_fd, bool (*is_wanted)(const char *name), struct error *err)
{
    cleanup_free char *names = memory_new(XATTRS_MAX_BYTES, 1);
    cleanup_free char *value = memory_new(XATTRS_MAX_BYTES, 1);
    ssize_t length = flistxattr(from_fd, names, XATTRS_MAX_BYTES);

    if (length < 0 && errno != EOPNOTSUPP)
        return error_errno(err, errno, "list the extended attributes");
    for (const char *name = names; length > 0 && name < names + length; name += strlen(name) + 1) {
        ssize_t size;

        if (!is_wanted(name))
            continue;
        size = fgetxattr(from_fd, name, value, XATTRS_MAX_BYTES);
        if (size < 0 || (fsetxattr(to_fd, name, value, (size_t)size, 0) < 0 && errno != EOPNOTSUPP))
            return error_errno(err, errno, "extended attribute %.64s", name);
    }
    return 0;
}
