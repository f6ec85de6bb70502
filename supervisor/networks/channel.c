/* The socket that owns the kernel's rules, across davitds: see networks.h and
 * docs/decisions/walls.md. */
#include "base/cleanup.h"
#include "base/log.h"
#include "network/egress.h"
#include "network/firewall.h"
#include "network/limits.h"
#include "networks.h"
#include "supervisor/spawn/keepers.h"

static bool is_owner(int fd, const void *context)
{
    const uint32_t *owner = context;

    return nft_socket_is(fd, *owner);
}

static uint32_t find_owner(const struct nft_channel *channel)
{
    static const struct {
        enum nft_family family;
        const char *name;
    } tables[] = {{NFT_INET, FIREWALL_TABLE},
                  {NFT_BRIDGE, FIREWALL_TABLE},
                  {NFT_INET, EGRESS_TABLE},
                  {NFT_BRIDGE, EGRESS_TABLE},
                  {NFT_INET, LIMITS_TABLE}};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        uint32_t owner;

        if (nft_table_look_up(channel, tables[i].family, tables[i].name, &owner) == 0 && owner != 0)
            return owner;
    }
    return 0;
}

void networks_open_channel(struct networks *networks)
{
    struct nft_channel fresh;
    struct error err = {0};
    uint32_t owner;
    int fd;

    if (nft_channel_open(&fresh, &err) < 0) {
        log_warning("networks: %s", err.message);
        networks->nft.fd = -1;
        return;
    }
    owner = find_owner(&fresh);
    fd = owner != 0 ? monitors_find_descriptor(is_owner, &owner) : -1;
    if (owner != 0 && fd < 0)
        log_warning("networks: the rules of nftables belong to a process that is no monitor of "
                    "davit (port %u of netlink): they go when it ends, and nobody else can "
                    "change them",
                    owner);
    networks->nft = fresh;
    if (fd < 0 || nft_channel_adopt(&networks->nft, fd, &err) < 0)
        return;
    nft_channel_close(&fresh);
}
