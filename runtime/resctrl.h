/*
 * Intel RDT through the resctrl filesystem (kernel: Documentation/filesystems/resctrl.rst;
 * runtime-spec config-linux.md "IntelRdt"). A class of service is a directory, a monitoring group
 * one below its mon_groups. All functions take the mount's descriptor; resctrl_open() finds it.
 */
#ifndef DAVIT_RUNTIME_RESCTRL_H
#define DAVIT_RUNTIME_RESCTRL_H

#include <sys/types.h>

#include "base/error.h"
#include "bundle/config.h"

/* The mount's directory, or an error that says that there is none. */
int resctrl_open(struct error *err);

/* Makes or checks the class and the monitoring group and puts the process into them. */
int resctrl_apply(int mount_fd, const struct oci_intel_rdt *rdt, const char *id, pid_t pid,
                  struct error *err);

/* Writes schemata that are set in `changes`. */
int resctrl_write(int mount_fd, const struct oci_intel_rdt *rdt, const char *id,
                  const struct oci_intel_rdt *changes, struct error *err);

/* Removes what resctrl_apply() made for this container. What is not there is fine. */
void resctrl_remove(int mount_fd, const struct oci_intel_rdt *rdt, const char *id);

#endif
