/* What containers may reach: see egress.h. */
#include "egress.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "names.h"
#include "network/links.h"
#include "network/packet_log.h"
#include "networks.h"
#include "supervisor/containers/internal.h"

/* An answer is used a little longer than it says, by programs that have it already. */
#define GRANT_SHORTEST_S 5
#define GRANT_LONGEST_S 86400
#define GRANT_GRACE_S 30

/* What the kernel may still have of one that has ended, until it is written that it has not. */
struct egress_ended {
    struct egress_ended *next;
    char id[IDENTIFIER_SIZE];
    size_t rule_count;
    bool is_being_written;
};

/* ---- rules ---- */

static int parse_rules(struct arena *arena, const struct docker_egress *egress,
                       struct egress_rule **rules, struct error *err)
{
    if (egress->allow.count > EGRESS_RULES_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "HostConfig.Egress: more than %d rules",
                         EGRESS_RULES_MAX);
    *rules = arena_new(arena, egress->allow.count, sizeof(**rules));
    for (size_t i = 0; i < egress->allow.count; i++) {
        if (egress_rule_parse(egress->allow.items[i], &(*rules)[i], err) < 0)
            return error_prefix(err, "HostConfig.Egress");
    }
    return 0;
}

/* Rules stand at the host's end of devices that lie on bridges. */
static int check_networks(const struct managed_container *container, struct error *err)
{
    const struct definition *definition = &container->definition;
    const char *mode = container_network_mode(container);

    if (definition->endpoints.count == 0 && strcmp(mode, "none") != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.Egress: rules cannot be kept on network %s", mode);
    for (size_t i = 0; i < definition->endpoints.count; i++) {
        struct network *network = NULL;

        network_find(container->daemon, definition->endpoints.items[i].network_id, &network, NULL);
        if (network != NULL && network->driver != NETWORK_DRIVER_BRIDGE)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "HostConfig.Egress: rules cannot be kept on network %s (%s)",
                             network->name, network_driver_name(network));
    }
    return 0;
}

int container_egress_check(const struct managed_container *container, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct docker_egress *egress = container->definition.host_config.egress;
    struct egress_rule *rules = NULL;

    if (egress == NULL)
        return 0;
    if (parse_rules(&arena, egress, &rules, err) < 0)
        return -err->errnum;
    return check_networks(container, err);
}

/* ---- the script ---- */

static void describe_devices(struct arena *arena, const struct managed_container *container,
                             struct egress_container *said)
{
    size_t count = container->definition.endpoints.count;
    struct egress_device *devices = arena_new(arena, count, sizeof(*devices));

    for (size_t i = 0; i < count; i++) {
        const struct network_lease *lease = &container->leases[i];
        struct egress_device *device = &devices[said->device_count];

        if (lease->address.family == 0)
            continue;
        device->host_device = lease->host_device;
        device->address = lease->address;
        device->address6 = lease->address6;
        link_make_mac(&lease->address, device->mac);
        said->device_count++;
    }
    said->devices = devices;
}

static void describe(struct arena *arena, const struct managed_container *container,
                     struct egress_container *said)
{
    const struct docker_egress *egress = container->definition.host_config.egress;
    struct egress_rule *rules = NULL;

    /* They were checked; what cannot be read any more allows nothing. */
    if (parse_rules(arena, egress, &rules, NULL) == 0)
        said->rule_count = egress->allow.count;
    said->rules = rules;
    said->id = container->definition.id;
    describe_devices(arena, container, said);
}

static bool is_limited(const struct managed_container *container)
{
    return container->definition.host_config.egress != NULL && container_is_on_networks(container);
}

/* Whether there is anything to be done about rules: from the first container that has some on, and
 * where a predecessor has left some. */
static bool has_work(struct daemon *daemon)
{
    if (daemon->has_egress)
        return true;
    daemon->has_egress =
        daemon->egress_ended != NULL || nft_table_exists(&daemon->nft, NFT_INET, EGRESS_TABLE);
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next)
        daemon->has_egress = daemon->has_egress || is_limited(one);
    /* What ended while there was no davitd. */
    for (struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        if (daemon->has_egress && !is_limited(one))
            container_egress_release(one);
    }
    return daemon->has_egress;
}

static void list_limited(struct arena *arena, const struct daemon *daemon, struct egress *egress)
{
    struct egress_container *containers =
        arena_new(arena, daemon->container_count, sizeof(*containers));

    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        if (is_limited(one))
            describe(arena, one, &containers[egress->count++]);
    }
    egress->containers = containers;
}

static void list_ended(struct arena *arena, struct daemon *daemon, struct egress *egress)
{
    struct egress_container *ended;
    size_t count = 0;

    for (const struct egress_ended *one = daemon->egress_ended; one != NULL; one = one->next)
        count++;
    ended = arena_new(arena, count, sizeof(*ended));
    for (struct egress_ended *one = daemon->egress_ended; one != NULL; one = one->next) {
        one->is_being_written = true;
        ended[egress->ended_count++] =
            (struct egress_container){.id = one->id, .rule_count = one->rule_count};
    }
    egress->ended = ended;
}

void egress_add_to_script(struct daemon *daemon, struct arena *arena, struct buffer *script)
{
    struct egress egress = {.count = 0};

    if (!has_work(daemon))
        return;
    egress.lacks_bridge_tracking = daemon->lacks_bridge_tracking;
    list_limited(arena, daemon, &egress);
    list_ended(arena, daemon, &egress);
    egress_write(script, &egress);
}

void egress_is_written(struct daemon *daemon)
{
    struct egress_ended **link = &daemon->egress_ended;

    while (*link != NULL) {
        struct egress_ended *one = *link;

        if (one->is_being_written) {
            *link = one->next;
            free(one);
        } else {
            link = &one->next;
        }
    }
}

static void note_ended(struct daemon *daemon, const char *id, size_t rule_count)
{
    struct egress_ended *ended = memory_new_one(struct egress_ended);

    strcpy(ended->id, id);
    ended->rule_count = rule_count;
    ended->next = daemon->egress_ended;
    daemon->egress_ended = ended;
}

void container_egress_release(struct managed_container *container)
{
    const struct docker_egress *egress = container->definition.host_config.egress;

    if (egress == NULL || container->definition.endpoints.count == 0)
        return;
    container->refused_names = 0;
    note_ended(container->daemon, container->definition.id, egress->allow.count);
    firewall_change(container->daemon);
}

/* What was learnt by the old rules goes with them, and the count begins anew. */
int container_egress_set(struct managed_container *container, const struct docker_egress *egress,
                         struct error *err)
{
    struct docker_host_config *config = &container->definition.host_config;
    const struct docker_egress *former = config->egress;
    int result;

    config->egress = egress;
    result = container_egress_check(container, err);
    if (result == 0)
        result = container_save_definition(container, err);
    if (result < 0) {
        config->egress = former;
        return result;
    }
    if (!container_is_on_networks(container))
        return 0;
    container->refused_names = 0;
    if (former != NULL)
        note_ended(container->daemon, container->definition.id, former->allow.count);
    firewall_change(container->daemon);
    resolver_update(container);
    return 0;
}

/* ---- names ---- */

void container_egress_names(struct arena *arena, const struct managed_container *container,
                            struct resolver_container *said)
{
    const struct docker_egress *egress = container->definition.host_config.egress;
    struct egress_rule *rules = NULL;

    if (egress == NULL)
        return;
    said->is_limited = true;
    if (parse_rules(arena, egress, &rules, NULL) < 0)
        return;
    for (size_t i = 0; i < egress->allow.count; i++) {
        if (rules[i].name[0] != '\0')
            string_list_append(arena, &said->allowed, rules[i].name);
    }
}

/* One that is there gets its new time; a new one is added. In both families of the table. */
static int grant_address(struct nft_channel *nft, const char *id, size_t rule,
                         const struct address *address, uint64_t timeout_ms, struct error *err)
{
    char set[2][EGRESS_IDENTIFIER_SIZE];
    struct nft_element elements[4];
    int result;

    egress_element(id, rule, address, timeout_ms, false, elements, set);
    result = nft_elements_change(nft, elements, 2, err);
    if (result != -EEXIST)
        return result;
    memcpy(elements + 2, elements, 2 * sizeof(*elements));
    elements[0].is_removed = elements[1].is_removed = true;
    *err = (struct error){0};
    return nft_elements_change(nft, elements, 4, err);
}

static void grant_addresses(const struct managed_container *container,
                            const struct resolver_grant *grant, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct docker_egress *egress = container->definition.host_config.egress;
    struct egress_rule *rules = NULL;
    uint64_t ttl_s = grant->ttl_s < GRANT_SHORTEST_S ? GRANT_SHORTEST_S : grant->ttl_s;

    if (ttl_s > GRANT_LONGEST_S)
        ttl_s = GRANT_LONGEST_S;
    if (egress == NULL || parse_rules(&arena, egress, &rules, err) < 0)
        return;
    for (size_t i = 0; i < egress->allow.count; i++) {
        if (!egress_rule_matches(&rules[i], grant->name))
            continue;
        for (size_t j = 0; j < grant->addresses.count; j++) {
            struct address address;

            if (address_parse(grant->addresses.items[j], &address) == 0 &&
                grant_address(&container->daemon->nft, container->definition.id, i, &address,
                              (ttl_s + GRANT_GRACE_S) * 1000, err) < 0)
                return;
        }
    }
}

void egress_grant(struct daemon *daemon, const struct resolver_grant *grant)
{
    struct managed_container *container;
    struct error err = {0};

    if (grant->id == NULL || grant->name == NULL ||
        container_find(daemon, grant->id, &container, NULL) < 0)
        return;
    grant_addresses(container, grant, &err);
    /* Without the kernel's consent the resolver does not answer. */
    if (err.errnum != 0)
        log_warning("container %s: egress to %.64s: %s", container->definition.name, grant->name,
                    err.message);
    else
        resolver_confirm(daemon, grant->serial);
}

/* ---- what was refused ---- */

void egress_note_refusal(struct daemon *daemon, const struct resolver_refusal *refusal)
{
    struct managed_container *container;

    if (container_find(daemon, refusal->id, &container, NULL) < 0)
        return;
    container->refused_names = refusal->count;
    if (refusal->name != NULL)
        container_event(container, "egress_refused",
                        &(struct string_map){(struct string_pair[]){{"query", refusal->name}}, 1});
}

static void tell_refused(void *context, const struct logged_packet *packet)
{
    static const struct {
        uint8_t number;
        const char *name;
    } protocols[] = {{IPPROTO_TCP, "tcp"},
                     {IPPROTO_UDP, "udp"},
                     {IPPROTO_SCTP, "sctp"},
                     {IPPROTO_ICMP, "icmp"},
                     {IPPROTO_ICMPV6, "icmpv6"}};
    struct managed_container *container;
    char destination[ADDRESS_TEXT_SIZE];
    char port[16];
    const char *protocol = "other";
    size_t length = strlen(EGRESS_LOG_PREFIX);

    if (strncmp(packet->prefix, EGRESS_LOG_PREFIX, length) != 0 ||
        container_find(context, packet->prefix + length, &container, NULL) < 0)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (protocols[i].number == packet->protocol)
            protocol = protocols[i].name;
    }
    address_format(&packet->destination, destination);
    snprintf(port, sizeof(port), "%u", packet->port);
    container_event(container, "egress_refused",
                    &(struct string_map){(struct string_pair[]){{"destination", destination},
                                                                {"port", port},
                                                                {"protocol", protocol}},
                                         3});
}

static int on_packets(sd_event_source *source, int fd, uint32_t events, void *context)
{
    (void)source;
    (void)events;
    packet_log_read(fd, tell_refused, context);
    return 0;
}

void egress_open_log(struct daemon *daemon)
{
    struct error err = {0};

    if (daemon->egress_log != NULL || !daemon->has_egress)
        return;
    daemon->egress_log_fd = packet_log_open(EGRESS_LOG_GROUP, &err);
    if (daemon->egress_log_fd < 0 ||
        sd_event_add_io(daemon->loop, &daemon->egress_log, daemon->egress_log_fd, EPOLLIN,
                        on_packets, daemon) < 0)
        log_warning("what containers are refused is counted, but no event: %s", err.message);
}

void container_egress_write(struct json_writer *writer, const struct managed_container *container)
{
    const struct docker_egress *egress = container->definition.host_config.egress;
    char name[EGRESS_IDENTIFIER_SIZE];
    struct nft_counter counter = {0};

    json_object_open(writer);
    if (egress != NULL) {
        egress_counter_name(container->definition.id, name);
        nft_counter_read(&container->daemon->nft, NFT_INET, EGRESS_TABLE, name, &counter, NULL);
        json_member_strings(writer, "Allow", &egress->allow);
        json_key(writer, "Refused");
        json_object_open(writer);
        json_member_unsigned(writer, "Packets", counter.packets);
        json_member_unsigned(writer, "Bytes", counter.bytes);
        json_member_unsigned(writer, "Names", container->refused_names);
        json_object_close(writer);
    }
    json_object_close(writer);
}
