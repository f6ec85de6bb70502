/* linux.netDevices: see net_devices.c. */
#ifndef DAVIT_RUNTIME_NET_DEVICES_H
#define DAVIT_RUNTIME_NET_DEVICES_H

#include "base/error.h"
#include "bundle/config.h"

/* Moves the devices from the caller's network namespace, in which it stays, and brings them up.
 * Stops at the first that fails; those before have moved. */
int net_devices_move(const struct oci_linux *linux_part, int namespace_fd, struct error *err);

#endif
