/* Intel RDT: see resctrl.h. */
#include "resctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime.h"

#define RESCTRL_SUPER_MAGIC 0x7655821 /* linux/magic.h: RDTGROUP_SUPER_MAGIC */
#define SCHEMATA_MAX_BYTES 65536

int resctrl_open(struct error *err)
{
    cleanup_close int fd = open("/sys/fs/resctrl", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && path_is_on_filesystem(fd, RESCTRL_SUPER_MAGIC))
        return take_fd(&fd);
    return error_set(err, ERROR_UNSUPPORTED, ENODEV,
                     "linux.intelRdt: no resctrl filesystem is mounted at /sys/fs/resctrl; mount "
                     "-t resctrl resctrl /sys/fs/resctrl, if the processor has RDT");
}

static bool has_schemata(const struct oci_intel_rdt *rdt)
{
    return rdt->l3_cache_schema != NULL || rdt->mem_bw_schema != NULL || rdt->schemata.count > 0;
}

/* The class's name; "/" is the default class, the mount itself. */
static const char *class_name(const struct oci_intel_rdt *rdt, const char *id)
{
    return rdt->clos_id != NULL && rdt->clos_id[0] != '\0' ? rdt->clos_id : id;
}

static bool is_ours(const struct oci_intel_rdt *rdt)
{
    return rdt->clos_id == NULL || rdt->clos_id[0] == '\0';
}

static int open_class(int mount_fd, const char *name)
{
    if (strcmp(name, "/") == 0)
        return openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return openat(mount_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* One write for each line: the kernel applies or refuses a line as a whole. */
static int write_line(int class_fd, const char *line, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result;

    buffer_printf(&text, "%s\n", line);
    result = file_write_value(class_fd, "schemata", buffer_text(&text));
    return result < 0 ? error_errno(err, -result, "linux.intelRdt: schema \"%.64s\"", line) : 0;
}

/* In the specification's order. */
static int write_schemata(int class_fd, const struct oci_intel_rdt *rdt, struct error *err)
{
    int result = 0;

    if (rdt->l3_cache_schema != NULL)
        result = write_line(class_fd, rdt->l3_cache_schema, err);
    if (result == 0 && rdt->mem_bw_schema != NULL)
        result = write_line(class_fd, rdt->mem_bw_schema, err);
    for (size_t i = 0; result == 0 && i < rdt->schemata.count; i++)
        result = write_line(class_fd, rdt->schemata.items[i], err);
    return result;
}

/* Lines of the schemata file are indented to align their colons. */
static bool has_line(const char *text, const char *line)
{
    while (*text != '\0') {
        size_t length;

        text += strspn(text, " ");
        length = strcspn(text, "\n");
        if (length == strlen(line) && strncmp(text, line, length) == 0)
            return true;
        text += length;
        text += strspn(text, "\n");
    }
    return false;
}

/* A class that exists is shared: it has to be as the container wants it. */
static int compare_schemata(int class_fd, const struct oci_intel_rdt *rdt, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    const char *const lines[] = {rdt->l3_cache_schema, rdt->mem_bw_schema};
    int result = file_read(class_fd, "schemata", SCHEMATA_MAX_BYTES, &text, err);

    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(lines); i++) {
        if (lines[i] != NULL && !has_line(buffer_text(&text), lines[i]))
            return error_set(err, ERROR_CONFLICT, EEXIST,
                             "linux.intelRdt: closID \"%.64s\" exists without the schema \"%.64s\"",
                             rdt->clos_id, lines[i]);
    }
    for (size_t i = 0; result == 0 && i < rdt->schemata.count; i++) {
        if (!has_line(buffer_text(&text), rdt->schemata.items[i]))
            return error_set(err, ERROR_CONFLICT, EEXIST,
                             "linux.intelRdt: closID \"%.64s\" exists without the schema \"%.64s\"",
                             rdt->clos_id, rdt->schemata.items[i]);
    }
    return result;
}

static int prepare_class(int mount_fd, const struct oci_intel_rdt *rdt, const char *id,
                         struct error *err)
{
    const char *name = class_name(rdt, id);
    bool may_make = is_ours(rdt) || has_schemata(rdt);
    bool was_made = may_make && strcmp(name, "/") != 0 && mkdirat(mount_fd, name, 0755) == 0;
    cleanup_close int class_fd = -1;
    int result = 0;

    if (may_make && !was_made && errno != EEXIST && strcmp(name, "/") != 0)
        return error_errno(err, errno, "linux.intelRdt: make the class \"%.64s\"", name);
    class_fd = open_class(mount_fd, name);
    if (class_fd < 0)
        return error_errno(err, errno, "linux.intelRdt: closID \"%.64s\"", name);
    if (was_made)
        result = write_schemata(class_fd, rdt, err);
    else if (has_schemata(rdt))
        result = compare_schemata(class_fd, rdt, err);
    return result < 0 ? result : take_fd(&class_fd);
}

static int join_group(int class_fd, const char *group, pid_t pid, struct error *err)
{
    char path[512];
    char text[16];
    int result;

    snprintf(path, sizeof(path), "%s%stasks", group != NULL ? group : "", group != NULL ? "/" : "");
    snprintf(text, sizeof(text), "%d", (int)pid);
    result = file_write_value(class_fd, path, text);
    return result < 0 ? error_errno(err, -result, "linux.intelRdt: %s", path) : 0;
}

int resctrl_apply(int mount_fd, const struct oci_intel_rdt *rdt, const char *id, pid_t pid,
                  struct error *err)
{
    cleanup_close int class_fd = prepare_class(mount_fd, rdt, id, err);
    char group[300];
    int result;

    if (class_fd < 0)
        return class_fd;
    result = join_group(class_fd, NULL, pid, err);
    if (result < 0 || !rdt->enable_monitoring)
        return result;
    snprintf(group, sizeof(group), "mon_groups/%.255s", id);
    /* One of this name is left of a run whose end nobody has seen. */
    if (mkdirat(class_fd, group, 0755) < 0 && errno != EEXIST)
        return error_errno(err, errno, "linux.intelRdt.enableMonitoring: make %s", group);
    return join_group(class_fd, group, pid, err);
}

int resctrl_write(int mount_fd, const struct oci_intel_rdt *rdt, const char *id,
                  const struct oci_intel_rdt *changes, struct error *err)
{
    cleanup_close int class_fd = open_class(mount_fd, class_name(rdt, id));

    if (class_fd < 0)
        return error_errno(err, errno, "linux.intelRdt: the container's class");
    return write_schemata(class_fd, changes, err);
}

void resctrl_remove(int mount_fd, const struct oci_intel_rdt *rdt, const char *id)
{
    cleanup_close int class_fd = open_class(mount_fd, class_name(rdt, id));
    char group[300];

    if (class_fd >= 0 && rdt->enable_monitoring) {
        snprintf(group, sizeof(group), "mon_groups/%.255s", id);
        unlinkat(class_fd, group, AT_REMOVEDIR);
    }
    if (is_ours(rdt))
        unlinkat(mount_fd, id, AT_REMOVEDIR);
}

void container_remove_resctrl(const struct oci_config *config, const char *id)
{
    cleanup_close int mount_fd = -1;

    if (config->linux == NULL || config->linux->intel_rdt == NULL)
        return;
    mount_fd = resctrl_open(NULL);
    if (mount_fd >= 0)
        resctrl_remove(mount_fd, config->linux->intel_rdt, id);
}
