/* The files that tell a container of its network: hosts, resolv.conf and hostname, which are bound
 * into it. See container_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "container_internal.h"

/* In place: they are bound into the container. */
static int write_file(const struct managed_container *container, const char *name, const char *text,
                      struct error *err)
{
    cleanup_close int directory_fd = container_open_directory(container);
    cleanup_close int fd = -1;

    if (directory_fd >= 0)
        fd =
            openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || fchmod(fd, 0644) < 0 || file_write_fd(fd, text, strlen(text)) < 0)
        return error_errno(err, errno, "write the container's %s", name);
    return 0;
}

int container_network_write_hosts(const struct managed_container *container, struct error *err)
{
    const struct docker_config *config = &container->definition.config;
    bool has_domain = config->domainname != NULL && config->domainname[0] != '\0';
    cleanup_buffer struct buffer text = {0};

    buffer_append_string(&text, "127.0.0.1\tlocalhost\n"
                                "::1\tlocalhost ip6-localhost ip6-loopback\n");
    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        char address[ADDRESS_TEXT_SIZE];

        address_format(&container->leases[i].address, address);
        if (address[0] != '\0')
            buffer_printf(&text, "%s\t%s%s%s %s\n", address, config->hostname,
                          has_domain ? "." : "", has_domain ? config->domainname : "",
                          config->hostname);
    }
    return write_file(container, "hosts", buffer_text(&text), err);
}

/* The host's, without servers on its loopback, which is not the container's. */
static int write_resolv_conf(const struct managed_container *container, struct error *err)
{
    cleanup_buffer struct buffer host = {0};
    cleanup_buffer struct buffer text = {0};
    const char *line;

    file_read(AT_FDCWD, "/etc/resolv.conf", 1 << 16, &host, NULL);
    for (line = buffer_text(&host); *line != '\0'; line += strspn(line, "\n")) {
        int length = (int)strcspn(line, "\n");

        if (strncmp(line, "nameserver 127.", 15) != 0 && strncmp(line, "nameserver ::1", 14) != 0)
            buffer_printf(&text, "%.*s\n", length, line);
        line += length;
    }
    return write_file(container, "resolv.conf", buffer_text(&text), err);
}

int container_network_write_files(struct managed_container *container, struct error *err)
{
    cleanup_free char *hostname = memory_printf("%s\n", container->definition.config.hostname);
    int result = 0;

    if (container->definition.endpoints.count == 0)
        return 0;
    result = container_network_write_hosts(container, err);
    if (result == 0)
        result = write_resolv_conf(container, err);
    return result < 0 ? result : write_file(container, "hostname", hostname, err);
}
