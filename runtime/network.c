/* P3: the container's network namespace: network_namespaces(7). */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "net_devices.h"
#include "plan.h"
#include "sync.h"

#define OWN_NAMESPACE "/proc/self/ns/net"

int network_raise_loopback(struct error *err)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return error_errno(err, errno, "bring the loopback interface up");
    return 0;
}

/* In the new namespace: returns its descriptor. */
static int make_here(struct error *err)
{
    cleanup_close int fd = -1;
    int result;

    if (unshare(CLONE_NEWNET) < 0)
        return error_errno(err, errno, "make a network namespace");
    result = network_raise_loopback(err);
    if (result < 0)
        return result;
    fd = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, OWN_NAMESPACE) : take_fd(&fd);
}

int network_make(int control_fd, const struct oci_config *config, struct error *err)
{
    int result = 0;
    cleanup_close int own_fd = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
    cleanup_close int new_fd = -1;

    if (own_fd < 0)
        return error_errno(err, errno, OWN_NAMESPACE);
    new_fd = make_here(err);
    /* Staying in a container's network would break the caller. */
    if (setns(own_fd, CLONE_NEWNET) < 0)
        abort();
    if (new_fd < 0)
        return new_fd;
    if (config->linux->net_devices.count > 0)
        result = net_devices_move(config->linux, new_fd, err);
    if (result < 0)
        return result;
    sync_send_fd(control_fd, SYNC_NETWORK, new_fd);
    return 0;
}

int network_enter(struct network_entry *entry, struct error *err)
{
    cleanup_close int fd = -1;
    int result;

    if (!entry->is_pending)
        return 0;
    entry->is_pending = false;
    result = sync_expect(entry->control_fd, SYNC_NETWORK, &fd, err);
    if (result == 0 && setns(fd, CLONE_NEWNET) < 0)
        result = error_errno(err, errno, "enter the network namespace");
    return result;
}
