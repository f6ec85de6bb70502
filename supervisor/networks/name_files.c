/* The files that tell a container of its network: hosts, resolv.conf and hostname, which are bound
 * into it. See membership.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "membership.h"
#include "names.h"
#include "network/resolver_channel.h"
#include "networks.h"

#define FILE_MAX (1 << 20)

/* In place: they are bound into the container. */
static int write_file(const struct membership *member, const char *name, const char *text,
                      struct error *err)
{
    cleanup_close int directory_fd = member->owner->open_directory(member);
    cleanup_close int fd = -1;

    if (directory_fd >= 0)
        fd = file_open_regular(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return error_errno(err, directory_fd < 0 ? -directory_fd : -fd, "write the container's %s",
                           name);
    if (fchmod(fd, 0644) < 0 || file_write_fd(fd, text, strlen(text)) < 0)
        return error_errno(err, errno, "write the container's %s", name);
    return 0;
}

/* The host's address on its first network, which is its gateway; with the host's network: itself.
 */
static const char *host_gateway(const struct membership *member, char *text)
{
    const struct endpoint *first = &member->definition->endpoints.items[0];
    const struct network *network = member->definition->endpoints.count > 0
                                        ? network_by_id(member->networks, first->network_id)
                                        : NULL;

    if (network == NULL)
        return "127.0.0.1";
    address_format(&network->ipv4.gateway, text);
    return text;
}

static void write_extra_hosts(const struct membership *member, struct buffer *text)
{
    const struct string_list *extra = &member->definition->host_config.extra_hosts;

    for (size_t i = 0; i < extra->count; i++) {
        char gateway[ADDRESS_TEXT_SIZE];
        const char *address;
        char name[256];

        if (!definition_split_extra_host(extra->items[i], name, &address))
            continue;
        if (strcmp(address, "host-gateway") == 0)
            address = host_gateway(member, gateway);
        buffer_printf(text, "%s\t%s\n", address, name);
    }
}

static void write_own(struct buffer *text, const struct docker_config *config,
                      const struct address *own)
{
    bool has_domain = config->domainname != NULL && config->domainname[0] != '\0';
    char address[ADDRESS_TEXT_SIZE];

    address_format(own, address);
    if (address[0] != '\0')
        buffer_printf(text, "%s\t%s%s%s %s\n", address, config->hostname, has_domain ? "." : "",
                      has_domain ? config->domainname : "", config->hostname);
}

int membership_write_hosts(const struct membership *member, struct error *err)
{
    const struct docker_config *config = &member->definition->config;
    cleanup_buffer struct buffer text = {0};

    if (mode_is_host(definition_network_mode(member->definition)))
        file_read(AT_FDCWD, "/etc/hosts", FILE_MAX, &text, NULL);
    else
        buffer_append_string(&text, "127.0.0.1\tlocalhost\n"
                                    "::1\tlocalhost ip6-localhost ip6-loopback\n");
    write_extra_hosts(member, &text);
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        write_own(&text, config, &member->leases[i].address);
        write_own(&text, config, &member->leases[i].address6);
    }
    return write_file(member, "hosts", buffer_text(&text), err);
}

static bool begins_with(const struct string_list *list, const char *beginning)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], beginning, strlen(beginning)) == 0)
            return true;
    }
    return false;
}

/* As Docker's: names of containers are short, and asked for as they are. "." stands for no search
 * list at all. */
static int write_resolv_conf(const struct membership *member, struct error *err)
{
    static const char *const resolver[] = {RESOLVER_ADDRESS};
    const struct docker_host_config *config = &member->definition->host_config;
    bool has_resolver = member->definition->endpoints.count > 0;
    cleanup_arena struct arena arena = {0};
    cleanup_buffer struct buffer text = {0};
    struct resolver_host host = {0};

    names_read_host(&arena, &host);
    if (config->dns.count > 0)
        host.servers = config->dns;
    if (has_resolver)
        host.servers = (struct string_list){(const char **)(uintptr_t)resolver, 1};
    if (config->dns_search.count > 0)
        host.search = config->dns_search;
    if (config->dns_options.count > 0)
        host.options = config->dns_options;
    if (has_resolver && !begins_with(&host.options, "ndots:"))
        string_list_append(&arena, &host.options, "ndots:0");
    for (size_t i = 0; i < host.servers.count; i++)
        buffer_printf(&text, "nameserver %s\n", host.servers.items[i]);
    if (host.search.count > 0 && strcmp(host.search.items[0], ".") != 0)
        buffer_printf(&text, "search %s\n", string_list_join(&arena, &host.search, " "));
    if (host.options.count > 0)
        buffer_printf(&text, "options %s\n", string_list_join(&arena, &host.options, " "));
    return write_file(member, "resolv.conf", buffer_text(&text), err);
}

int membership_write_files(struct membership *member, struct error *err)
{
    cleanup_free char *hostname = memory_printf("%s\n", member->definition->config.hostname);
    const char *directory = member->definition->names_directory;
    int result = 0;

    if (member->definition->endpoints.count == 0 &&
        (directory == NULL || strcmp(directory, ".") != 0))
        return 0;
    result = membership_write_hosts(member, err);
    if (result == 0)
        result = write_resolv_conf(member, err);
    return result < 0 ? result : write_file(member, "hostname", hostname, err);
}

int membership_write_lost_files(struct membership *member, struct error *err)
{
    static const char *const names[] = {"hosts", "resolv.conf", "hostname"};
    cleanup_close int directory_fd = member->owner->open_directory(member);

    for (size_t i = 0; directory_fd >= 0 && i < ARRAY_SIZE(names); i++) {
        if (faccessat(directory_fd, names[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return membership_write_files(member, err);
    }
    return 0;
}
