/* Project quotas: see images.h. */
#include <errno.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "images.h"

#define BLOCK_BYTES 1024 /* of limits, see quotactl(2) */

int quota_limit(int directory_fd, uint32_t project, uint64_t bytes, struct error *err)
{
    const struct if_dqblk limits = {
        .dqb_bhardlimit = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES,
        .dqb_bsoftlimit = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES,
        .dqb_valid = QIF_BLIMITS,
    };

    if (syscall(SYS_quotactl_fd, directory_fd, QCMD(Q_SETQUOTA, PRJQUOTA), project, &limits) == 0)
        return 0;
    if (errno == ESRCH || errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "the filesystem of davitd's root directory has no project quotas: ext4 "
                         "made with \"-O quota,project\" or xfs, mounted with prjquota, has");
    return error_errno(err, errno, "set the quota");
}

uint32_t quota_project(int directory_fd)
{
    struct fsxattr attributes;

    return ioctl(directory_fd, FS_IOC_FSGETXATTR, &attributes) == 0 ? attributes.fsx_projid : 0;
}

int quota_assign(int directory_fd, uint32_t project, struct error *err)
{
    struct fsxattr attributes;

    if (ioctl(directory_fd, FS_IOC_FSGETXATTR, &attributes) < 0)
        return error_errno(err, errno, "read the project");
    attributes.fsx_projid = project;
    attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    if (ioctl(directory_fd, FS_IOC_FSSETXATTR, &attributes) < 0)
        return error_errno(err, errno, "set the project");
    return 0;
}
